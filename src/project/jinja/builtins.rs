//! dbt's functions: `ref`, `source`, `var`, `env_var`, `return`, `run_query`, …

use std::fmt;
use std::sync::Arc;

use md5::{Digest, Md5};
use minijinja::value::{Object, ObjectRepr, Tuple};
use minijinja::{Error, State, Value};
use serde_json::Value as Json;

use super::failure::Failure;
use super::macros::{CallerObject, return_value};
use super::relation::Relation;
use super::scope::{Phase, RefArgs, Scope, Talk};
use super::set::set;
use super::table::{Absorb, TableObject};
use super::value::{Arguments, from_json, list, text_dict, to_json};
use crate::project::yaml;

pub const SECRET_PREFIX: &str = "DBT_ENV_SECRET_";

/// A function of dbt's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    Ref,
    Source,
    Var,
    EnvVar,
    Return,
    Log,
    Print,
    ToJson,
    FromJson,
    ToYaml,
    FromYaml,
    Set,
    Zip,
    LocalMd5,
    DiffOfTwoDicts,
    IsIncremental,
    ShouldFullRefresh,
    ShouldStoreFailures,
    LoadRelation,
    Statement,
    RunQuery,
    LoadResult,
    StoreResult,
    TryOrCompilerError,
    Render,
    Caller,
    Doc,
}

impl Builtin {
    pub fn named(name: &str, phase: Phase) -> Option<Builtin> {
        Some(match name {
            "var" => Builtin::Var,
            "env_var" => Builtin::EnvVar,
            "return" => Builtin::Return,
            "log" => Builtin::Log,
            "print" => Builtin::Print,
            "tojson" => Builtin::ToJson,
            "fromjson" => Builtin::FromJson,
            "toyaml" => Builtin::ToYaml,
            "fromyaml" => Builtin::FromYaml,
            "set" | "set_strict" => Builtin::Set,
            "zip" | "zip_strict" => Builtin::Zip,
            "local_md5" => Builtin::LocalMd5,
            "diff_of_two_dicts" => Builtin::DiffOfTwoDicts,
            "_lm_caller" => Builtin::Caller,
            "doc" => Builtin::Doc,
            _ if phase == Phase::Yaml => return None,
            "ref" => Builtin::Ref,
            "source" => Builtin::Source,
            "is_incremental" => Builtin::IsIncremental,
            "should_full_refresh" => Builtin::ShouldFullRefresh,
            "should_store_failures" => Builtin::ShouldStoreFailures,
            "load_relation" => Builtin::LoadRelation,
            "statement" => Builtin::Statement,
            "run_query" => Builtin::RunQuery,
            "load_result" => Builtin::LoadResult,
            "store_result" => Builtin::StoreResult,
            "try_or_compiler_error" => Builtin::TryOrCompilerError,
            "render" => Builtin::Render,
            _ => return None,
        })
    }
}

pub struct BuiltinObject {
    pub builtin: Builtin,
    pub scope: Arc<Scope>,
}

impl fmt::Debug for BuiltinObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<function {:?}>", self.builtin)
    }
}

pub fn fail<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Failure::new(message).into_error())
}

pub fn none() -> Value {
    Value::from(())
}

