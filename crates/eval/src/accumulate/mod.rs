//! Aggregates that ride in the difference: each row adds to integer lanes, a group finishes its lanes into values.
//!
//! ```text
//!   rows │ per aggregate: how many values │ first limbs of the sums │ further limbs, scales, exponents
//! ```
//!
//! 1. Lanes only ever add, so retractions, batching and order leave no trace: the result is a function of the multiset.
//! 2. A sum is split into limbs of 32 bits, each in a lane of its own with the sign of the value: no carry, no overflow
//!    within two thousand million rows, and `x` and `-x` cancel lane by lane.
//! 3. Numerics are exact; PostgreSQL's display scale is the greatest of the inputs', so where the plan does not know it the
//!    group counts its values by scale. Doubles are exact too (`double`): the sum is correctly rounded whatever the order.
//! 4. Variance and standard deviation keep the sum of the squares beside the sum (`variance`).
//! 5. Low lanes are those in use: small counts and small money leave the further limbs zero, and zeros at the end cost nothing.

mod double;
mod limbs;
mod variance;

#[cfg(test)]
mod accumulate_tests;

use row::{Datum, Interval, Numeric, ScalarType};

use crate::{AggregateCall, AggregateFunction, EvalError};
use limbs::Limbs;
use variance::Wanted;

/// Limbs of a sum of numerics: 86 digits in all.
const LIMBS: usize = 9;
/// Limbs of a sum of squares.
const SQUARE_LIMBS: usize = 2 * LIMBS;
/// Limbs of a sum of squares that lie near.
const SQUARE_NEAR: usize = 2;
/// Digits after the point that a sum over values of any scale holds.
const ANY_SCALE: u16 = 38;
/// Above this known scale the display scale of an average depends on the inputs' own scales, so they are counted.
const KNOWN_SCALE_MAX: u16 = 12;

/// What an aggregate keeps in its lanes.
#[derive(Clone, Debug)]
enum Kind {
    /// count(*), count(x).
    Count,
    /// sum of smallint and integer: one lane, a bigint.
    SumSmall,
    /// sum of bigint; sum of numeric with a known scale: limbs of the mantissa at that scale.
    SumKnown {
        scale: u16,
    },
    /// sum of numeric of any scale: limbs at `ANY_SCALE`, and a count of values per scale.
    SumAny,
    SumDouble,
    /// Variance and its kin: a sum at a scale, or at `ANY_SCALE` with a count of values per scale, and a sum of squares at twice the
    /// scale.
    Squares {
        scale: Option<u16>,
        wanted: Wanted,
    },
    SquaresDouble {
        wanted: Wanted,
    },
    SumInterval,
    /// bool_and, bool_or: how many are true.
    Bool,
}

/// One aggregate's lanes: `first` is its first value lane, `more` the first of its further lanes.
#[derive(Clone, Debug)]
struct Layout {
    call: AggregateCall,
    kind: Kind,
    /// Lane that counts the values that are not NULL.
    values: usize,
    first: usize,
    more: usize,
}

/// The lanes of a list of aggregates, and how to add to and finish them.
#[derive(Clone, Debug)]
pub struct Accumulators {
    layouts: Vec<Layout>,
    rows: usize,
    end: usize,
}

impl Accumulators {
    /// Whether an aggregate can ride in the difference. DISTINCT is the caller's: it must pass each value once.
    pub fn can_hold(call: &AggregateCall) -> bool {
        kind(call).is_some()
    }

    /// Lays out the lanes of one grouping. Panics when a call `can_hold` refuses is among them.
    pub fn new(calls: &[AggregateCall]) -> Accumulators {
        let calls: Vec<(AggregateCall, bool)> = calls.iter().map(|call| (call.clone(), false)).collect();
        Accumulators::lay_out(0, &[calls]).pop().expect("one grouping, one layout")
    }

