//! A map from bytes to bytes for collections that fill the memory: entries end to end in pages, and a table of addresses.
//!
//! ```text
//!   table  [addr][addr][    ][addr] …            five bytes a slot: an address and hashbrown's tag
//!             └────────┐
//!   page   │ key len, value len, key, value ··│ key len, value len, key, value │ …      1 MiB, entries at multiples of 8
//! ```
//!
//! 1. An entry costs its bytes, their lengths, the padding and the slot: no allocation of its own, no pointer.
//! 2. A value that keeps its length is written in place; else the entry moves to the last page and leaves a hole. When holes
//!    outweigh what lives, the page with the most of them is emptied into the last one.
//! 3. A sweep meets every entry that lived when it began and was neither changed nor removed since, and no page is emptied
//!    while it lasts.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

const PAGE_BYTES: usize = 1 << 20;
/// Addresses count in these, so 32 bits reach 32 GiB.
const UNIT_BYTES: usize = 8;
const UNITS_PER_PAGE: usize = PAGE_BYTES / UNIT_BYTES;
/// Holes smaller than this together are left alone.
const HOLES_MIN: usize = 2 * PAGE_BYTES;

#[derive(Default)]
pub struct PackedMap {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// A page that was emptied has no capacity and is used again.
    pages: Vec<Page>,
    free: Vec<u32>,
    /// Where entries are added.
    last: Option<u32>,
    /// Bytes of live entries and of all entries, lengths and padding included.
    live: usize,
    used: usize,
    /// Bytes of the live entries' values.
    values: usize,
    sweep: Option<VecDeque<(u32, usize, usize)>>,
}

/// Where a key is, if it is there.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    hash: u64,
    address: Option<u32>,
}

#[derive(Default)]
struct Page {
    bytes: Vec<u8>,
    live: usize,
}

/// Where an entry's parts are in its page.
#[derive(Clone, Copy)]
struct Entry {
    key: (usize, usize),
    value: (usize, usize),
    /// The next entry's place.
    end: usize,
}

impl PackedMap {
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes that the map takes of the memory.
    pub fn heap_bytes(&self) -> usize {
        let pages: usize = self.pages.iter().map(|page| page.bytes.capacity()).sum();
        pages + self.table.allocation_size() + self.pages.capacity() * size_of::<Page>()
    }

    /// Bytes of what lives, lengths and padding included.
    pub fn live_bytes(&self) -> usize {
        self.live
    }

