//! A sink in memory whose commits go wrong as real ones do.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use livemart::sink::{Commit, CutRow, Deploy, ErrorRow, ProgressRow, RunHooks, Sink, SinkError, SinkState, TableSpec};
use row::Row;

use super::super::pipeline::history::Dice;

/// What outlives every process.
#[derive(Clone, Default)]
pub struct Store(Arc<Mutex<Inner>>);

#[derive(Clone, Default)]
pub struct Inner {
    pub state: SinkState,
    /// By model.
    pub tables: BTreeMap<String, BTreeMap<Row, i64>>,
    pub errors: BTreeMap<ErrorRow, i64>,
    /// A hash of everything that was committed, in order.
    pub trace: u64,
}

/// What may happen to a commit, each so often in a hundred.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// Applied, but the answer is lost.
    pub lost_answer: i64,
    /// Not applied: the server is away.
    pub away: i64,
    /// The process dies before it, or after it.
    pub crash: i64,
}

impl Store {
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(&self, owner: String, dice: Dice, faults: Faults, crash: impl Fn() -> bool + Send + 'static) -> Opened {
        Opened { store: self.clone(), owner, dice, faults, is_dead: Box::new(crash), deployed: Vec::new(), seq: 0 }
    }
}

/// One process's connection.
pub struct Opened {
    store: Store,
    owner: String,
    dice: Dice,
    faults: Faults,
    is_dead: Box<dyn Fn() -> bool + Send>,
    deployed: Vec<(TableSpec, Deploy)>,
    seq: u64,
}

fn dead() -> SinkError {
    SinkError::Refused { message: "the process is gone".into(), hint: None, cause: None }
}

fn away() -> SinkError {
    SinkError::Unreachable { message: "away".into(), cause: None }
}

impl Sink for Opened {
    fn state(&mut self) -> Result<SinkState, SinkError> {
        let state = self.store.inner().state.clone();
        self.seq = state.cut.as_ref().map_or(0, |cut| cut.seq);
        Ok(state)
    }

    fn read_table(&mut self, table: &TableSpec) -> Result<Vec<(Row, i64)>, SinkError> {
        let rows = self.store.inner().tables.get(&table.model).cloned().unwrap_or_default();
        Ok(rows.into_iter().collect())
    }

    /// Tables are kept as rows, without a catalogue.
    fn lost_columns(&mut self, _: &TableSpec) -> Result<Vec<String>, SinkError> {
        Ok(Vec::new())
    }

    fn note_hooks(&mut self, _: RunHooks) {}

    fn deploy(&mut self, tables: Vec<(TableSpec, Deploy)>, _: bool) -> Result<(), SinkError> {
        self.deployed = tables;
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), SinkError> {
        if (self.is_dead)() {
            return Err(dead());
        }
        let throw = self.dice.between(0, 100);
        let Faults { lost_answer, away: is_away, crash } = self.faults;
        if throw < is_away {
            return Err(away());
        }
        let crashes = (is_away..is_away + crash).contains(&throw);
        if crashes && throw % 2 == 0 {
            return Err(dead());
        }
        let mut inner = self.store.inner();
        let stored = inner.state.cut.clone();
        let settled = stored.as_ref().is_some_and(|cut| cut.owner == self.owner && cut.seq == commit.seq);
        if !settled {
            assert_eq!(stored.as_ref().map_or(0, |cut| cut.seq) + 1, commit.seq, "cuts follow each other");
            let clock = stored.as_ref().map_or(0, |cut| cut.clock);
            assert!(clock <= commit.clock, "the clock goes back from {clock} to {}", commit.clock);
            apply(&mut inner, &self.deployed, commit);
            inner.state.cut = Some(CutRow { owner: self.owner.clone(), seq: commit.seq, clock: commit.clock });
            let mut trace = DefaultHasher::new();
            format!("{} {} {commit:?}", inner.trace, self.owner).hash(&mut trace);
            inner.trace = trace.finish();
        }
        if crashes {
            return Err(dead());
        }
        if !settled && throw < is_away + crash + lost_answer {
            return Err(away());
        }
        self.seq = commit.seq;
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}

fn apply(inner: &mut Inner, deployed: &[(TableSpec, Deploy)], commit: &Commit) {
    for (table, deltas) in &commit.deltas {
        let rows = inner.tables.entry(deployed[*table].0.model.clone()).or_default();
        add(rows, deltas, "a table");
    }
    if commit.resets_errors {
        inner.errors.clear();
    }
    add(&mut inner.errors, &commit.errors, "errors");
    for row in &commit.progress {
        let known =
            inner.state.progress.iter_mut().find(|old| old.source == row.source && old.partition == row.partition);
        match known {
            Some(old) => {
                assert!(old.position <= row.position, "progress goes back: {old:?} to {row:?}");
                *old = row.clone();
            }
            None => inner.state.progress.push(ProgressRow::clone(row)),
        }
    }
    inner.state.models =
        deployed.iter().map(|(spec, _)| (spec.model.clone(), spec.name.clone(), spec.fingerprint.clone())).collect();
}

fn add<T: Ord + Clone + std::fmt::Debug>(rows: &mut BTreeMap<T, i64>, deltas: &[(T, i64)], what: &str) {
    for (row, diff) in deltas {
        let count = rows.entry(row.clone()).or_default();
        *count += diff;
        if *count == 0 {
            rows.remove(row);
        }
    }
    let lacking = rows.iter().find(|(_, count)| **count < 0);
    assert!(lacking.is_none(), "{what} would hold less than none of {lacking:?}");
}
