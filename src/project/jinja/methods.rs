//! Python's methods and operators on values that minijinja owns.
//!
//! minijinja's own set (`pycompat`) answers first where it agrees with Python; here are the methods it lacks and those that must give
//! lists which can change.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

use super::modules;
use super::set::{Set, set};
use super::value::{Arguments, dict, list, pairs_of};

pub fn unknown_method(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let parsed = Arguments::of(args);
    let own = match value.kind() {
        ValueKind::String => text_method(value.as_str().unwrap_or_default(), method, &parsed),
        ValueKind::Map if value.as_object().is_some() => map_method(value, method),
        ValueKind::Seq | ValueKind::Iterable => sequence_method(value, method, &parsed),
        _ => None,
    };
    match own {
        Some(result) => result,
        None => pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn text_method(text: &str, method: &str, args: &Arguments) -> Option<Result<Value, Error>> {
    let fill = || args.get(1, "fillchar").and_then(|fill| fill.to_string().chars().next()).unwrap_or(' ');
    let width = || args.get(0, "width").and_then(|width| width.as_usize()).unwrap_or(0);
    let missing = || width().saturating_sub(text.chars().count());
    let repeat = |count: usize| fill().to_string().repeat(count);
    Some(Ok(match method {
        "split" | "rsplit" => return Some(split(text, method == "rsplit", args)),
        "splitlines" => list(text.lines().map(Value::from)),
        "zfill" => {
            let (sign, digits) = if text.starts_with(['-', '+']) { text.split_at(1) } else { ("", text) };
            Value::from(format!("{sign}{}{digits}", "0".repeat(missing())))
        }
        "ljust" => Value::from(format!("{text}{}", repeat(missing()))),
        "rjust" => Value::from(format!("{}{text}", repeat(missing()))),
        "center" => {
            let left = missing() / 2 + (missing() & width() & 1);
            Value::from(format!("{}{text}{}", repeat(left), repeat(missing() - left)))
        }
        "isidentifier" => {
            let starts_well = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
            Value::from(starts_well && text.chars().all(|c| c.is_alphanumeric() || c == '_'))
        }
        "isdecimal" => Value::from(!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())),
        "casefold" => Value::from(text.to_lowercase()),
        "swapcase" => Value::from(
            text.chars()
                .map(|c| if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() })
                .collect::<String>(),
        ),
        "removeprefix" => {
            Value::from(args.text(0, "prefix").map_or(text, |p| text.strip_prefix(p.as_str()).unwrap_or(text)))
        }
        "removesuffix" => {
            Value::from(args.text(0, "suffix").map_or(text, |s| text.strip_suffix(s.as_str()).unwrap_or(text)))
        }
        "partition" | "rpartition" => return Some(partition(text, method == "rpartition", args)),
        "index" => {
            let found = args.text(0, "sub").map(|sub| text.find(&sub).map(|at| text[..at].chars().count()));
            return Some(found.and_then(|at| {
                at.map(Value::from).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "substring not found"))
            }));
        }
        "encode" | "decode" => Value::from(text),
        _ => return None,
    }))
}

fn split(text: &str, from_right: bool, args: &Arguments) -> Result<Value, Error> {
    let separator = args.get(0, "sep").filter(|separator| !separator.is_none()).map(|separator| separator.to_string());
    let limit = args
        .get(1, "maxsplit")
        .and_then(|limit| limit.as_i64())
        .filter(|limit| *limit >= 0)
        .map(|limit| limit as usize);
    let Some(separator) = separator else {
        let words: Vec<&str> = match limit {
            None => text.split_whitespace().collect(),
            Some(limit) => words_limited(text, limit),
        };
        return Ok(list(words.into_iter().map(Value::from)));
    };
    if separator.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
    }
    let parts: Vec<&str> = match (limit, from_right) {
        (None, _) => text.split(separator.as_str()).collect(),
        (Some(limit), false) => text.splitn(limit + 1, separator.as_str()).collect(),
        (Some(limit), true) => {
            let mut parts: Vec<&str> = text.rsplitn(limit + 1, separator.as_str()).collect();
            parts.reverse();
            parts
        }
    };
    Ok(list(parts.into_iter().map(Value::from)))
}