    pub fn value_bytes(&self) -> usize {
        self.values
    }

    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.value(&self.find(key))
    }

    /// Gives the key this value.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        let place = self.find(key);
        self.put_at(place, key, value);
    }

    /// False when the key is not there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let place = self.find(key);
        self.remove_at(place)
    }

    /// Where a key is, or would be; good until the map changes.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Place {
        self.find_hashed(self.hash(key), key)
    }

    /// What `find_hashed` and `warm` want of a key; good for as long as the map is.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Brings what `find_hashed` will look at into the cache. Called for several keys in a row, their waits for memory are one.
    #[inline]
    pub fn warm(&self, hash: u64) -> u8 {
        let address = self.table.find(hash, |_| true);
        address.map_or(0, |address| self.pages[page_of(*address)].bytes[place_of(*address)])
    }

    #[inline]
    pub fn find_hashed(&self, hash: u64, key: &[u8]) -> Place {
        Place { hash, address: self.table.find(hash, |address| self.key(*address) == key).copied() }
    }

    #[inline]
    pub fn value(&self, place: &Place) -> Option<&[u8]> {
        let (page, entry) = self.entry(place.address?);
        Some(&page.bytes[entry.value.0..entry.value.1])
    }

    /// Gives the key, which was just found at this place, a value.
    pub fn put_at(&mut self, Place { hash, address }: Place, key: &[u8], value: &[u8]) {
        let Some(address) = address else {
            let address = self.append(key, value);
            let (pages, hasher) = (&self.pages, &self.hasher);
            self.table.insert_unique(hash, address, |address| hasher.hash_one(key_at(pages, *address)));
            return;
        };
        let (_, entry) = self.entry(address);
        if entry.value.1 - entry.value.0 == value.len() {
            let page = &mut self.pages[page_of(address)];
            page.bytes[entry.value.0..entry.value.1].copy_from_slice(value);
            return;
        }
        self.bury(address);
        let moved = self.append(key, value);
        if let Some(slot) = self.table.find_mut(hash, |other| *other == address) {
            *slot = moved;
        }
        self.tidy();
    }

    /// False when the key is not there.
    pub fn remove_at(&mut self, Place { hash, address }: Place) -> bool {
        let Some(address) = address else { return false };
        let Ok(found) = self.table.find_entry(hash, |other| *other == address) else { return false };
        found.remove();
        self.bury(address);
        self.tidy();
        true
    }

    /// Hashes stay what they are.
    pub fn clear(&mut self) {
        *self = PackedMap { hasher: self.hasher.clone(), ..PackedMap::default() };
    }

    /// All entries, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.pages.len()).flat_map(move |number| {
            let mut at = 0;
            std::iter::from_fn(move || {
                loop {
                    let page = &self.pages[number];
                    let entry = Entry::read(&page.bytes, at)?;
                    let address = address(number as u32, at);
                    at = entry.end;
                    let key = &page.bytes[entry.key.0..entry.key.1];
                    if self.is_live(address, key) {
                        return Some((key, &page.bytes[entry.value.0..entry.value.1]));
                    }
                }
            })
        })
    }

    /// Begins to go through all entries that live now, by `sweep`.
    pub fn begin_sweep(&mut self) {
        let pages = self.pages.iter().enumerate().filter(|(_, page)| page.live > 0);
        self.sweep = Some(pages.map(|(number, page)| (number as u32, 0, page.bytes.len())).collect());
    }

    /// Gives entries until `budget` bytes of them are given or the sweep is over; then true.
    pub fn sweep(&mut self, budget: &mut usize, mut give: impl FnMut(&[u8], &[u8])) -> bool {
        let Some(mut places) = self.sweep.take() else { return true };
        while let Some((number, mut at, end)) = places.pop_front() {
            let page = &self.pages[number as usize];
            while at < end && *budget > 0 {
                let Some(entry) = Entry::read(&page.bytes, at) else { break };
                let key = &page.bytes[entry.key.0..entry.key.1];
                if self.is_live(address(number, at), key) {
                    give(key, &page.bytes[entry.value.0..entry.value.1]);
                    *budget = budget.saturating_sub(entry.end - at);
                }
                at = entry.end;
            }
            if *budget == 0 && at < end {
                places.push_front((number, at, end));
                self.sweep = Some(places);
                return false;
            }
        }
        self.tidy();
        true
    }

    fn is_live(&self, address: u32, key: &[u8]) -> bool {
        self.table.find(self.hasher.hash_one(key), |other| *other == address).is_some()
    }

    fn key(&self, address: u32) -> &[u8] {
        key_at(&self.pages, address)
    }

    fn entry(&self, address: u32) -> (&Page, Entry) {
        let page = &self.pages[page_of(address)];
        (page, Entry::read(&page.bytes, place_of(address)).expect("an address leads to an entry"))
    }

    /// Writes an entry behind the last one; the table does not know it yet.
    fn append(&mut self, key: &[u8], value: &[u8]) -> u32 {
        let bytes = entry_bytes(key.len(), value.len());
        let fits = |page: &Page| page.bytes.len() + bytes <= PAGE_BYTES;
        let number = match self.last.filter(|last| fits(&self.pages[*last as usize])) {
            Some(last) => last,
            None => self.new_page(bytes),
        };
        let page = &mut self.pages[number as usize];
        let at = page.bytes.len();
        push_length(&mut page.bytes, key.len());
        push_length(&mut page.bytes, value.len());
        page.bytes.extend_from_slice(key);
        page.bytes.extend_from_slice(value);
        page.bytes.resize(at + bytes, 0);
        page.live += bytes;
        self.live += bytes;
        self.used += bytes;
        self.values += value.len();
        address(number, at)
    }

    /// An entry larger than a page has a page of its own size, in which nothing else begins.
    fn new_page(&mut self, bytes: usize) -> u32 {
        let page = Page { bytes: Vec::with_capacity(bytes.max(self.page_capacity())), live: 0 };
        let number = match self.free.pop() {
            Some(number) => {
                self.pages[number as usize] = page;
                number
            }
            None => {
                self.pages.push(page);
                let number = u32::try_from(self.pages.len() - 1).ok();
                number
                    .filter(|number| (*number as usize) < (1 << 32) / UNITS_PER_PAGE)
                    .expect("a table of at most 32 GiB")
            }
        };
        self.last = Some(number);
        number
    }

    /// A small map should not take a whole page.
    fn page_capacity(&self) -> usize {
        self.used.clamp(1 << 10, PAGE_BYTES)
    }

    fn bury(&mut self, address: u32) {
        let (_, entry) = self.entry(address);
        let bytes = entry.end - place_of(address);
        self.values -= entry.value.1 - entry.value.0;
        self.live -= bytes;
        self.pages[page_of(address)].live -= bytes;
    }

    /// Empties pages while holes outweigh what lives.
    fn tidy(&mut self) {
        while self.sweep.is_none() && self.used - self.live > HOLES_MIN.max(self.live / 2) {
            let holes = |page: &Page| page.bytes.len() - page.live;
            let pages = self.pages.iter().enumerate().filter(|(number, _)| Some(*number as u32) != self.last);
            let Some((number, most)) = pages.max_by_key(|(_, page)| holes(page)).map(|(at, page)| (at, holes(page)))
            else {
                return;
            };
            if most == 0 {
                return;
            }
            let page = std::mem::take(&mut self.pages[number]);
            self.used -= page.bytes.len();
            self.live -= page.live;
            let mut at = 0;
            while let Some(entry) = Entry::read(&page.bytes, at) {
                let key = &page.bytes[entry.key.0..entry.key.1];
                let (hash, old) = (self.hasher.hash_one(key), address(number as u32, at));
                if self.table.find(hash, |other| *other == old).is_some() {
                    let moved = self.append(key, &page.bytes[entry.value.0..entry.value.1]);
                    self.values -= entry.value.1 - entry.value.0;
                    if let Some(slot) = self.table.find_mut(hash, |other| *other == old) {
                        *slot = moved;
                    }
                }
                at = entry.end;
            }
            self.free.push(number as u32);
        }
    }
}

