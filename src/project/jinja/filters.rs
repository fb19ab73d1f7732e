//! Filters, tests and functions that dbt's Jinja has and minijinja has not, or has with other results.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::methods;
use super::native;
use super::value::{Arguments, dict, list, pairs_of};

pub fn install(env: &mut Environment<'static>) {
    env.add_filter("list", |value: &Value| -> Result<Value, Error> {
        if value.is_undefined() {
            return Ok(list([]));
        }
        Ok(list(value.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?))
    });
    for name in ["sort", "unique", "batch", "slice"] {
        wrap_as_list(env, name);
    }
    env.add_filter("is_list", |value: &Value| value.kind() == ValueKind::Seq && !value.is_tuple());
    env.add_filter("as_text", |value: &Value| value.clone());
    env.add_filter("as_native", |value: &Value| match value.as_str() {
        Some(text) => native::literal(text).unwrap_or_else(|| value.clone()),
        None => value.clone(),
    });
    env.add_filter("as_bool", as_bool);
    env.add_filter("as_number", as_number);
    env.add_filter("int", to_int);
    env.add_filter("float", to_float);
    env.add_filter("count", |value: &Value| value.len());
    env.add_filter("wordcount", |value: &Value| value.to_string().split_whitespace().count());
    env.add_filter("center", |value: &Value, width: Option<usize>| centered(&value.to_string(), width.unwrap_or(80)));
    env.add_filter("truncate", truncate);
    env.add_filter("_lm_percent", |text: &Value, values: &Value| percent(text, values));
    env.add_filter("string", |value: &Value| value.to_string());
    env.add_test("callable", |value: &Value| value.as_object().is_some() && value.kind() == ValueKind::Plain);
    env.add_test("list", |value: &Value| value.kind() == ValueKind::Seq && !value.is_tuple());
    env.add_function("_lm_list", |value: &Value| -> Result<Value, Error> {
        Ok(list(value.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?))
    });
    env.add_function("_lm_dict", |value: &Value| pairs_of(value).map(dict));
    env.add_function("_lm_add", |left: &Value, right: &Value| methods::add(left, right));
    env.add_function("_lm_sub", |left: &Value, right: &Value| methods::sub(left, right));
    env.add_function("dict", |args: Rest<minijinja::value::ValueOrKwargs>| -> Result<Value, Error> {
        let args = Arguments::of(&args.into_values());
        let mut pairs = args.positional.first().map_or(Ok(Vec::new()), pairs_of)?;
        pairs.extend(args.named.into_iter().map(|(key, value)| (Value::from(key), value)));
        Ok(dict(pairs))
    });
}

/// A builtin filter whose result can be appended to.
fn wrap_as_list(env: &mut Environment<'static>, name: &'static str) {
    let stock = Environment::new();
    env.add_filter(name, move |args: Rest<minijinja::value::ValueOrKwargs>| -> Result<Value, Error> {
        let args = args.into_values();
        let result = stock.empty_state().apply_filter(name, &args)?;
        Ok(list(result.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?))
    });
}

fn conversion_error(value: &Value, ty: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("Could not convert value '{value}' into type '{ty}'"))
}

fn as_bool(value: &Value) -> Result<Value, Error> {
    let converted = value.as_str().map_or_else(|| Some(value.clone()), native::literal);
    converted.filter(|value| value.kind() == ValueKind::Bool).ok_or_else(|| conversion_error(value, "bool"))
}

fn as_number(value: &Value) -> Result<Value, Error> {
    let converted = value.as_str().map_or_else(|| Some(value.clone()), native::literal);
    converted.filter(|value| value.kind() == ValueKind::Number).ok_or_else(|| conversion_error(value, "number"))
}

fn to_int(value: &Value, default: Option<Value>, base: Option<u32>) -> Value {
    let base = base.filter(|base| (2..=36).contains(base)).unwrap_or(10);
    let default = default.unwrap_or_else(|| Value::from(0));
    match value.kind() {
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        ValueKind::Number => match value.as_i64() {
            Some(int) => Value::from(int),
            None => f64::try_from(value.clone()).map_or(default, |float| Value::from(float.trunc() as i64)),
        },
        ValueKind::String => {
            let text = value.to_string().trim().replace('_', "");
            let float = || text.parse::<f64>().ok().filter(|float| float.is_finite()).map(|float| float.trunc() as i64);
            i64::from_str_radix(&text, base).ok().or_else(float).map_or(default, Value::from)
        }
        _ => default,
    }
}

fn to_float(value: &Value, default: Option<Value>) -> Value {
    let parsed = match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::String => value.to_string().trim().parse().ok(),
        _ => None,
    };
    parsed.map(Value::from).or(default).unwrap_or_else(|| Value::from(0.0))
}

fn centered(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = missing / 2 + (missing & width & 1);
    format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
}

fn truncate(
    text: &Value,
    length: Option<usize>,
    killwords: Option<bool>,
    end: Option<String>,
    leeway: Option<usize>,
) -> String {
    let text = text.to_string();
    let (length, end) = (length.unwrap_or(255), end.unwrap_or_else(|| "...".into()));
    if text.chars().count() <= length + leeway.unwrap_or(5) {
        return text;
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    if killwords.unwrap_or(false) {
        return kept + &end;
    }
    let cut = kept.rfind(' ').map_or(kept.as_str(), |at| &kept[..at]);
    format!("{cut}{end}")
}

/// `'…' % value`: a tuple fills several places.
fn percent(text: &Value, values: &Value) -> Result<String, Error> {
    let text = text.as_str().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("unsupported operand type(s) for %: '{}'", methods::type_name(text)),
        )
    })?;
    let values: Vec<Value> =
        if values.is_tuple() { values.try_iter()?.checked().collect::<Result<_, _>>()? } else { vec![values.clone()] };
    format(FormatStyle::Printf, text, &values)
}
