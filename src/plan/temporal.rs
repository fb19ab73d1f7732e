//! Comparisons with the clock that turn at most once for each row, and when they do.
//!
//! ```text
//!   paid_at >= now() - interval '90 days'      clock <= paid_at + 90 days     until paid_at + 90 days, and no longer
//!   valid_from <= current_date                 clock >= valid_from            from valid_from on
//!   now() - shipped_at < interval '2 hours'    clock <  shipped_at + 2 hours  until then
//!   valid_to > now() or valid_to is null       clock <  valid_to              until then, and for ever where there is no end
//! ```
//!
//! 1. A comparison is recognised when the clock's side is the clock and fixed durations. Months are none, and a day is one only
//!    where every day has 24 hours: on dates, on timestamps without zone, and in UTC.
//! 2. The row's side is any expression; it alone can fail.
//! 3. Beyond the calendar's ends durations stop counting: what is later than all time never comes, or never goes.

use eval::Expr;
use row::calendar::{self, Interval, MICROS_PER_DAY};
use row::{Datum, OwnedDatum, ScalarType};

use super::clock::ClockReading;
use super::expr::{comparison, reads_none, reads_only};

/// One comparison of the clock with a value of the row, in the form `clock ∘ value + shift`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemporalBound {
    /// Over the columns of the row.
    pub value: Expr,
    reading: ClockReading,
    /// Days when the clock and the value are dates throughout, else microseconds.
    unit: Unit,
    shift: i128,
    edge: Edge,
}

/// From when, or until when, a row satisfies a comparison: in microseconds for the moment, in days for the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// True once the clock is this or later.
    From(i64),
    /// True as long as the clock is before this.
    Until(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Days,
    Micros,
}

/// What the clock must be, compared with the shifted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    AtLeast,
    After,
    Before,
    AtMost,
}

impl Edge {
    fn of(op: &str) -> Option<Edge> {
        Some(match op {
            ">=" => Edge::AtLeast,
            ">" => Edge::After,
            "<" => Edge::Before,
            "<=" => Edge::AtMost,
            _ => return None,
        })
    }

    /// With the sides exchanged.
    fn turned(self) -> Edge {
        match self {
            Edge::AtLeast => Edge::AtMost,
            Edge::After => Edge::Before,
            Edge::Before => Edge::After,
            Edge::AtMost => Edge::AtLeast,
        }
    }
}

/// Reads a predicate whose column `clock` is a reading of the clock; None when it is not of a form that turns once.
///
/// `types` are those of the other columns, which the predicate may read too.
pub fn temporal_bound(
    predicate: &Expr,
    clock: usize,
    reading: ClockReading,
    types: &[ScalarType],
) -> Option<TemporalBound> {
    let reader = Reader { clock, reading, types };
    if let Expr::Or(operands) = predicate {
        return reader.alternative(operands);
    }
    let (op, left, right) = comparison(predicate)?;
    let edge = Edge::of(op)?;
    reader.compared(left, right, edge).or_else(|| reader.compared(right, left, edge.turned()))
}

struct Reader<'a> {
    clock: usize,
    reading: ClockReading,
    types: &'a [ScalarType],
}

/// The clock with a fixed duration.
struct Shifted {
    unit: Unit,
    shift: i128,
}