impl Entry {
    /// None behind the page's last entry.
    #[inline]
    fn read(bytes: &[u8], at: usize) -> Option<Entry> {
        if at >= bytes.len() {
            return None;
        }
        let (key_len, at_value_len) = read_length(bytes, at);
        let (value_len, key) = read_length(bytes, at_value_len);
        let (value, end) = (key + key_len, key + key_len + value_len);
        Some(Entry { key: (key, value), value: (value, end), end: end.next_multiple_of(UNIT_BYTES) })
    }
}

#[inline]
fn key_at(pages: &[Page], address: u32) -> &[u8] {
    let bytes = &pages[page_of(address)].bytes;
    let (key_len, at) = read_length(bytes, place_of(address));
    let (_, at) = read_length(bytes, at);
    &bytes[at..at + key_len]
}

fn address(page: u32, at: usize) -> u32 {
    page * UNITS_PER_PAGE as u32 + (at / UNIT_BYTES) as u32
}

fn page_of(address: u32) -> usize {
    address as usize / UNITS_PER_PAGE
}

fn place_of(address: u32) -> usize {
    address as usize % UNITS_PER_PAGE * UNIT_BYTES
}

fn entry_bytes(key: usize, value: usize) -> usize {
    let length = |length: usize| if length < 0xFF { 1 } else { 5 };
    (length(key) + length(value) + key + value).next_multiple_of(UNIT_BYTES)
}

