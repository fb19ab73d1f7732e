//! Frames: which rows around the current one a window call sees.
//!
//! ```text
//!   ROWS  BETWEEN 6 PRECEDING AND CURRENT ROW              Offset(-6) … CurrentRow
//!   RANGE BETWEEN interval '7 days' PRECEDING AND …        Value(t - interval '7 days') …    over ORDER BY t
//!   RANGE … 7 PRECEDING over ORDER BY t DESC               Value(t + 7)
//! ```
//!
//! The value at a bound has the type of the order term, and never leaves it: integers are widened in both, so that the
//! frame of a row at the end of their range is still its frame.

use eval::Expr;
use row::{Datum, ScalarType, SortDirection};
use sqlparser::ast::{self, Spanned, WindowFrameBound, WindowFrameUnits};

use super::coerce::binary;
use super::scope::at;
use super::window::Terms;
use super::{Binder, Bound, unsupported};
use crate::plan::expr::evaluate;
use crate::plan::{Frame, FrameBound, FrameUnits, PlanError};

/// Offsets up to this, added to an integer, stay within bigint.
const SMALL_OFFSET_MAX: i64 = 1 << 62;

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Starting,
    Ending,
}

impl End {
    fn name(self) -> &'static str {
        if self == End::Starting { "starting" } else { "ending" }
    }
}

impl Frame {
    pub(super) fn has_value(&self) -> bool {
        [&self.start, &self.end].into_iter().any(|bound| matches!(bound, FrameBound::Value(_)))
    }

    /// Frames that mean the same are written the same.
    pub(super) fn normal(self, unordered: bool) -> Frame {
        let peers_are_all = unordered && self.units == FrameUnits::Range;
        let is_whole = self.start == FrameBound::Unbounded && self.end == FrameBound::Unbounded;
        match () {
            () if peers_are_all || (unordered && is_whole) => Frame::default_range(),
            () if is_whole => Frame::whole(),
            () => self,
        }
    }
}

impl<'q> Binder<'q> {
    /// Binds a frame over the order's terms. An offset of RANGE may widen the type of the term.
    pub(super) fn frame(&mut self, frame: &'q ast::WindowFrame, terms: &mut Terms) -> Result<Frame, PlanError> {
        let start = &frame.start_bound;
        let end = frame.end_bound.as_ref().unwrap_or(&WindowFrameBound::CurrentRow);
        check_ends(start, end, frame.end_bound.is_some())?;
        let units = match frame.units {
            WindowFrameUnits::Rows => FrameUnits::Rows,
            WindowFrameUnits::Range => FrameUnits::Range,
            WindowFrameUnits::Groups => {
                return Err(unsupported("a frame in GROUPS").with_hint("use ROWS, or RANGE with a distance"));
            }
        };
        if units == FrameUnits::Rows {
            let start = self.row_bound(start, End::Starting)?;
            let end = self.row_bound(end, End::Ending)?;
            return Ok(Frame { units, start, end });
        }
        if [start, end].into_iter().any(|bound| offset(bound).is_some()) && terms.len() != 1 {
            return Err(PlanError::new("RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"));
        }
        let start_offset = self.range_offset(start, End::Starting)?;
        let end_offset = self.range_offset(end, End::Ending)?;
        if let Some((term, _)) = terms.first_mut()
            && (start_offset.is_some() || end_offset.is_some())
        {
            let small = |offset: &Option<Bound>| offset.as_ref().is_none_or(is_small);
            let written = term.ty.clone();
            for offset in [&start_offset, &end_offset].into_iter().flatten() {
                check_fits(&offset.ty, &written)?;
            }
            *term = widened(term.clone(), small(&start_offset) && small(&end_offset))?;
        }
        let start = range_bound(start, start_offset, terms)?;
        let end = range_bound(end, end_offset, terms)?;
        Ok(Frame { units, start, end })
    }