impl Object for BuiltinObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (scope, args) = (&self.scope, Arguments::of(args));
        match self.builtin {
            Builtin::Ref => reference(scope, &args),
            Builtin::Source => source(scope, &args),
            Builtin::Var => variable(scope, &args),
            Builtin::EnvVar => env_var(scope, &args),
            Builtin::Return => Err(return_value(args.get(0, "data").unwrap_or_else(none))),
            Builtin::Log => {
                let text = args.text(0, "msg")?;
                let is_info = args.get(1, "info").is_some_and(|info| info.is_true());
                scope.world.say(if is_info { Talk::Info(text) } else { Talk::Debug(text) });
                Ok(Value::from(""))
            }
            Builtin::Print => {
                if scope.phase != Phase::Parse {
                    scope.world.say(Talk::Info(args.text(0, "msg")?));
                }
                Ok(Value::from(""))
            }
            Builtin::ToJson => {
                let mut json = to_json(&args.require(0, "value")?);
                if args.get(2, "sort_keys").is_some_and(|sort| sort.is_true()) {
                    sort_keys(&mut json);
                }
                Ok(Value::from(python_json(&json)))
            }
            Builtin::FromJson => {
                let text = args.text(0, "string")?;
                Ok(serde_json::from_str(&text)
                    .map_or_else(|_| args.get(1, "default").unwrap_or_else(none), |json: Json| from_json(&json)))
            }
            Builtin::ToYaml => Ok(Value::from(yaml::dump(&to_json(&args.require(0, "value")?)))),
            Builtin::FromYaml => {
                let parsed = yaml::parse(&args.text(0, "value")?, "fromyaml");
                Ok(parsed
                    .map_or_else(|_| args.get(1, "default").unwrap_or_else(none), |yaml| from_json(&yaml.to_json())))
            }
            Builtin::Set => {
                let mut items: Vec<Value> = Vec::new();
                if let Some(values) = args.positional.first() {
                    let Ok(found) = values.try_iter() else { return Ok(args.get(1, "default").unwrap_or_else(none)) };
                    items.extend(found);
                }
                Ok(set(items))
            }
            Builtin::Zip => zip(&args),
            Builtin::LocalMd5 => Ok(Value::from(md5_hex(&args.text(0, "value")?))),
            Builtin::DiffOfTwoDicts => diff_of_two_dicts(&args),
            // The model equals its full refresh at every moment, so no rendering is ever an incremental one.
            Builtin::IsIncremental => Ok(Value::from(false)),
            Builtin::ShouldFullRefresh => Ok(Value::from(true)),
            Builtin::ShouldStoreFailures => {
                let config = scope.node.config.get("store_failures").and_then(Json::as_bool);
                let flag = scope.world.flags.get("STORE_FAILURES").and_then(Json::as_bool).unwrap_or(false);
                Ok(Value::from(config.unwrap_or(flag)))
            }
            Builtin::LoadRelation => Ok(args.get(0, "relation").unwrap_or_else(none)),
            Builtin::Statement => statement(scope, state, &args),
            Builtin::RunQuery if scope.phase == Phase::Parse => Ok(Value::from_object(Absorb)),
            Builtin::RunQuery => query(scope, &args.text(0, "sql")?).map(Value::from_object),
            Builtin::LoadResult if scope.phase == Phase::Parse => Ok(none()),
            Builtin::LoadResult => Ok(scope.load_result(&args.text(0, "name")?).unwrap_or_else(none)),
            Builtin::StoreResult => {
                let table = args.get(2, "agate_table").unwrap_or_else(none);
                scope.store_result(
                    &args.text(0, "name")?,
                    text_dict([("table", table), ("data", list([])), ("response", Value::from(""))]),
                );
                Ok(Value::from(""))
            }
            Builtin::TryOrCompilerError => {
                let message = args.text(0, "message_if_exception")?;
                let function = args.require(1, "func")?;
                let rest: Vec<Value> =
                    Arguments { positional: args.positional[2..].to_vec(), named: args.named }.into_values();
                function.call(state, &rest).or_else(|_| fail(message))
            }
            Builtin::Render => {
                super::render_value(scope, &args.text(0, "string")?, "render").map_err(|failure| failure.into_error())
            }
            Builtin::Caller => caller(scope, state, &args),
            Builtin::Doc => doc(scope, &args),
        }
    }
}

fn reference(scope: &Arc<Scope>, args: &Arguments) -> Result<Value, Error> {
    let (package, name) = match args.positional.as_slice() {
        [name] => (None, name.to_string()),
        [package, name] => (Some(package.to_string()), name.to_string()),
        other => return fail(format!("ref() takes at most two arguments ({} given)", other.len())),
    };
    let version = args.named("version").or_else(|| args.named("v")).filter(|v| !v.is_none()).map(|v| v.to_string());
    let asked = RefArgs { package, name, version };
    if scope.phase == Phase::Parse {
        scope.record().refs.push(asked);
        return Ok(scope.node.this.clone().map_or_else(none, Value::from_object));
    }
    let node = &scope.node;
    let found = scope.refs.as_ref().and_then(|refs| {
        refs.node(
            asked.package.as_deref(),
            &asked.name,
            asked.version.as_deref(),
            &node.package,
            &scope.world.project_name,
        )
    });
    let Some(target) = found else {
        return fail(not_found(scope, "node", &asked.name, asked.version.as_deref(), asked.package.as_deref()));
    };
    let mut record = scope.record();
    if target.is_ephemeral && !record.ephemerals.contains(&target.unique_id) {
        record.ephemerals.push(target.unique_id.clone());
    }
    record.refs.push(asked);
    Ok(Value::from_object(if target.is_ephemeral { Relation::cte(&target.name) } else { target.relation.clone() }))
}

/// dbt's words for a `ref` or a `source` that leads nowhere.
fn not_found(scope: &Scope, kind: &str, name: &str, version: Option<&str>, package: Option<&str>) -> String {
    missing_message(
        &scope.node.resource_type,
        &scope.node.unique_id,
        &scope.node.file,
        kind,
        name,
        version,
        package,
        "was not found",
    )
}