    /// Lays out the lanes of several groupings by one key, from lane `start` on: the low lanes of all come first, so that the
    /// common group stays short. With each call: whether it counts exactly the grouping's rows, and so needs no lane of its own.
    pub fn lay_out(start: usize, groupings: &[Vec<(AggregateCall, bool)>]) -> Vec<Accumulators> {
        let mut next = start;
        let mut take = |lanes: usize| {
            let first = next;
            next += lanes;
            first
        };
        let mut all: Vec<Accumulators> = groupings
            .iter()
            .map(|calls| {
                let rows = take(1);
                let layouts = calls.iter().map(|(call, counts_rows)| {
                    let kind = kind(call).expect("an aggregate that can be accumulated");
                    let values = if *counts_rows { rows } else { take(1) };
                    let first = take(kind.near_lanes());
                    Layout { call: call.clone(), kind, values, first, more: 0 }
                });
                Accumulators { layouts: layouts.collect(), rows, end: 0 }
            })
            .collect();
        for accumulators in &mut all {
            for layout in &mut accumulators.layouts {
                layout.more = take(layout.kind.further_lanes());
            }
        }
        let end = next;
        all.iter_mut().for_each(|accumulators| accumulators.end = end);
        all
    }

    /// How many lanes a full vector has, those of the other groupings laid out with these included.
    pub fn width(&self) -> usize {
        self.end
    }

    /// Notes that the group has one more row.
    pub fn add_row(&self, lanes: &mut [i64]) {
        lanes[self.rows] += 1;
    }

    /// Whether the group has rows.
    pub fn exists(&self, lanes: &[i64]) -> bool {
        lane(lanes, self.rows) > 0
    }

    /// Adds one value to aggregate `call`; NULLs are passed over, as SQL does. `lanes` has `width` lanes.
    ///
    /// Never fails: a numeric beyond what the limbs hold is counted, and fails its group for as long as it is there.
    pub fn add(&self, call: usize, value: &Datum<'_>, lanes: &mut [i64]) {
        let layout = &self.layouts[call];
        if value.is_null() {
            return;
        }
        if layout.values != self.rows {
            lanes[layout.values] += 1;
        }
        match (&layout.kind, value) {
            (Kind::Count, _) => {}
            (Kind::SumSmall, Datum::Int(value)) => lanes[layout.first] += value,
            (Kind::SumKnown { .. }, Datum::Int(value)) => layout.add_mantissa(i128::from(*value), lanes),
            (Kind::SumKnown { scale }, Datum::Numeric(value)) => match at_scale(value, *scale) {
                Some(mantissa) => layout.add_mantissa(mantissa, lanes),
                None => layout.add_wide(value, *scale, lanes),
            },
            (Kind::SumAny, Datum::Numeric(value)) => layout.add_any(value, lanes),
            (Kind::Squares { .. }, Datum::Int(value)) => layout.add_squared(i128::from(*value), lanes),
            (Kind::Squares { scale: Some(scale), .. }, Datum::Numeric(value)) => match at_scale(value, *scale) {
                Some(mantissa) => layout.add_squared(mantissa, lanes),
                None => layout.add_wide(value, *scale, lanes),
            },
            (Kind::Squares { scale: None, .. }, Datum::Numeric(value)) => layout.add_any(value, lanes),
            (Kind::SumDouble | Kind::SquaresDouble { .. }, Datum::Float64(value)) => layout.add_double(*value, lanes),
            (Kind::SumDouble | Kind::SquaresDouble { .. }, Datum::Float32(value)) => {
                layout.add_double(f64::from(*value), lanes);
            }
            (Kind::SumInterval, Datum::Interval(value)) => {
                lanes[layout.first] += i64::from(value.months);
                lanes[layout.more] += i64::from(value.days);
                lanes[layout.more + 1] += value.micros;
            }
            (Kind::Bool, Datum::Bool(value)) => lanes[layout.first] += i64::from(*value),
            (kind, value) => panic!("{kind:?} cannot add {value:?}: the plan's types are wrong"),
        }
    }

