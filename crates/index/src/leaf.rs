//! The entries of a leaf: keys and rows end to end.

use row::RowRef;

use crate::target::{Target, head};

/// Entries in a leaf, and bytes above which a leaf of several entries is split, so that inserting moves little.
pub const ENTRIES_MAX: usize = 64;
pub const BYTES_MAX: usize = 1 << 14;

#[derive(Default)]
pub struct Leaf {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

/// Where an entry ends, and how many of its bytes are the key. A leaf that grew beyond `BYTES_MAX` is split, so 32 bits do.
#[derive(Clone, Copy)]
struct Slot {
    end: u32,
    key: u32,
}

impl Leaf {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_over(&self) -> bool {
        self.slots.len() > ENTRIES_MAX || (self.bytes.len() > BYTES_MAX && self.slots.len() > 1)
    }

    /// Whether it would be well filled by `other` too.
    pub fn takes(&self, other: &Leaf) -> bool {
        self.slots.len() + other.slots.len() <= ENTRIES_MAX / 4 * 3
            && self.bytes.len() + other.bytes.len() <= BYTES_MAX / 4 * 3
    }

    /// Memory that it has allocated.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.slots.capacity() * size_of::<Slot>()
    }

    fn start(&self, slot: usize) -> usize {
        if slot == 0 { 0 } else { self.slots[slot - 1].end as usize }
    }

    #[inline]
    pub fn entry(&self, slot: usize) -> (&[u8], RowRef<'_>) {
        let Slot { end, key } = self.slots[slot];
        let bytes = &self.bytes[self.start(slot)..end as usize];
        let (key, row) = bytes.split_at(key as usize);
        (key, RowRef::new(row))
    }

    /// The first slot that is not before the target, and whether it is the target itself.
    pub fn search(&self, target: &Target<'_>) -> (usize, bool) {
        let (mut low, mut high) = (0, self.slots.len());
        while low < high {
            let middle = (low + high) / 2;
            let (key, row) = self.entry(middle);
            match target.compare_with_head(head(key), key, row) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return (middle, true),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        (low, false)
    }

    pub fn insert(&mut self, slot: usize, key: &[u8], row: RowRef<'_>) {
        let start = self.start(slot);
        let length = key.len() + row.bytes().len();
        let old = self.bytes.len();
        self.bytes.resize(old + length, 0);
        self.bytes.copy_within(start..old, start + length);
        self.bytes[start..start + key.len()].copy_from_slice(key);
        self.bytes[start + key.len()..start + length].copy_from_slice(row.bytes());
        self.slots[slot..].iter_mut().for_each(|slot| slot.end += length as u32);
        self.slots.insert(slot, Slot { end: (start + length) as u32, key: key.len() as u32 });
    }

    pub fn remove(&mut self, slot: usize) {
        let start = self.start(slot);
        let end = self.slots[slot].end as usize;
        self.bytes.drain(start..end);
        self.slots.remove(slot);
        self.slots[slot..].iter_mut().for_each(|slot| slot.end -= (end - start) as u32);
    }

    pub fn split_off(&mut self, slot: usize) -> Leaf {
        let start = self.start(slot);
        let bytes = self.bytes.split_off(start);
        let mut slots = self.slots.split_off(slot);
        slots.iter_mut().for_each(|slot| slot.end -= start as u32);
        Leaf { bytes, slots }
    }

    pub fn append(&mut self, other: Leaf) {
        let start = self.bytes.len() as u32;
        self.bytes.extend(other.bytes);
        self.slots.extend(other.slots.into_iter().map(|slot| Slot { end: slot.end + start, key: slot.key }));
    }
}
