//! Values in PostgreSQL's binary formats: exact, quick, and independent of every session setting.
//!
//! ```text
//!   date: days since 2000    timestamp: microseconds since 2000    numeric: base-10,000 digits, weight, sign, scale
//! ```

use std::error::Error;

use bytes::{BufMut, BytesMut};
use row::{Datum, Interval, Numeric, RowBuilder, ScalarType};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// 2000-01-01, where PostgreSQL's days and microseconds start.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

type Failure = Box<dyn Error + Sync + Send>;

/// The type that travels; lengths and scales are the column's business.
pub fn wire_type(ty: &ScalarType) -> Type {
    match ty {
        ScalarType::Bool => Type::BOOL,
        ScalarType::Int16 => Type::INT2,
        ScalarType::Int32 => Type::INT4,
        ScalarType::Int64 => Type::INT8,
        ScalarType::Numeric(_) => Type::NUMERIC,
        ScalarType::Float32 => Type::FLOAT4,
        ScalarType::Float64 => Type::FLOAT8,
        ScalarType::Text | ScalarType::Unknown => Type::TEXT,
        ScalarType::Varchar(_) => Type::VARCHAR,
        ScalarType::Char(_) => Type::BPCHAR,
        ScalarType::Bytes => Type::BYTEA,
        ScalarType::Date => Type::DATE,
        ScalarType::Time => Type::TIME,
        ScalarType::Timestamp => Type::TIMESTAMP,
        ScalarType::TimestampTz => Type::TIMESTAMPTZ,
        ScalarType::Interval => Type::INTERVAL,
        ScalarType::Json => Type::JSON,
        ScalarType::Jsonb => Type::JSONB,
        ScalarType::Uuid => Type::UUID,
        ScalarType::Array(of) => array_type(of),
    }
}

/// The array of a type; an array's own is itself.
fn array_type(of: &ScalarType) -> Type {
    match of {
        ScalarType::Bool => Type::BOOL_ARRAY,
        ScalarType::Int16 => Type::INT2_ARRAY,
        ScalarType::Int32 => Type::INT4_ARRAY,
        ScalarType::Int64 => Type::INT8_ARRAY,
        ScalarType::Numeric(_) => Type::NUMERIC_ARRAY,
        ScalarType::Float32 => Type::FLOAT4_ARRAY,
        ScalarType::Float64 => Type::FLOAT8_ARRAY,
        ScalarType::Text | ScalarType::Unknown => Type::TEXT_ARRAY,
        ScalarType::Varchar(_) => Type::VARCHAR_ARRAY,
        ScalarType::Char(_) => Type::BPCHAR_ARRAY,
        ScalarType::Bytes => Type::BYTEA_ARRAY,
        ScalarType::Date => Type::DATE_ARRAY,
        ScalarType::Time => Type::TIME_ARRAY,
        ScalarType::Timestamp => Type::TIMESTAMP_ARRAY,
        ScalarType::TimestampTz => Type::TIMESTAMPTZ_ARRAY,
        ScalarType::Interval => Type::INTERVAL_ARRAY,
        ScalarType::Json => Type::JSON_ARRAY,
        ScalarType::Jsonb => Type::JSONB_ARRAY,
        ScalarType::Uuid => Type::UUID_ARRAY,
        ScalarType::Array(_) => wire_type(of),
    }
}

/// A value on its way to the server.
#[derive(Clone, Debug)]
pub struct Bound<'a> {
    pub datum: Datum<'a>,
    pub ty: &'a ScalarType,
}