    /// The value of aggregate `call` over a group; `lanes` may be cut short after its last lane that is not zero.
    pub fn finish(&self, call: usize, lanes: &[i64]) -> Result<Datum<'static>, EvalError> {
        let layout = &self.layouts[call];
        let count = lane(lanes, layout.values);
        if matches!(layout.kind, Kind::Count) {
            return Ok(Datum::Int(count));
        }
        if count == 0 {
            return Ok(Datum::Null);
        }
        let average = layout.call.function == AggregateFunction::Avg;
        match &layout.kind {
            Kind::Count => unreachable!("answered above"),
            Kind::SumSmall if !average => Ok(Datum::Int(lane(lanes, layout.first))),
            Kind::SumSmall => divide(Numeric::from_i64(lane(lanes, layout.first)), count),
            Kind::SumKnown { .. } | Kind::SumAny => {
                let sum = layout.sum(lanes)?;
                if average { divide(sum, count) } else { Ok(Datum::Numeric(sum)) }
            }
            Kind::SumDouble => {
                let sums = layout.sums();
                let sum = double::finish(|i| lane(lanes, sums.lane(i)), layout.is_near(lanes));
                let value = if average { double::divide(sum, count) } else { sum.to_f64() };
                if value.is_infinite() && !sum.is_infinite() {
                    return Err(EvalError::new("value out of range: overflow"));
                }
                Ok(match layout.call.returns {
                    ScalarType::Float32 => Datum::Float32(value as f32),
                    _ => Datum::Float64(value),
                })
            }
            Kind::Squares { wanted, .. } | Kind::SquaresDouble { wanted } if wanted.is_null(count) => Ok(Datum::Null),
            Kind::Squares { wanted, .. } => {
                let specials = layout.specials();
                layout.check_range(lanes)?;
                if (specials..specials + 3).any(|special| lane(lanes, special) > 0) {
                    return Ok(Datum::Numeric(Numeric::NAN));
                }
                let scale = layout.shown_scale(lanes);
                let squares = Numeric::from_big_parts(&layout.squares().to_le_bytes(lanes), 2 * layout.held_scale());
                let squares = squares.rescale(2 * scale).map_err(EvalError::from_value)?;
                wanted.of_numerics(count, &layout.sum(lanes)?, &squares)
            }
            Kind::SquaresDouble { wanted } => {
                let (sums, squares, is_near) = (layout.sums(), layout.squares(), layout.is_near(lanes));
                let sum = |i| lane(lanes, sums.lane(i));
                if double::has_special(sum) {
                    return Ok(Datum::Float64(f64::NAN));
                }
                let square = |i| lane(lanes, squares.lane(i));
                wanted.of_doubles(count, &double::sum_bytes(sum, is_near), &double::square_bytes(square, is_near))
            }
            Kind::SumInterval if average => {
                let sum = layout.interval(lanes)?;
                sum.div(count as f64).map(Datum::Interval).map_err(EvalError::from_value)
            }
            Kind::SumInterval => layout.interval(lanes).map(Datum::Interval),
            Kind::Bool => {
                let trues = lane(lanes, layout.first);
                Ok(Datum::Bool(match layout.call.function {
                    AggregateFunction::BoolAnd => trues == count,
                    _ => trues > 0,
                }))
            }
        }
    }
}

fn kind(call: &AggregateCall) -> Option<Kind> {
    use AggregateFunction as F;
    match (call.function, &call.arg_type) {
        (F::CountRows | F::Count, _) => Some(Kind::Count),
        (F::Sum | F::Avg, ScalarType::Int16 | ScalarType::Int32) => Some(Kind::SumSmall),
        (F::Sum | F::Avg, ScalarType::Int64) => Some(Kind::SumKnown { scale: 0 }),
        (F::Sum | F::Avg, ScalarType::Numeric(_)) => {
            Some(known_scale(call).map_or(Kind::SumAny, |scale| Kind::SumKnown { scale }))
        }
        (F::Sum | F::Avg, ScalarType::Float32 | ScalarType::Float64) => Some(Kind::SumDouble),
        (F::Sum | F::Avg, ScalarType::Interval) => Some(Kind::SumInterval),
        (F::BoolAnd | F::BoolOr, ScalarType::Bool) => Some(Kind::Bool),
        (function, ty) => {
            let wanted = Wanted::of(function)?;
            match ty {
                ScalarType::Float32 | ScalarType::Float64 => Some(Kind::SquaresDouble { wanted }),
                ScalarType::Numeric(_) => Some(Kind::Squares { scale: known_scale(call), wanted }),
                ty if ty.is_integer() => Some(Kind::Squares { scale: Some(0), wanted }),
                _ => None,
            }
        }
    }
}

/// The scale that all values of a numeric argument fit, where it is small and known.
fn known_scale(call: &AggregateCall) -> Option<u16> {
    let ScalarType::Numeric(typmod) = &call.arg_type else { return None };
    let declared = typmod.map(|typmod| typmod.scale.max(0) as u16);
    call.scale_max.or(declared).filter(|scale| *scale <= KNOWN_SCALE_MAX)
}

