//! The packed row: a value after the other, each a tag byte and the least bytes that hold it.
//!
//! ```text
//!   row (7, 'ada', NULL, 12.50)  =  11 07 | 83 'a' 'd' 'a' | 00 | 32 02 E2 04
//!                                   int     text, length 3   null  numeric: 2 mantissa bytes, scale 2, 1250
//! ```
//!
//! The tag carries the length of small values, so an identifier takes two to five bytes and skipping a column is one look
//! at its tag. There is no header: rows that reach an arrangement are pruned to the few columns in use, and an evaluator
//! decodes them once, in order, into a scratch slice.
//! A value has exactly one encoding, so equal bytes and equal values (display scale included) are the same thing.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::numeric::Numeric;
use crate::{Datum, Interval};

const NULL: u8 = 0x00;
const FALSE: u8 = 0x01;
const TRUE: u8 = 0x02;
const FLOAT32: u8 = 0x03;
const FLOAT64: u8 = 0x04;
const TIME: u8 = 0x05;
const TIMESTAMP: u8 = 0x06;
const TIMESTAMP_TZ: u8 = 0x07;
const INTERVAL: u8 = 0x08;
const NUMERIC_BIG: u8 = 0x09;
const NUMERIC_NAN: u8 = 0x0A;
const NUMERIC_INFINITY: u8 = 0x0B;
const NUMERIC_NEG_INFINITY: u8 = 0x0C;
const TEXT_LONG: u8 = 0x0D;
const BYTES: u8 = 0x0E;
const ARRAY: u8 = 0x0F;
/// `INT + n`: n bytes (0..=8) of a little-endian two's complement integer.
const INT: u8 = 0x10;
/// `DATE + n`: n bytes (0..=4) of a little-endian two's complement day number.
const DATE: u8 = 0x20;
/// `NUMERIC + n`: a scale byte, then n bytes (0..=16) of a little-endian two's complement mantissa.
const NUMERIC: u8 = 0x30;
/// `TEXT + n`: text of n bytes (0..=127).
const TEXT: u8 = 0x80;
const TEXT_SHORT_MAX: usize = 0x7F;

/// A row that owns its bytes.
#[derive(Clone, Default, Eq, Serialize, Deserialize)]
pub struct Row(SmallVec<[u8; 16]>);

/// A row borrowed from a slab, a batch or a `Row`.
#[derive(Clone, Copy, Eq)]
pub struct RowRef<'a>(&'a [u8]);

/// The order of rows: by bytes, as good as any. Rows are short, so eight bytes are compared at a time, and no call is made.
#[inline]
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some((x, rest)), Some((y, others))) = (left.split_first_chunk::<8>(), right.split_first_chunk::<8>()) {
        if x != y {
            return u64::from_be_bytes(*x).cmp(&u64::from_be_bytes(*y));
        }
        (left, right) = (rest, others);
    }
    for (x, y) in left.iter().zip(right) {
        if x != y {
            return x.cmp(y);
        }
    }
    left.len().cmp(&right.len())
}

impl Hash for Row {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Hash for RowRef<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Bytes that are equal are as long.
        state.write(self.0);
    }
}

impl Ord for Row {
    #[inline]
    fn cmp(&self, other: &Row) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Row {
    #[inline]
    fn partial_cmp(&self, other: &Row) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Row {
    #[inline]
    fn eq(&self, other: &Row) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Ord for RowRef<'_> {
    #[inline]
    fn cmp(&self, other: &RowRef<'_>) -> Ordering {
        compare(self.0, other.0)
    }
}

impl PartialOrd for RowRef<'_> {
    #[inline]
    fn partial_cmp(&self, other: &RowRef<'_>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RowRef<'_> {
    #[inline]
    fn eq(&self, other: &RowRef<'_>) -> bool {
        self.0.len() == other.0.len() && compare(self.0, other.0).is_eq()
    }
}

impl Row {
    /// Packs the values as they are.
    pub fn pack<'a>(datums: impl IntoIterator<Item = Datum<'a>>) -> Row {
        let mut builder = RowBuilder::default();
        for datum in datums {
            builder.push(&datum);
        }
        builder.finish()
    }

    /// Takes bytes that an earlier row gave by `bytes`.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Row {
        Row(SmallVec::from_slice(bytes))
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    #[inline]
    pub fn as_ref(&self) -> RowRef<'_> {
        RowRef(&self.0)
    }

    #[inline]
    pub fn iter(&self) -> DatumIter<'_> {
        DatumIter(&self.0)
    }

