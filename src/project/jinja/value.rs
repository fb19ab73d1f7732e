//! Lists and maps that can change, as Python's do.
//!
//! minijinja's own lists and maps are fixed once made; macro libraries append to theirs. The rewritten template makes these instead
//! of a literal, filters that give lists give these, and JSON from the project comes in as these.
//!
//! 1. They print as Python prints them: `['a', 1, None]`.
//! 2. Iterating takes a copy first, so a loop may change what it walks over.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::relation::Relation;

/// A Python list.
#[derive(Default)]
pub struct List(Mutex<Vec<Value>>);

/// A Python dict, in the order of insertion.
#[derive(Default)]
pub struct Dict(Mutex<Vec<(Value, Value)>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from_object(List(Mutex::new(items.into_iter().collect())))
}

pub fn dict(items: impl IntoIterator<Item = (Value, Value)>) -> Value {
    let dict = Dict::default();
    for (key, value) in items {
        dict.set(key, value);
    }
    Value::from_object(dict)
}

pub fn text_dict<'a>(items: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    dict(items.into_iter().map(|(key, value)| (Value::from(key), value)))
}

/// What a JSON value is in a template.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(bool) => Value::from(*bool),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Value::from(int),
            (None, Some(float)) => Value::from(float),
            (None, None) => Value::from(number.to_string()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => list(items.iter().map(from_json)),
        Json::Object(map) => dict(map.iter().map(|(key, value)| (Value::from(key.as_str()), from_json(value)))),
    }
}

/// What a template's value is in JSON; objects without a JSON form become their text.
pub fn to_json(value: &Value) -> Json {
    if value.downcast_object_ref::<Relation>().is_some() {
        return Json::String(value.to_string());
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(int) if value.is_integer() => int.into(),
            _ => f64::try_from(value.clone())
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or(Json::Null, Json::Number),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().map_or(Json::Null, |items| items.map(|item| to_json(&item)).collect())
        }
        ValueKind::Map => value.try_iter().map_or(Json::Null, |keys| {
            Json::Object(
                keys.map(|key| (key.to_string(), to_json(&value.get_item(&key).unwrap_or_default()))).collect(),
            )
        }),
        _ => Json::String(value.to_string()),
    }
}

impl Dict {
    pub fn get(&self, key: &Value) -> Option<Value> {
        lock(&self.0).iter().find(|(k, _)| k == key).map(|(_, value)| value.clone())
    }

