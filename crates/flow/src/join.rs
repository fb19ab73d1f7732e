//! The join of two arrangements on equal keys.
//!
//! The closure sees key and both values as views and gives the output record, so the map, filter and project above a join
//! cost no row of their own. It must not fail: what can fail comes after, in a `map` with an error output.

use differential_dataflow::AsCollection;
use differential_dataflow::consolidation::ConsolidatingContainerBuilder;
use differential_dataflow::difference::Multiply;
use differential_dataflow::operators::join::join_traces;
use row::{Diff, Epoch, Row, RowRef};
use timely::container::PushInto;

use crate::{Accum, Accums, Arrangement, Keyed, Rows, is_failed};

type Logic<D> = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, RowRef<'_>) -> Option<D>>;

/// Joins into rows.
pub fn join_to_rows<'scope>(
    left: Arrangement<'scope>,
    right: Arrangement<'scope>,
    mut logic: Logic<Row>,
) -> Rows<'scope> {
    join_traces::<_, _, _, _, ConsolidatingContainerBuilder<Vec<(Row, Epoch, Diff)>>>(
        left,
        right,
        move |key, left, right, epoch, left_diff, right_diff, output| {
            if !is_failed(left)
                && !is_failed(right)
                && let Some(row) = logic(key, left, right)
            {
                output.push_into((row, epoch, left_diff * right_diff));
            }
        },
    )
    .as_collection()
}

/// Joins into (key, value) rows for a further arrangement.
pub fn join_to_keyed<'scope>(
    left: Arrangement<'scope>,
    right: Arrangement<'scope>,
    mut logic: Logic<(Row, Row)>,
) -> Keyed<'scope> {
    join_traces::<_, _, _, _, ConsolidatingContainerBuilder<Vec<((Row, Row), Epoch, Diff)>>>(
        left,
        right,
        move |key, left, right, epoch, left_diff, right_diff, output| {
            if !is_failed(left)
                && !is_failed(right)
                && let Some(row) = logic(key, left, right)
            {
                output.push_into((row, epoch, left_diff * right_diff));
            }
        },
    )
    .as_collection()
}

/// Joins into accumulators of a group: the aggregate rides in the difference and no joined row is built.
pub fn join_to_accums<'scope>(
    left: Arrangement<'scope>,
    right: Arrangement<'scope>,
    mut logic: Logic<(Row, Accum)>,
) -> Accums<'scope> {
    join_traces::<_, _, _, _, ConsolidatingContainerBuilder<Vec<(Row, Epoch, Accum)>>>(
        left,
        right,
        move |key, left, right, epoch, left_diff, right_diff, output| {
            if !is_failed(left)
                && !is_failed(right)
                && let Some((row, accum)) = logic(key, left, right)
            {
                output.push_into((row, epoch, accum.multiply(&(left_diff * right_diff))));
            }
        },
    )
    .as_collection()
}