    /// Appends all values to a buffer that a hot loop reuses.
    pub fn unpack_into<'a>(&'a self, out: &mut Vec<Datum<'a>>) {
        self.as_ref().unpack(out);
    }

    /// Bytes on the heap, beyond the row itself.
    pub fn heap_bytes(&self) -> usize {
        if self.0.spilled() { self.0.capacity() } else { 0 }
    }
}

impl<'a> RowRef<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> RowRef<'a> {
        RowRef(bytes)
    }

    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    #[inline]
    pub fn iter(self) -> DatumIter<'a> {
        DatumIter(self.0)
    }

    pub fn to_row(self) -> Row {
        Row::from_bytes(self.0)
    }

    /// Whether its one value is NULL.
    #[inline]
    pub(crate) fn is_null(self) -> bool {
        self.0 == [NULL]
    }

    /// Whether its one value is of a type that has one form only.
    #[inline]
    fn is_normal(self) -> bool {
        match self.0.first() {
            Some(&tag) => {
                matches!(tag, NULL | FALSE | TRUE | TIME..=TIMESTAMP_TZ | TEXT_LONG | BYTES | INT..NUMERIC | TEXT..)
            }
            None => true,
        }
    }

    /// Appends all values to a buffer that a hot loop reuses.
    pub fn unpack(self, out: &mut Vec<Datum<'a>>) {
        out.extend(self.iter());
    }
}

