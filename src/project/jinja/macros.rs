//! Macros: found by namespace, bound to their arguments, rendered as templates of their own.
//!
//! ```text
//!   {{ dbt_utils.star(ref('x')) }} ─► Namespace dbt_utils ─► Macro star ─► template "macro.dbt_utils.star" ─► text or return()
//! ```
//!
//! 1. A macro may be called from any template: it carries the scope it was found in.
//! 2. `return(x)` ends a macro with a value; without it the macro's value is its text.
//! 3. `adapter.dispatch` looks for `livemart__m`, then `postgres__m`, then `default__m`, in each package of the search order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use super::failure::{Failure, Place, ReturnSignal, failure_of, take_return};
use super::names::Names;
use super::rewrite::{Param, macro_template};
use super::scope::{Scope, World};
use super::segments::{BlockKind, Syntax, blocks};
use super::value::{Arguments, dict};

/// The package of the macros that dbt itself brings.
pub const INTERNAL_PACKAGE: &str = "dbt";
/// Packages whose `date_spine` counts its rows with a query at compile time.
const SPINE_PACKAGES: [&str; 2] = ["dbt_utils", "dbt_date"];

/// Whose branches `adapter.dispatch` takes, in order.
pub const DISPATCH_PREFIXES: [&str; 3] = ["livemart", "postgres", "default"];

/// Deep enough for every macro library seen, shallow enough for the stack that renders it.
const DEPTH_MAX: usize = 120;

/// A macro as it was found in a file.
#[derive(Debug)]
pub struct Macro {
    pub unique_id: String,
    pub package: String,
    pub name: String,
    /// Relative to the project's folder.
    pub file: String,
    pub line: usize,
    pub source: String,
    pub params: Vec<Param>,
    /// Name of its template in the environment.
    pub template: String,
}

/// All macros, by package and name.
#[derive(Debug, Default)]
pub struct MacroTable {
    packages: BTreeMap<String, BTreeMap<String, Arc<Macro>>>,
}

impl MacroTable {
    /// Adds a macro; one of the same package and name that was there before is returned.
    pub fn add(&mut self, found: Macro) -> Option<Arc<Macro>> {
        self.packages.entry(found.package.clone()).or_default().insert(found.name.clone(), Arc::new(found))
    }

    pub fn in_package(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        self.packages.get(package)?.get(name)
    }

    pub fn has_package(&self, package: &str) -> bool {
        self.packages.contains_key(package)
    }

    /// dbt's order for a bare name: the node's package, the root project, dbt's own.
    pub fn find(&self, name: &str, node_package: &str, root: &str) -> Option<&Arc<Macro>> {
        [node_package, root, INTERNAL_PACKAGE].into_iter().find_map(|package| self.in_package(package, name))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Macro>> {
        self.packages.values().flat_map(BTreeMap::values)
    }
}

/// A macro that a template can call.
pub struct MacroObject {
    pub definition: Arc<Macro>,
    pub scope: Arc<Scope>,
}

impl fmt::Debug for MacroObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}>", self.definition.name)
    }
}

impl Object for MacroObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "name").then(|| Value::from(self.definition.name.as_str()))
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        call(&self.scope, &self.definition, args)
    }
}

/// Calls a macro with minijinja's arguments.
pub fn call(scope: &Arc<Scope>, definition: &Arc<Macro>, args: &[Value]) -> Result<Value, Error> {
    let body = Body {
        name: &definition.name,
        template: &definition.template,
        params: &definition.params,
        package: &definition.package,
        locals: Vec::new(),
    };
    let depth = scope.enter();
    if depth == 0 {
        scope.record().macros.push(definition.unique_id.clone());
    }
    let result = if depth > DEPTH_MAX {
        Err(Error::new(ErrorKind::InvalidOperation, format!("macro '{}' calls itself without end", definition.name)))
    } else {
        render(scope, body, args)
    };
    scope.leave();
    result.or_else(|error| match take_return(&error) {
        Some(value) => Ok(value),
        None => {
            let place = Place {
                object: format!("macro {}", definition.name),
                file: definition.file.clone(),
                line: error.line(),
            };
            Err(failure_of(error).called_in(place).into_error())
        }
    })
}

