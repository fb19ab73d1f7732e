//! Literals: numbers typed as PostgreSQL types them, strings left open until a context decides.

use eval::Expr;
use row::{Datum, OwnedDatum, ScalarType};
use sqlparser::ast::{DateTimeField, Value};

use super::{Bound, coerce, unsupported};
use crate::plan::PlanError;

pub(super) fn literal(value: &Value) -> Result<Bound, PlanError> {
    match value {
        Value::Number(text, _) => number(text),
        Value::SingleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::UnicodeStringLiteral(text)
        | Value::NationalStringLiteral(text) => Ok(unknown(text)),
        Value::DollarQuotedString(quoted) => Ok(unknown(&quoted.value)),
        Value::Boolean(value) => Ok(typed(Datum::Bool(*value), ScalarType::Bool)),
        Value::Null => Ok(typed(Datum::Null, ScalarType::Unknown)),
        Value::Placeholder(name) => Err(unsupported(format!("parameter {name}"))),
        other => Err(unsupported(format!("literal {other}"))),
    }
}

fn typed(datum: Datum<'_>, ty: ScalarType) -> Bound {
    let nullable = datum.is_null();
    Bound::new(Expr::Literal { value: OwnedDatum::new(&datum), ty: ty.clone() }, ty, nullable)
}

/// A string literal, whose type is decided by what it meets.
pub(super) fn unknown(text: &str) -> Bound {
    typed(Datum::Text(text), ScalarType::Unknown)
}

/// A string that is text already: an argument that we write ourselves.
pub(super) fn text(text: &str) -> Bound {
    typed(Datum::Text(text), ScalarType::Text)
}

pub(super) fn int4(value: i32) -> Bound {
    typed(Datum::Int(i64::from(value)), ScalarType::Int32)
}

/// `7` is integer, `7000000000` bigint, `7.0`, `7e3` and what is longer numeric. The sign belongs to the number.
pub(super) fn number(text: &str) -> Result<Bound, PlanError> {
    let digits = text.replace('_', "");
    if let Ok(value) = digits.parse::<i64>() {
        let ty = if i32::try_from(value).is_ok() { ScalarType::Int32 } else { ScalarType::Int64 };
        return Ok(typed(Datum::Int(value), ty));
    }
    let mut bound = unknown(&digits).cast(&ScalarType::NUMERIC, false)?;
    if let Expr::Literal { value, .. } = &bound.expr {
        bound.scale_max = coerce::scale_of_literal(value);
    }
    Ok(bound)
}

/// The name of a field as `extract`, `date_trunc` and interval literals spell it.
pub(super) fn field_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Custom(ident) => ident.value.to_lowercase(),
        DateTimeField::DayOfWeek => "dow".into(),
        DateTimeField::DayOfYear => "doy".into(),
        DateTimeField::IsoWeek => "week".into(),
        DateTimeField::Millenium => "millennium".into(),
        other => other.to_string().to_lowercase(),
    }
}