fn words_limited(text: &str, limit: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while words.len() < limit && !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    if !rest.is_empty() {
        words.push(rest);
    }
    words
}

fn partition(text: &str, from_right: bool, args: &Arguments) -> Result<Value, Error> {
    let separator = args.text(0, "sep")?;
    let at = if from_right { text.rfind(&separator) } else { text.find(&separator) };
    let parts = match at {
        Some(at) => [&text[..at], separator.as_str(), &text[at + separator.len()..]],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

fn map_method(value: &Value, method: &str) -> Option<Result<Value, Error>> {
    match method {
        "copy" => Some(pairs_of(value).map(dict)),
        "items" => Some(
            pairs_of(value)
                .map(|pairs| list(pairs.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))))),
        ),
        "keys" => Some(pairs_of(value).map(|pairs| list(pairs.into_iter().map(|(key, _)| key)))),
        "values" => Some(pairs_of(value).map(|pairs| list(pairs.into_iter().map(|(_, value)| value)))),
        _ => None,
    }
}

fn sequence_method(value: &Value, method: &str, args: &Arguments) -> Option<Result<Value, Error>> {
    let items = || -> Result<Vec<Value>, Error> { value.try_iter()?.checked().collect() };
    match method {
        "copy" => Some(items().map(list)),
        "index" => Some(items().and_then(|items| {
            let wanted = args.require(0, "value")?;
            let at = items.iter().position(|item| *item == wanted);
            at.map(Value::from)
                .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{wanted:?} is not in list")))
        })),
        _ => None,
    }
}

/// Python's `+`.
pub fn add(left: &Value, right: &Value) -> Result<Value, Error> {
    arithmetic("+", left, right)
}

/// Python's binary `-`.
pub fn sub(left: &Value, right: &Value) -> Result<Value, Error> {
    arithmetic("-", left, right)
}

fn arithmetic(op: &str, left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(result) = modules::time_arithmetic(op, left, right) {
        return result;
    }
    if let (true, Some(left), Some(right)) =
        (op == "-", left.downcast_object_ref::<Set>(), right.downcast_object_ref::<Set>())
    {
        let taken = right.items();
        return Ok(set(left.items().into_iter().filter(|item| !taken.contains(item))));
    }
    let is_number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if is_number(left) && is_number(right) {
        let int = |value: &Value| {
            if value.kind() == ValueKind::Bool { Some(i64::from(value.is_true())) } else { value.as_i64() }
        };
        let is_float = |value: &Value| value.kind() == ValueKind::Number && !value.is_integer();
        if let (Some(a), Some(b), false) = (int(left), int(right), is_float(left) || is_float(right)) {
            let result = if op == "+" { a.checked_add(b) } else { a.checked_sub(b) };
            return result
                .map(Value::from)
                .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "integer out of range"));
        }
        let (a, b) = (f64::try_from(left.clone())?, f64::try_from(right.clone())?);
        return Ok(Value::from(if op == "+" { a + b } else { a - b }));
    }
    if op == "+" {
        if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
            return Ok(Value::from(format!("{a}{b}")));
        }
        let is_sequence = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
        if is_sequence(left) && is_sequence(right) {
            let items = left.try_iter()?.checked().chain(right.try_iter()?.checked()).collect::<Result<Vec<_>, _>>()?;
            return Ok(if left.is_tuple() { Value::from(Tuple::from(items)) } else { list(items) });
        }
    }
    for side in [left, right] {
        if side.is_undefined() {
            return Err(Error::new(ErrorKind::UndefinedError, "an operand of a sum is undefined"));
        }
    }
    Err(Error::new(
        ErrorKind::InvalidOperation,
        format!("unsupported operand type(s) for {op}: '{}' and '{}'", type_name(left), type_name(right)),
    ))
}

/// Python's name of a value's type.
pub fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "Undefined",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq if value.is_tuple() => "tuple",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        _ => "object",
    }
}
