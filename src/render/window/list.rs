//! Lists over frames: `array_agg`, `string_agg` and the JSON ones.
//!
//! ```text
//!   index:  r1  r2  r3  r4  r5          frame of r3, ROWS 1 PRECEDING .. 1 FOLLOWING
//!               └── frame ─┘    ──filter, values──> members ──finisher──> {x2,x3,x4}
//! ```
//!
//! 1. Members stand in the order of the window; peers are told apart by all columns of the input, as in ROWS frames.
//! 2. A list is as long as its frame, and is written down anew for each row whose frame changes. Nothing of it is kept but the last
//!    one, which the next row mostly shares where the frame is the whole partition.

use eval::ordered::{Finisher, List, Members};
use eval::{AggregateCall, Arena, EvalError, Expr};
use row::{Datum, Row, RowBuilder, RowRef};

use super::view::View;
use crate::render::ordered::guarded;

/// A list call made ready.
pub struct ListCall {
    filter: Option<Expr>,
    /// What is kept of a member.
    values: Vec<Expr>,
    skips_null: bool,
    finisher: Finisher,
    pub can_fail: bool,
}

impl ListCall {
    pub fn new(call: &AggregateCall) -> ListCall {
        let list = List::of(call).expect("a list aggregate looks at a list");
        ListCall {
            filter: list.filter,
            values: list.values,
            skips_null: list.skips_null,
            finisher: Finisher::new(call).expect("a list aggregate has a finisher"),
            can_fail: crate::render::aggregate::can_fail(call),
        }
    }

    /// The list over rows of ranks `from..to`, as a row of one value.
    pub fn over(&self, view: &View<'_>, from: i64, to: i64) -> Result<Row, EvalError> {
        let mut members = InFrame::default();
        let mut builder = RowBuilder::default();
        for entry in view.index.iter_from(from).take_while(|entry| entry.rank < to) {
            let arena = Arena::new();
            if let Some(filter) = &self.filter
                && !matches!(view.eval(filter, entry.row, &arena)?, Datum::Bool(true))
            {
                continue;
            }
            let mut is_member = true;
            for (i, value) in self.values.iter().enumerate() {
                let value = view.eval(value, entry.row, &arena)?;
                is_member &= !(i == 0 && self.skips_null && value.is_null());
                builder.push(&value);
            }
            let values = builder.finish();
            if is_member {
                let copies = (entry.rank + entry.copies).min(to) - entry.rank.max(from);
                members.count += copies.unsigned_abs();
                members.rows.push((values, copies.unsigned_abs()));
            }
        }
        self.finisher.finish(&members, &mut builder)?;
        Ok(builder.finish())
    }
}

/// What a list call reads of a row and may fail on: each is tried once per row, and not for every row that looks at it.
pub fn fallible(call: &AggregateCall) -> Vec<Expr> {
    let filter = call.filter.as_ref();
    let values = call.arg.iter().chain(&call.more).map(|value| guarded(value, filter));
    filter.cloned().into_iter().chain(values).filter(Expr::is_fallible).collect()
}

/// The value of a list's row, held by an arena.
pub fn lend<'r>(list: &Row, arena: &'r Arena) -> Datum<'r> {
    RowRef::new(arena.alloc_slice_copy(list.bytes())).iter().next().unwrap_or(Datum::Null)
}

/// A frame's members in the order of the window.
#[derive(Default)]
struct InFrame {
    rows: Vec<(Row, u64)>,
    count: u64,
}

impl Members for InFrame {
    fn count(&self) -> u64 {
        self.count
    }

    fn at(&self, rank: u64) -> RowRef<'_> {
        let mut before = 0;
        let found = self.rows.iter().find(|(_, copies)| {
            before += copies;
            rank < before
        });
        found.expect("a rank below the count has a member").0.as_ref()
    }

    /// DISTINCT over a window is refused while planning.
    fn for_each(&self, _distinct: bool, visit: &mut dyn FnMut(RowRef<'_>, u64)) {
        self.rows.iter().for_each(|(values, copies)| visit(values.as_ref(), *copies));
    }
}
