//! Windows the plain way: every row looks at every row of its partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use eval::{EvalError, Expr, OrderTerm};
use row::{Datum, OwnedDatum, Row, RowBuilder, SortDirection, push_order_key};
use smallvec::SmallVec;

use super::aggregate::list_over;
use super::{Interpreter, Multiset, add, aggregate, check_arguments, evaluate, normalized};
use crate::plan::{Column, FrameBound, FrameUnits, Plan, WindowCall, WindowFunction};

type Key = SmallVec<[u8; 32]>;

/// One copy of a row: its order key, all columns as an order key, and itself.
type Member = (Key, Key, Row);

impl Interpreter<'_> {
    pub(super) fn window(
        &mut self,
        input: &Arc<Plan>,
        partition: &[Expr],
        order_by: &[OrderTerm],
        calls: &[(WindowCall, Column)],
    ) -> Multiset {
        let mut partitions: BTreeMap<Row, Vec<Member>> = BTreeMap::new();
        for (row, count) in self.rows(input).iter() {
            match place(row, partition, order_by, calls) {
                Ok((key, order)) => {
                    let mut columns = Key::new();
                    row.iter().for_each(|datum| push_order_key(&mut columns, &datum, SortDirection::ASCENDING));
                    let members = partitions.entry(key).or_default();
                    (0..*count).for_each(|_| members.push((order.clone(), columns.clone(), row.clone())));
                }
                Err(error) => self.fail(&error, *count),
            }
        }
        let mut result = Multiset::new();
        for mut members in partitions.into_values() {
            members.sort();
            for i in 0..members.len() {
                let mut builder = RowBuilder::default();
                builder.push_row(members[i].2.as_ref());
                let values = calls.iter().try_for_each(|(call, _)| {
                    builder.push(&value(call, order_by, &members, i)?.datum());
                    Ok(())
                });
                match values {
                    Ok(()) => add(&mut result, builder.finish(), 1),
                    Err(error) => self.fail(&error, 1),
                }
            }
        }
        result
    }
}

/// A row's partition and order key; all that the calls read of it is tried too.
fn place(
    row: &Row,
    partition: &[Expr],
    order_by: &[OrderTerm],
    calls: &[(WindowCall, Column)],
) -> Result<(Row, Key), EvalError> {
    let mut key = Vec::new();
    for expr in partition {
        key.push(evaluate(expr, row)?);
    }
    let mut order = Key::new();
    for term in order_by {
        push_order_key(&mut order, &evaluate(&term.expr, row)?.datum(), term.direction);
    }
    for (call, _) in calls {
        match &call.function {
            WindowFunction::Aggregate(call) => check_arguments(call, row)?,
            _ => call.args.iter().try_for_each(|arg| evaluate(arg, row).map(drop))?,
        }
        for bound in [&call.frame.start, &call.frame.end] {
            if let FrameBound::Value(expr) = bound {
                evaluate(expr, row)?;
            }
        }
    }
    Ok((normalized(key.iter().map(OwnedDatum::datum)), order))
}