/// A byte, or 0xFF and four bytes.
fn push_length(bytes: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 0xFF => bytes.push(short),
        _ => {
            bytes.push(0xFF);
            bytes.extend_from_slice(&u32::try_from(length).expect("a row is smaller than 4 GiB").to_le_bytes());
        }
    }
}

#[inline]
fn read_length(bytes: &[u8], at: usize) -> (usize, usize) {
    match bytes[at] {
        0xFF => {
            let long: [u8; 4] = bytes[at + 1..at + 5].try_into().expect("four bytes");
            (u32::from_le_bytes(long) as usize, at + 5)
        }
        short => (usize::from(short), at + 1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The same numbers for the same seed.
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    fn contents(map: &PackedMap) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let all: Vec<_> = map.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        assert_eq!(all.len(), map.len(), "each entry comes once");
        all.into_iter().collect()
    }

    #[test]
    fn it_holds_what_a_plain_map_holds_whatever_comes_and_goes() {
        let (mut map, mut plain, mut seed) = (PackedMap::default(), BTreeMap::new(), 7);
        for step in 0..200_000u64 {
            let key = (next(&mut seed) % 3_000).to_le_bytes()[..3].to_vec();
            if next(&mut seed).is_multiple_of(4) {
                assert_eq!(map.remove(&key), plain.remove(&key).is_some());
            } else {
                let value = vec![step as u8; (next(&mut seed) % 300) as usize];
                map.put(&key, &value);
                plain.insert(key, value);
            }
        }
        assert_eq!(contents(&map), plain);
        for (key, value) in &plain {
            assert_eq!(map.get(key), Some(&value[..]));
        }
        assert!(map.heap_bytes() < 8 << 20, "holes are used again: {}", map.heap_bytes());
    }

    #[test]
    fn an_entry_larger_than_a_page_is_an_entry() {
        let mut map = PackedMap::default();
        let large = vec![1; 3 * PAGE_BYTES];
        map.put(b"large", &large);
        map.put(b"small", b"x");
        assert_eq!((map.get(b"large"), map.get(b"small")), (Some(&large[..]), Some(&b"x"[..])));
        assert!(map.remove(b"large") && !map.remove(b"large"));
        assert_eq!(contents(&map).len(), 1);
    }

    #[test]
    fn a_sweep_meets_all_that_was_not_touched_while_changes_go_on() {
        let (mut map, mut seed) = (PackedMap::default(), 11);
        for key in 0..50_000u32 {
            map.put(&key.to_le_bytes(), &[0; 60]);
        }
        map.begin_sweep();
        let (mut met, mut touched, mut slices) = (BTreeMap::new(), BTreeMap::new(), 0);
        loop {
            let is_over = map.sweep(&mut 100_000, |key, value| {
                met.insert(key.to_vec(), value.to_vec());
            });
            slices += 1;
            if is_over {
                break;
            }
            for _ in 0..200 {
                let key = (next(&mut seed) as u32 % 60_000).to_le_bytes();
                let value = vec![slices as u8; (next(&mut seed) % 90) as usize];
                map.put(&key, &value);
                touched.insert(key.to_vec(), value);
            }
        }
        assert!(slices > 10);
        met.extend(touched);
        assert_eq!(met, contents(&map));
    }

    #[test]
    fn an_entry_costs_little_beyond_its_bytes() {
        let mut map = PackedMap::default();
        for key in 0..1_000_000u32 {
            map.put(&key.to_le_bytes(), &[7; 34]);
        }
        let overhead = map.heap_bytes() as f64 / map.len() as f64 - 38.0;
        assert!(overhead < 16.0, "{overhead} bytes an entry");
    }
}
