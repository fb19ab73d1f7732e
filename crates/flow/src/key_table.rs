//! Keys and what is held of each, found by hash.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use row::Row;

/// A place in a table; stays the key's own for as long as the key is there.
pub(crate) type At = u32;

/// Of a place in the table, with its byte of the hash and the room that is left free.
const PLACE_BYTES: usize = 6;

/// States by key, in places that do not move.
pub(crate) struct KeyTable<T> {
    hasher: DefaultHashBuilder,
    places: HashTable<At>,
    entries: Vec<(Row, T)>,
    free: Vec<At>,
}

impl<T: Default> KeyTable<T> {
    pub fn new() -> KeyTable<T> {
        KeyTable {
            hasher: DefaultHashBuilder::default(),
            places: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The place of a key, which is made where it is missing.
    pub fn place(&mut self, key: &Row) -> At {
        let hash = self.hasher.hash_one(key);
        let (entries, hasher) = (&mut self.entries, &self.hasher);
        if let Some(at) = self.places.find(hash, |at| entries[*at as usize].0 == *key) {
            return *at;
        }
        let at = match self.free.pop() {
            Some(at) => {
                entries[at as usize] = (key.clone(), T::default());
                at
            }
            None => {
                entries.push((key.clone(), T::default()));
                At::try_from(entries.len() - 1).expect("a worker holds fewer than four thousand million keys")
            }
        };
        let entries = &self.entries;
        self.places.insert_unique(hash, at, |at| hasher.hash_one(&entries[*at as usize].0));
        at
    }

    /// What is held of a key.
    pub fn get(&self, key: &Row) -> Option<&T> {
        let hash = self.hasher.hash_one(key);
        let at = self.places.find(hash, |at| self.entries[*at as usize].0 == *key)?;
        Some(&self.entries[*at as usize].1)
    }

    /// All entries; those that are free hold nothing.
    pub fn iter(&self) -> impl Iterator<Item = &(Row, T)> {
        self.entries.iter()
    }

    /// What the table takes, long keys included.
    pub fn own_bytes(&self) -> usize {
        let keys: usize = self.entries.iter().map(|(key, _)| key.heap_bytes()).sum();
        self.entries.capacity() * size_of::<(Row, T)>() + self.places.capacity() * PLACE_BYTES + keys
    }

    #[inline]
    pub fn get_mut(&mut self, at: At) -> &mut (Row, T) {
        &mut self.entries[at as usize]
    }

    /// Forgets a key.
    pub fn remove(&mut self, at: At) {
        let (key, _) = std::mem::take(&mut self.entries[at as usize]);
        let hash = self.hasher.hash_one(&key);
        if let Ok(found) = self.places.find_entry(hash, |other| *other == at) {
            found.remove();
            self.free.push(at);
        }
    }
}
