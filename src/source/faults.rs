//! The records of a table that are set aside now.
//!
//! 1. A fault with a key stays until a good record of the key takes it back; one without a key stays for ever.
//! 2. A flood stays small: beyond the first `TEXTS_MAX` a keyed fault keeps no text of its record, and a loose one is only
//!    counted. `errors` keeps no more of them either.

use std::collections::HashMap;

use row::Row;

use super::journal::Journal;
use super::upsert::SourceFault;
use super::versions::Rank;

/// Faults of a table whose records are kept as text.
pub const TEXTS_MAX: usize = 1_000;

#[derive(Debug)]
pub struct Fault {
    pub fault: SourceFault,
    pub rank: Rank,
}

#[derive(Debug, Default)]
pub struct FaultBook {
    keyed: HashMap<Row, Vec<Fault>>,
    /// How many keyed faults there are.
    count: usize,
    loose: Vec<SourceFault>,
    loose_rest: u64,
}

impl FaultBook {
    /// No fault that a record could heal.
    pub fn is_empty(&self) -> bool {
        self.keyed.is_empty()
    }

    /// Gives the fault as it is kept: the form in which it is taken back one day.
    pub fn add(&mut self, key: &Row, mut fault: SourceFault, rank: Rank) -> SourceFault {
        if self.count >= TEXTS_MAX {
            fault.record = String::new();
        }
        self.count += 1;
        self.keyed.entry(key.clone()).or_default().push(Fault { fault: fault.clone(), rank });
        fault
    }

    pub fn add_loose(&mut self, fault: SourceFault) -> SourceFault {
        if self.loose.len() < TEXTS_MAX {
            self.loose.push(fault.clone());
        } else {
            self.loose_rest += 1;
        }
        fault
    }

    /// Takes the faults of a key that are healed.
    pub fn take(&mut self, key: &Row, is_healed: impl Fn(&Fault) -> bool) -> Vec<SourceFault> {
        let Some(faults) = self.keyed.get_mut(key) else { return Vec::new() };
        let healed: Vec<SourceFault> = faults.extract_if(.., |fault| is_healed(fault)).map(|it| it.fault).collect();
        self.count -= healed.len();
        if faults.is_empty() {
            self.keyed.remove(key);
        }
        healed
    }

    /// Takes all faults that have a key.
    pub fn take_keyed(&mut self) -> Vec<SourceFault> {
        let mut all: Vec<SourceFault> = self.keyed.drain().flat_map(|(_, faults)| faults).map(|it| it.fault).collect();
        all.sort();
        self.count = 0;
        all
    }

    /// All faults, each with its number; of loose ones that are only counted, one stands for all.
    pub fn all(&self) -> Vec<(SourceFault, i64)> {
        let mut all: Vec<_> = self.keyed.values().flatten().map(|it| (it.fault.clone(), 1)).collect();
        all.sort();
        all.extend(self.loose.iter().map(|fault| (fault.clone(), 1)));
        if let (Some(last), 1..) = (self.loose.last(), self.loose_rest) {
            let rest = SourceFault { reason: "one of many that are only counted".into(), ..last.clone() };
            all.push((SourceFault { record: String::new(), column: None, ..rest }, self.loose_rest as i64));
        }
        all
    }

    /// Notes what holds of a key.
    pub fn note(&self, table: usize, key: &Row, journal: &mut Journal) {
        let faults = self.keyed.get(key).map(Vec::as_slice).unwrap_or_default();
        journal.faults(table, key.bytes(), faults.iter().map(|it| (&it.fault, it.rank.sequence)));
    }

    /// Notes a loose fault that was added just now.
    pub fn note_loose(&self, table: Option<usize>, fault: &SourceFault, journal: &mut Journal) {
        match self.loose_rest {
            0 => journal.loose(table, fault),
            rest => journal.loose_rest(table, rest),
        }
    }

    /// Notes everything.
    pub fn note_all(&self, table: Option<usize>, journal: &mut Journal) {
        journal.loose_anew(table);
        self.loose.iter().for_each(|fault| journal.loose(table, fault));
        if self.loose_rest > 0 {
            journal.loose_rest(table, self.loose_rest);
        }
        if let Some(table) = table {
            self.keyed.keys().for_each(|key| self.note(table, key, journal));
        }
    }

    /// Takes what a journal says of a key.
    pub fn restore(&mut self, key: Row, faults: Vec<Fault>) {
        let before = self.keyed.remove(&key).map_or(0, |faults| faults.len());
        self.count = self.count + faults.len() - before;
        if !faults.is_empty() {
            self.keyed.insert(key, faults);
        }
    }

    pub fn restore_loose_rest(&mut self, count: u64) {
        self.loose_rest = count;
    }

    pub fn forget_loose(&mut self) {
        self.loose.clear();
        self.loose_rest = 0;
    }
}
