//! Feeds the snapshots that keep every version of a source's keys.
//!
//! ```text
//!   while collections go to the cut    -row before  +row after                                at rest
//!   a live epoch                       -row before, at rest   +(row, 1, at)  +(row, 2, at) …  as the records came
//!   the epoch after it                 -all of these          +the last, at rest, unless it is gone
//! ```
//!
//! 1. At the end of each epoch the relation has, for each key, the versions of that epoch, or the row at rest.
//! 2. An epoch's versions are numbered in the order in which their records were resolved.
//! 3. A source that is read again from its beginning, while its snapshots' tables stand, tells its rows at rest alone: what they were
//!    before is in the tables.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use row::{Datum, Diff, Row};

use super::deployment::Deployment;
use crate::plan::snapshot::Sees;
use crate::plan::versions::{source_of, version};
use crate::plan::{self, Plan};
use crate::sink::SinkState;
use crate::source::{Resolved, TableIndex, source_names};

/// What is told of a table's rows.
pub(super) struct VersionFeed {
    /// The input of each table whose versions are kept.
    inputs: BTreeMap<TableIndex, usize>,
    /// Columns that tell an event's time where its record does not, by table.
    event_times: BTreeMap<usize, usize>,
    /// Tables that are read again.
    again: BTreeSet<TableIndex>,
    /// Rows of which the open epoch has the newest version.
    fresh: HashSet<(TableIndex, Row)>,
    /// Versions of the open epoch.
    told: Vec<(TableIndex, Row)>,
}

/// Updates of inputs.
pub(super) type Updates = BTreeMap<usize, Vec<(Row, Diff)>>;

impl VersionFeed {
    /// `state` is what was published.
    pub fn new(deployment: &Deployment, state: &SinkState) -> VersionFeed {
        let first = deployment.sources.len() + deployment.stored.len();
        let inputs = deployment.versions.iter().enumerate().map(|(number, table)| (*table, first + number));
        let event_times = deployment.event_times.clone();
        let again = read_again(deployment, state);
        VersionFeed { inputs: inputs.collect(), again, event_times, fresh: HashSet::new(), told: Vec::new() }
    }

