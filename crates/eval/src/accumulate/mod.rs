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
//! 4. Low lanes are those in use: small counts and small money leave the further limbs zero, and zeros at the end cost nothing.

mod double;

#[cfg(test)]
mod accumulate_tests;

use row::{Datum, Interval, Numeric, ScalarType};

use crate::{AggregateCall, AggregateFunction, EvalError};

/// Bits per limb of a sum.
const LIMB_BITS: u32 = 32;
/// Limbs of a sum of numerics: 86 digits in all.
const LIMBS: usize = 9;
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
                    let first = take(usize::from(!matches!(kind, Kind::Count)));
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
            (Kind::SumAny, Datum::Numeric(value)) => {
                let scale = value.scale();
                layout.add_wide(value, ANY_SCALE, lanes);
                if scale <= ANY_SCALE {
                    lanes[layout.specials() + SPECIALS + usize::from(scale)] += 1;
                }
            }
            (Kind::SumDouble, Datum::Float64(value)) => layout.add_double(*value, lanes),
            (Kind::SumDouble, Datum::Float32(value)) => layout.add_double(f64::from(*value), lanes),
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
            Kind::SumKnown { scale } => {
                let sum = layout.sum(lanes, *scale)?;
                if average { divide(sum, count) } else { Ok(Datum::Numeric(sum)) }
            }
            Kind::SumAny => {
                let sum = layout.sum_any(lanes)?;
                if average { divide(sum, count) } else { Ok(Datum::Numeric(sum)) }
            }
            Kind::SumDouble => {
                let sum = double::finish(&|i| layout.double_lane(lanes, i));
                let value = if average { double::divide(sum, count) } else { sum.to_f64() };
                if value.is_infinite() && !sum.is_infinite() {
                    return Err(EvalError::new("value out of range: overflow"));
                }
                Ok(match layout.call.returns {
                    ScalarType::Float32 => Datum::Float32(value as f32),
                    _ => Datum::Float64(value),
                })
            }
            Kind::SumInterval => {
                let narrow = |value: i64| i32::try_from(value).map_err(|_| EvalError::new("interval out of range"));
                Ok(Datum::Interval(Interval {
                    months: narrow(lane(lanes, layout.first))?,
                    days: narrow(lane(lanes, layout.more))?,
                    micros: lane(lanes, layout.more + 1),
                }))
            }
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
        (F::Sum | F::Avg, ScalarType::Numeric(typmod)) => {
            let declared = typmod.map(|typmod| typmod.scale.max(0) as u16);
            match call.scale_max.or(declared) {
                Some(scale) if scale <= KNOWN_SCALE_MAX => Some(Kind::SumKnown { scale }),
                _ => Some(Kind::SumAny),
            }
        }
        (F::Sum | F::Avg, ScalarType::Float32 | ScalarType::Float64) => Some(Kind::SumDouble),
        (F::Sum, ScalarType::Interval) => Some(Kind::SumInterval),
        (F::BoolAnd | F::BoolOr, ScalarType::Bool) => Some(Kind::Bool),
        _ => None,
    }
}

impl Kind {
    /// Lanes beyond the count and the first.
    fn further_lanes(&self) -> usize {
        match self {
            Kind::Count | Kind::SumSmall | Kind::Bool => 0,
            Kind::SumKnown { .. } => LIMBS - 1 + SPECIALS,
            Kind::SumAny => LIMBS - 1 + SPECIALS + usize::from(ANY_SCALE) + 1,
            Kind::SumDouble => double::LANES - 1,
            Kind::SumInterval => 2,
        }
    }
}

/// Lanes that count NaN, infinity, minus infinity, and values beyond what the limbs hold.
const SPECIALS: usize = 4;

impl Layout {
    fn name(&self) -> &'static str {
        if self.call.function == AggregateFunction::Avg { "avg" } else { "sum" }
    }

    /// Where limb `i` lies: the first beside the other aggregates' first limbs, the others further on.
    fn limb(&self, i: usize) -> usize {
        if i == 0 { self.first } else { self.more + i - 1 }
    }

    fn specials(&self) -> usize {
        self.more + LIMBS - 1
    }

    fn add_mantissa(&self, mantissa: i128, lanes: &mut [i64]) {
        let sign = if mantissa < 0 { -1 } else { 1 };
        let mut magnitude = mantissa.unsigned_abs();
        for i in 0..LIMBS {
            if magnitude == 0 {
                break;
            }
            lanes[self.limb(i)] += sign * (magnitude & u128::from(u32::MAX)) as i64;
            magnitude >>= LIMB_BITS;
        }
    }

    /// Adds a numeric that is special, or wider than an i128 at the sum's scale.
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
        let bytes = match value.abs().rescale(scale) {
            Ok(rescaled) if value.scale() <= scale => rescaled.big_parts().0,
            _ => Vec::new(),
        };
        if bytes.is_empty() && !value.is_zero() || bytes.len() > LIMBS * 4 {
            lanes[specials + 3] += 1;
            return;
        }
        let sign = if value.is_negative() { -1 } else { 1 };
        for (i, chunk) in bytes.chunks(4).enumerate() {
            let mut limb = [0; 4];
            limb[..chunk.len()].copy_from_slice(chunk);
            lanes[self.limb(i)] += sign * i64::from(u32::from_le_bytes(limb));
        }
    }

    /// The sum at `scale`: carries are settled here.
    fn sum(&self, lanes: &[i64], scale: u16) -> Result<Numeric, EvalError> {
        let specials = self.specials();
        if lane(lanes, specials + 3) != 0 {
            return Err(EvalError::new(format!("a numeric value is out of the range that {} holds", self.name())));
        }
        if let Some(special) = special(lanes, specials) {
            return Ok(special);
        }
        let mut carry: i128 = 0;
        let mut bytes = Vec::with_capacity(LIMBS * 4 + 16);
        for i in 0..LIMBS {
            carry += i128::from(lane(lanes, self.limb(i)));
            bytes.extend_from_slice(&(carry as u32).to_le_bytes());
            carry >>= LIMB_BITS;
        }
        bytes.extend_from_slice(&carry.to_le_bytes());
        Ok(Numeric::from_big_parts(&bytes, scale))
    }

    fn sum_any(&self, lanes: &[i64]) -> Result<Numeric, EvalError> {
        let counts = self.specials() + SPECIALS;
        let scale = (0..=ANY_SCALE).rev().find(|scale| lane(lanes, counts + usize::from(*scale)) != 0).unwrap_or(0);
        self.sum(lanes, ANY_SCALE)?.rescale(scale).map_err(|error| EvalError::new(error.to_string()))
    }

    fn add_double(&self, value: f64, lanes: &mut [i64]) {
        double::add(value, |i, amount| lanes[self.limb(i)] += amount);
    }

    fn double_lane(&self, lanes: &[i64], i: usize) -> i64 {
        lane(lanes, self.limb(i))
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
