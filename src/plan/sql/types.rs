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
        DataType::Datetime(None) | DataType::TimestampNtz(None) => ScalarType::Timestamp,
        DataType::Interval { fields: None, precision: None } => ScalarType::Interval,
        DataType::JSON => ScalarType::Json,
        DataType::JSONB => ScalarType::Jsonb,
        DataType::Uuid => ScalarType::Uuid,
        DataType::Array(ArrayElemTypeDef::SquareBracket(of, _) | ArrayElemTypeDef::Qualified(of, _)) => {
            ScalarType::Array(Box::new(scalar_type(of)?))
        }
        DataType::Custom(name, _) => {
            let name = name.to_string();
            return Err(PlanError::new(format!("type \"{}\" does not exist", name.to_lowercase())));
        }
        other => return Err(unsupported(other)),
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
            Ok(length) if (1..=10_485_760).contains(&length) => Ok(Some(length)),
            _ => Err(PlanError::new(format!("length for type varchar must be between 1 and 10485760, not {length}"))),
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
