//! Rows end to end in one allocation: how arrangements hold keys and values.

use differential_dataflow::trace::implementations::{BatchContainer, OffsetList};
use row::{Row, RowRef};
use timely::container::PushInto;

/// A list of rows as bytes and offsets; reading gives views, without an allocation.
pub struct Slab {
    bytes: Vec<u8>,
    /// End of each row, after a leading zero.
    offsets: OffsetList,
}

impl Default for Slab {
    fn default() -> Slab {
        Slab::with_capacity(0)
    }
}

impl PushInto<Row> for Slab {
    fn push_into(&mut self, row: Row) {
        self.push_own(&row);
    }
}

impl PushInto<&Row> for Slab {
    fn push_into(&mut self, row: &Row) {
        self.push_own(row);
    }
}

impl BatchContainer for Slab {
    type Owned = Row;
    type ReadItem<'a> = RowRef<'a>;

    fn into_owned(item: RowRef<'_>) -> Row {
        item.to_row()
    }

    fn push_ref(&mut self, item: RowRef<'_>) {
        self.bytes.extend_from_slice(item.bytes());
        self.offsets.push(self.bytes.len());
    }

    fn push_own(&mut self, item: &Row) {
        self.push_ref(item.as_ref());
    }

    fn clear(&mut self) {
        *self = Slab::default();
    }

    fn with_capacity(rows: usize) -> Slab {
        let mut offsets = OffsetList::with_capacity(rows + 1);
        offsets.push(0);
        Slab { bytes: Vec::with_capacity(rows * 8), offsets }
    }

    fn merge_capacity(one: &Slab, other: &Slab) -> Slab {
        let mut offsets = OffsetList::with_capacity(one.len() + other.len() + 1);
        offsets.push(0);
        Slab { bytes: Vec::with_capacity(one.bytes.len() + other.bytes.len()), offsets }
    }

    fn reborrow<'b, 'a: 'b>(item: RowRef<'a>) -> RowRef<'b> {
        item
    }

    #[inline]
    fn index(&self, index: usize) -> RowRef<'_> {
        RowRef::new(&self.bytes[self.offsets.index(index)..self.offsets.index(index + 1)])
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }
}
