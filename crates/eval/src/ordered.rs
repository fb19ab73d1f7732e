//! Aggregates that see their group's values in order: extremes, percentiles, the mode, and lists.
//!
//! ```text
//!   row ──List──> order key, values          a group's members, kept in order, each as often as it is there
//!                                                     │
//!            min, max, percentile, array_agg  <──Finisher
//! ```
//!
//! 1. What a member's place is and what is kept of it is one thing for all aggregates over one argument: they share an index.
//! 2. Where SQL leaves the order open, members are in the order of their values, so that the answer is determined.
//! 3. A list is as long as its group; everything else takes a few looks at single ranks.

use row::{Datum, Interval, Row, RowBuilder, RowRef, SortDirection};

use crate::{AggregateCall, AggregateFunction, EvalError, Expr, OrderTerm, by_value, json};

/// How the rows of a group become members of an ordered list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What decides a member's place.
    pub order: Vec<OrderTerm>,
    /// What is kept of it.
    pub values: Vec<Expr>,
    /// Whether a row whose first value is NULL is no member.
    pub skips_null: bool,
    /// Only rows for which it is true are members.
    pub filter: Option<Expr>,
}

impl List {
    /// The list that an aggregate looks at; None for one that rides in the difference.
    pub fn of(call: &AggregateCall) -> Option<List> {
        use AggregateFunction as F;
        let arg = call.arg.clone()?;
        let mut order = if call.function.is_list() { call.order_by.clone() } else { Vec::new() };
        // Where it matters which members are equal, a jsonb has its place by its value.
        let is_compared = call.distinct || matches!(call.function, F::Mode | F::PercentileDisc);
        let place = if is_compared { by_value::key(arg.clone(), &call.arg_type) } else { arg.clone() };
        let by = |order: &mut Vec<OrderTerm>, expr: &Expr| {
            let is_known = matches!(expr, Expr::Literal { .. }) || order.iter().any(|term| term.expr == *expr);
            if !is_known {
                order.push(OrderTerm { expr: expr.clone(), direction: SortDirection::ASCENDING });
            }
        };
        // Members with equal order keys are in the order of their values anyway, but only of the values that are kept.
        if order.is_empty() || call.distinct || call.function != F::ArrayAgg && call.function != F::StringAgg {
            by(&mut order, &place);
        }
        let values = match call.function {
            F::Min | F::Max | F::AnyValue | F::Mode | F::ArrayAgg => vec![arg],
            // A fraction that is decided by the group comes with each member.
            F::PercentileCont | F::PercentileDisc => {
                let fraction = call.more.iter().filter(|fraction| !matches!(fraction, Expr::Literal { .. }));
                std::iter::once(arg).chain(fraction.cloned()).collect()
            }
            F::StringAgg => {
                let delimiter = call.more.iter().filter(|delimiter| !matches!(delimiter, Expr::Literal { .. }));
                if call.distinct {
                    delimiter.clone().for_each(|delimiter| by(&mut order, delimiter));
                }
                std::iter::once(arg).chain(delimiter.cloned()).collect()
            }
            F::JsonAgg | F::JsonbAgg | F::JsonObjectAgg | F::JsonbObjectAgg => call.more.clone(),
            _ => return None,
        };
        Some(List { order, values, skips_null: !call.function.keeps_nulls(), filter: call.filter.clone() })
    }

    /// The list of the distinct arguments of an aggregate that rides in the difference.
    pub fn of_distinct(call: &AggregateCall) -> Option<List> {
        let arg = call.arg.clone()?;
        let order = vec![OrderTerm { expr: arg.clone(), direction: SortDirection::ASCENDING }];
        Some(List { order, values: vec![arg], skips_null: true, filter: call.filter.clone() })
    }
}

/// A group's members in order.
pub trait Members {
    /// How many there are, copies counted.
    fn count(&self) -> u64;

    /// The values of the member at a rank below `count`.
    fn at(&self, rank: u64) -> RowRef<'_>;

