//! The scalar types, named and printed as PostgreSQL does.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `numeric(precision, scale)`; both in decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NumericTypmod {
    pub precision: u16,
    /// Digits after the point; PostgreSQL allows -1000..=1000.
    pub scale: i16,
}

/// A PostgreSQL type that livemart maintains.
///
/// `Unknown` is the type of an untyped literal (`'abc'`, `NULL`) until it meets a context; it never reaches a plan's output
/// (there it has become `Text`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScalarType {
    Unknown,
    Bool,
    Int16,
    Int32,
    Int64,
    Numeric(Option<NumericTypmod>),
    Float32,
    Float64,
    Text,
    /// `varchar(n)`; `None` is `varchar` without a length.
    Varchar(Option<u32>),
    /// `char(n)`, blank-padded.
    Char(u32),
    Bytes,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    /// Text kept as it came.
    Json,
    /// Text in PostgreSQL's canonical `jsonb` print.
    Jsonb,
    Uuid,
    Array(Box<ScalarType>),
}

impl ScalarType {
    pub const NUMERIC: ScalarType = ScalarType::Numeric(None);

    pub fn is_integer(&self) -> bool {
        matches!(self, ScalarType::Int16 | ScalarType::Int32 | ScalarType::Int64)
    }

    pub fn is_float(&self) -> bool {
        matches!(self, ScalarType::Float32 | ScalarType::Float64)
    }

    pub fn is_numeric(&self) -> bool {
        matches!(self, ScalarType::Numeric(_))
    }

    pub fn is_number(&self) -> bool {
        self.is_integer() || self.is_float() || self.is_numeric()
    }

    /// Text and its kin (`text`, `varchar`, `char`, and a literal that is still unknown).
    pub fn is_string(&self) -> bool {
        matches!(self, ScalarType::Text | ScalarType::Varchar(_) | ScalarType::Char(_) | ScalarType::Unknown)
    }

    pub fn is_date_time(&self) -> bool {
        matches!(self, ScalarType::Date | ScalarType::Time | ScalarType::Timestamp | ScalarType::TimestampTz)
    }

    /// The type without length, precision or scale: what function resolution looks at.
    pub fn base(&self) -> ScalarType {
        match self {
            ScalarType::Numeric(_) => ScalarType::Numeric(None),
            ScalarType::Varchar(_) => ScalarType::Varchar(None),
            ScalarType::Array(of) => ScalarType::Array(Box::new(of.base())),
            other => other.clone(),
        }
    }
}

impl fmt::Display for ScalarType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScalarType::Unknown => f.write_str("unknown"),
            ScalarType::Bool => f.write_str("boolean"),
            ScalarType::Int16 => f.write_str("smallint"),
            ScalarType::Int32 => f.write_str("integer"),
            ScalarType::Int64 => f.write_str("bigint"),
            ScalarType::Numeric(None) => f.write_str("numeric"),
            ScalarType::Numeric(Some(typmod)) => write!(f, "numeric({},{})", typmod.precision, typmod.scale),
            ScalarType::Float32 => f.write_str("real"),
            ScalarType::Float64 => f.write_str("double precision"),
            ScalarType::Text => f.write_str("text"),
            ScalarType::Varchar(None) => f.write_str("character varying"),
            ScalarType::Varchar(Some(length)) => write!(f, "character varying({length})"),
            ScalarType::Char(length) => write!(f, "character({length})"),
            ScalarType::Bytes => f.write_str("bytea"),
            ScalarType::Date => f.write_str("date"),
            ScalarType::Time => f.write_str("time without time zone"),
            ScalarType::Timestamp => f.write_str("timestamp without time zone"),
            ScalarType::TimestampTz => f.write_str("timestamp with time zone"),
            ScalarType::Interval => f.write_str("interval"),
            ScalarType::Json => f.write_str("json"),
            ScalarType::Jsonb => f.write_str("jsonb"),
            ScalarType::Uuid => f.write_str("uuid"),
            ScalarType::Array(of) => write!(f, "{of}[]"),
        }
    }
}
