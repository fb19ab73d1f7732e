//! Which function, operator, aggregate or cast a call means: PostgreSQL's overload resolution over our table.
//!
//! ```text
//!   name, argument types ──> candidates of that arity ──> exact? ──> most exact matches ──> preferred types
//!                                                                                             │
//!              Resolution or PostgreSQL's own error  <── unknown literals take a category ────┘
//! ```
//!
//! 1. Resolution looks at types without length or precision; a result has a length only where PostgreSQL keeps it.
//! 2. An argument whose representation already serves keeps its type (`integer` where `bigint` is wanted, `numeric(12,2)`
//!    where `numeric` is), so that no row pays for a cast that changes nothing.
//! 3. What livemart cannot maintain (clocks, random numbers, some aggregates) is refused here, by name and with a hint.

use row::ScalarType;
use serde::{Deserialize, Serialize};

pub use crate::aggregates::aggregate;
use crate::functions::{self, Implementation, Param};
use crate::refused;
use crate::types::{self, Category, category, is_implicit, is_preferred, is_same_base, type_name};

/// An entry of the static function table: one implementation with fixed argument types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionId(pub u16);

impl FunctionId {
    /// The function's name or the operator's symbol.
    pub fn name(self) -> &'static str {
        self.implementation().name
    }

    /// Whether a NULL argument makes the result NULL.
    pub fn is_strict(self) -> bool {
        self.implementation().is_strict
    }

    pub(crate) fn implementation(self) -> &'static Implementation {
        &functions::TABLE[usize::from(self.0)]
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    pub function: FunctionId,
    /// The type each argument must be cast to before the call.
    pub arg_types: Vec<ScalarType>,
    pub returns: ScalarType,
}

/// Why no function fits, in PostgreSQL's words, and what to write instead where we know it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    pub message: String,
    pub hint: Option<String>,
}