    /// All members in order: the values and how often they are there. Members whose order keys are equal come as one where
    /// `distinct` is asked for, once.
    fn for_each(&self, distinct: bool, visit: &mut dyn FnMut(RowRef<'_>, u64));
}

/// Computes one aggregate from its group's members.
#[derive(Clone, Debug)]
pub struct Finisher {
    kind: Kind,
    distinct: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    First,
    Last,
    Percentile {
        fractions: Fractions,
        continuous: bool,
        descending: bool,
    },
    Array,
    /// With the delimiter, where it is the same for all.
    Text(Option<Row>),
    Json {
        binary: bool,
        structured: bool,
    },
    JsonObject {
        binary: bool,
    },
}

#[derive(Clone, Debug)]
enum Fractions {
    One(Option<f64>),
    Several(Vec<Option<f64>>),
    /// The second value of each member; it is the same for all of them.
    OfMembers,
}

impl Finisher {
    /// For an aggregate that has a `List`. None for others, and for mode(), which looks at counts instead of ranks.
    pub fn new(call: &AggregateCall) -> Option<Finisher> {
        use AggregateFunction as F;
        let kind = match call.function {
            F::Min | F::AnyValue => Kind::First,
            F::Max => Kind::Last,
            F::PercentileCont | F::PercentileDisc => Kind::Percentile {
                fractions: Fractions::of(call.more.first()?),
                continuous: call.function == F::PercentileCont,
                descending: call.order_by.first().is_some_and(|term| term.direction.descending),
            },
            F::ArrayAgg => Kind::Array,
            F::StringAgg => Kind::Text(match call.more.first() {
                Some(Expr::Literal { value, .. }) => Some(Row::pack([value.datum()])),
                Some(_) => None,
                None => Some(Row::pack([Datum::Null])),
            }),
            F::JsonAgg | F::JsonbAgg => Kind::Json {
                binary: call.function == F::JsonbAgg,
                structured: matches!(call.arg_type, row::ScalarType::Array(_)),
            },
            F::JsonObjectAgg | F::JsonbObjectAgg => Kind::JsonObject { binary: call.function == F::JsonbObjectAgg },
            _ => return None,
        };
        Some(Finisher { kind, distinct: call.distinct })
    }

    /// Appends the aggregate's value.
    pub fn finish(&self, members: &dyn Members, out: &mut RowBuilder) -> Result<(), EvalError> {
        let count = members.count();
        if count == 0 {
            out.push(&Datum::Null);
            return Ok(());
        }
        match &self.kind {
            Kind::First => out.push_row(members.at(0)),
            Kind::Last => out.push_row(members.at(count - 1)),
            Kind::Percentile { fractions, continuous, descending } => {
                let rank = |rank: u64| if *descending { count - 1 - rank } else { rank };
                let push = |fraction: f64, out: &mut RowBuilder| {
                    if *continuous {
                        return push_continuous(members, fraction, rank, out);
                    }
                    push_discrete(members, fraction, rank, out);
                    Ok(())
                };
                let of_members = match fractions {
                    Fractions::OfMembers => {
                        Some(Fractions::checked(&members.at(0).iter().nth(1).unwrap_or(Datum::Null))?)
                    }
                    _ => None,
                };
                match of_members.as_ref().unwrap_or(fractions) {
                    Fractions::OfMembers | Fractions::One(None) => out.push(&Datum::Null),
                    Fractions::One(Some(fraction)) => push(*fraction, out)?,
                    Fractions::Several(fractions) => {
                        let mut elements = RowBuilder::default();
                        for fraction in fractions {
                            match fraction {
                                Some(fraction) => push(*fraction, &mut elements)?,
                                None => elements.push(&Datum::Null),
                            }
                        }
                        out.push(&Datum::Array(elements.as_ref()));
                    }
                }
            }
            Kind::Array => {
                let mut elements = RowBuilder::default();
                members.for_each(self.distinct, &mut |values, times| {
                    (0..times).for_each(|_| elements.push_row(values));
                });
                out.push(&Datum::Array(elements.as_ref()));
            }
            Kind::Text(delimiter) => self.text(members, delimiter.as_ref(), out),
            Kind::Json { binary, structured } => {
                let between = if *structured { ", \n " } else { ", " };
                let mut text = String::from("[");
                members.for_each(self.distinct, &mut |values, times| {
                    for _ in 0..times {
                        if text.len() > 1 {
                            text.push_str(between);
                        }
                        text.push_str(json_of(values.iter().next()));
                    }
                });
                text.push(']');
                push_json(&text, *binary, out)?;
            }
            Kind::JsonObject { binary } => push_json(&object(members)?, *binary, out)?,
        }
        Ok(())
    }

    /// The delimiter before a value is that value's own; the first value's is left out.
    fn text(&self, members: &dyn Members, delimiter: Option<&Row>, out: &mut RowBuilder) {
        let mut text: Vec<u8> = Vec::new();
        let (mut is_first, mut is_bytes) = (true, false);
        members.for_each(self.distinct, &mut |values, times| {
            let mut values = values.iter();
            let value = values.next().unwrap_or(Datum::Null);
            let own = values.next();
            is_bytes |= matches!(value, Datum::Bytes(_));
            let between = own.or_else(|| delimiter.and_then(|row| row.iter().next())).unwrap_or(Datum::Null);
            for _ in 0..times {
                if !is_first {
                    text.extend_from_slice(bytes_of(&between));
                }
                is_first = false;
                text.extend_from_slice(bytes_of(&value));
            }
        });
        match std::str::from_utf8(&text) {
            Ok(text) if !is_bytes => out.push(&Datum::Text(text)),
            _ => out.push(&Datum::Bytes(&text)),
        }
    }
}

impl Fractions {
    fn of(fraction: &Expr) -> Fractions {
        match fraction {
            // The planner looked at it once already.
            Expr::Literal { value, .. } => Fractions::checked(&value.datum()).unwrap_or(Fractions::One(None)),
            _ => Fractions::OfMembers,
        }
    }

    fn checked(datum: &Datum<'_>) -> Result<Fractions, EvalError> {
        let one = |datum: &Datum<'_>| match datum {
            Datum::Float64(fraction) if !(0.0..=1.0).contains(fraction) => {
                let fraction = row::float_text::format_float8(*fraction);
                Err(EvalError::new(format!("percentile value {fraction} is not between 0 and 1")))
            }
            Datum::Float64(fraction) => Ok(Some(*fraction)),
            _ => Ok(None),
        };
        Ok(match datum {
            Datum::Array(elements) => {
                Fractions::Several(elements.iter().map(|element| one(&element)).collect::<Result<_, _>>()?)
            }
            datum => Fractions::One(one(datum)?),
        })
    }
}

/// The value that a fraction of the members does not exceed: itself one of them.
fn push_discrete(members: &dyn Members, fraction: f64, rank: impl Fn(u64) -> u64, out: &mut RowBuilder) {
    let count = members.count();
    let row = (fraction * count as f64).ceil() as u64;
    push_first(members.at(rank(row.saturating_sub(1).min(count - 1))), out);
}

/// A member's own value, without a fraction beside it.
fn push_first(values: RowRef<'_>, out: &mut RowBuilder) {
    if let Some(value) = values.iter().next_packed() {
        out.push_row(value);
    }
}

/// Between two neighbours, in proportion.
fn push_continuous(
    members: &dyn Members,
    fraction: f64,
    rank: impl Fn(u64) -> u64,
    out: &mut RowBuilder,
) -> Result<(), EvalError> {
    let last = members.count() - 1;
    let place = fraction * last as f64;
    let (below, above) = ((place.floor() as u64).min(last), (place.ceil() as u64).min(last));
    let low = members.at(rank(below));
    if below == above {
        push_first(low, out);
        return Ok(());
    }
    let proportion = place - below as f64;
    let high = members.at(rank(above));
    let between = match (low.iter().next(), high.iter().next()) {
        (Some(Datum::Float64(low)), Some(Datum::Float64(high))) => Datum::Float64(low + proportion * (high - low)),
        (Some(Datum::Interval(low)), Some(Datum::Interval(high))) => Datum::Interval(lerp(low, high, proportion)?),
        other => panic!("nothing lies between {other:?}: the plan's types are wrong"),
    };
    out.push(&between);
    Ok(())
}

fn lerp(low: Interval, high: Interval, proportion: f64) -> Result<Interval, EvalError> {
    let between = high.sub(low).and_then(|distance| distance.mul(proportion)).and_then(|part| part.add(low));
    between.map_err(EvalError::from_value)
}

fn bytes_of<'a>(datum: &Datum<'a>) -> &'a [u8] {
    match datum {
        Datum::Text(text) => text.as_bytes(),
        Datum::Bytes(bytes) => bytes,
        _ => &[],
    }
}

fn json_of(datum: Option<Datum<'_>>) -> &str {
    match datum {
        Some(Datum::Text(text)) => text,
        _ => "null",
    }
}

fn object(members: &dyn Members) -> Result<String, EvalError> {
    let mut text = String::from("{ ");
    let mut has_null_key = false;
    members.for_each(false, &mut |values, times| {
        let mut values = values.iter();
        let key = values.next();
        let value = values.next();
        if !matches!(key, Some(Datum::Text(_))) {
            has_null_key = true;
            return;
        }
        let key = json_of(key);
        for _ in 0..times {
            if text.len() > 2 {
                text.push_str(", ");
            }
            let quote = if key.starts_with('"') { "" } else { "\"" };
            text.extend([quote, key, quote, " : ", json_of(value.clone())]);
        }
    });
    if has_null_key {
        return Err(EvalError::new("field name must not be null"));
    }
    text.push_str(" }");
    Ok(text)
}

fn push_json(text: &str, binary: bool, out: &mut RowBuilder) -> Result<(), EvalError> {
    if binary {
        out.push(&Datum::Text(&json::canonical(text)?));
    } else {
        out.push(&Datum::Text(text));
    }
    Ok(())
}
