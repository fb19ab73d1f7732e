//! Groups: by accumulators that ride in the difference, or by looking at the group's values.

use differential_dataflow::trace::implementations::BatchContainer;
use row::{Diff, Epoch, Row, RowRef};

use crate::arrange::{AccumArrangement, RowSpine, RowSpineBuilder};
use crate::{Arrangement, Slab};

/// A group's values in byte order, each with its count (never zero).
pub type Group<'a> = [(RowRef<'a>, Diff)];

fn push(container: &mut Vec<((Row, Row), Epoch, Diff)>, key: RowRef<'_>, updates: &mut Vec<(Row, Epoch, Diff)>) {
    container.clear();
    let key = Slab::into_owned(key);
    container.extend(updates.drain(..).map(|(value, epoch, diff)| ((key.clone(), value), epoch, diff)));
}

/// Finishes each group's lanes into value rows. Groups whose lanes are all zero do not exist.
pub fn accumulate<'scope>(
    accums: AccumArrangement<'scope>,
    name: &str,
    mut finish: Box<dyn FnMut(RowRef<'_>, &[i64], &mut Vec<(Row, Diff)>)>,
) -> Arrangement<'scope> {
    accums.reduce_abelian::<_, RowSpineBuilder, RowSpine, _, _>(
        name,
        {
            let mut lanes = Vec::new();
            move |key, input, output| {
                lanes.clear();
                input[0].1.write_to(&mut lanes);
                finish(key, &lanes, output);
            }
        },
        push,
    )
}

/// Maps each group to its output values. Called only for groups with values; the closure appends (row, count).
pub fn reduce<'scope>(
    rows: Arrangement<'scope>,
    name: &str,
    mut logic: Box<dyn FnMut(RowRef<'_>, &Group<'_>, &mut Vec<(Row, Diff)>)>,
) -> Arrangement<'scope> {
    rows.reduce_abelian::<_, RowSpineBuilder, RowSpine, _, _>(
        name,
        move |key, input, output| logic(key, input, output),
        push,
    )
}
