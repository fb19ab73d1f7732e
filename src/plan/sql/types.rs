//! SQL type names to our types.

use row::{NumericTypmod, ScalarType};
use sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};

use crate::plan::PlanError;

/// PostgreSQL's reading of a type name, and what other warehouses call the same types.
pub(super) fn scalar_type(ty: &DataType) -> Result<ScalarType, PlanError> {
    Ok(match ty {
        DataType::Bool | DataType::Boolean => ScalarType::Bool,
        DataType::Int2(_) | DataType::SmallInt(_) => ScalarType::Int16,
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) | DataType::Int32 => ScalarType::Int32,
        DataType::BigInt(_) | DataType::Int8(_) | DataType::Int64 => ScalarType::Int64,
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info)?,
        DataType::Real | DataType::Float4 | DataType::Float32 => ScalarType::Float32,
        DataType::DoublePrecision | DataType::Float8 | DataType::Float64 | DataType::Double(_) => ScalarType::Float64,
        DataType::Float(info) => match info {
            ExactNumberInfo::Precision(bits) if (1..=24).contains(bits) => ScalarType::Float32,
            _ => ScalarType::Float64,
        },
        DataType::Text | DataType::String(_) => ScalarType::Text,
        DataType::Varchar(length)
        | DataType::CharacterVarying(length)
        | DataType::CharVarying(length)
        | DataType::Nvarchar(length) => ScalarType::Varchar(character_length(length)?),
        DataType::Char(length) | DataType::Character(length) => {
            ScalarType::Char(character_length(length)?.unwrap_or(1))
        }
        DataType::Bytea => ScalarType::Bytes,
        DataType::Date => ScalarType::Date,
        DataType::Time(precision, zone) => match zone {
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => {
                whole_microseconds(precision, ty)?;
                ScalarType::Time
            }
            _ => return Err(unsupported(ty)),
        },
        DataType::Timestamp(precision, zone) => {
            whole_microseconds(precision, ty)?;
            match zone {
                TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => ScalarType::Timestamp,
                TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => ScalarType::TimestampTz,
            }
        }
        DataType::Datetime(precision) | DataType::TimestampNtz(precision) => {
            whole_microseconds(precision, ty)?;
            ScalarType::Timestamp
        }
        DataType::BigNumeric(info) | DataType::BigDecimal(info) => numeric(info)?,
        DataType::TinyInt(_) => ScalarType::Int16,
        DataType::Bytes(_) | DataType::Varbinary(_) | DataType::Binary(_) => ScalarType::Bytes,
        DataType::Interval { fields: None, precision: None } => ScalarType::Interval,
        DataType::JSON => ScalarType::Json,
        DataType::JSONB => ScalarType::Jsonb,
        DataType::Uuid => ScalarType::Uuid,
        DataType::Array(ArrayElemTypeDef::SquareBracket(of, _) | ArrayElemTypeDef::Qualified(of, _)) => {
            ScalarType::Array(Box::new(scalar_type(of)?))
        }
        DataType::Custom(name, modifiers) => named(&name.to_string(), modifiers)?,
        other => return Err(unsupported(other)),
    })
}

/// Types by their internal names (`int4`, `pg_catalog.bpchar`), and by those of other warehouses.
fn named(name: &str, modifiers: &[String]) -> Result<ScalarType, PlanError> {
    let shown = name.trim_matches('"').to_lowercase();
    let plain = shown.strip_prefix("pg_catalog.").unwrap_or(&shown).trim_matches('"');
    let is_char = name.contains('"') && plain == "char";
    let missing = || PlanError::new(format!("type \"{plain}\" does not exist"));
    let number = |index: usize| modifiers.get(index).and_then(|modifier| modifier.trim().parse::<i64>().ok());
    Ok(match plain {
        _ if is_char => {
            return Err(PlanError::new("type \"char\" of one byte is not supported").with_hint("write text"));
        }
        "int2" => ScalarType::Int16,
        "int4" => ScalarType::Int32,
        "int8" => ScalarType::Int64,
        "float4" => ScalarType::Float32,
        "float8" => ScalarType::Float64,
        "bool" => ScalarType::Bool,
        "text" => ScalarType::Text,
        "bytea" => ScalarType::Bytes,
        "date" => ScalarType::Date,
        "time" => ScalarType::Time,
        "timestamp" | "timestamp_ntz" => ScalarType::Timestamp,
        "timestamptz" | "timestamp_tz" | "timestamp_ltz" => ScalarType::TimestampTz,
        "interval" => ScalarType::Interval,
        "uuid" => ScalarType::Uuid,
        "json" => ScalarType::Json,
        "jsonb" => ScalarType::Jsonb,
        "varchar" | "nvarchar" | "varchar2" => match number(0) {
            Some(length) => ScalarType::Varchar(u32::try_from(length).ok().filter(|length| *length > 0)),
            None => ScalarType::Varchar(None),
        },
        "bpchar" | "nchar" => match number(0) {
            Some(length) => {
                ScalarType::Char(u32::try_from(length).ok().filter(|length| *length > 0).ok_or_else(missing)?)
            }
            None if plain == "bpchar" => {
                return Err(PlanError::new("type \"bpchar\" without a length is not supported").with_hint("write text"));
            }
            None => ScalarType::Char(1),
        },
        // Without digits it holds whole numbers of 38 digits.
        "number" => match (number(0), number(1)) {
            (None, _) => numeric(&ExactNumberInfo::PrecisionAndScale(38, 0))?,
            (Some(precision), scale) => {
                let precision = u64::try_from(precision).map_err(|_| missing())?;
                numeric(&ExactNumberInfo::PrecisionAndScale(precision, scale.unwrap_or(0)))?
            }
        },
        "byteint" => ScalarType::Int16,
        "variant" | "object" | "super" => {
            return Err(PlanError::new(format!("type \"{plain}\" does not exist")).with_hint("write jsonb"));
        }
        "name" | "oid" | "regclass" | "regtype" | "money" | "inet" | "cidr" | "macaddr" | "xml" | "hstore"
        | "point" | "tsvector" | "int4range" | "int8range" | "numrange" | "daterange" | "tsrange" | "tstzrange" => {
            return Err(PlanError::new(format!("type \"{plain}\" is not supported")).with_hint("write text"));
        }
        _ => return Err(missing()),
    })
}