    pub fn is_needed(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// A row that comes to rest, or leaves it.
    pub fn at_rest(&self, table: TableIndex, row: &Row, diff: Diff, into: &mut Updates) {
        if let Some(input) = self.inputs.get(&table) {
            into.entry(*input).or_default().push((version(row.as_ref(), 0, None, false), diff));
        }
    }

    /// What records came to while collections go to the cut.
    pub fn quietly(&self, resolved: &Resolved) -> Updates {
        let mut updates = Updates::new();
        resolved.updates.iter().for_each(|(table, row, diff)| self.at_rest(*table, row, *diff, &mut updates));
        updates
    }

    /// What records came to in a live epoch: each one's version.
    pub fn live(&mut self, resolved: &Resolved) -> Updates {
        let (mut updates, mut begin) = (Updates::new(), 0);
        for (end, at) in &resolved.times {
            self.record(&resolved.updates[begin..*end], *at, &mut updates);
            begin = *end;
        }
        updates
    }

    /// One record's updates: a row that goes, one that comes, or both under one key; of a truncate all that go.
    fn record(&mut self, changes: &[(TableIndex, Row, Diff)], at: Option<i64>, updates: &mut Updates) {
        let after = changes.iter().find(|(_, _, diff)| *diff > 0);
        for (table, row, diff) in changes {
            let Some(input) = self.inputs.get(table).copied() else { continue };
            if self.again.contains(table) {
                self.at_rest(*table, row, *diff, updates);
                continue;
            }
            if *diff < 0 && !self.fresh.remove(&(*table, row.clone())) {
                self.at_rest(*table, row, -1, updates);
            }
            if *diff < 0 && after.is_some() {
                continue;
            }
            let number = self.told.len() as i64 + 1;
            let at = at.or_else(|| self.row_time(*table, row));
            let version = version(row.as_ref(), number, at, *diff < 0);
            if *diff > 0 {
                self.fresh.insert((*table, row.clone()));
            }
            self.told.push((*table, version.clone()));
            updates.entry(input).or_default().push((version, 1));
        }
    }

    fn row_time(&self, table: TableIndex, row: &Row) -> Option<i64> {
        match row.iter().nth(*self.event_times.get(&table)?)? {
            Datum::Timestamp(micros) | Datum::TimestampTz(micros) => Some(micros),
            _ => None,
        }
    }

    /// What the next epoch begins with.
    pub fn rest(&mut self) -> Updates {
        let mut updates = Updates::new();
        for (table, version) in self.told.drain(..) {
            if let Some(input) = self.inputs.get(&table) {
                updates.entry(*input).or_default().push((version, -1));
            }
        }
        for (table, row) in std::mem::take(&mut self.fresh) {
            self.at_rest(table, &row, 1, &mut updates);
        }
        updates
    }
}

/// Sources of which nothing is published, although a snapshot over them has versions.
fn read_again(deployment: &Deployment, state: &SinkState) -> BTreeSet<TableIndex> {
    let mut found = BTreeSet::new();
    let names = source_names(&deployment.sources);
    let has_versions =
        |id: &str| deployment.stored.iter().any(|stored| stored.table.model == id && !stored.versions.is_empty());
    for node in deployment.models.iter().flat_map(|model| plan::nodes(&model.plan)) {
        let Plan::Snapshot { input, snapshot, .. } = &*node else { continue };
        if snapshot.sees != Sees::EachVersion || !has_versions(&snapshot.id) {
            continue;
        }
        for read in plan::nodes(input) {
            let Plan::Get { relation, .. } = &*read else { continue };
            let of = source_of(relation);
            let table = deployment.sources.iter().position(|source| of.as_ref() == Some(&source.spec.relation));
            found.extend(table.filter(|table| {
                let name = names.get(&deployment.sources[*table].table);
                !state.progress.iter().any(|row| Some(&row.source) == name)
            }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed() -> VersionFeed {
        let inputs = BTreeMap::from([(0, 5)]);
        let (event_times, again) = (BTreeMap::new(), BTreeSet::new());
        VersionFeed { inputs, again, event_times, fresh: HashSet::new(), told: Vec::new() }
    }

    fn row(status: &str) -> Row {
        Row::pack([Datum::Int(7), Datum::Text(status)])
    }

    /// Records as (rows with their diffs, time).
    fn resolved(records: &[(&[(&str, Diff)], i64)]) -> Resolved {
        let mut resolved = Resolved::default();
        for (changes, at) in records {
            resolved.updates.extend(changes.iter().map(|(status, diff)| (0, row(status), *diff)));
            resolved.times.push((resolved.updates.len(), Some(*at)));
        }
        resolved
    }

    /// What the relation holds: (status, number, time, gone).
    fn held(all: &[Updates]) -> Vec<(String, i64, Option<i64>, bool)> {
        let mut counts: BTreeMap<Row, Diff> = BTreeMap::new();
        for (row, diff) in all.iter().flat_map(|updates| updates.get(&5).into_iter().flatten()) {
            *counts.entry(row.clone()).or_default() += diff;
        }
        let mut held = Vec::new();
        for (row, count) in counts.iter().filter(|(_, count)| **count != 0) {
            assert_eq!(*count, 1, "{row:?}");
            match row.iter().collect::<Vec<_>>()[1..] {
                [Datum::Text(status), Datum::Int(number), ref at, Datum::Bool(gone)] => {
                    let at = if let Datum::TimestampTz(at) = at { Some(*at) } else { None };
                    held.push((status.to_owned(), number, at, gone));
                }
                _ => panic!("{row:?}"),
            }
        }
        held.sort_by_key(|(_, number, ..)| *number);
        held
    }

    #[test]
    fn an_epoch_tells_its_versions_and_the_next_one_the_row_at_rest() {
        let mut feed = feed();
        let mut all = vec![feed.quietly(&resolved(&[(&[("new", 1)], 1)]))];
        assert_eq!(held(&all), [("new".to_owned(), 0, None, false)]);
        all.push(feed.live(&resolved(&[(&[("new", -1), ("paid", 1)], 2)])));
        all.push(feed.live(&resolved(&[(&[("paid", -1)], 3), (&[("back", 1)], 4)])));
        let told = [("paid", 1, Some(2), false), ("paid", 2, Some(3), true), ("back", 3, Some(4), false)];
        assert_eq!(held(&all), told.map(|(status, number, at, gone)| (status.to_owned(), number, at, gone)));
        all.push(feed.rest());
        assert_eq!(held(&all), [("back".to_owned(), 0, None, false)]);
        all.push(feed.live(&resolved(&[(&[("back", -1)], 5)])));
        assert_eq!(held(&all), [("back".to_owned(), 1, Some(5), true)]);
        all.push(feed.rest());
        assert_eq!(held(&all), []);
    }
}