    fn row_bound(&mut self, bound: &'q WindowFrameBound, end: End) -> Result<FrameBound, PlanError> {
        let Some(expr) = offset(bound) else { return Ok(plain_bound(bound)) };
        let value = self.offset_value(expr, "ROWS")?;
        let name = value.ty.to_string();
        let value = value
            .cast(&ScalarType::Int64, true)
            .map_err(|_| PlanError::new(format!("argument of ROWS must be type bigint, not type {name}")))?;
        let rows = evaluate(&value.expr).map_err(|error| PlanError::new(error.to_string()))?;
        let refused = |what: &str| {
            let error = PlanError::new(format!("frame {} offset must not be {what}", end.name()));
            Err(at(error, expr.span()))
        };
        match (rows.datum(), bound) {
            (Datum::Null, _) => refused("null"),
            (Datum::Int(rows), _) if rows < 0 => refused("negative"),
            (Datum::Int(rows), WindowFrameBound::Preceding(_)) => Ok(FrameBound::Offset(-rows)),
            (Datum::Int(rows), _) => Ok(FrameBound::Offset(rows)),
            (other, _) => Err(PlanError::new(format!("argument of ROWS must be a number, not {other:?}"))),
        }
    }

    fn range_offset(&mut self, bound: &'q WindowFrameBound, end: End) -> Result<Option<Bound>, PlanError> {
        let Some(expr) = offset(bound) else { return Ok(None) };
        let value = self.offset_value(expr, "RANGE")?;
        let failed = |error: eval::EvalError| PlanError::new(error.to_string());
        if evaluate(&value.expr).map_err(failed)?.datum().is_null() {
            let error = PlanError::new(format!("frame {} offset must not be null", end.name()));
            return Err(at(error, expr.span()));
        }
        Ok(Some(value))
    }

    fn offset_value(&mut self, expr: &'q ast::Expr, what: &str) -> Result<Bound, PlanError> {
        let value = self.expr(expr)?;
        if !value.expr.is_constant() {
            let error = PlanError::new(format!("argument of {what} must not contain variables"));
            return Err(at(error.with_hint("write a literal"), expr.span()));
        }
        Ok(value)
    }
}

fn offset(bound: &WindowFrameBound) -> Option<&ast::Expr> {
    match bound {
        WindowFrameBound::Preceding(expr) | WindowFrameBound::Following(expr) => expr.as_deref(),
        WindowFrameBound::CurrentRow => None,
    }
}

fn plain_bound(bound: &WindowFrameBound) -> FrameBound {
    if *bound == WindowFrameBound::CurrentRow { FrameBound::CurrentRow } else { FrameBound::Unbounded }
}

/// Frames that end before they start are refused where their words alone tell it.
fn check_ends(start: &WindowFrameBound, end: &WindowFrameBound, between: bool) -> Result<(), PlanError> {
    use WindowFrameBound as B;
    let message = match (start, end) {
        (B::Following(None), _) => "frame start cannot be UNBOUNDED FOLLOWING",
        (B::Following(Some(_)), _) if !between => "frame starting from following row cannot end with current row",
        (_, B::Preceding(None)) => "frame end cannot be UNBOUNDED PRECEDING",
        (B::CurrentRow, B::Preceding(Some(_))) => "frame starting from current row cannot have preceding rows",
        (B::Following(Some(_)), B::Preceding(Some(_)) | B::CurrentRow) => {
            "frame starting from following row cannot have preceding rows"
        }
        _ => return Ok(()),
    };
    Err(PlanError::new(message))
}

/// Whether the offset, if it is an integer, may be added to any integer below bigint.
fn is_small(offset: &Bound) -> bool {
    let Ok(value) = evaluate(&offset.expr) else { return false };
    match value.datum() {
        Datum::Int(value) => value.abs() <= SMALL_OFFSET_MAX,
        _ => true,
    }
}