/// A type, and the digits of its seconds where it names fewer than six.
pub(super) fn with_precision(ty: &DataType) -> Result<(ScalarType, Option<u8>), PlanError> {
    let (precision, plain) = match ty {
        DataType::Time(precision, zone) => (precision, DataType::Time(None, *zone)),
        DataType::Timestamp(precision, zone) => (precision, DataType::Timestamp(None, *zone)),
        DataType::Datetime(precision) => (precision, DataType::Datetime(None)),
        DataType::TimestampNtz(precision) => (precision, DataType::TimestampNtz(None)),
        DataType::Interval { fields: None, precision } => {
            (precision, DataType::Interval { fields: None, precision: None })
        }
        other => return Ok((scalar_type(other)?, None)),
    };
    Ok((scalar_type(&plain)?, precision.filter(|digits| *digits < 6).map(|digits| digits as u8)))
}

/// The function that rounds values of a type to digits of a second.
pub(super) fn rounding_function(ty: &ScalarType) -> Option<&'static str> {
    Some(match ty {
        ScalarType::Time => "time",
        ScalarType::Timestamp => "timestamp",
        ScalarType::TimestampTz => "timestamptz",
        ScalarType::Interval => "interval",
        _ => return None,
    })
}

fn numeric(info: &ExactNumberInfo) -> Result<ScalarType, PlanError> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(ScalarType::NUMERIC),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    if !(1..=1000).contains(&precision) {
        return Err(PlanError::new(format!("NUMERIC precision {precision} must be between 1 and 1000")));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(PlanError::new(format!("NUMERIC scale {scale} must be between -1000 and 1000")));
    }
    Ok(ScalarType::Numeric(Some(NumericTypmod { precision: precision as u16, scale: scale as i16 })))
}

fn character_length(length: &Option<CharacterLength>) -> Result<Option<u32>, PlanError> {
    match length {
        None | Some(CharacterLength::Max) => Ok(None),
        Some(CharacterLength::IntegerLength { length, .. }) => match u32::try_from(*length) {
            Ok(0) => Err(PlanError::new("length for type varchar must be at least 1")),
            Ok(length) if length <= 10_485_760 => Ok(Some(length)),
            _ => Err(PlanError::new("length for type varchar cannot exceed 10485760")),
        },
    }
}

/// Six digits are what timestamps hold anyway; fewer would round.
fn whole_microseconds(precision: &Option<u64>, ty: &DataType) -> Result<(), PlanError> {
    match precision {
        None | Some(6..) => Ok(()),
        Some(_) => Err(unsupported(ty).with_hint("use the type without a precision and date_trunc to round")),
    }
}

fn unsupported(ty: &DataType) -> PlanError {
    PlanError::new(format!("type \"{}\" is not supported", ty.to_string().to_lowercase()))
}

/// PostgreSQL's internal name of a type: what an unnamed cast column is called.
pub(super) fn internal_name(ty: &ScalarType) -> &'static str {
    match ty {
        ScalarType::Unknown | ScalarType::Text => "text",
        ScalarType::Bool => "bool",
        ScalarType::Int16 => "int2",
        ScalarType::Int32 => "int4",
        ScalarType::Int64 => "int8",
        ScalarType::Numeric(_) => "numeric",
        ScalarType::Float32 => "float4",
        ScalarType::Float64 => "float8",
        ScalarType::Varchar(_) => "varchar",
        ScalarType::Char(_) => "bpchar",
        ScalarType::Bytes => "bytea",
        ScalarType::Date => "date",
        ScalarType::Time => "time",
        ScalarType::Timestamp => "timestamp",
        ScalarType::TimestampTz => "timestamptz",
        ScalarType::Interval => "interval",
        ScalarType::Json => "json",
        ScalarType::Jsonb => "jsonb",
        ScalarType::Uuid => "uuid",
        ScalarType::Array(of) => internal_name(of),
    }
}
