//! The naive way: one group of all rows, which a reduction computes anew at each change.

use flow::{Rows, read_to_rows, reduce};
use row::{Datum, Diff, Numeric, Row, RowRef};

use super::{Function, top};

pub fn build(function: Function, rows: Rows<'_>) -> Rows<'_> {
    let (keyed, _) =
        flow::map_to_keyed(rows, "Key", Box::new(|row, emit| emit.rows.push((Row::default(), row.to_row()))));
    let group = reduce(
        flow::arrange(keyed, "Arrange"),
        "Naive",
        Box::new(move |_, group, output| {
            let mut rows: Vec<(i64, i64)> = group.iter().map(|(row, _)| read(*row)).collect();
            rows.sort_unstable_by_key(|(id, cents)| (std::cmp::Reverse(*cents), *id));
            values(function, &rows, output);
        }),
    );
    let (rows, _) = read_to_rows(group.stream, "Values", Box::new(|_, value, emit| emit.rows.push(value.to_row())));
    rows
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
