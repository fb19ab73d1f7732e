//! The naive way: one group of all rows, which a reduction computes anew at each change.

use std::cell::RefCell;
use std::rc::Rc;

use differential_dataflow::input::Input;
use row::{Datum, Diff, Epoch, Numeric, Row, RowRef};
use timely::dataflow::ProbeHandle;
use timely::worker::Worker;

use super::{Changes, Function, top};

pub fn start(function: Function, worker: &mut Worker) -> Box<dyn FnMut(Changes) -> Changes + '_> {
    let probe = ProbeHandle::<Epoch>::new();
    let found: Rc<RefCell<Changes>> = Rc::default();
    let mut input = worker.dataflow::<Epoch, _, _>(|scope| {
        let (input, rows) = scope.new_collection::<Row, Diff>();
        let found = found.clone();
        let grouped = rows.map(|row| ((), row)).reduce(move |(), group, output| {
            let mut rows: Vec<(i64, i64)> = group.iter().map(|(row, _)| read(row.as_ref())).collect();
            rows.sort_unstable_by_key(|(id, cents)| (std::cmp::Reverse(*cents), *id));
            values(function, &rows, output);
        });
        let seen = grouped.inspect(move |((_, row), _, diff)| found.borrow_mut().push((row.clone(), *diff)));
        seen.probe_with(&probe);
        input
    });
    let mut epoch = 0;
    Box::new(move |changes| {
        changes.into_iter().for_each(|(row, diff)| input.update(row, diff));
        epoch += 1;
        input.advance_to(epoch);
        input.flush();
        while probe.less_than(&epoch) {
            worker.step();
        }
        found.take()
    })
}

fn read(row: RowRef<'_>) -> (i64, i64) {
    let mut values = row.iter().map(|datum| datum.unwrap_int());
    let mut next = || values.next().unwrap_or(0);
    (next(), next())
}

/// The output rows over rows in order.
fn values(function: Function, rows: &[(i64, i64)], output: &mut Vec<(Row, Diff)>) {
    if function == Function::Median {
        let (low, high) = ((rows.len() - 1) / 2, rows.len() / 2);
        let [low, high] = [rows[low].1 as f64, rows[high].1 as f64];
        output.push((Row::pack([Datum::Float64(low.min(high) + (low - high).abs() * 0.5)]), 1));
        return;
    }
    let total = rows.iter().map(|(_, cents)| i128::from(*cents)).sum::<i128>();
    let (mut sum, mut rank) = (0_i128, 0);
    for (i, (id, cents)) in rows.iter().enumerate() {
        sum += i128::from(*cents);
        if i == 0 || rows[i - 1].1 != *cents {
            rank = i + 1;
        }
        let value = match function {
            Function::Ntile => {
                let (least, larger) = (rows.len() / 5, rows.len() % 5);
                let in_larger = larger * (least + 1);
                let bucket = if i < in_larger { i / (least + 1) } else { larger + (i - in_larger) / least };
                Datum::Int(bucket as i64 + 1)
            }
            Function::Lag => i.checked_sub(1).map_or(Datum::Null, |before| Datum::Int(rows[before].1)),
            Function::RankThreshold => Datum::Text(if rank <= top(rows.len()) { "top" } else { "rest" }),
            Function::CumulativeClass => {
                let share = Numeric::from_parts(sum, 0).div(&Numeric::from_parts(total, 0)).unwrap_or(Numeric::NAN);
                let is_at_most = |hundredths| share <= Numeric::from_parts(hundredths, 2);
                Datum::Text(if is_at_most(80) {
                    "A"
                } else if is_at_most(95) {
                    "B"
                } else {
                    "C"
                })
            }
            Function::Median => unreachable!("it is no row's own value"),
        };
        output.push((Row::pack([Datum::Int(*id), value]), 1));
    }
}