/// The order term in a type that an offset does not leave.
fn widened(term: Bound, small_offsets: bool) -> Result<Bound, PlanError> {
    match term.ty.base() {
        ScalarType::Int16 | ScalarType::Int32 if small_offsets => term.cast(&ScalarType::Int64, false),
        ScalarType::Int16 | ScalarType::Int32 | ScalarType::Int64 | ScalarType::Numeric(_) => {
            term.into_argument(&ScalarType::NUMERIC)
        }
        ScalarType::Float32 => term.cast(&ScalarType::Float64, false),
        ScalarType::Date => term.cast(&ScalarType::Timestamp, false),
        _ => Ok(term),
    }
}

fn range_bound(bound: &WindowFrameBound, offset: Option<Bound>, terms: &Terms) -> Result<FrameBound, PlanError> {
    let (Some(offset), Some((term, direction))) = (offset, terms.first()) else { return Ok(plain_bound(bound)) };
    let offset = fitting(offset, term)?;
    let zero = if term.ty == ScalarType::Float64 || term.ty.is_numeric() || term.ty.is_integer() {
        Bound::new(crate::plan::expr::literal_int8(0), ScalarType::Int64, false)
    } else {
        super::literal::unknown("0").cast(&ScalarType::Interval, true)?
    };
    let negative = binary("<", offset.clone(), zero)?;
    let is_negative = evaluate(&negative.expr).map_err(|error| PlanError::new(error.to_string()))?;
    if matches!(is_negative.datum(), Datum::Bool(true)) {
        return Err(PlanError::new("invalid preceding or following size in window function"));
    }
    Ok(FrameBound::Value(moved(term, offset, matches!(bound, WindowFrameBound::Preceding(_)), *direction)?))
}

/// Whether an offset of that type goes with a column of that type.
fn check_fits(offset: &ScalarType, column: &ScalarType) -> Result<(), PlanError> {
    let orders = match column {
        ScalarType::Date | ScalarType::Timestamp | ScalarType::TimestampTz | ScalarType::Interval => {
            matches!(offset, ScalarType::Unknown | ScalarType::Interval)
        }
        ScalarType::Float32 | ScalarType::Float64 => {
            *offset == ScalarType::Unknown
                || offset.is_integer()
                || offset.is_numeric()
                || matches!(offset, ScalarType::Float32 | ScalarType::Float64)
        }
        ScalarType::Numeric(_) => *offset == ScalarType::Unknown || offset.is_integer() || offset.is_numeric(),
        ty if ty.is_integer() => *offset == ScalarType::Unknown || offset.is_integer(),
        other => {
            return Err(PlanError::new(format!(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {other}"
            ))
            .with_hint("order by a number, a date or a timestamp"));
        }
    };
    if orders {
        return Ok(());
    }
    Err(PlanError::new(format!(
        "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {column} and offset type {offset}"
    ))
    .with_hint("cast the offset value to an appropriate type"))
}

/// The offset in the type that goes with the order term.
fn fitting(offset: Bound, term: &Bound) -> Result<Bound, PlanError> {
    match &term.ty {
        ScalarType::Timestamp | ScalarType::TimestampTz | ScalarType::Interval => {
            offset.cast(&ScalarType::Interval, true)
        }
        ty if offset.is_unknown_literal() => offset.cast(&ty.base(), false),
        ScalarType::Float64 | ScalarType::Int64 => {
            let ty = term.ty.clone();
            offset.cast(&ty, false)
        }
        _ => offset.into_argument(&ScalarType::NUMERIC),
    }
}

/// The order term's value at the bound.
fn moved(term: &Bound, offset: Bound, preceding: bool, direction: SortDirection) -> Result<Expr, PlanError> {
    let op = if preceding != direction.descending { "-" } else { "+" };
    let moved = binary(op, term.clone(), offset)?;
    if moved.ty.base() == term.ty.base() { Ok(moved.expr) } else { Ok(moved.cast(&term.ty.base(), false)?.expr) }
}
