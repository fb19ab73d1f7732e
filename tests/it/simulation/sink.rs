//! A sink in memory whose commits go wrong as real ones do.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use livemart::sink::changelog::{Accident, Carried, Outbox, OutboxCut, OutboxRecord, WaitingCut, WaitingRecord};
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
    pub outbox: BTreeMap<(u64, u64), OutboxRecord>,
    carried: Vec<Carried>,
    /// All records that must be in Kafka or in the outbox, in order.
    pub told: Vec<(u64, OutboxRecord)>,
    /// Topics that lack what they had, until they begin anew.
    pub broken: BTreeSet<String>,
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
    /// A call of the broker or of the outbox fails, in a thousand; some of those failures are deaths.
    pub shipping: i64,
}

impl Store {
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(
        &self,
        owner: String,
        dice: Dice,
        faults: Faults,
        death: &Arc<AtomicBool>,
        crash: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Opened {
        Opened {
            store: self.clone(),
            owner,
            dice,
            faults,
            death: death.clone(),
            is_dead: Arc::new(crash),
            deployed: Vec::new(),
            seq: 0,
            outboxes: 0,
            outbox: OutboxCut::default(),
        }
    }
}

/// One process's connection.
pub struct Opened {
    store: Store,
    owner: String,
    dice: Dice,
    faults: Faults,
    death: Arc<AtomicBool>,
    is_dead: Arc<dyn Fn() -> bool + Send + Sync>,
    deployed: Vec<(TableSpec, Deploy)>,
    seq: u64,
    /// How many connections for who ships were opened: each has a fate of its own.
    outboxes: u64,
    /// For the next commit.
    outbox: OutboxCut,
}

impl Opened {
    /// What befalls each call of who ships: nothing is done when the process is dead, and some calls are its death.
    pub fn accidents(&self, seed: u64) -> impl FnMut() -> Option<Accident> + Send + 'static {
        let (death, is_dead, faults) = (self.death.clone(), self.is_dead.clone(), self.faults);
        let mut dice = Dice::new(seed);
        move || {
            if is_dead() {
                return Some(Accident::Away);
            }
            if dice.between(0, 1_000) >= faults.shipping {
                return None;
            }
            if dice.between(0, 4) == 0 {
                death.store(true, Ordering::SeqCst);
            }
            Some(if dice.between(0, 2) == 0 { Accident::Away } else { Accident::AnswerLost })
        }
    }
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
        let Faults { lost_answer, away: is_away, crash, .. } = self.faults;
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
            apply_outbox(&mut inner, commit.seq, &self.outbox);
            inner.state.cut = Some(CutRow { owner: self.owner.clone(), seq: commit.seq, clock: commit.clock });
            let mut trace = DefaultHasher::new();
            format!("{} {} {commit:?} {:?}", inner.trace, self.owner, self.outbox).hash(&mut trace);
            inner.trace = trace.finish();
        }
        if crashes {
            return Err(dead());
        }
        if !settled && throw < is_away + crash + lost_answer {
            return Err(away());
        }
        self.seq = commit.seq;
        self.outbox = OutboxCut::default();
        Ok(())
    }

    fn stage_outbox(&mut self, cut: OutboxCut) {
        self.outbox = cut;
    }

    fn outbox(&mut self) -> Result<Box<dyn Outbox>, SinkError> {
        let accident = Box::new(self.accidents(self.seq + 77 + 1_000_000 * self.outboxes));
        self.outboxes += 1;
        Ok(Box::new(StoreOutbox { store: self.store.clone(), owner: self.owner.clone(), accident }))
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

fn apply_outbox(inner: &mut Inner, seq: u64, cut: &OutboxCut) {
    if cut.forgets_all {
        inner.outbox.clear();
        inner.told.clear();
    }
    for topic in &cut.forgets {
        inner.outbox.retain(|_, record| record.topic != *topic);
        inner.told.retain(|(_, record)| record.topic != *topic);
        inner.broken.remove(topic);
    }
    if let Some(carried) = &cut.carried {
        inner.carried.clone_from(carried);
    }
    for (n, record) in cut.records.iter().enumerate() {
        inner.outbox.insert((seq, n as u64), record.clone());
        inner.told.push((seq, record.clone()));
    }
}

impl Inner {
    /// Kafka has lost all, or a topic: what was shipped is gone, what waits beyond its position will come.
    pub fn lose_topics(&mut self, position: u64, is_lost: impl Fn(&str) -> bool) {
        let waiting: BTreeSet<u64> = self.outbox.keys().map(|(seq, _)| *seq).filter(|seq| *seq > position).collect();
        self.told.retain(|(seq, record)| !is_lost(&record.topic) || waiting.contains(seq));
        let lost = self.carried.iter().map(|carried| carried.topic.clone()).filter(|topic| is_lost(topic));
        self.broken.extend(lost);
    }
}

struct StoreOutbox {
    store: Store,
    owner: String,
    accident: Box<dyn FnMut() -> Option<Accident> + Send>,
}

impl StoreOutbox {
    fn call<T>(&mut self, work: impl FnOnce(&mut Inner) -> T) -> Result<T, SinkError> {
        match (self.accident)() {
            None => Ok(work(&mut self.store.inner())),
            Some(Accident::Away) => Err(away()),
            Some(Accident::AnswerLost) => {
                work(&mut self.store.inner());
                Err(away())
            }
        }
    }
}

impl Outbox for StoreOutbox {
    fn carried(&mut self) -> Result<Vec<Carried>, SinkError> {
        self.call(|inner| inner.carried.clone())
    }

    fn waiting(&mut self) -> Result<Vec<WaitingCut>, SinkError> {
        self.call(|inner| {
            let mut cuts: BTreeMap<u64, WaitingCut> = BTreeMap::new();
            for ((seq, _), record) in &inner.outbox {
                let cut = cuts.entry(*seq).or_insert(WaitingCut { seq: *seq, records: 0, bytes: 0 });
                cut.records += 1;
                cut.bytes += record.bytes();
            }
            cuts.into_values().collect()
        })
    }

    fn read(
        &mut self,
        after: (u64, Option<u64>),
        through: u64,
        records_max: usize,
    ) -> Result<Vec<WaitingRecord>, SinkError> {
        let after = (after.0, after.1.unwrap_or(u64::MAX));
        self.call(|inner| {
            let records = inner.outbox.iter().filter(|(at, _)| **at > after && at.0 <= through).take(records_max);
            records.map(|((seq, n), record)| WaitingRecord { seq: *seq, n: *n, record: record.clone() }).collect()
        })
    }

    fn forget(&mut self, through: u64) -> Result<(), SinkError> {
        self.call(|inner| inner.outbox.retain(|(seq, _), _| *seq > through))
    }

    fn is_ours(&mut self) -> Result<bool, SinkError> {
        let owner = self.owner.clone();
        self.call(|inner| inner.state.cut.as_ref().is_none_or(|cut| cut.owner == owner))
    }
}