/// What is rendered with bound arguments: a macro's or a call block's body.
struct Body<'a> {
    name: &'a str,
    template: &'a str,
    params: &'a [Param],
    package: &'a str,
    locals: Vec<(String, Value)>,
}

fn render(scope: &Arc<Scope>, body: Body<'_>, args: &[Value]) -> Result<Value, Error> {
    let template = scope.world.env.get_template(body.template)?;
    let mut locals = bind(&body, &Arguments::of(args), template.source())?;
    locals.extend(body.locals);
    let names = Names { scope: Arc::clone(scope), package: body.package.to_string(), locals };
    template.render(Value::from_object(names)).map(Value::from)
}

/// Arguments as names; extra ones go to `varargs` and `kwargs` where the body asks for these.
fn bind(body: &Body<'_>, args: &Arguments, source: &str) -> Result<Vec<(String, Value)>, Error> {
    let too_many = |message: String| Error::new(ErrorKind::TooManyArguments, message);
    let mut locals = Vec::new();
    for (at, param) in body.params.iter().enumerate() {
        let value = args.positional.get(at).or_else(|| args.named(&param.name)).cloned();
        if param.has_default {
            locals.push((format!("_lm_unset_{}", param.name), Value::from(value.is_none())));
        }
        locals.push((param.name.clone(), value.unwrap_or(Value::UNDEFINED)));
    }
    let extra = args.positional.get(body.params.len()..).unwrap_or_default();
    let is_param = |name: &str| body.params.iter().any(|param| param.name == name);
    let named: Vec<_> = args.named.iter().filter(|(name, _)| !is_param(name) && name != "caller").collect();
    if source.contains("varargs") {
        locals.push(("varargs".into(), Value::from(Tuple::from(extra.to_vec()))));
    } else if !extra.is_empty() {
        return Err(too_many(format!("macro '{}' takes not more than {} argument(s)", body.name, body.params.len())));
    }
    if source.contains("kwargs") {
        locals.push((
            "kwargs".into(),
            dict(named.into_iter().map(|(name, value)| (Value::from(name.as_str()), value.clone()))),
        ));
    } else if let Some((name, _)) = named.first() {
        return Err(too_many(format!("macro '{}' takes no keyword argument '{name}'", body.name)));
    }
    if let Some(caller) = args.named("caller").filter(|_| !is_param("caller")) {
        locals.push(("caller".into(), caller.clone()));
    }
    Ok(locals)
}

/// The body of a `call` block with the names it was written among.
pub struct CallerObject {
    pub scope: Arc<Scope>,
    pub package: String,
    pub template: String,
    pub params: Vec<Param>,
    pub locals: Vec<(String, Value)>,
}

impl fmt::Debug for CallerObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<macro caller>")
    }
}

impl Object for CallerObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let locals = self.locals.clone();
        render(
            &self.scope,
            Body { name: "caller", template: &self.template, params: &self.params, package: &self.package, locals },
            args,
        )
    }
}

/// `dbt_utils` in `dbt_utils.star(…)`.
pub struct Namespace {
    pub package: String,
    pub scope: Arc<Scope>,
}

impl Namespace {
    /// What a unit test puts in place of `package.macro`.
    fn overridden(&self, name: &str) -> Option<Value> {
        let of_package = |known: &str| known.split_once('.') == Some((&*self.package, name));
        self.scope.extra.iter().find(|(known, _)| of_package(known)).map(|(_, value)| value.clone())
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<namespace {}>", self.package)
    }
}

impl Object for Namespace {
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(overridden) = self.overridden(key.as_str()?) {
            return Some(overridden);
        }
        let definition = self.scope.world.macros.in_package(&self.package, key.as_str()?)?;
        Some(Value::from_object(MacroObject { definition: Arc::clone(definition), scope: Arc::clone(&self.scope) }))
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        if let Some(overridden) = self.overridden(method) {
            return overridden.call(state, args);
        }
        match self.scope.world.macros.in_package(&self.package, method) {
            Some(definition) => call(&self.scope, definition, args),
            None => Err(Failure::undefined(&format!("{}.{method}", self.package)).into_error()),
        }
    }
}