impl ToSql for Bound<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        if self.datum.is_null() {
            return Ok(IsNull::Yes);
        }
        encode(&self.datum, self.ty, out)?;
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// What a statement is given: a value, or a whole column of values as one array.
#[derive(Clone, Debug)]
pub enum Parameter<'a> {
    One(Bound<'a>),
    /// The elements' type, and the array as it travels.
    Column(&'a ScalarType, BytesMut),
}

impl Parameter<'_> {
    pub fn wire_type(&self) -> Type {
        match self {
            Parameter::One(bound) => wire_type(bound.ty),
            Parameter::Column(of, _) => array_type(of),
        }
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Parameter::One(bound) => bound.to_sql(ty, out),
            Parameter::Column(_, bytes) => {
                out.put_slice(bytes);
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One column of many rows, on its way to `unnest`.
pub struct ColumnWriter<'a> {
    of: &'a ScalarType,
    bytes: BytesMut,
    count: i32,
}

impl<'a> ColumnWriter<'a> {
    /// `of` must not be an array itself: PostgreSQL's arrays do not nest.
    pub fn new(of: &'a ScalarType) -> ColumnWriter<'a> {
        let mut bytes = BytesMut::new();
        bytes.put_i32(1);
        bytes.put_i32(1);
        bytes.put_u32(wire_type(of).oid());
        bytes.put_i32(0);
        bytes.put_i32(1);
        ColumnWriter { of, bytes, count: 0 }
    }

    pub fn push(&mut self, datum: &Datum<'_>) -> Result<(), Failure> {
        self.count = self.count.checked_add(1).ok_or("too many rows for one array")?;
        encode_element(datum, self.of, &mut self.bytes)
    }

    pub fn finish(mut self) -> Parameter<'a> {
        // Where the number of elements stands in the header.
        self.bytes[12..16].copy_from_slice(&self.count.to_be_bytes());
        Parameter::Column(self.of, self.bytes)
    }
}

/// A value as it came from the server.
pub struct Raw<'a>(pub &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Raw<'a>, Failure> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn encode(datum: &Datum<'_>, ty: &ScalarType, out: &mut BytesMut) -> Result<(), Failure> {
    match datum {
        Datum::Null => return Err("NULL has no bytes".into()),
        Datum::Packed(value) => value.iter().try_for_each(|value| encode(&value, ty, out))?,
        Datum::Bool(value) => out.put_u8(u8::from(*value)),
        Datum::Int(value) => match ty {
            ScalarType::Int16 => out.put_i16(i16::try_from(*value)?),
            ScalarType::Int32 => out.put_i32(i32::try_from(*value)?),
            _ => out.put_i64(*value),
        },
        Datum::Float32(value) => out.put_f32(*value),
        Datum::Float64(value) => out.put_f64(*value),
        Datum::Numeric(value) => encode_numeric(value, out)?,
        Datum::Text(text) => match ty {
            ScalarType::Uuid => out.put_u128(uuid_of(text).ok_or_else(|| format!("{text:?} is no uuid"))?),
            ScalarType::Jsonb => {
                out.put_u8(1);
                out.put_slice(text.as_bytes());
            }
            _ => out.put_slice(text.as_bytes()),
        },
        Datum::Bytes(bytes) => out.put_slice(bytes),
        Datum::Date(days) => out.put_i32(match *days {
            i32::MAX | i32::MIN => *days,
            days => days.checked_sub(EPOCH_DAYS).ok_or("date out of range")?,
        }),
        Datum::Time(micros) => out.put_i64(*micros),
        Datum::Timestamp(micros) | Datum::TimestampTz(micros) => out.put_i64(match *micros {
            i64::MAX | i64::MIN => *micros,
            micros => micros.checked_sub(EPOCH_MICROS).ok_or("timestamp out of range")?,
        }),
        Datum::Interval(Interval { months, days, micros }) => {
            out.put_i64(*micros);
            out.put_i32(*days);
            out.put_i32(*months);
        }
        Datum::Array(elements) => {
            let ScalarType::Array(of) = ty else { return Err(format!("an array where {ty} is declared").into()) };
            let count = elements.iter().count();
            out.put_i32(if count == 0 { 0 } else { 1 });
            out.put_i32(i32::from(elements.iter().any(|element| element.is_null())));
            out.put_u32(wire_type(of).oid());
            if count > 0 {
                out.put_i32(i32::try_from(count)?);
                out.put_i32(1);
            }
            for element in elements.iter() {
                encode_element(&element, of, out)?;
            }
        }
    }
    Ok(())
}

/// A value behind its length, or -1 for NULL.
fn encode_element(datum: &Datum<'_>, ty: &ScalarType, out: &mut BytesMut) -> Result<(), Failure> {
    let start = out.len();
    out.put_i32(-1);
    if !datum.is_null() {
        encode(datum, ty, out)?;
        let length = i32::try_from(out.len() - start - 4)?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Appends a value that came from the server. Fails on what no plan of ours makes (an array of two dimensions).
pub fn push(builder: &mut RowBuilder, ty: &ScalarType, raw: Option<&[u8]>) -> Result<(), Failure> {
    let Some(raw) = raw else {
        builder.push(&Datum::Null);
        return Ok(());
    };
    let text = || std::str::from_utf8(raw);
    let uuid;
    let elements;
    let datum = match ty {
        ScalarType::Bool => Datum::Bool(raw != [0]),
        ScalarType::Int16 => Datum::Int(i64::from(i16::from_be_bytes(raw.try_into()?))),
        ScalarType::Int32 => Datum::Int(i64::from(i32::from_be_bytes(raw.try_into()?))),
        ScalarType::Int64 => Datum::Int(i64::from_be_bytes(raw.try_into()?)),
        ScalarType::Float32 => Datum::Float32(f32::from_be_bytes(raw.try_into()?)),
        ScalarType::Float64 => Datum::Float64(f64::from_be_bytes(raw.try_into()?)),
        ScalarType::Numeric(_) => Datum::Numeric(decode_numeric(raw)?),
        ScalarType::Bytes => Datum::Bytes(raw),
        ScalarType::Date => Datum::Date(match i32::from_be_bytes(raw.try_into()?) {
            days @ (i32::MAX | i32::MIN) => days,
            days => days.checked_add(EPOCH_DAYS).ok_or("date out of range")?,
        }),
        ScalarType::Time => Datum::Time(i64::from_be_bytes(raw.try_into()?)),
        ScalarType::Timestamp => Datum::Timestamp(instant(raw)?),
        ScalarType::TimestampTz => Datum::TimestampTz(instant(raw)?),
        ScalarType::Interval => {
            let (micros, rest) = raw.split_at_checked(8).ok_or("a short interval")?;
            let (days, months) = rest.split_at_checked(4).ok_or("a short interval")?;
            Datum::Interval(Interval {
                micros: i64::from_be_bytes(micros.try_into()?),
                days: i32::from_be_bytes(days.try_into()?),
                months: i32::from_be_bytes(months.try_into()?),
            })
        }
        ScalarType::Jsonb => Datum::Text(std::str::from_utf8(raw.get(1..).ok_or("an empty jsonb")?)?),
        ScalarType::Uuid => {
            uuid = uuid_text(u128::from_be_bytes(raw.try_into()?));
            Datum::Text(&uuid)
        }
        ScalarType::Array(of) => {
            elements = decode_elements(raw, of)?;
            Datum::Array(elements.as_ref())
        }
        ScalarType::Text | ScalarType::Unknown | ScalarType::Varchar(_) | ScalarType::Char(_) | ScalarType::Json => {
            Datum::Text(text()?)
        }
    };
    builder.push(&datum);
    Ok(())
}

fn instant(raw: &[u8]) -> Result<i64, Failure> {
    match i64::from_be_bytes(raw.try_into()?) {
        micros @ (i64::MAX | i64::MIN) => Ok(micros),
        micros => Ok(micros.checked_add(EPOCH_MICROS).ok_or("timestamp out of range")?),
    }
}

fn decode_elements(raw: &[u8], of: &ScalarType) -> Result<RowBuilder, Failure> {
    let mut reader = Reader(raw);
    let dimensions = reader.i32()?;
    reader.take(8)?;
    let mut elements = RowBuilder::default();
    match dimensions {
        0 => return Ok(elements),
        1 => {}
        more => return Err(format!("an array of {more} dimensions").into()),
    }
    let count = reader.i32()?;
    reader.take(4)?;
    for _ in 0..count {
        let length = reader.i32()?;
        let element = if length < 0 { None } else { Some(reader.take(usize::try_from(length)?)?) };
        push(&mut elements, of, element)?;
    }
    Ok(elements)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Failure> {
        let (head, tail) = self.0.split_at_checked(length).ok_or("a value that ends early")?;
        self.0 = tail;
        Ok(head)
    }

    fn i32(&mut self) -> Result<i32, Failure> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }

    fn i16(&mut self) -> Result<i16, Failure> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into()?))
    }
}