impl ResolveError {
    pub(crate) fn new(message: impl Into<String>) -> ResolveError {
        ResolveError { message: message.into(), hint: None }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> ResolveError {
        ResolveError { hint: Some(hint.into()), ..self }
    }
}

/// Resolves `name(args)`; `name` in lower case.
///
/// `greatest`, `least`, `nullif` and `trim` are functions here; `extract(f from x)` is `extract('f', x)`,
/// `x at time zone z` is `timezone(z, x)`, `array[…]` is `array(…)`; COALESCE and CASE are expressions of their own.
/// A type's name with one argument is a cast, as in PostgreSQL: `date(x)`, `text(x)`.
pub fn function(name: &str, args: &[ScalarType]) -> Result<Resolution, ResolveError> {
    if let Some(error) = refused::function(name) {
        return Err(error);
    }
    match name {
        "nullif" => return nullif(args),
        "greatest" | "least" => return extreme(name, args),
        _ => {}
    }
    match choose(functions::named(name), args, false) {
        Choice::One(resolution) => Ok(resolution),
        Choice::None => {
            if let ([arg], Some(target)) = (args, type_called(name))
                && types::cast_context(arg, &target).is_some()
            {
                return Ok(cast_call(target));
            }
            let error = ResolveError::new(format!("function {name}({}) does not exist", type_names(args)));
            Err(error.with_hint(refused::hint_for_unknown_function(name, args)))
        }
        Choice::Several => {
            let error = ResolveError::new(format!("function {name}({}) is not unique", type_names(args)));
            Err(error
                .with_hint("Could not choose a best candidate function. You might need to add explicit type casts."))
        }
    }
}

/// Resolves `left op right` (`+ - * / % ^ || = <> < <= > >= ~ ~* !~ !~* -> ->> #> #>> @> <@ ? ?| ?& & | # << >>`,
/// `like`, `ilike`, `similar to`, each also with `not ` before it; with ESCAPE they are functions of three arguments).
/// `!=` is `<>`. `= any` and `<> all` take an array on the right; `[]` is the subscript.
pub fn binary(op: &str, left: &ScalarType, right: &ScalarType) -> Result<Resolution, ResolveError> {
    let op = if op == "!=" { "<>" } else { op };
    let shown = || format!("{} {} {}", type_name(left), symbol(op), type_name(right));
    operator(op, &[left.clone(), right.clone()], shown)
}

/// PostgreSQL's own name of the operators that SQL spells as words.
fn symbol(op: &str) -> &str {
    match op {
        "like" => "~~",
        "not like" => "!~~",
        "ilike" => "~~*",
        "not ilike" => "!~~*",
        "similar to" => "~",
        "not similar to" => "!~",
        "= any" => "=",
        "<> all" => "<>",
        other => other,
    }
}

/// Resolves prefix operators (`-`, `+`, `@`, `~`).
pub fn unary(op: &str, arg: &ScalarType) -> Result<Resolution, ResolveError> {
    operator(op, std::slice::from_ref(arg), || format!("{op} {}", type_name(arg)))
}

fn operator(op: &str, args: &[ScalarType], shown: impl Fn() -> String) -> Result<Resolution, ResolveError> {
    match choose(functions::named(op), args, true) {
        Choice::One(resolution) => Ok(resolution),
        Choice::None => Err(ResolveError::new(format!("operator does not exist: {}", shown())).with_hint(
            "No operator matches the given name and argument types. You might need to add explicit type casts.",
        )),
        Choice::Several => Err(ResolveError::new(format!("operator is not unique: {}", shown()))
            .with_hint("Could not choose a best candidate operator. You might need to add explicit type casts.")),
    }
}

/// The common type of UNION columns, CASE results, COALESCE, VALUES, IN lists (PostgreSQL 10.5).
/// `what` names the construct in the error ("UNION types integer and text cannot be matched").
pub fn common_type(what: &str, types: &[ScalarType]) -> Result<ScalarType, ResolveError> {
    types::common_type(what, types)
}

/// Whether `from` can be cast to `to`: explicitly, or implicitly when `explicit` is false.
pub fn can_cast(from: &ScalarType, to: &ScalarType, explicit: bool) -> bool {
    match types::cast_context(from, to) {
        Some(context) => explicit || context == types::CastContext::Implicit,
        None => false,
    }
}

/// An untyped literal that nothing gives a type is text.
pub(crate) fn known(ty: &ScalarType) -> ScalarType {
    if *ty == ScalarType::Unknown { ScalarType::Text } else { ty.clone() }
}

pub(crate) fn type_names(args: &[ScalarType]) -> String {
    args.iter().map(type_name).collect::<Vec<_>>().join(", ")
}

/// NULLIF takes the types of the `=` it implies, and returns its left one.
fn nullif(args: &[ScalarType]) -> Result<Resolution, ResolveError> {
    let [left, right] = args else {
        return Err(ResolveError::new(format!("function nullif({}) does not exist", type_names(args))));
    };
    let equal = binary("=", left, right)?;
    let returns = match &equal.arg_types[0] {
        ScalarType::Varchar(_) | ScalarType::Char(0) => ScalarType::Text,
        other => other.clone(),
    };
    let name = if returns == ScalarType::Jsonb { "nullif jsonb" } else { "nullif" };
    Ok(Resolution { function: only(name), arg_types: equal.arg_types, returns })
}

fn extreme(name: &str, args: &[ScalarType]) -> Result<Resolution, ResolveError> {
    if args.is_empty() {
        return Err(ResolveError::new(format!("function {name}() does not exist")));
    }
    let ty = common_type(&name.to_uppercase(), args)?;
    // PostgreSQL words it as a missing ordering, not as a missing function.
    if matches!(ty, ScalarType::Json) {
        return Err(ResolveError::new(format!("could not identify a comparison function for type {}", type_name(&ty))));
    }
    let function = match (name, &ty) {
        ("greatest", ScalarType::Jsonb) => only("greatest jsonb"),
        (_, ScalarType::Jsonb) => only("least jsonb"),
        _ => only(name),
    };
    Ok(Resolution { function, arg_types: vec![ty.clone(); args.len()], returns: ty })
}

fn only(name: &str) -> FunctionId {
    FunctionId(functions::named(name)[0])
}

/// A cast written as a call: the binder's cast of the argument does all the work.
fn cast_call(target: ScalarType) -> Resolution {
    Resolution { function: only("identity"), arg_types: vec![target.clone()], returns: target }
}

/// Type names that PostgreSQL's grammar lets stand as function names.
fn type_called(name: &str) -> Option<ScalarType> {
    Some(match name {
        "bool" => ScalarType::Bool,
        "int2" => ScalarType::Int16,
        "int4" => ScalarType::Int32,
        "int8" => ScalarType::Int64,
        "numeric" => ScalarType::NUMERIC,
        "float4" => ScalarType::Float32,
        "float8" => ScalarType::Float64,
        "text" => ScalarType::Text,
        "varchar" => ScalarType::Varchar(None),
        "bytea" => ScalarType::Bytes,
        "date" => ScalarType::Date,
        "time" => ScalarType::Time,
        "timestamp" => ScalarType::Timestamp,
        "timestamptz" => ScalarType::TimestampTz,
        "interval" => ScalarType::Interval,
        "json" => ScalarType::Json,
        "jsonb" => ScalarType::Jsonb,
        "uuid" => ScalarType::Uuid,
        _ => return None,
    })
}

enum Choice {
    One(Resolution),
    None,
    Several,
}

/// A row of the table laid over the arguments of one call.
struct Candidate {
    id: u16,
    /// One per argument: a variadic last parameter is repeated.
    params: Vec<Param>,
}

/// PostgreSQL 10.2 and 10.3.
fn choose(ids: &[u16], args: &[ScalarType], is_operator: bool) -> Choice {
    let mut candidates: Vec<Candidate> = ids.iter().filter_map(|id| Candidate::over(*id, args.len())).collect();
    if let Some(exact) = exact(&candidates, args, is_operator) {
        return exact.resolve(args);
    }
    candidates.retain(|candidate| candidate.accepts(args));
    match candidates.as_slice() {
        [] => return Choice::None,
        [only] => return only.resolve(args),
        _ => {}
    }
    keep_best(&mut candidates, |candidate| candidate.count(args, is_exact));
    if let [only] = candidates.as_slice() {
        return only.resolve(args);
    }
    keep_best(&mut candidates, |candidate| {
        candidate.count(args, |param, arg| is_exact(param, arg) || param.ty().is_some_and(|ty| prefers(&ty, arg)))
    });
    if let [only] = candidates.as_slice() {
        return only.resolve(args);
    }
    if !args.contains(&ScalarType::Unknown) {
        return Choice::Several;
    }
    settle_unknowns(&mut candidates, args);
    match candidates.as_slice() {
        [only] => only.resolve(args),
        _ => match assume_known_type(&candidates, args) {
            Some(candidate) => candidate.resolve(args),
            None => Choice::Several,
        },
    }
}

/// The candidate whose parameters are the arguments' types. Of an operator with one untyped literal, the literal is taken
/// for the other side's type first.
fn exact<'c>(candidates: &'c [Candidate], args: &[ScalarType], is_operator: bool) -> Option<&'c Candidate> {
    let assumed: Vec<ScalarType> = match args {
        [ScalarType::Unknown, other] | [other, ScalarType::Unknown] if is_operator && *other != ScalarType::Unknown => {
            vec![other.clone(), other.clone()]
        }
        _ => args.to_vec(),
    };
    let fits = |candidate: &&Candidate| candidate.count(&assumed, is_exact) == args.len();
    candidates.iter().find(fits)
}