/// `adapter.dispatch(name, namespace)`.
pub fn dispatch(scope: &Arc<Scope>, name: &str, namespace: Option<&str>) -> Result<Value, Error> {
    let world = &scope.world;
    if name.contains('.') {
        let (package, name) = name.split_once('.').unwrap_or_default();
        let message = format!(
            "In adapter.dispatch, got a macro name of \"{package}.{name}\", but \".\" is not a valid macro name component. \
             Did you mean `adapter.dispatch(\"{name}\", macro_namespace=\"{package}\")`?"
        );
        return Err(Failure::new(message).into_error());
    }
    let mut searched = Vec::new();
    let packages: Vec<String> = match namespace {
        None => vec![scope.node.package.clone(), world.project_name.clone(), INTERNAL_PACKAGE.into()],
        Some(namespace) => match world.dispatch.get(namespace) {
            Some(order) => order.clone(),
            None if world.macros.has_package(namespace) || world.packages.iter().any(|known| known == namespace) => {
                vec![world.project_name.clone(), namespace.to_string()]
            }
            None => return Err(Failure::new(format!("Could not find package '{namespace}'")).into_error()),
        },
    };
    if let Some(definition) = replacement(world, name, namespace) {
        return Ok(Value::from_object(MacroObject { definition, scope: Arc::clone(scope) }));
    }
    for package in &packages {
        for prefix in DISPATCH_PREFIXES {
            let candidate = format!("{prefix}__{name}");
            if let Some(definition) = world.macros.in_package(package, &candidate) {
                return Ok(Value::from_object(MacroObject {
                    definition: Arc::clone(definition),
                    scope: Arc::clone(scope),
                }));
            }
            searched.push(if namespace.is_some() {
                format!("'{package}.{candidate}'")
            } else {
                format!("'{candidate}'")
            });
        }
    }
    let within = namespace.map_or(String::new(), |namespace| format!(" within namespace: '{namespace}'"));
    Err(Failure::new(format!(
        "In dispatch: No macro named '{name}' found{within}\n    Searched for: {}",
        searched.join(", ")
    ))
    .into_error())
}

/// A macro of our own in place of a package's that would ask the database while compiling; the project's own `livemart__` macro goes first.
fn replacement(world: &World, name: &str, namespace: Option<&str>) -> Option<Arc<Macro>> {
    let candidate = format!("livemart__{name}");
    if !SPINE_PACKAGES.contains(&namespace?) || world.macros.in_package(&world.project_name, &candidate).is_some() {
        return None;
    }
    world.macros.in_package(INTERNAL_PACKAGE, &candidate).map(Arc::clone)
}

/// `return(value)`.
pub fn return_value(value: Value) -> Error {
    Error::new(ErrorKind::InvalidOperation, "return() outside of a macro").with_source(ReturnSignal(value))
}

/// Adds the macros and generic tests of one file. Of two macros with one name in a package the second is an error, with both lines.
pub fn load(world: &mut World, package: &str, file: &str, text: &str) -> Result<(), Syntax> {
    for block in blocks(text)? {
        let prefix = match block.kind {
            BlockKind::Macro => "",
            BlockKind::Test => "test_",
            _ => continue,
        };
        let (name, params, rewritten) = macro_template(&block)?;
        let name = format!("{prefix}{name}");
        let unique_id = format!("macro.{package}.{name}");
        let template = world.register_rewritten(&unique_id, rewritten);
        let found = Macro {
            unique_id,
            package: package.to_string(),
            name: name.clone(),
            file: file.to_string(),
            line: block.line,
            source: block.text.to_string(),
            params,
            template,
        };
        if let Some(other) = world.macros.add(found) {
            let message = format!(
                "dbt found two macros named \"{name}\" in the project\n\"{package}\".\n To fix this error, rename or remove one of the \
                 following macros:\n    - {}\n    - {file}",
                other.file
            );
            return Err(Syntax { message, line: block.line });
        }
    }
    Ok(())
}