/// What a batch builder asks when it looks whether a key repeats.
impl PartialEq<&Row> for RowRef<'_> {
    fn eq(&self, other: &&Row) -> bool {
        self.0 == other.bytes()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Debug for RowRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Builds rows one value at a time; reusable, so that a hot loop allocates only what it emits.
#[derive(Clone, Default)]
pub struct RowBuilder {
    bytes: Vec<u8>,
}

impl RowBuilder {
    #[inline]
    pub fn push(&mut self, datum: &Datum<'_>) {
        let bytes = &mut self.bytes;
        match datum {
            Datum::Null => bytes.push(NULL),
            Datum::Bool(false) => bytes.push(FALSE),
            Datum::Bool(true) => bytes.push(TRUE),
            Datum::Int(value) => push_compact(bytes, INT, *value),
            Datum::Float32(value) => {
                bytes.push(FLOAT32);
                bytes.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Datum::Float64(value) => {
                bytes.push(FLOAT64);
                bytes.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Datum::Numeric(value) => push_numeric(bytes, value),
            Datum::Text(value) => {
                if value.len() <= TEXT_SHORT_MAX {
                    bytes.push(TEXT | value.len() as u8);
                } else {
                    bytes.push(TEXT_LONG);
                    push_length(bytes, value.len());
                }
                bytes.extend_from_slice(value.as_bytes());
            }
            Datum::Bytes(value) => {
                bytes.push(BYTES);
                push_length(bytes, value.len());
                bytes.extend_from_slice(value);
            }
            Datum::Date(days) => push_compact(bytes, DATE, i64::from(*days)),
            Datum::Time(micros) => push_eight(bytes, TIME, *micros),
            Datum::Timestamp(micros) => push_eight(bytes, TIMESTAMP, *micros),
            Datum::TimestampTz(micros) => push_eight(bytes, TIMESTAMP_TZ, *micros),
            Datum::Interval(Interval { months, days, micros }) => {
                bytes.push(INTERVAL);
                bytes.extend_from_slice(&months.to_le_bytes());
                bytes.extend_from_slice(&days.to_le_bytes());
                bytes.extend_from_slice(&micros.to_le_bytes());
            }
            Datum::Packed(value) => bytes.extend_from_slice(value.bytes()),
            Datum::Array(elements) => {
                bytes.push(ARRAY);
                push_length(bytes, elements.bytes().len());
                bytes.extend_from_slice(elements.bytes());
            }
        }
    }

    /// Appends the form a key is compared by (`Datum::normalized`), elements of arrays included.
    #[inline]
    pub fn push_normalized(&mut self, datum: &Datum<'_>) {
        match datum {
            Datum::Packed(value) if value.is_normal() => self.push_row(*value),
            Datum::Packed(value) => value.iter().for_each(|value| self.push_normalized(&value)),
            Datum::Array(elements) => {
                let mut inner = RowBuilder::default();
                elements.iter().for_each(|element| inner.push_normalized(&element));
                self.push(&Datum::Array(inner.as_ref()));
            }
            other => self.push(&other.clone().normalized()),
        }
    }

    /// Appends all columns of a row as they are.
    #[inline]
    pub fn push_row(&mut self, row: RowRef<'_>) {
        self.bytes.extend_from_slice(row.bytes());
    }

    pub fn as_ref(&self) -> RowRef<'_> {
        RowRef(&self.bytes)
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Gives the row and empties the builder, which keeps its buffer.
    #[inline]
    pub fn finish(&mut self) -> Row {
        let row = Row(SmallVec::from_slice(&self.bytes));
        self.bytes.clear();
        row
    }
}

fn push_eight(bytes: &mut Vec<u8>, tag: u8, value: i64) {
    bytes.push(tag);
    bytes.extend_from_slice(&value.to_le_bytes());
}

/// The least n with `value` in n bytes of two's complement; 0 takes none.
#[inline]
fn compact_len(value: i128) -> usize {
    if value == 0 {
        return 0;
    }
    let magnitude_bits = 128 - if value < 0 { (!value).leading_zeros() } else { value.leading_zeros() };
    (magnitude_bits as usize + 1).div_ceil(8)
}

#[inline]
fn push_compact(bytes: &mut Vec<u8>, tag: u8, value: i64) {
    let magnitude_bits = 64 - if value < 0 { !value } else { value }.leading_zeros();
    let length = if value == 0 { 0 } else { (magnitude_bits as usize + 1).div_ceil(8).min(8) };
    // A copy of fixed length is one store.
    let start = bytes.len();
    bytes.extend_from_slice(&[tag + length as u8, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes[start + 1..start + 9].copy_from_slice(&value.to_le_bytes());
    bytes.truncate(start + 1 + length);
}

fn push_numeric(bytes: &mut Vec<u8>, value: &Numeric) {
    if let Some((mantissa, scale)) = value.small_parts()
        && let Ok(scale) = u8::try_from(scale)
    {
        let length = compact_len(mantissa);
        bytes.push(NUMERIC + length as u8);
        bytes.push(scale);
        bytes.extend_from_slice(&mantissa.to_le_bytes()[..length]);
    } else if value.is_nan() {
        bytes.push(NUMERIC_NAN);
    } else if value.is_infinite() {
        bytes.push(if value.is_negative() { NUMERIC_NEG_INFINITY } else { NUMERIC_INFINITY });
    } else {
        let (mantissa, scale) = value.big_parts();
        bytes.push(NUMERIC_BIG);
        bytes.extend_from_slice(&scale.to_le_bytes());
        push_length(bytes, mantissa.len());
        bytes.extend_from_slice(&mantissa);
    }
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("a value is smaller than 4 GiB");
    bytes.extend_from_slice(&length.to_le_bytes());
}

/// The values of a row, in order.
#[derive(Clone)]
pub struct DatumIter<'a>(&'a [u8]);

impl<'a> DatumIter<'a> {
    #[inline]
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(length);
        self.0 = tail;
        head
    }

    #[inline]
    fn take_length(&mut self) -> usize {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes")) as usize
    }

    #[inline]
    fn take_i64(&mut self) -> i64 {
        i64::from_le_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    #[inline]
    fn take_compact(&mut self, length: usize) -> i64 {
        // Eight bytes at once where the row has them: the bytes beyond the value are shifted out.
        if let Some(eight) = self.0.first_chunk::<8>() {
            self.0 = &self.0[length..];
            let beyond = 64 - 8 * length as u32;
            return i64::from_le_bytes(*eight).checked_shl(beyond).unwrap_or(0) >> (beyond & 63);
        }
        let bytes = self.take(length);
        let mut value = [if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xFF } else { 0 }; 8];
        value[..length].copy_from_slice(bytes);
        i64::from_le_bytes(value)
    }

    #[inline]
    fn take_text(&mut self, length: usize) -> Datum<'a> {
        let bytes = self.take(length);
        debug_assert!(std::str::from_utf8(bytes).is_ok());
        // SAFETY: these bytes were written from a `&str` by `RowBuilder::push`; rows read back from disk carry a checksum.
        Datum::Text(unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    /// Moves past one value without decoding it. Returns false at the end of the row.
    #[inline]
    pub fn skip_one(&mut self) -> bool {
        let Some((&tag, tail)) = self.0.split_first() else { return false };
        self.0 = tail;
        let length = match tag {
            NULL | FALSE | TRUE | NUMERIC_NAN | NUMERIC_INFINITY | NUMERIC_NEG_INFINITY => 0,
            TEXT.. => (tag & 0x7F) as usize,
            INT..DATE => (tag - INT) as usize,
            DATE..NUMERIC => (tag - DATE) as usize,
            NUMERIC..TEXT => (tag - NUMERIC) as usize + 1,
            FLOAT32 => 4,
            FLOAT64 | TIME | TIMESTAMP | TIMESTAMP_TZ => 8,
            INTERVAL => 16,
            NUMERIC_BIG => {
                self.take(2);
                self.take_length()
            }
            TEXT_LONG | BYTES | ARRAY => self.take_length(),
        };
        self.take(length);
        true
    }

    /// Takes the next value without decoding it.
    #[inline]
    pub fn next_packed(&mut self) -> Option<RowRef<'a>> {
        let whole = self.0;
        self.skip_one().then(|| RowRef(&whole[..whole.len() - self.0.len()]))
    }

    /// The bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for DatumIter<'a> {
    type Item = Datum<'a>;

    #[inline]
    fn next(&mut self) -> Option<Datum<'a>> {
        let (&tag, tail) = self.0.split_first()?;
        self.0 = tail;
        Some(match tag {
            NULL => Datum::Null,
            FALSE => Datum::Bool(false),
            TRUE => Datum::Bool(true),
            TEXT.. => self.take_text((tag & 0x7F) as usize),
            INT..DATE => Datum::Int(self.take_compact((tag - INT) as usize)),
            DATE..NUMERIC => Datum::Date(self.take_compact((tag - DATE) as usize) as i32),
            NUMERIC..TEXT => {
                let scale = self.take(1)[0];
                let bytes = self.take((tag - NUMERIC) as usize);
                let mut value = [if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xFF } else { 0 }; 16];
                value[..bytes.len()].copy_from_slice(bytes);
                Datum::Numeric(Numeric::from_parts(i128::from_le_bytes(value), u16::from(scale)))
            }
            FLOAT32 => Datum::Float32(f32::from_bits(u32::from_le_bytes(self.take(4).try_into().expect("four bytes")))),
            FLOAT64 => Datum::Float64(f64::from_bits(self.take_i64() as u64)),
            TIME => Datum::Time(self.take_i64()),
            TIMESTAMP => Datum::Timestamp(self.take_i64()),
            TIMESTAMP_TZ => Datum::TimestampTz(self.take_i64()),
            INTERVAL => {
                let months = i32::from_le_bytes(self.take(4).try_into().expect("four bytes"));
                let days = i32::from_le_bytes(self.take(4).try_into().expect("four bytes"));
                Datum::Interval(Interval { months, days, micros: self.take_i64() })
            }
            NUMERIC_BIG => {
                let scale = u16::from_le_bytes(self.take(2).try_into().expect("two bytes"));
                let length = self.take_length();
                Datum::Numeric(Numeric::from_big_parts(self.take(length), scale))
            }
            NUMERIC_NAN => Datum::Numeric(Numeric::NAN),
            NUMERIC_INFINITY => Datum::Numeric(Numeric::INFINITY),
            NUMERIC_NEG_INFINITY => Datum::Numeric(Numeric::NEG_INFINITY),
            TEXT_LONG => {
                let length = self.take_length();
                self.take_text(length)
            }
            BYTES => {
                let length = self.take_length();
                Datum::Bytes(self.take(length))
            }
            ARRAY => {
                let length = self.take_length();
                Datum::Array(RowRef(self.take(length)))
            }
        })
    }
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
