//! Arrangements: collections indexed by key, in slabs.

use std::rc::Rc;

use differential_dataflow::VecCollection;
use differential_dataflow::operators::arrange::arrangement::Arrange;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::ord_neu::{OrdKeyBatch, OrdKeyBuilder, OrdValBatch, OrdValBuilder};
use differential_dataflow::trace::implementations::spine_fueled::Spine;
use differential_dataflow::trace::implementations::{KeyBatcher, ValBatcher};
use differential_dataflow::trace::rc_blanket_impls::RcBuilder;
use differential_dataflow::trace::wrappers::enter::TraceEnter;
use row::{Diff, Epoch, Row};
use timely::dataflow::Stream;

use crate::slab::Offsets;
use crate::{Accum, Accums, Keyed, Slab};

type RowLayout = (Slab, Slab, Vec<Epoch>, Vec<Diff>, Offsets);
pub(crate) type RowBatch = Rc<OrdValBatch<RowLayout>>;
pub(crate) type RowSpine = Spine<RowBatch>;
pub(crate) type RowSpineBuilder = RcBuilder<OrdValBuilder<RowLayout, Vec<((Row, Row), Epoch, Diff)>>>;

type AccumLayout = (Slab, Vec<()>, Vec<Epoch>, Vec<Accum>, Offsets);
type AccumSpine = Spine<Rc<OrdKeyBatch<AccumLayout>>>;
type AccumSpineBuilder = RcBuilder<OrdKeyBuilder<AccumLayout, Vec<((Row, ()), Epoch, Accum)>>>;

/// Value rows by key row; cloning shares it.
pub type Arrangement<'scope> = Arranged<'scope, TraceAgent<RowSpine>>;

/// The stream of new batches of an arrangement.
pub type Batches<'scope> = Stream<'scope, Epoch, Vec<RowBatch>>;

/// An arrangement seen from inside a recursion, whose times are `T`.
pub(crate) type Entered<T> = TraceEnter<TraceAgent<RowSpine>, T>;

pub(crate) type AccumArrangement<'scope> = Arranged<'scope, TraceAgent<AccumSpine>>;

/// Arranges values by key; rows of one key go to one worker.
pub fn arrange<'scope>(keyed: Keyed<'scope>, name: &str) -> Arrangement<'scope> {
    keyed.arrange_named::<ValBatcher<Row, Row, Epoch, Diff>, RowSpineBuilder, RowSpine>(name)
}

/// Arranges accumulators by key.
pub fn arrange_accums<'scope>(accums: Accums<'scope>, name: &str) -> AccumArrangement<'scope> {
    let keyed: VecCollection<'scope, Epoch, Row, Accum> = accums;
    Arrange::<Epoch, Vec<((Row, ()), Epoch, Accum)>>::arrange_named::<
        KeyBatcher<Row, Epoch, Accum>,
        AccumSpineBuilder,
        AccumSpine,
    >(keyed, name)
}