const NUMERIC_NEGATIVE: u16 = 0x4000;
const NUMERIC_NAN: u16 = 0xC000;
const NUMERIC_INFINITY: u16 = 0xD000;
const NUMERIC_NEG_INFINITY: u16 = 0xF000;
/// Decimal digits of one digit of the wire format.
const GROUP: usize = 4;

fn encode_numeric(value: &Numeric, out: &mut BytesMut) -> Result<(), Failure> {
    if value.is_nan() || value.is_infinite() {
        out.put_u32(0);
        out.put_u16(match value {
            value if value.is_nan() => NUMERIC_NAN,
            value if value.is_negative() => NUMERIC_NEG_INFINITY,
            _ => NUMERIC_INFINITY,
        });
        out.put_u16(0);
        return Ok(());
    }
    let text = value.to_string();
    let unsigned = text.strip_prefix('-').unwrap_or(&text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let head = (GROUP - whole.len() % GROUP) % GROUP;
    let tail = (GROUP - fraction.len() % GROUP) % GROUP;
    let zeros = |count| std::iter::repeat_n(b'0', count);
    let digits: Vec<u8> = zeros(head).chain(whole.bytes()).chain(fraction.bytes()).chain(zeros(tail)).collect();
    let group = |digits: &[u8]| digits.iter().fold(0_i16, |value, digit| value * 10 + i16::from(digit - b'0'));
    let groups: Vec<i16> = digits.chunks(GROUP).map(group).collect();
    let start = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let end = groups.iter().rposition(|group| *group != 0).map_or(start, |last| last + 1);
    let weight = ((head + whole.len()) / GROUP) as i64 - 1 - start as i64;
    out.put_i16(i16::try_from(end - start)?);
    out.put_i16(if start == end { 0 } else { i16::try_from(weight)? });
    out.put_u16(if value.is_negative() { NUMERIC_NEGATIVE } else { 0 });
    out.put_u16(u16::try_from(fraction.len())?);
    groups[start..end].iter().for_each(|group| out.put_i16(*group));
    Ok(())
}

fn decode_numeric(raw: &[u8]) -> Result<Numeric, Failure> {
    let mut reader = Reader(raw);
    let (count, weight) = (reader.i16()?, i32::from(reader.i16()?));
    let (sign, scale) = (reader.i16()? as u16, usize::from(reader.i16()? as u16));
    match sign {
        NUMERIC_NAN => return Ok(Numeric::NAN),
        NUMERIC_INFINITY => return Ok(Numeric::INFINITY),
        NUMERIC_NEG_INFINITY => return Ok(Numeric::NEG_INFINITY),
        _ => {}
    }
    let groups: Vec<i16> = (0..count).map(|_| reader.i16()).collect::<Result<_, _>>()?;
    // The group that stands for 10,000^exponent; groups that are not sent are zero.
    let group = |exponent: i32| {
        usize::try_from(weight - exponent).ok().and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let mut text = String::from(if sign == NUMERIC_NEGATIVE { "-" } else { "" });
    for exponent in (0..=weight.max(0)).rev() {
        text.push_str(&format!("{:04}", group(exponent)));
    }
    if scale > 0 {
        text.push('.');
        let start = text.len();
        let mut exponent = -1;
        while text.len() - start < scale {
            text.push_str(&format!("{:04}", group(exponent)));
            exponent -= 1;
        }
        text.truncate(start + scale);
    }
    Ok(Numeric::parse(&text)?)
}

/// 32 hexadecimal digits, hyphens anywhere.
fn uuid_of(text: &str) -> Option<u128> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() == 32 { u128::from_str_radix(&digits, 16).ok() } else { None }
}

fn uuid_text(value: u128) -> String {
    let digits = format!("{value:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(datum: Datum<'_>, ty: &ScalarType) {
        let mut bytes = BytesMut::new();
        encode(&datum, ty, &mut bytes).expect("encoded");
        let (mut came, mut went) = (RowBuilder::default(), RowBuilder::default());
        push(&mut came, ty, Some(&bytes)).expect("decoded");
        went.push(&datum);
        assert_eq!(came.finish(), went.finish(), "{ty} {datum:?}");
    }

    #[test]
    fn numerics_keep_value_and_scale() {
        for text in [
            "0",
            "0.000",
            "1",
            "-1",
            "9999",
            "10000",
            "100000000",
            "12.50",
            "-0.0001",
            "0.00001",
            "1234567.8900000",
            "123456789012345678901234567890123456789012345678901234567890.000100",
            "NaN",
            "Infinity",
            "-Infinity",
        ] {
            round_trip(Datum::Numeric(Numeric::parse(text).expect("a numeric")), &ScalarType::NUMERIC);
        }
    }

    #[test]
    fn a_numeric_is_what_postgresql_sends() {
        // select numeric_send(12345.678) on PostgreSQL 15
        let mut bytes = BytesMut::new();
        encode_numeric(&Numeric::parse("12345.678").expect("a numeric"), &mut bytes).expect("encoded");
        assert_eq!(bytes[..], [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1A, 0x7C]);
    }

    #[test]
    fn dates_uuids_and_arrays_keep_their_value() {
        round_trip(Datum::Date(0), &ScalarType::Date);
        round_trip(Datum::Date(i32::MIN), &ScalarType::Date);
        round_trip(Datum::TimestampTz(-1), &ScalarType::TimestampTz);
        round_trip(Datum::Timestamp(i64::MAX), &ScalarType::Timestamp);
        round_trip(Datum::Interval(Interval { months: -1, days: 2, micros: -3 }), &ScalarType::Interval);
        round_trip(Datum::Text("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), &ScalarType::Uuid);
        let elements = row::Row::pack([Datum::Text("a"), Datum::Null, Datum::Text("")]);
        round_trip(Datum::Array(elements.as_ref()), &ScalarType::Array(Box::new(ScalarType::Text)));
        let nothing = row::Row::default();
        round_trip(Datum::Array(nothing.as_ref()), &ScalarType::Array(Box::new(ScalarType::Int64)));
        let mut bytes = BytesMut::new();
        assert!(encode(&Datum::Int(40_000), &ScalarType::Int16, &mut bytes).is_err());
        assert!(encode(&Datum::Text("x"), &ScalarType::Uuid, &mut bytes).is_err());
    }
}
