//! The binary encoding, written with the schema that it will be read with.
//!
//! Of a union the first branch is taken that a value can be of; a field that a record lacks is null where its type has a null.

use super::MAGIC;
use super::schema::{Schema, Shape};
use crate::source::format::json::Value;

/// Begins a message: Confluent's wire format, of which the body follows.
pub fn frame(id: u32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend(id.to_be_bytes());
}

/// Appends a whole body. After an error `out` holds what stands before the value that does not fit.
pub fn write(schema: &Schema, value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    Writer { schema, out }.value(schema.root, value)
}

struct Writer<'a> {
    schema: &'a Schema,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn value(&mut self, node: usize, value: &Value<'_>) -> Result<(), String> {
        let schema = self.schema;
        match (&schema.node(node).shape, value) {
            (Shape::Null, Value::Null) => {}
            (Shape::Boolean, Value::Bool(value)) => self.out.push(u8::from(*value)),
            (Shape::Int, Value::Int(value)) => {
                self.long(i32::try_from(*value).map_err(|_| format!("{value} is more than an int holds"))?.into());
            }
            (Shape::Long, Value::Int(value)) => self.long(*value),
            (Shape::Float, Value::Float(value)) => self.out.extend(value.to_le_bytes()),
            (Shape::Double, Value::Double(value)) => self.out.extend(value.to_le_bytes()),
            (Shape::Bytes, Value::Bytes(bytes)) => self.bytes(bytes),
            (Shape::Text, Value::Text(text)) => {
                self.bytes(text.to_cow().map_err(|error| error.to_string())?.as_bytes());
            }
            (Shape::Fixed(size), Value::Bytes(bytes)) if bytes.len() == *size => self.out.extend(*bytes),
            (Shape::Enum(symbols), Value::Text(text)) => {
                let place = symbols.iter().position(|symbol| symbol == text.raw);
                self.number(place.ok_or_else(|| format!("{:?} is no symbol of the enum", text.raw))?);
            }
            (Shape::Union(branches), value) => {
                let mut branches = branches.iter().enumerate();
                let (number, branch) = branches
                    .find(|(_, branch)| self.fits(**branch, value))
                    .ok_or("no branch of the union is like it")?;
                self.number(number);
                self.value(*branch, value)?;
            }
            (Shape::Record(fields), Value::Record(cells)) => {
                if let Some((name, _)) = cells.iter().find(|(name, _)| fields.iter().all(|field| field.name != *name)) {
                    return Err(format!("the record has no field \"{name}\""));
                }
                for field in fields {
                    let cell =
                        cells.iter().find(|(name, _)| *name == field.name).map_or(Value::Null, |(_, cell)| *cell);
                    self.value(field.node, &cell).map_err(|reason| format!("\"{}\": {reason}", field.name))?;
                }
            }
            (Shape::Array(items), Value::List(values)) => {
                self.block(values.len());
                values.iter().try_for_each(|value| self.value(*items, value))?;
                self.number(0);
            }
            (Shape::Map(of), Value::Record(cells)) => {
                self.block(cells.len());
                for (name, cell) in *cells {
                    self.bytes(name.as_bytes());
                    self.value(*of, cell)?;
                }
                self.number(0);
            }
            (shape, value) => return Err(format!("{value:?} is no {shape:?}")),
        }
        Ok(())
    }

    /// Whether a value can be of a union's branch, as far as its outside tells.
    fn fits(&self, node: usize, value: &Value<'_>) -> bool {
        match (&self.schema.node(node).shape, value) {
            (Shape::Null, Value::Null)
            | (Shape::Boolean, Value::Bool(_))
            | (Shape::Long, Value::Int(_))
            | (Shape::Float, Value::Float(_))
            | (Shape::Double, Value::Double(_))
            | (Shape::Bytes, Value::Bytes(_))
            | (Shape::Text, Value::Text(_))
            | (Shape::Map(_), Value::Record(_))
            | (Shape::Array(_), Value::List(_)) => true,
            (Shape::Int, Value::Int(value)) => i32::try_from(*value).is_ok(),
            (Shape::Fixed(size), Value::Bytes(bytes)) => bytes.len() == *size,
            (Shape::Enum(symbols), Value::Text(text)) => symbols.iter().any(|symbol| symbol == text.raw),
            (Shape::Record(fields), Value::Record(cells)) => {
                cells.iter().all(|(name, _)| fields.iter().any(|field| field.name == *name))
            }
            _ => false,
        }
    }

    fn number(&mut self, number: usize) {
        self.long(number as i64);
    }

    fn long(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        while rest >= 0x80 {
            self.out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push(rest as u8);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.out.extend(bytes);
    }

    /// All items of an array or a map are one block, before the 0 that ends it; without items there is only the 0.
    fn block(&mut self, items: usize) {
        if items > 0 {
            self.number(items);
        }
    }
}