fn keep_best(candidates: &mut Vec<Candidate>, score: impl Fn(&Candidate) -> usize) {
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.retain(|candidate| score(candidate) == best);
}

fn is_exact(param: Param, arg: &ScalarType) -> bool {
    match (param.ty(), arg) {
        // `varchar` has no functions of its own: it is text that knows its length.
        (Some(ScalarType::Text), ScalarType::Varchar(_)) => true,
        (Some(ty), arg) => is_same_base(&ty, arg),
        (None, _) => false,
    }
}

/// Whether a parameter of this type is the preferred one of the argument's category; no type is for an untyped literal.
fn prefers(ty: &ScalarType, arg: &ScalarType) -> bool {
    is_preferred(ty) && category(ty) == category(arg)
}

/// Untyped literals choose a category (text if any candidate takes text there), then its preferred type.
fn settle_unknowns(candidates: &mut Vec<Candidate>, args: &[ScalarType]) {
    for (position, _) in args.iter().enumerate().filter(|(_, arg)| **arg == ScalarType::Unknown) {
        let categories: Vec<Category> = candidates.iter().map(|candidate| candidate.category(position)).collect();
        let chosen = if categories.contains(&Category::String) {
            Category::String
        } else if categories.iter().all(|category| *category == categories[0]) {
            categories[0]
        } else {
            return;
        };
        candidates.retain(|candidate| candidate.category(position) == chosen);
        let is_preferred_at =
            |candidate: &Candidate| candidate.params[position].ty().is_some_and(|ty| is_preferred(&ty));
        if candidates.iter().any(is_preferred_at) {
            candidates.retain(is_preferred_at);
        }
    }
}

/// The last rule: if the known arguments have one type, the unknown ones are taken for it, if just one candidate accepts.
fn assume_known_type<'c>(candidates: &'c [Candidate], args: &[ScalarType]) -> Option<&'c Candidate> {
    let mut known = args.iter().filter(|arg| **arg != ScalarType::Unknown);
    let first = known.next()?;
    if !known.all(|arg| is_same_base(arg, first)) {
        return None;
    }
    let assumed = vec![first.clone(); args.len()];
    let mut accepting = candidates.iter().filter(|candidate| candidate.accepts(&assumed));
    let only = accepting.next()?;
    accepting.next().is_none().then_some(only)
}