impl Reader<'_> {
    /// One comparison with the clock, or conditions of the row that make it true for ever: `valid_to > now() or valid_to is null`.
    fn alternative(&self, operands: &[Expr]) -> Option<TemporalBound> {
        let (own, timed): (Vec<&Expr>, Vec<&Expr>) = operands.iter().partition(|operand| self.is_of_row(operand));
        let [timed] = timed.as_slice() else { return None };
        // An operand that fails fails the row only where no other decides; a CASE would ask it first.
        if own.is_empty() || own.iter().any(|operand| operand.is_fallible()) {
            return None;
        }
        let bound = temporal_bound(timed, self.clock, self.reading, self.types)?;
        let ty = bound.value.ty(self.types);
        let ends = match ty {
            ScalarType::Date => [Datum::Date(calendar::DATE_NEG_INFINITY), Datum::Date(calendar::DATE_INFINITY)],
            ScalarType::Timestamp => {
                [calendar::TIMESTAMP_NEG_INFINITY, calendar::TIMESTAMP_INFINITY].map(Datum::Timestamp)
            }
            ScalarType::TimestampTz => {
                [calendar::TIMESTAMP_NEG_INFINITY, calendar::TIMESTAMP_INFINITY].map(Datum::TimestampTz)
            }
            _ => return None,
        };
        let is_from = matches!(bound.edge, Edge::AtLeast | Edge::After);
        let always = Expr::literal(OwnedDatum::new(&ends[usize::from(!is_from)]), ty.clone());
        let own: Vec<Expr> = own.into_iter().cloned().collect();
        let value =
            Expr::Case { branches: vec![(Expr::Or(own), always)], otherwise: Box::new(bound.value.clone()), ty };
        Some(TemporalBound { value, ..bound })
    }

    /// `left edge right`, with the clock on the left.
    fn compared(&self, left: &Expr, right: &Expr, edge: Edge) -> Option<TemporalBound> {
        if let Some(clock) = self.shifted(left) {
            return self.bound(clock, right, 0, edge);
        }
        // The distance between the clock and a value, compared with a duration.
        let (from, to) = call(left, "-")?;
        let distance = distance(right)?;
        if let Some(clock) = self.shifted(from) {
            return self.bound(clock, to, distance, edge);
        }
        let clock = self.shifted(to)?;
        self.bound(clock, from, -distance, edge.turned())
    }

    fn bound(&self, clock: Shifted, value: &Expr, distance: i128, edge: Edge) -> Option<TemporalBound> {
        if !self.is_of_row(value) {
            return None;
        }
        let ty = value.ty(self.types);
        let fits = match (self.reading, &ty) {
            (ClockReading::Now, ScalarType::TimestampTz) => true,
            (ClockReading::Date, ScalarType::Date | ScalarType::Timestamp) => true,
            (_, ScalarType::Date | ScalarType::Timestamp | ScalarType::TimestampTz) => is_utc(),
            _ => false,
        };
        if !fits {
            return None;
        }
        // A distance between dates is a number of days, any other one is in microseconds.
        let unit = if clock.unit == Unit::Days && ty == ScalarType::Date { Unit::Days } else { Unit::Micros };
        let own = if unit != clock.unit { clock.shift * i128::from(MICROS_PER_DAY) } else { clock.shift };
        Some(TemporalBound { value: value.clone(), reading: self.reading, unit, shift: distance - own, edge })
    }

    fn is_of_row(&self, expr: &Expr) -> bool {
        reads_only(expr, &|column| column != self.clock)
    }

    /// The clock plus or minus fixed durations.
    fn shifted(&self, expr: &Expr) -> Option<Shifted> {
        let micros_of_days = |shifted: Shifted| match shifted.unit {
            Unit::Days => Shifted { unit: Unit::Micros, shift: shifted.shift * i128::from(MICROS_PER_DAY) },
            Unit::Micros => shifted,
        };
        match expr {
            Expr::Column(column) if *column == self.clock => {
                let unit = if self.reading == ClockReading::Date { Unit::Days } else { Unit::Micros };
                Some(Shifted { unit, shift: 0 })
            }
            Expr::Cast { input, from, to, .. } => match (from, to) {
                (ScalarType::Date, ScalarType::Timestamp) => self.shifted(input).map(micros_of_days),
                (ScalarType::Date, ScalarType::TimestampTz)
                | (ScalarType::Timestamp, ScalarType::TimestampTz)
                | (ScalarType::TimestampTz, ScalarType::Timestamp)
                    if is_utc() =>
                {
                    self.shifted(input).map(micros_of_days)
                }
                _ => None,
            },
            Expr::Call { ty, .. } => {
                let (clock, duration, sign) = match (call(expr, "+"), call(expr, "-")) {
                    (Some((a, b)), _) if reads_none(b) => (self.shifted(a)?, literal(b)?, 1),
                    (Some((a, b)), _) if reads_none(a) => (self.shifted(b)?, literal(a)?, 1),
                    (_, Some((a, b))) if reads_none(b) => (self.shifted(a)?, literal(b)?, -1),
                    _ => return None,
                };
                match duration {
                    Datum::Int(days) if clock.unit == Unit::Days => {
                        Some(Shifted { unit: Unit::Days, shift: clock.shift + sign * i128::from(days) })
                    }
                    Datum::Interval(interval) if interval.months == 0 => {
                        let has_fixed_days = *ty == ScalarType::Timestamp || is_utc();
                        if interval.days != 0 && !has_fixed_days {
                            return None;
                        }
                        let clock = micros_of_days(clock);
                        Some(Shifted { shift: clock.shift + sign * micros_of(interval), ..clock })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl TemporalBound {
    /// When the comparison turns for a row with this value; None for NULL, which satisfies nothing.
    pub fn turn(&self, value: &Datum<'_>) -> Option<Turn> {
        let (raw, is_infinite) = match value {
            Datum::Date(days) => {
                (i128::from(*days), *days == calendar::DATE_INFINITY || *days == calendar::DATE_NEG_INFINITY)
            }
            Datum::Timestamp(micros) | Datum::TimestampTz(micros) => (
                i128::from(*micros),
                *micros == calendar::TIMESTAMP_INFINITY || *micros == calendar::TIMESTAMP_NEG_INFINITY,
            ),
            _ => return None,
        };
        let is_from = matches!(self.edge, Edge::AtLeast | Edge::After);
        if is_infinite {
            let end = if raw > 0 { i64::MAX } else { i64::MIN };
            return Some(if is_from { Turn::From(end) } else { Turn::Until(end) });
        }
        let day = i128::from(MICROS_PER_DAY);
        let in_days = matches!(value, Datum::Date(_));
        let value = if in_days && self.unit == Unit::Micros { raw * day } else { raw };
        let at = value + self.shift;
        // The least clock that is at least `at`, or that is after it.
        let excludes = matches!(self.edge, Edge::After | Edge::AtMost);
        let turn = match (self.reading, self.unit) {
            (ClockReading::Date, Unit::Micros) => {
                if excludes {
                    at.div_euclid(day) + 1
                } else {
                    (at + day - 1).div_euclid(day)
                }
            }
            _ => at + i128::from(excludes),
        };
        let turn = turn.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
        Some(if is_from { Turn::From(turn) } else { Turn::Until(turn) })
    }
}

fn is_utc() -> bool {
    eval::session_time_zone() == "UTC"
}

/// The arguments of `a op b`.
fn call<'e>(expr: &'e Expr, op: &str) -> Option<(&'e Expr, &'e Expr)> {
    match expr {
        Expr::Call { function, args, .. } if function.name() == op => match args.as_slice() {
            [a, b] => Some((a, b)),
            _ => None,
        },
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<Datum<'_>> {
    match expr {
        Expr::Literal { value, .. } => Some(value.datum()),
        _ => None,
    }
}

/// A literal distance between two times: days between dates, else microseconds. PostgreSQL compares intervals with months of 30
/// days and days of 24 hours.
fn distance(expr: &Expr) -> Option<i128> {
    match literal(expr)? {
        Datum::Int(days) => Some(i128::from(days)),
        Datum::Interval(interval) => {
            let months_of_days = i128::from(interval.months) * 30 * i128::from(MICROS_PER_DAY);
            Some(months_of_days + micros_of(Interval { months: 0, ..interval }))
        }
        _ => None,
    }
}

/// An interval without months, its days of 24 hours.
fn micros_of(interval: Interval) -> i128 {
    i128::from(interval.days) * i128::from(MICROS_PER_DAY) + i128::from(interval.micros)
}

#[cfg(test)]
#[path = "temporal_tests.rs"]
mod tests;
