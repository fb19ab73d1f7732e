//! Keys and what is held of each, found by hash.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use row::Row;

/// A place in a table; stays the key's own for as long as the key is there.
pub(crate) type At = u32;

/// Of a place in the table, with its byte of the hash and the room that is left free.
const PLACE_BYTES: usize = 6;

/// Entries of one allocation: a table that grows moves no entries and leaves little room unused.
const PAGE_ENTRIES: usize = 512;

/// States by key, in places that do not move.
pub(crate) struct KeyTable<T> {
    hasher: DefaultHashBuilder,
    places: HashTable<At>,
    pages: Pages<(Row, T)>,
    free: Vec<At>,
}

/// A list in pieces. The first piece grows as a list does, so that a small table is small.
struct Pages<E> {
    pages: Vec<Vec<E>>,
    len: usize,
}

impl<E> Pages<E> {
    #[inline]
    fn get(&self, at: At) -> &E {
        &self.pages[at as usize / PAGE_ENTRIES][at as usize % PAGE_ENTRIES]
    }

    #[inline]
    fn get_mut(&mut self, at: At) -> &mut E {
        &mut self.pages[at as usize / PAGE_ENTRIES][at as usize % PAGE_ENTRIES]
    }

    fn push(&mut self, entry: E) -> At {
        if self.len.is_multiple_of(PAGE_ENTRIES) {
            self.pages.push(if self.len == 0 { Vec::new() } else { Vec::with_capacity(PAGE_ENTRIES) });
        }
        self.pages[self.len / PAGE_ENTRIES].push(entry);
        self.len += 1;
        At::try_from(self.len - 1).expect("a worker holds fewer than four thousand million keys")
    }
}

impl<T: Default> KeyTable<T> {
    pub fn new() -> KeyTable<T> {
        KeyTable {
            hasher: DefaultHashBuilder::default(),
            places: HashTable::new(),
            pages: Pages { pages: Vec::new(), len: 0 },
            free: Vec::new(),
        }
    }

    /// The place of a key, which is made where it is missing.
    pub fn place(&mut self, key: &Row) -> At {
        let hash = self.hasher.hash_one(key);
        let pages = &mut self.pages;
        if let Some(at) = self.places.find(hash, |at| pages.get(*at).0 == *key) {
            return *at;
        }
        let at = match self.free.pop() {
            Some(at) => {
                *pages.get_mut(at) = (key.clone(), T::default());
                at
            }
            None => pages.push((key.clone(), T::default())),
        };
        let (pages, hasher) = (&self.pages, &self.hasher);
        self.places.insert_unique(hash, at, |at| hasher.hash_one(&pages.get(*at).0));
        at
    }

    /// The places of keys, as `place` gives them. What is done with them comes after: so the machine waits for the memory of several
    /// at once.
    pub fn places<'k>(&mut self, keys: impl Iterator<Item = &'k Row>, places: &mut Vec<At>) {
        places.clear();
        places.extend(keys.map(|key| self.place(key)));
    }

    /// What is held of a key.
    pub fn get(&self, key: &Row) -> Option<&T> {
        let hash = self.hasher.hash_one(key);
        let at = self.places.find(hash, |at| self.pages.get(*at).0 == *key)?;
        Some(&self.pages.get(*at).1)
    }

    /// All entries; those that are free hold nothing.
    pub fn iter(&self) -> impl Iterator<Item = &(Row, T)> {
        self.pages.pages.iter().flatten()
    }

    /// What the table takes, long keys included.
    pub fn own_bytes(&self) -> usize {
        let keys: usize = self.iter().map(|(key, _)| key.heap_bytes()).sum();
        let entries: usize = self.pages.pages.iter().map(Vec::capacity).sum();
        entries * size_of::<(Row, T)>() + self.places.capacity() * PLACE_BYTES + keys
    }

    #[inline]
    pub fn get_mut(&mut self, at: At) -> &mut (Row, T) {
        self.pages.get_mut(at)
    }

    /// Forgets a key.
    pub fn remove(&mut self, at: At) {
        let (key, _) = std::mem::take(self.pages.get_mut(at));
        let hash = self.hasher.hash_one(&key);
        if let Ok(found) = self.places.find_entry(hash, |other| *other == at) {
            found.remove();
            self.free.push(at);
        }
    }
}
