//! The binary encoding, read with the schema that wrote it.

use bumpalo::Bump as Arena;
use bumpalo::collections::Vec as ArenaVec;

use super::schema::{Schema, Shape};
use crate::source::format::json::{RawText, Value};

/// Records inside records; data beyond it is refused.
const DEPTH_MAX: usize = 64;
/// Values that take no byte (nulls in an array, say) are counted against this.
const EMPTY_VALUES_MAX: usize = 1 << 16;

/// Reads a whole body. Fields of records keep the order of the schema.
pub fn read<'a>(schema: &'a Schema, body: &'a [u8], arena: &'a Arena) -> Result<Value<'a>, String> {
    let mut reader = Reader { schema, rest: body, arena, budget: body.len() + EMPTY_VALUES_MAX };
    let value = reader.value(schema.root, 0)?;
    match reader.rest.len() {
        0 => Ok(value),
        more => Err(format!("{more} bytes more than the schema describes")),
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    rest: &'a [u8],
    arena: &'a Arena,
    /// Values that may still be read.
    budget: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, node: usize, depth: usize) -> Result<Value<'a>, String> {
        self.budget = self.budget.checked_sub(1).ok_or("more values than its bytes can hold")?;
        if depth > DEPTH_MAX {
            return Err(format!("records nested more than {DEPTH_MAX} deep"));
        }
        let schema = self.schema;
        Ok(match &schema.node(node).shape {
            Shape::Null => Value::Null,
            Shape::Boolean => match self.take(1)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                other => return Err(format!("{other:?} is no boolean")),
            },
            Shape::Int | Shape::Long => Value::Int(self.long()?),
            Shape::Float => {
                let bytes = self.take(4)?;
                Value::Float(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            }
            Shape::Double => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(self.take(8)?);
                Value::Double(f64::from_le_bytes(bytes))
            }
            Shape::Bytes => Value::Bytes(self.bytes()?),
            Shape::Text => Value::Text(RawText::plain(self.text()?)),
            Shape::Fixed(size) => Value::Bytes(self.take(*size)?),
            Shape::Enum(symbols) => {
                let number = self.long()?;
                let symbol = usize::try_from(number).ok().and_then(|number| symbols.get(number));
                Value::Text(RawText::plain(symbol.ok_or_else(|| format!("{number} is no symbol of the enum"))?))
            }
            Shape::Union(branches) => {
                let number = self.long()?;
                let branch = usize::try_from(number).ok().and_then(|number| branches.get(number));
                let branch = *branch.ok_or_else(|| format!("{number} is no branch of the union"))?;
                self.value(branch, depth + 1)?
            }
            Shape::Record(fields) => {
                let mut values = ArenaVec::with_capacity_in(fields.len(), self.arena);
                for field in fields {
                    let value = self.value(field.node, depth + 1);
                    values.push((&*field.name, value.map_err(|reason| inside(&field.name, reason))?));
                }
                Value::Record(values.into_bump_slice())
            }
            Shape::Array(items) => {
                let mut values = ArenaVec::new_in(self.arena);
                while let Some(count) = self.block()? {
                    for _ in 0..count {
                        values.push(self.value(*items, depth + 1)?);
                    }
                }
                Value::List(values.into_bump_slice())
            }
            Shape::Map(of) => {
                let mut values = ArenaVec::new_in(self.arena);
                while let Some(count) = self.block()? {
                    for _ in 0..count {
                        let name = self.text()?;
                        values.push((name, self.value(*of, depth + 1)?));
                    }
                }
                Value::Record(values.into_bump_slice())
            }
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("the bytes end too early")?;
        self.rest = rest;
        Ok(taken)
    }

    fn long(&mut self) -> Result<i64, String> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err("a number of more than ten bytes".into())
    }

    fn bytes(&mut self) -> Result<&'a [u8], String> {
        let length = self.long()?;
        self.take(usize::try_from(length).map_err(|_| format!("a length of {length}"))?)
    }

    fn text(&mut self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a text that is not UTF-8".into())
    }

    /// How many items follow; None at the end of the array or map.
    fn block(&mut self) -> Result<Option<u64>, String> {
        let count = self.long()?;
        if count < 0 {
            self.long()?; // the block's length in bytes
        }
        Ok(Some(count.unsigned_abs()).filter(|count| *count > 0))
    }
}

fn inside(name: &str, reason: String) -> String {
    // The innermost field is the one that helps.
    if reason.starts_with('"') { reason } else { format!("\"{name}\": {reason}") }
}