fn value(call: &WindowCall, order_by: &[OrderTerm], rows: &[Member], i: usize) -> Result<OwnedDatum, EvalError> {
    let int = |value: usize| OwnedDatum::new(&Datum::Int(value as i64));
    let double = |value: f64| OwnedDatum::new(&Datum::Float64(value));
    let own = &rows[i];
    let before = rows.iter().filter(|other| other.0 < own.0).count();
    let arg = |arg: usize, row: usize| evaluate(&call.args[arg], &rows[row].2);
    Ok(match &call.function {
        WindowFunction::RowNumber => int(i + 1),
        WindowFunction::Rank => int(before + 1),
        WindowFunction::DenseRank => {
            let firsts = (0..=i).filter(|j| *j == 0 || rows[*j].0 != rows[*j - 1].0);
            int(firsts.count())
        }
        WindowFunction::PercentRank if rows.len() == 1 => double(0.0),
        WindowFunction::PercentRank => double(before as f64 / (rows.len() - 1) as f64),
        WindowFunction::CumeDist => {
            double(rows.iter().filter(|other| other.0 <= own.0).count() as f64 / rows.len() as f64)
        }
        WindowFunction::Ntile => match arg(0, 0)?.datum() {
            Datum::Int(buckets) if buckets <= 0 => {
                return Err(EvalError::new("argument of ntile must be greater than zero"));
            }
            Datum::Int(buckets) => int(ntile(rows.len(), buckets as usize, i)),
            _ => OwnedDatum::null(),
        },
        WindowFunction::Lag | WindowFunction::Lead => {
            let offset = if call.args.len() > 1 { arg(1, i)? } else { int(1) };
            let Datum::Int(offset) = offset.datum() else { return Ok(OwnedDatum::null()) };
            let sign = if call.function == WindowFunction::Lag { -1 } else { 1 };
            let other = i as i128 + sign * i128::from(offset);
            if (0..rows.len() as i128).contains(&other) {
                arg(0, other as usize)?
            } else if call.args.len() > 2 {
                arg(2, i)?
            } else {
                OwnedDatum::null()
            }
        }
        WindowFunction::FirstValue => match frame(call, order_by, rows, i)?.first() {
            Some(first) => arg(0, *first)?,
            None => OwnedDatum::null(),
        },
        WindowFunction::LastValue => match frame(call, order_by, rows, i)?.last() {
            Some(last) => arg(0, *last)?,
            None => OwnedDatum::null(),
        },
        WindowFunction::NthValue => match arg(1, i)?.datum() {
            Datum::Int(n) if n <= 0 => {
                return Err(EvalError::new("argument of nth_value must be greater than zero"));
            }
            Datum::Int(n) => match frame(call, order_by, rows, i)?.get(n as usize - 1) {
                Some(nth) => arg(0, *nth)?,
                None => OwnedDatum::null(),
            },
            _ => OwnedDatum::null(),
        },
        WindowFunction::Aggregate(aggregated) if aggregated.function.is_list() => {
            list_over(aggregated, frame(call, order_by, rows, i)?.into_iter().map(|j| rows[j].2.clone()))?
        }
        WindowFunction::Aggregate(aggregated) => {
            let mut members = Multiset::new();
            for j in frame(call, order_by, rows, i)? {
                add(&mut members, rows[j].2.clone(), 1);
            }
            aggregate(aggregated, &members.into_iter().collect::<Vec<_>>())?
        }
    })
}

/// The bucket of row `i`, dealt out bucket by bucket.
fn ntile(rows: usize, buckets: usize, i: usize) -> usize {
    let (mut bucket, mut end) = (0, 0);
    while end <= i {
        bucket += 1;
        end += rows / buckets + usize::from(bucket <= rows % buckets);
    }
    bucket
}

/// The rows that row `i` sees.
fn frame(call: &WindowCall, order_by: &[OrderTerm], rows: &[Member], i: usize) -> Result<Vec<usize>, EvalError> {
    let bound = |bound: &FrameBound| -> Result<Key, EvalError> {
        let FrameBound::Value(expr) = bound else { return Ok(rows[i].0.clone()) };
        let value = evaluate(expr, &rows[i].2)?;
        if value.datum().is_null() {
            return Ok(rows[i].0.clone());
        }
        let mut key = Key::new();
        push_order_key(&mut key, &value.datum(), order_by[0].direction);
        Ok(key)
    };
    let (start, end) = (bound(&call.frame.start)?, bound(&call.frame.end)?);
    let sees = |j: &usize| {
        let distance = *j as i128 - i as i128;
        let after_start = match (&call.frame.units, &call.frame.start) {
            (_, FrameBound::Unbounded) => true,
            (FrameUnits::Rows, FrameBound::Offset(offset)) => distance >= i128::from(*offset),
            (FrameUnits::Rows, _) => distance >= 0,
            (FrameUnits::Range, _) => rows[*j].0 >= start,
        };
        let before_end = match (&call.frame.units, &call.frame.end) {
            (_, FrameBound::Unbounded) => true,
            (FrameUnits::Rows, FrameBound::Offset(offset)) => distance <= i128::from(*offset),
            (FrameUnits::Rows, _) => distance <= 0,
            (FrameUnits::Range, _) => rows[*j].0 <= end,
        };
        after_start && before_end
    };
    Ok((0..rows.len()).filter(sees).collect())
}
