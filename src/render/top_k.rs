//! The first rows of each group in an order: ORDER BY … LIMIT, DISTINCT ON.
//!
//! Ties are broken by the whole row, so the answer is determined. A group is looked at whole when it changes.

use std::rc::Rc;
use std::sync::Arc;

use eval::OrderTerm;
use flow::Arrangement;
use row::{Datum, Row, RowBuilder, RowRef, push_order_key};
use smallvec::SmallVec;

use super::Context;
use super::layout::{Layout, Place};
use super::parts::{Finish, Part};
use crate::plan::Plan;

impl<'scope> Context<'scope> {
    pub fn top_k(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        group: &[usize],
        _order_by: &[OrderTerm],
        _limit: Option<u64>,
        _offset: u64,
    ) -> Vec<Part<'scope>> {
        // The value repeats the whole row, so that group columns keep their display form.
        let layout = Layout {
            key: group.iter().map(|column| eval::Expr::Column(*column)).collect(),
            places: (0..input.arity()).map(Place::Value).collect(),
            key_columns: group.len(),
            value_columns: input.arity(),
        };
        vec![Part::arranged(self.groups(plan), layout)]
    }

    pub fn top_k_groups(
        &mut self,
        input: &Arc<Plan>,
        group: &[usize],
        order_by: &[OrderTerm],
        limit: Option<u64>,
        offset: u64,
    ) -> Arrangement<'scope> {
        let (base, mut mfp) = self.peel_input(input);
        let columns = mfp.outputs.clone();
        let order: Vec<usize> = order_by.iter().map(|term| mfp.push_expr(&term.expr)).collect();
        let order: Vec<usize> = order.iter().map(|output| mfp.outputs[*output]).collect();
        let directions: Vec<_> = order_by.iter().map(|term| term.direction).collect();
        let groups: Vec<usize> = group.iter().map(|column| columns[*column]).collect();
        let (group_count, order_count) = (groups.len(), order.len());
        let finish = Finish::<(Row, Row)> {
            logic: Rc::new(move |datums, key, value, out| {
                let (group, rest) = datums.split_at(group_count);
                let (order, columns) = rest.split_at(order_count);
                group.iter().for_each(|datum| key.push_normalized(datum));
                let mut order_key: SmallVec<[u8; 32]> = SmallVec::new();
                for (datum, direction) in order.iter().zip(&directions) {
                    push_order_key(&mut order_key, datum, *direction);
                }
                value.push(&Datum::Bytes(&order_key));
                columns.iter().for_each(|datum| value.push(datum));
                out.push((key.finish(), value.finish()));
            }),
            reads: groups.into_iter().chain(order).chain(columns).collect(),
        };
        let parts = self.upstream(&base);
        let keyed = self.read_form(parts, &mfp, finish, "Key[TopK]");
        self.statistics.operators += 2;
        let mut builder = RowBuilder::default();
        flow::reduce(
            flow::arrange(keyed, "Arrange[TopK]"),
            "TopK",
            Box::new(move |_, group, output| {
                let mut rows: Vec<(&[u8], RowRef<'_>, i64)> = group
                    .iter()
                    .map(|(row, count)| {
                        let (key, columns) = split(*row);
                        (key, columns, *count)
                    })
                    .collect();
                rows.sort_by(|a, b| a.0.cmp(b.0).then_with(|| compare_rows(a.1, b.1)));
                let mut skip = i64::try_from(offset).unwrap_or(i64::MAX);
                let mut left = limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
                for (_, columns, count) in rows {
                    let skipped = count.clamp(0, skip);
                    skip -= skipped;
                    let taken = (count - skipped).clamp(0, left);
                    left -= taken;
                    if taken > 0 {
                        builder.push_row(columns);
                        output.push((builder.finish(), taken));
                    }
                    if left == 0 {
                        break;
                    }
                }
            }),
        )
    }
}

fn split(row: RowRef<'_>) -> (&[u8], RowRef<'_>) {
    let mut iter = row.iter();
    match iter.next() {
        Some(Datum::Bytes(key)) => (key, RowRef::new(iter.rest())),
        other => panic!("a top-k row begins with its order key, not {other:?}"),
    }
}

fn compare_rows(a: RowRef<'_>, b: RowRef<'_>) -> std::cmp::Ordering {
    a.iter().zip(b.iter()).map(|(a, b)| a.sql_cmp(&b)).find(|order| order.is_ne()).unwrap_or_else(|| a.cmp(&b))
}
