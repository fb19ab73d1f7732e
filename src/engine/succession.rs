//! Taking over from a live owner: beside it until it has gone, then in its place.
//!
//! ```text
//!   elder     cut 7 ── cut 8 ── cut 9 ── cut 10 (drains, lets go, exit 0)
//!   younger   state ─> 8 ·····> 9 · asks ·····> 10 │ sink, state folder │ cut 11 ──>
//!                      silently, as far as the elder's last cut
//! ```
//!
//! 1. Until the elder has let the sink go nothing is written, neither there nor in the state's folder.
//! 2. The younger follows the elder's cuts and goes no further, so at the end it stands exactly where the last cut is.
//! 3. With a folder of its own (on another machine) it keeps its own state from the beginning. Otherwise the elder's folder is taken as
//!    the elder left it, if it stands at that cut, too. If not (the elder died instead of draining)
//!    the younger starts again as after any crash (`EngineError::NotWarm`).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::deployment::Deployment;
use super::drive::{Drive, EngineError, EngineEvent, Report};
use super::hydrate::{Inheritance, Kept, limits_of};
use crate::sink::{Sink, SinkState};
use crate::source::{OpenReader, Positions};
use crate::state::{KeeperLimits, Keeping, StateFolder, StoredTable};

/// How long the younger waits between two looks at what the elder has published.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Standing so little behind, it asks.
const BEHIND_MAX: Duration = Duration::from_millis(500);

/// The process whose place is taken, as the younger sees it.
pub trait Elder {
    /// What it has published by now.
    fn published(&mut self) -> Result<SinkState, EngineError>;

    /// Asks it to go; from then on `succeed` is called until it gives something.
    fn ask(&mut self) -> Result<(), EngineError>;

    /// The sink and the folder, when they are ours; returns soon in any case.
    fn succeed(&mut self) -> Result<Option<Inherited>, EngineError>;
}

/// What the elder left.
pub struct Inherited {
    pub sink: Box<dyn Sink>,
    /// The sink's last word.
    pub state: SinkState,
    /// The elder's folder; None where the younger has its own.
    pub folder: Option<StateFolder>,
}

/// Where the younger begins.
pub enum Start {
    /// With state of its own, as any start.
    Own(Box<Inheritance>),
    Beside(Box<Beside>),
}

/// What a folder held that another process goes on writing.
pub struct Beside {
    /// None where there is nothing that counts: everything is read from the sources.
    pub folder: Option<StateFolder>,
    pub tables: Vec<StoredTable>,
    /// Where the folder stands.
    pub positions: Positions,
    /// Where reading begins: there, and at the beginning of what the folder does not have.
    pub from: Positions,
}