#[allow(clippy::too_many_arguments)]
pub fn missing_message(
    resource_type: &str,
    unique_id: &str,
    file: &str,
    kind: &str,
    name: &str,
    version: Option<&str>,
    package: Option<&str>,
    reason: &str,
) -> String {
    let mut title = resource_type.to_string();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let version = version.map_or(String::new(), |version| format!("with version '{version}' "));
    let package = package.map_or(String::new(), |package| format!("in package or project '{package}' "));
    format!("{title} '{unique_id}' ({file}) depends on a {kind} named '{name}' {version}{package}which {reason}")
}

fn source(scope: &Arc<Scope>, args: &Arguments) -> Result<Value, Error> {
    let [source, table] = args.positional.as_slice() else {
        return fail(format!("source() takes exactly two arguments ({} given)", args.positional.len()));
    };
    let (source, table) = (source.to_string(), table.to_string());
    scope.record().sources.push((source.clone(), table.clone()));
    if scope.phase == Phase::Parse {
        return Ok(scope.node.this.clone().map_or_else(none, Value::from_object));
    }
    let found = scope
        .refs
        .as_ref()
        .and_then(|refs| refs.source(&source, &table, &scope.node.package, &scope.world.project_name));
    match found {
        Some(target) => Ok(Value::from_object(target.relation.clone())),
        None => fail(not_found(scope, "source", &format!("{source}.{table}"), None, None)),
    }
}

fn variable(scope: &Arc<Scope>, args: &Arguments) -> Result<Value, Error> {
    let name = args.text(0, "name")?;
    let world = &scope.world;
    let overridden = scope.vars.get(&name);
    if let Some(value) = overridden.or_else(|| world.vars.get(&name, &world.project_name, &scope.node.package)) {
        return Ok(from_json(value));
    }
    if let Some(default) = args.get(1, "default") {
        return Ok(default);
    }
    if scope.phase == Phase::Parse {
        return Ok(none());
    }
    let node = if scope.node.name.is_empty() { "<Configuration>" } else { &scope.node.name };
    let merged: Json = world
        .vars
        .merged(&world.project_name, &scope.node.package)
        .into_iter()
        .collect::<serde_json::Map<_, _>>()
        .into();
    fail(format!("Required var '{name}' not found in config:\nVars supplied to {node} = {}", four_spaces(&merged)))
}