impl Kind {
    /// Lanes of its own that lie among those of the other aggregates.
    fn near_lanes(&self) -> usize {
        match self {
            Kind::Count => 0,
            Kind::SumSmall | Kind::SumKnown { .. } | Kind::SumAny | Kind::SumInterval | Kind::Bool => 1,
            Kind::SumDouble => double::NEAR,
            Kind::Squares { .. } => 1 + SQUARE_NEAR,
            Kind::SquaresDouble { .. } => double::NEAR + double::SQUARE_NEAR,
        }
    }

    /// Lanes beyond those.
    fn further_lanes(&self) -> usize {
        let scales = usize::from(ANY_SCALE) + 1;
        match self {
            Kind::Count | Kind::SumSmall | Kind::Bool => 0,
            Kind::SumKnown { .. } => LIMBS - 1 + SPECIALS,
            Kind::SumAny => LIMBS - 1 + SPECIALS + scales,
            Kind::SumDouble => double::LANES - double::NEAR,
            Kind::Squares { scale, .. } => {
                let scales = if scale.is_none() { scales } else { 0 };
                LIMBS - 1 + SPECIALS + scales + SQUARE_LIMBS - SQUARE_NEAR
            }
            Kind::SquaresDouble { .. } => double::LANES - double::NEAR + double::SQUARE_LIMBS - double::SQUARE_NEAR,
            Kind::SumInterval => 2,
        }
    }
}

/// Lanes that count NaN, infinity, minus infinity, and values beyond what the limbs hold.
const SPECIALS: usize = 4;

/// The lanes of one aggregate: near lanes of the sum, near lanes of the squares │ further limbs of the sum, specials, counts per scale,
/// further limbs of the squares.
impl Layout {
    /// The sum of the values.
    fn sums(&self) -> Limbs {
        match self.kind {
            Kind::SumDouble | Kind::SquaresDouble { .. } => {
                Limbs { first: self.first, near: double::NEAR, more: self.more, count: double::LANES }
            }
            _ => Limbs { first: self.first, near: 1, more: self.more, count: LIMBS },
        }
    }

    /// The sum of their squares.
    fn squares(&self) -> Limbs {
        let sums = self.sums();
        let (near, count) = match self.kind {
            Kind::SquaresDouble { .. } => (double::SQUARE_NEAR, double::SQUARE_LIMBS),
            _ => (SQUARE_NEAR, SQUARE_LIMBS),
        };
        let more = self.more + self.kind.further_lanes() - (count - near);
        Limbs { first: self.first + sums.near, near, more, count }
    }

    /// Whether none of the further lanes differs from zero.
    fn is_near(&self, lanes: &[i64]) -> bool {
        lanes.iter().skip(self.more).take(self.kind.further_lanes()).all(|lane| *lane == 0)
    }

    /// The scale of the sum's mantissa.
    fn held_scale(&self) -> u16 {
        match self.kind {
            Kind::SumKnown { scale } | Kind::Squares { scale: Some(scale), .. } => scale,
            _ => ANY_SCALE,
        }
    }

    fn specials(&self) -> usize {
        self.more + LIMBS - 1
    }

    fn add_mantissa(&self, mantissa: i128, lanes: &mut [i64]) {
        self.sums().add(mantissa.unsigned_abs(), if mantissa < 0 { -1 } else { 1 }, lanes);
    }

    /// Adds a mantissa and its square.
    fn add_squared(&self, mantissa: i128, lanes: &mut [i64]) {
        let magnitude = mantissa.unsigned_abs();
        match magnitude.checked_mul(magnitude) {
            Some(square) => {
                self.add_mantissa(mantissa, lanes);
                self.squares().add(square, 1, lanes);
            }
            None => self.add_wide(&Numeric::from_parts(mantissa, self.held_scale()), self.held_scale(), lanes),
        }
    }

    /// Adds a numeric of any scale, and counts its scale.
    fn add_any(&self, value: &Numeric, lanes: &mut [i64]) {
        let scale = value.scale();
        self.add_wide(value, ANY_SCALE, lanes);
        if scale <= ANY_SCALE {
            lanes[self.specials() + SPECIALS + usize::from(scale)] += 1;
        }
    }