    pub fn set(&self, key: Value, value: Value) {
        let mut entries = lock(&self.0);
        match entries.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => *old = value,
            None => entries.push((key, value)),
        }
    }

    fn entries(&self) -> Vec<(Value, Value)> {
        lock(&self.0).clone()
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = lock(&self.0).clone();
        f.write_str("[")?;
        for (at, item) in items.iter().enumerate() {
            write!(f, "{}{item:?}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Dict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (key, value)) in self.entries().iter().enumerate() {
            write!(f, "{}{key:?}: {value:?}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}

/// The arguments of a call, by position and by name.
pub struct Arguments {
    pub positional: Vec<Value>,
    pub named: Vec<(String, Value)>,
}

impl Arguments {
    pub fn of(args: &[Value]) -> Arguments {
        let (positional, named) = match args.split_last() {
            Some((last, rest)) if last.is_kwargs() => (rest, Some(last)),
            _ => (args, None),
        };
        let named = named.map_or_else(Vec::new, |kwargs| {
            let keys = kwargs.try_iter().into_iter().flatten();
            keys.map(|key| (key.to_string(), kwargs.get_item(&key).unwrap_or_default())).collect()
        });
        Arguments { positional: positional.to_vec(), named }
    }

    pub fn named(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The argument at a position, or by its name.
    pub fn get(&self, at: usize, name: &str) -> Option<Value> {
        self.positional.get(at).or_else(|| self.named(name)).cloned()
    }

    pub fn require(&self, at: usize, name: &str) -> Result<Value, Error> {
        self.get(at, name).ok_or_else(|| {
            Error::new(ErrorKind::MissingArgument, format!("missing 1 required positional argument: '{name}'"))
        })
    }

    pub fn text(&self, at: usize, name: &str) -> Result<String, Error> {
        self.require(at, name).map(|value| value.to_string())
    }

    /// The same arguments as minijinja passes them on.
    pub fn into_values(self) -> Vec<Value> {
        let mut values = self.positional;
        if !self.named.is_empty() {
            values.push(self.named.into_iter().collect::<Kwargs>().into());
        }
        values
    }
}

fn key_error(key: &Value) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{key:?}"))
}

fn items_of(value: &Value) -> Result<Vec<Value>, Error> {
    value.try_iter()?.checked().collect()
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let items = lock(&self.0);
        items.get(offset(key.as_i64()?, items.len())?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(lock(&self.0).clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.0).len())
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        match method {
            "append" => lock(&self.0).push(args.require(0, "object")?),
            "extend" => {
                let more = items_of(&args.require(0, "iterable")?)?;
                lock(&self.0).extend(more);
            }
            "insert" => {
                let value = args.require(1, "object")?;
                let at = args.require(0, "index")?.as_i64().unwrap_or(0);
                let mut items = lock(&self.0);
                let length = items.len() as i64;
                let at = if at < 0 { (length + at).max(0) } else { at.min(length) };
                items.insert(at as usize, value);
            }
            "remove" => {
                let value = args.require(0, "value")?;
                let mut items = lock(&self.0);
                let at = items.iter().position(|item| *item == value);
                items.remove(
                    at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "list.remove(x): x not in list"))?,
                );
            }
            "pop" => {
                let mut items = lock(&self.0);
                let at = args.get(0, "index").and_then(|at| at.as_i64()).unwrap_or(-1);
                let at = offset(at, items.len())
                    .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "pop index out of range"))?;
                return Ok(items.remove(at));
            }
            "index" => {
                let value = args.require(0, "value")?;
                let at = lock(&self.0).iter().position(|item| *item == value);
                return at
                    .map(Value::from)
                    .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{value:?} is not in list")));
            }
            "count" => {
                let value = args.require(0, "value")?;
                return Ok(Value::from(lock(&self.0).iter().filter(|item| **item == value).count()));
            }
            "sort" => {
                let mut items = lock(&self.0);
                items.sort();
                if args.named("reverse").is_some_and(Value::is_true) {
                    items.reverse();
                }
            }
            "reverse" => lock(&self.0).reverse(),
            "clear" => lock(&self.0).clear(),
            "copy" => return Ok(list(lock(&self.0).clone())),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(Value::from(()))
    }
}

/// Where Python's index points, negative ones from the end.
fn offset(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at + length as i64 } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries().into_iter().map(|(key, _)| key).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.0).len())
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        match method {
            "get" => {
                let key = args.require(0, "key")?;
                Ok(self.get(&key).unwrap_or_else(|| args.get(1, "default").unwrap_or_else(|| Value::from(()))))
            }
            "items" => Ok(list(self.entries().into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))))),
            "keys" => Ok(list(self.entries().into_iter().map(|(key, _)| key))),
            "values" => Ok(list(self.entries().into_iter().map(|(_, value)| value))),
            "copy" => Ok(dict(self.entries())),
            "clear" => {
                lock(&self.0).clear();
                Ok(Value::from(()))
            }
            "update" => {
                if let Some(other) = args.positional.first() {
                    for (key, value) in pairs_of(other)? {
                        self.set(key, value);
                    }
                }
                for (key, value) in args.named {
                    self.set(Value::from(key), value);
                }
                Ok(Value::from(()))
            }
            "setdefault" => {
                let key = args.require(0, "key")?;
                Ok(self.get(&key).unwrap_or_else(|| {
                    let value = args.get(1, "default").unwrap_or_else(|| Value::from(()));
                    self.set(key, value.clone());
                    value
                }))
            }
            "pop" => {
                let key = args.require(0, "key")?;
                let mut entries = lock(&self.0);
                match entries.iter().position(|(k, _)| *k == key) {
                    Some(at) => Ok(entries.remove(at).1),
                    None => args.get(1, "default").ok_or_else(|| key_error(&key)),
                }
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// The pairs of a map, or of a sequence of pairs.
pub fn pairs_of(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    let items = items_of(value)?;
    if value.kind() == ValueKind::Map {
        return items.into_iter().map(|key| Ok((key.clone(), value.get_item(&key)?))).collect();
    }
    items.into_iter().map(|pair| Ok((pair.get_item_by_index(0)?, pair.get_item_by_index(1)?))).collect()
}
