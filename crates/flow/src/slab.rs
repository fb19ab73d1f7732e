//! Rows end to end in one allocation: how arrangements hold keys and values.

use differential_dataflow::trace::implementations::BatchContainer;
use row::{Row, RowRef};
use timely::container::PushInto;

/// A list of rows as bytes and offsets; reading gives views, without an allocation.
pub struct Slab {
    bytes: Vec<u8>,
    /// End of each row, after a leading zero.
    offsets: Offsets,
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

    #[inline]
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
        let mut offsets = Offsets::with_capacity(rows + 1);
        offsets.push(0);
        Slab { bytes: Vec::with_capacity(rows * 8), offsets }
    }

    fn merge_capacity(one: &Slab, other: &Slab) -> Slab {
        let mut offsets = Offsets::with_capacity(one.len() + other.len() + 1);
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

    #[inline]
    fn len(&self) -> usize {
        self.offsets.len() - 1
    }
}

/// Ascending offsets: 32 bits each for as long as they fit. Small enough to be inlined where differential's own list is not.
pub struct Offsets {
    narrow: Vec<u32>,
    wide: Vec<u64>,
}

impl PushInto<usize> for Offsets {
    #[inline]
    fn push_into(&mut self, offset: usize) {
        self.push(offset);
    }
}

impl Offsets {
    #[inline]
    fn push(&mut self, offset: usize) {
        match u32::try_from(offset) {
            Ok(narrow) if self.wide.is_empty() => self.narrow.push(narrow),
            _ => self.wide.push(offset as u64),
        }
    }
}

impl BatchContainer for Offsets {
    type Owned = usize;
    type ReadItem<'a> = usize;

    fn into_owned(item: usize) -> usize {
        item
    }

    #[inline]
    fn push_ref(&mut self, item: usize) {
        self.push(item);
    }

    #[inline]
    fn push_own(&mut self, item: &usize) {
        self.push(*item);
    }

    fn clear(&mut self) {
        self.narrow.clear();
        self.wide.clear();
    }

    fn with_capacity(offsets: usize) -> Offsets {
        Offsets { narrow: Vec::with_capacity(offsets), wide: Vec::new() }
    }

    fn merge_capacity(one: &Offsets, other: &Offsets) -> Offsets {
        Offsets::with_capacity(one.len() + other.len())
    }

    fn reborrow<'b, 'a: 'b>(item: usize) -> usize {
        item
    }

    #[inline]
    fn index(&self, index: usize) -> usize {
        match self.narrow.get(index) {
            Some(offset) => *offset as usize,
            None => self.wide[index - self.narrow.len()] as usize,
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.narrow.len() + self.wide.len()
    }
}