    /// Adds a numeric that is special, or wider than an i128 at the sum's scale; its square too where squares are kept.
    fn add_wide(&self, value: &Numeric, scale: u16, lanes: &mut [i64]) {
        let specials = self.specials();
        if value.is_nan() {
            lanes[specials] += 1;
            return;
        }
        if value.is_infinite() {
            lanes[specials + if value.is_negative() { 2 } else { 1 }] += 1;
            return;
        }
        let mut fits = self.sums().add_numeric(value, scale, lanes);
        if fits && matches!(self.kind, Kind::Squares { .. }) {
            // A mantissa that fits the limbs of the sum has a square that fits twice as many.
            let square = value.mul(value);
            fits = square.is_ok_and(|square| self.squares().add_numeric(&square, 2 * scale, lanes));
        }
        if !fits {
            lanes[specials + 3] += 1;
        }
    }

    fn check_range(&self, lanes: &[i64]) -> Result<(), EvalError> {
        if lane(lanes, self.specials() + 3) == 0 {
            return Ok(());
        }
        let name = match self.call.function {
            AggregateFunction::Sum => "sum",
            AggregateFunction::Avg => "avg",
            AggregateFunction::VarSamp | AggregateFunction::VarPop => "variance",
            _ => "stddev",
        };
        Err(EvalError::new(format!("a numeric value is out of the range that {name} holds")))
    }

    /// The digits after the point that the sum shows: the most that a value has.
    fn shown_scale(&self, lanes: &[i64]) -> u16 {
        if let Kind::SumKnown { scale } | Kind::Squares { scale: Some(scale), .. } = self.kind {
            return scale;
        }
        let counts = self.specials() + SPECIALS;
        (0..=ANY_SCALE).rev().find(|scale| lane(lanes, counts + usize::from(*scale)) != 0).unwrap_or(0)
    }

    fn sum(&self, lanes: &[i64]) -> Result<Numeric, EvalError> {
        if let Kind::SumKnown { scale } = self.kind
            && self.is_near(lanes)
        {
            // Small money: one limb.
            return Ok(Numeric::from_parts(i128::from(lane(lanes, self.first)), scale));
        }
        self.check_range(lanes)?;
        if let Some(special) = special(lanes, self.specials()) {
            return Ok(special);
        }
        let (held, shown) = (self.held_scale(), self.shown_scale(lanes));
        let sum = Numeric::from_big_parts(&self.sums().to_le_bytes(lanes), held);
        if held == shown { Ok(sum) } else { sum.rescale(shown).map_err(EvalError::from_value) }
    }

    fn add_double(&self, value: f64, lanes: &mut [i64]) {
        let sums = self.sums();
        double::add(value, |i, amount| lanes[sums.lane(i)] += amount);
        if matches!(self.kind, Kind::SquaresDouble { .. }) && value.is_finite() {
            let squares = self.squares();
            double::add_square(value, |i, amount| lanes[squares.lane(i)] += amount);
        }
    }

    fn interval(&self, lanes: &[i64]) -> Result<Interval, EvalError> {
        let narrow = |value: i64| i32::try_from(value).map_err(|_| EvalError::new("interval out of range"));
        Ok(Interval {
            months: narrow(lane(lanes, self.first))?,
            days: narrow(lane(lanes, self.more))?,
            micros: lane(lanes, self.more + 1),
        })
    }
}

fn lane(lanes: &[i64], index: usize) -> i64 {
    lanes.get(index).copied().unwrap_or(0)
}

/// NaN beats all; infinities of both signs make NaN.
fn special(lanes: &[i64], start: usize) -> Option<Numeric> {
    let (nan, positive, negative) = (lane(lanes, start), lane(lanes, start + 1), lane(lanes, start + 2));
    if nan > 0 || (positive > 0 && negative > 0) {
        Some(Numeric::NAN)
    } else if positive > 0 {
        Some(Numeric::INFINITY)
    } else if negative > 0 {
        Some(Numeric::NEG_INFINITY)
    } else {
        None
    }
}

/// The mantissa of `value` at `scale`, when it is finite and both the value and sums of many such values fit.
fn at_scale(value: &Numeric, scale: u16) -> Option<i128> {
    let (mantissa, own) = value.small_parts()?;
    if own > scale {
        return None;
    }
    mantissa.checked_mul(10_i128.checked_pow(u32::from(scale - own))?)
}

fn divide(sum: Numeric, count: i64) -> Result<Datum<'static>, EvalError> {
    let average = sum.div(&Numeric::from_i64(count)).map_err(|error| EvalError::new(error.to_string()))?;
    Ok(Datum::Numeric(average))
}