impl Candidate {
    /// Lays a row over `count` arguments, if its parameters can be that many.
    fn over(id: u16, count: usize) -> Option<Candidate> {
        let implementation = FunctionId(id).implementation();
        let mut params = implementation.params.to_vec();
        if let Some(last) = params.last().copied().filter(|_| implementation.is_variadic) {
            params.extend(std::iter::repeat_n(last, count.saturating_sub(params.len())));
        }
        (params.len() == count).then_some(Candidate { id, params })
    }

    fn count(&self, args: &[ScalarType], holds: impl Fn(Param, &ScalarType) -> bool) -> usize {
        self.params.iter().zip(args).filter(|(param, arg)| holds(**param, arg)).count()
    }

    fn category(&self, position: usize) -> Category {
        match self.params[position] {
            Param::AnyArray => Category::Array,
            param => param.ty().map_or(Category::User, |ty| category(&ty)),
        }
    }

    /// Whether implicit casts bring all arguments to the parameters.
    fn accepts(&self, args: &[ScalarType]) -> bool {
        let fits = self.params.iter().zip(args).all(|(param, arg)| match param {
            Param::AnyElement | Param::Any | Param::AnyToJson => true,
            Param::AnyArray => matches!(arg, ScalarType::Array(_) | ScalarType::Unknown),
            Param::AnyNonArray => !matches!(arg, ScalarType::Array(_)),
            param => param.ty().is_some_and(|ty| is_implicit(arg, &ty)),
        });
        fits && (!self.is_polymorphic() || self.element(args).is_some())
    }

    fn is_polymorphic(&self) -> bool {
        self.params.iter().any(|param| matches!(param, Param::AnyElement | Param::AnyArray))
    }

    /// The element type that the polymorphic parameters of the call agree on.
    fn element(&self, args: &[ScalarType]) -> Option<ScalarType> {
        let mut elements = Vec::new();
        let mut has_known_array = false;
        for (param, arg) in self.params.iter().zip(args) {
            match (param, arg) {
                (Param::AnyArray, ScalarType::Array(of)) => {
                    has_known_array = true;
                    elements.push((**of).clone());
                }
                (Param::AnyElement, ScalarType::Array(_)) if self.params.contains(&Param::AnyArray) => return None,
                (Param::AnyElement, arg) => elements.push(arg.clone()),
                _ => {}
            }
        }
        let wants_array = self.params.contains(&Param::AnyArray);
        if wants_array && !has_known_array && elements.iter().all(|ty| *ty == ScalarType::Unknown) {
            return None;
        }
        types::common_type("ARRAY", &elements).ok()
    }

    fn resolve(&self, args: &[ScalarType]) -> Choice {
        let element = if self.is_polymorphic() { self.element(args) } else { None };
        let array = || element.clone().map(|ty| ScalarType::Array(Box::new(ty)));
        let arg_types = self.params.iter().zip(args).map(|(param, arg)| match param {
            Param::AnyElement => element.clone(),
            Param::AnyArray => array(),
            Param::AnyNonArray => Some(if serves(arg, &ScalarType::Text) { arg.clone() } else { ScalarType::Text }),
            Param::Any => Some(known(arg)),
            Param::CharValue if args.iter().all(|other| matches!(arg, ScalarType::Char(_)) && other == arg) => {
                Some(arg.clone())
            }
            Param::CharValue => Some(ScalarType::Char(0)),
            Param::AnyToJson => Some(match arg {
                ScalarType::Json | ScalarType::Jsonb => ScalarType::Bytes,
                ScalarType::Bytes | ScalarType::Unknown => ScalarType::Text,
                other => other.clone(),
            }),
            param => param.ty().map(|ty| if serves(arg, &ty) { arg.clone() } else { ty }),
        });
        let implementation = FunctionId(self.id).implementation();
        let returns = match implementation.returns {
            Param::AnyElement => element.clone(),
            Param::AnyArray => array(),
            param => param.ty(),
        };
        match (arg_types.collect::<Option<Vec<_>>>(), returns) {
            (Some(arg_types), Some(returns)) => {
                Choice::One(Resolution { function: FunctionId(self.id), arg_types, returns })
            }
            _ => Choice::None,
        }
    }
}

/// Whether a value of `arg` is represented as one of `wanted`, so that a cast would change nothing.
fn serves(arg: &ScalarType, wanted: &ScalarType) -> bool {
    use ScalarType as T;
    match (arg, wanted) {
        (T::Int16, T::Int32 | T::Int64) | (T::Int32, T::Int64) | (T::Varchar(_), T::Text) => true,
        (T::Array(arg), T::Array(wanted)) => serves(arg, wanted),
        _ => is_same_base(arg, wanted),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