impl Drive<'_> {
    /// Hydrates and follows beside the elder, then takes its place and publishes. `state` is what it had published when the drive
    /// was made.
    pub fn take_over(
        mut self,
        deployment: &Deployment,
        readers: Vec<OpenReader>,
        state: SinkState,
        start: Start,
        elder: &mut dyn Elder,
        adopt: bool,
    ) -> Result<Report, EngineError> {
        (self.on_event)(EngineEvent::Built { operators: self.workers.statistics.operators });
        self.readers = readers.len();
        let outcome = self.follow_and_succeed(deployment, readers, state, start, elder, adopt);
        self.end(outcome)
    }

    fn follow_and_succeed(
        &mut self,
        deployment: &Deployment,
        readers: Vec<OpenReader>,
        mut state: SinkState,
        start: Start,
        elder: &mut dyn Elder,
        adopt: bool,
    ) -> Result<(), EngineError> {
        let started = self.stage.now();
        let mut tables = Vec::new();
        match start {
            Start::Own(inheritance) => self.restore(*inheritance)?,
            Start::Beside(beside) => match *beside {
                Beside { folder: None, .. } => self.resolver.keep_journal(),
                Beside { folder: Some(mut folder), tables: stored, positions, .. } => {
                    tables = stored;
                    let read = self.fill(positions, |resolver, appended| folder.read(&tables, resolver, appended));
                    // A sweep of the elder may have removed what was being read.
                    let not_warm = |error| format!("the state could not be read beside the elder: {error}");
                    read.map_err(|error| EngineError::NotWarm(not_warm(error)))?;
                }
            },
        }
        let has_own = self.kept.is_some();
        if !has_own {
            self.tell_restored(started);
        }
        let gate = self.gate(&state);
        let feed = self.feed(readers, &gate)?;
        let (mut held, mut has_asked) = (VecDeque::new(), false);
        let inherited = loop {
            let round = self.stage.now();
            gate.move_to(limits_of(&state));
            self.catch_up(&feed, &state, &mut held)?;
            self.follow_clock(&state);
            self.settle_silently(&state)?;
            self.forget_journal();
            if self.stop.is_set() {
                return Ok(());
            }
            self.turn(&feed, false);
            if !has_asked && self.stage.since(round) < BEHIND_MAX {
                let event = EngineEvent::Hydrated { records: self.report.records, took: self.stage.since(started) };
                (self.on_event)(event);
                has_asked = true;
                elder.ask()?;
            }
            if has_asked && let Some(inherited) = elder.succeed()? {
                break inherited;
            }
            self.stage.sleep(LOOK_INTERVAL);
            let now = elder.published()?;
            if now.models != state.models {
                return Err(EngineError::NotWarm("the elder has deployed other models meanwhile".to_owned()));
            }
            state = now;
        };
        let Inherited { sink, state: last, folder } = inherited;
        if last.models != state.models {
            return Err(EngineError::NotWarm("the elder has deployed other models meanwhile".to_owned()));
        }
        gate.move_to(limits_of(&last));
        self.catch_up(&feed, &last, &mut held)?;
        if self.stop.is_set() {
            // What the collections hold now may be no cut: the sink is let go as it is.
            return Ok(sink.close()?);
        }
        self.follow_clock(&last);
        self.settle_silently(&last)?;
        self.forget_journal();
        if !has_own {
            let Some(folder) = folder else { return Err(EngineError::NotWarm("the elder left no state".to_owned())) };
            self.inherit(folder, &tables, &last)?;
        }
        self.report.hydrated_records = std::mem::take(&mut self.report.records);
        self.report.set_aside = 0;
        self.own(deployment, &last, sink, adopt)?;
        (self.on_event)(EngineEvent::TookOver { seq: self.report.seq });
        self.hydrating = false;
        gate.let_all_go();
        self.follow(&feed, held)
    }

    /// What the elder's folder has or gets need not be noted twice.
    fn forget_journal(&mut self) {
        if self.kept.is_none() {
            self.resolver.take_journal();
        }
    }

    /// The clock stands where the cut has it.
    fn follow_clock(&mut self, state: &SinkState) {
        if let Some(cut) = &state.cut {
            let before = self.clock.moment();
            self.clock.follow(cut.clock);
            // Rows move by time alone: an epoch must be closed for them.
            self.open.records += u64::from(self.clock.moment() != before);
        }
    }

    /// Goes on writing the folder, if it holds what the collections do.
    fn inherit(&mut self, folder: StateFolder, tables: &[StoredTable], last: &SinkState) -> Result<(), EngineError> {
        let not_warm =
            |reason: &str| Err(EngineError::NotWarm(format!("the state of the elder cannot be continued: {reason}")));
        let Some(stored) = &folder.stored else { return not_warm("there is none") };
        if !stored.dictionary.fit(tables).1.is_empty() || stored.dictionary.tables.len() != tables.len() {
            return not_warm("other tables are read now");
        }
        let known = &self.resolver.partitions().0;
        let is_same = |(at, (source, partition, _)): (usize, &(_, _, _))| {
            known.get(at).is_none_or(|(own_source, own_partition)| own_source == source && own_partition == partition)
        };
        if stored.mark.partitions.len() < known.len() || !stored.mark.partitions.iter().enumerate().all(is_same) {
            return not_warm("partitions were met in another order");
        }
        let at: BTreeMap<(&str, &str), u64> =
            stored.mark.partitions.iter().filter_map(|(s, p, at)| Some(((&**s, &**p), at.as_ref()?.0))).collect();
        let is_there = last
            .progress
            .iter()
            .all(|row| at.get(&(&*row.source, &*row.partition)).copied().unwrap_or(0) == row.position);
        if !is_there {
            return not_warm("it stands before the last cut");
        }
        let loaded = folder.succeed(tables, self.resolver.live_bytes())?;
        let keeping = Keeping::new(loaded.log, loaded.raw_bytes, KeeperLimits::default(), &self.stage);
        self.kept = Some(Kept { keeping, _lock: loaded.lock });
        Ok(())
    }
}