/// JSON with the indentation of Python's `indent=4`.
fn four_spaces(json: &Json) -> String {
    let pretty = serde_json::to_string_pretty(json).unwrap_or_default();
    pretty
        .lines()
        .map(|line| {
            let text = line.trim_start();
            format!("{}{text}", " ".repeat((line.len() - text.len()) * 2))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn env_var(scope: &Arc<Scope>, args: &Arguments) -> Result<Value, Error> {
    let name = args.text(0, "var")?;
    if name.starts_with(SECRET_PREFIX) && !scope.may_read_secrets {
        return fail(format!(
            "Secret env vars are allowed only in profiles.yml or packages.yml. Found '{name}' referenced elsewhere."
        ));
    }
    match scope.env_vars.get(&name).or_else(|| scope.world.env_vars.get(&name)) {
        Some(value) => Ok(Value::from(value.as_str())),
        None => match args.get(1, "default") {
            Some(default) => Ok(default),
            None => fail(format!("Env var required but not provided: '{name}'")),
        },
    }
}

/// Python's `json.dumps`: a space after commas and colons.
pub fn python_json(json: &Json) -> String {
    match json {
        Json::Array(items) => format!("[{}]", items.iter().map(python_json).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Json::String(key.clone()), python_json(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

fn sort_keys(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(sort_keys),
        Json::Object(map) => {
            map.values_mut().for_each(sort_keys);
            map.sort_keys();
        }
        _ => {}
    }
}

fn zip(args: &Arguments) -> Result<Value, Error> {
    let mut columns = Vec::new();
    for value in &args.positional {
        let Ok(items) = value.try_iter() else { return Ok(args.named("default").cloned().unwrap_or_else(none)) };
        columns.push(items.collect::<Vec<_>>());
    }
    let length = columns.iter().map(Vec::len).min().unwrap_or(0);
    Ok(list(
        (0..length)
            .map(|at| Value::from(Tuple::from(columns.iter().map(|column| column[at].clone()).collect::<Vec<_>>()))),
    ))
}

pub fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keys of the first map whose values the second does not have, compared without case.
fn diff_of_two_dicts(args: &Arguments) -> Result<Value, Error> {
    let lowered = |value: Value| -> Result<Vec<(String, Vec<String>)>, Error> {
        super::value::pairs_of(&value)?
            .into_iter()
            .map(|(key, items)| {
                Ok((
                    key.to_string().to_lowercase(),
                    items.try_iter()?.map(|item| item.to_string().to_lowercase()).collect(),
                ))
            })
            .collect()
    };
    let (a, b) = (lowered(args.require(0, "dict_a")?)?, lowered(args.require(1, "dict_b")?)?);
    let mut diff = Vec::new();
    for (key, values) in a {
        let known = b.iter().find(|(other, _)| *other == key).map(|(_, values)| values.as_slice()).unwrap_or_default();
        let left: Vec<Value> = values.into_iter().filter(|value| !known.contains(value)).map(Value::from).collect();
        if !left.is_empty() {
            diff.push((Value::from(key), list(left)));
        }
    }
    Ok(super::value::dict(diff))
}

/// `{% call statement('name', fetch_result=True) %}select …{% endcall %}`
fn statement(scope: &Arc<Scope>, state: &mut State<'_, '_>, args: &Arguments) -> Result<Value, Error> {
    if scope.phase == Phase::Parse {
        return Ok(Value::from(""));
    }
    let Some(caller) = args.named("caller") else { return fail("statement() needs a call block") };
    let sql = caller.call(state, &[])?.to_string();
    let table = query(scope, &sql)?;
    let name = args.get(0, "name").map_or_else(|| "main".to_string(), |name| name.to_string());
    let data =
        list(table.0.rows.iter().map(|row| Value::from(Tuple::from(row.iter().map(from_json).collect::<Vec<_>>()))));
    scope.store_result(
        &name,
        text_dict([("table", Value::from_object(table)), ("data", data), ("response", Value::from("OK"))]),
    );
    Ok(Value::from(""))
}

fn query(scope: &Arc<Scope>, sql: &str) -> Result<TableObject, Error> {
    scope.introspect.query(sql).map(TableObject).or_else(|reason| {
        fail(format!(
            "a query at compile time cannot be answered: {reason}\n{}\nwrite the values into the project (a variable, a list in a macro) instead",
            sql.trim()
        ))
    })
}

fn caller(scope: &Arc<Scope>, state: &mut State<'_, '_>, args: &Arguments) -> Result<Value, Error> {
    let index = args.require(0, "index")?.as_usize().unwrap_or(usize::MAX);
    let name = state.name().to_string();
    let template = scope.world.template(&name);
    let Some(block) = template.as_ref().and_then(|template| template.callers.get(index)) else {
        return fail("a call block was lost while compiling");
    };
    let rewritten = super::rewrite::Rewritten {
        text: block.template.clone(),
        callers: template.as_ref().map_or_else(Vec::new, |template| template.callers.clone()),
    };
    let registered = scope.world.register_rewritten(&format!("{name}:call:{index}"), rewritten);
    let known: Vec<String> = state.known_variables().into_iter().map(|name| name.into_owned()).collect();
    let is_global = |name: &str| state.env().globals().any(|(global, _)| global == name);
    let locals = known
        .iter()
        .filter(|name| !is_global(name))
        .filter_map(|name| state.lookup(name).map(|value| (name.clone(), value)))
        .collect();
    Ok(Value::from_object(CallerObject {
        scope: Arc::clone(scope),
        package: scope.node.package.clone(),
        template: registered,
        params: block.params.clone(),
        locals,
    }))
}

fn doc(scope: &Arc<Scope>, args: &Arguments) -> Result<Value, Error> {
    let docs = &scope.world.docs;
    let found = match args.positional.as_slice() {
        [name] => {
            let name = name.to_string();
            [&scope.node.package, &scope.world.project_name]
                .into_iter()
                .find_map(|package| docs.get(&(package.clone(), name.clone())))
                .or_else(|| docs.iter().find(|((_, known), _)| *known == name).map(|(_, text)| text))
        }
        [package, name] => docs.get(&(package.to_string(), name.to_string())),
        other => return fail(format!("doc() takes at most two arguments ({} given)", other.len())),
    };
    match found {
        Some(text) => Ok(Value::from(text.as_str())),
        None => {
            let name: Vec<String> = args.positional.iter().map(|part| part.to_string()).collect();
            fail(format!(
                "Documentation for '{}' depends on doc '{}' which was not found",
                scope.node.unique_id,
                name.join(".")
            ))
        }
    }
}
