//! Results of queries at compile time, as agate shows them to templates.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use super::scope::Table;
use super::value::{Arguments, from_json, list, text_dict};

fn none() -> Value {
    Value::from(())
}

/// What `run_query` gives while parsing: any attribute of it is itself, and it has no rows.
#[derive(Debug)]
pub struct Absorb;

impl Object for Absorb {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::from_dyn_object(Arc::clone(self)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, _: &str, _: &[Value]) -> Result<Value, Error> {
        Ok(Value::from_dyn_object(Arc::clone(self)))
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// A query's result as agate shows it: `.rows`, `.columns[0].values()`, iteration over rows.
pub struct TableObject(pub Table);

impl fmt::Debug for TableObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<table {}>", self.0.columns.join(", "))
    }
}

impl TableObject {
    fn row(&self, at: usize) -> Option<Value> {
        let row = self.0.rows.get(at)?;
        let by_name = self.0.columns.iter().map(String::as_str).zip(row.iter().map(from_json));
        Some(Value::from_object(RowObject {
            by_name: by_name.map(|(name, value)| (name.to_string(), value)).collect(),
        }))
    }

    fn column(&self, at: usize) -> Value {
        let values: Vec<Value> = self.0.rows.iter().map(|row| row.get(at).map_or_else(none, from_json)).collect();
        Value::from_object(ColumnValues { name: self.0.columns[at].clone(), values })
    }
}

impl Object for TableObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.rows.len())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(at) = key.as_usize() {
            return self.row(at);
        }
        Some(match key.as_str()? {
            "rows" => list((0..self.0.rows.len()).filter_map(|at| self.row(at))),
            "columns" => {
                let columns = self.0.columns.iter().enumerate().map(|(at, name)| (name.clone(), self.column(at)));
                Value::from_object(RowObject { by_name: columns.collect() })
            }
            "column_names" => list(self.0.columns.iter().map(|name| Value::from(name.as_str()))),
            _ => return None,
        })
    }
}

/// Values by position and by name: a row, or a table's columns.
#[derive(Debug)]
struct RowObject {
    by_name: Vec<(String, Value)>,
}

impl Object for RowObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.by_name.len())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_usize() {
            Some(at) => self.by_name.get(at).map(|(_, value)| value.clone()),
            None => self
                .by_name
                .iter()
                .find(|(name, _)| Some(name.as_str()) == key.as_str())
                .map(|(_, value)| value.clone()),
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "values" => Ok(list(self.by_name.iter().map(|(_, value)| value.clone()))),
            "keys" => Ok(list(self.by_name.iter().map(|(name, _)| Value::from(name.as_str())))),
            "items" => Ok(list(
                self.by_name
                    .iter()
                    .map(|(name, value)| Value::from(Tuple::from([Value::from(name.as_str()), value.clone()]))),
            )),
            "get" => {
                let args = Arguments::of(args);
                let found = args.get(0, "key").and_then(|key| self.get_value(&key));
                Ok(found.unwrap_or_else(|| args.get(1, "default").unwrap_or_else(none)))
            }
            "dict" => Ok(text_dict(self.by_name.iter().map(|(name, value)| (name.as_str(), value.clone())))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

#[derive(Debug)]
struct ColumnValues {
    name: String,
    values: Vec<Value>,
}

impl Object for ColumnValues {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.values.len())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_usize() {
            Some(at) => self.values.get(at).cloned(),
            None => (key.as_str()? == "name").then(|| Value::from(self.name.as_str())),
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        match method {
            "values" => Ok(Value::from(Tuple::from(self.values.clone()))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
