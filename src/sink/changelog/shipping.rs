//! The shipper as the engine sees it: beside it on a thread, or played a step at a time; and what waits to be shipped.
//!
//! ```text
//!   commit ──> Status { cuts that wait, failure } <── shipper
//!                 └──> holds_back: more waits than the limit, reading stops      backlog: metrics
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::WaitingCut;
use super::shipper::{Shipper, Step};
use crate::sink::SinkError;
use crate::time::Stage;

/// Waits between tries.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// At the end what still waits is shipped, as long as something has gone within so long.
const DRAIN_STALL_MAX: Duration = Duration::from_secs(5);
/// Played alone, so many failures in a row end the drain.
const DRAIN_FAILURES_MAX: u32 = 20;

/// From where on reading stops.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub records_max: u64,
    pub bytes_max: u64,
}

/// What waits, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub records: u64,
    pub bytes: u64,
    /// How long the oldest cut has waited.
    pub lag: Duration,
    /// Since this process began.
    pub shipped_cuts: u64,
    pub shipped_records: u64,
    pub failure: Option<String>,
}

/// Topics that begin with the next commit: nothing is shipped before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anew {
    pub topics: Vec<String>,
    /// What waits belongs to topics of another life.
    pub forgets_all: bool,
}

#[derive(Default)]
struct Inner {
    cuts: VecDeque<(WaitingCut, Instant)>,
    records: u64,
    bytes: u64,
    shipped_cuts: u64,
    shipped_records: u64,
    failure: Option<String>,
    ended: Option<SinkError>,
    anew: Option<Anew>,
    closing: bool,
    /// Moves whenever something goes.
    progress: u64,
}

pub struct Status {
    inner: Mutex<Inner>,
    changed: Condvar,
    stage: Stage,
}

impl Status {
    fn new(stage: Stage) -> Status {
        Status { inner: Mutex::default(), changed: Condvar::new(), stage }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cut's records are in the outbox.
    pub fn committed(&self, cut: WaitingCut) {
        if cut.records == 0 {
            return;
        }
        let mut inner = self.inner();
        inner.records += cut.records;
        inner.bytes += cut.bytes;
        let now = self.stage.now();
        inner.cuts.push_back((cut, now));
        drop(inner);
        self.changed.notify_all();
    }

    /// Topics turned out to be gone.
    pub(super) fn begin_anew(&self, anew: Anew) {
        tracing::warn!(topics = ?anew.topics, "topics of the changelog hold nothing any more; they begin anew");
        self.inner().anew = Some(anew);
    }

    /// Why nothing can be shipped before the next commit.
    pub(super) fn awaits_anew(&self) -> Option<String> {
        let inner = self.inner();
        let anew = inner.anew.as_ref()?;
        Some(format!("the next cut begins topics that hold nothing any more: {}", anew.topics.join(", ")))
    }

    /// The commit with which topics begin is done; these cuts wait.
    fn begun(&self, waiting: Vec<WaitingCut>) {
        let mut inner = self.inner();
        let known: BTreeMap<u64, Instant> = inner.cuts.drain(..).map(|(cut, since)| (cut.seq, since)).collect();
        (inner.records, inner.bytes, inner.anew) = (0, 0, None);
        let now = self.stage.now();
        for cut in waiting {
            inner.records += cut.records;
            inner.bytes += cut.bytes;
            let since = known.get(&cut.seq).copied().unwrap_or(now);
            inner.cuts.push_back((cut, since));
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Everything up to this cut is in Kafka, and no longer in the outbox.
    pub(super) fn shipped(&self, through: u64) {
        let mut inner = self.inner();
        while let Some((cut, _)) = inner.cuts.pop_front_if(|(cut, _)| cut.seq <= through) {
            inner.records -= cut.records;
            inner.bytes -= cut.bytes;
            inner.shipped_cuts += 1;
            inner.shipped_records += cut.records;
            inner.progress += 1;
        }
    }

    /// The oldest cuts, of so many records together, and at least one.
    pub(super) fn next_cuts(&self, records_max: u64) -> Vec<WaitingCut> {
        let inner = self.inner();
        let mut records = 0;
        let fits = |(cut, _): &&(WaitingCut, Instant)| {
            let is_first = records == 0;
            records += cut.records;
            is_first || records <= records_max
        };
        inner.cuts.iter().take_while(fits).map(|(cut, _)| *cut).collect()
    }

    pub(super) fn gets_on(&self) {
        self.inner().progress += 1;
    }

    pub(super) fn went_well(&self) {
        if let Some(failure) = self.inner().failure.take() {
            tracing::info!(failure, "the changelog is shipped again");
        }
    }

    pub(super) fn failed(&self, reason: String) {
        let before = self.inner().failure.replace(reason.clone());
        if before.as_ref() != Some(&reason) {
            tracing::warn!(reason, "the changelog cannot be shipped; trying again");
        }
    }

    pub(super) fn end(&self, error: SinkError) {
        self.inner().ended = Some(error);
    }

    /// Waits until something is to be shipped, or for so long; false when it is closing.
    fn rest(&self, wait: Duration, until_work: bool) -> bool {
        let inner = self.inner();
        let rests = |inner: &mut Inner| !inner.closing && (!until_work || inner.cuts.is_empty());
        let waited = self.changed.wait_timeout_while(inner, wait, rests);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closing
    }
}

enum Mode {
    /// Not before the first cut: topics that begin anew wait for it.
    Ready(Box<Shipper>),
    Thread(JoinHandle<()>),
    Here(Box<Shipper>),
    Ended,
}

/// Shared by the sink, which commits, and the drive, which reads.
pub struct Shipping {
    status: Arc<Status>,
    limits: Limits,
    mode: Mutex<Mode>,
}

impl Shipping {
    pub(super) fn status(stage: Stage) -> Arc<Status> {
        Arc::new(Status::new(stage))
    }

    pub(super) fn new(shipper: Shipper, status: Arc<Status>, limits: Limits) -> Shipping {
        Shipping { status, limits, mode: Mutex::new(Mode::Ready(Box::new(shipper))) }
    }

    fn mode(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to ship; a second call does nothing.
    pub(super) fn start(&self) {
        let mut mode = self.mode();
        *mode = match std::mem::replace(&mut *mode, Mode::Ended) {
            Mode::Ready(shipper) if self.status.stage.is_alone() => Mode::Here(shipper),
            Mode::Ready(shipper) => {
                let status = self.status.clone();
                let thread = std::thread::Builder::new().name("changelog".to_owned());
                Mode::Thread(thread.spawn(move || run(*shipper, &status)).expect("the system gives a thread"))
            }
            mode => mode,
        };
    }

    pub(super) fn committed(&self, cut: WaitingCut) {
        self.status.committed(cut);
    }

    /// Topics begin, in place of what waited for them.
    pub(super) fn begun(&self, waiting: Vec<WaitingCut>) {
        self.status.begun(waiting);
    }

    /// What begins with the next commit, as the broker was found.
    pub(super) fn anew(&self) -> Option<Anew> {
        self.status.inner().anew.clone()
    }

    /// Whether a commit is due even if no table changes.
    pub fn owes_cut(&self) -> bool {
        self.status.inner().anew.is_some()
    }

    /// Played alone: some steps, if the dice say so.
    pub(super) fn play(&self) {
        let Stage::Alone(schedule) = &self.status.stage else { return };
        if let Mode::Here(shipper) = &mut *self.mode() {
            for _ in 0..schedule.throw(3) {
                if shipper.step() != Step::Shipped {
                    return;
                }
            }
        }
    }

    /// Why nothing should be read now.
    pub fn holds_back(&self) -> Option<String> {
        self.play();
        let inner = self.status.inner();
        let is_within = inner.records <= self.limits.records_max && inner.bytes <= self.limits.bytes_max;
        // Where topics begin anew the broker is back, and waits for a commit.
        if is_within || inner.anew.is_some() {
            return None;
        }
        let why = inner.failure.clone().unwrap_or_else(|| "Kafka takes them more slowly than they come".to_owned());
        Some(format!("{} records wait in the outbox of the changelog: {why}", inner.records))
    }

    /// Why shipping has ended for good.
    pub fn end(&self) -> Option<SinkError> {
        self.status.inner().ended.take()
    }

    pub fn backlog(&self) -> Backlog {
        let inner = self.status.inner();
        Backlog {
            records: inner.records,
            bytes: inner.bytes,
            lag: inner.cuts.front().map_or(Duration::ZERO, |(_, since)| self.status.stage.since(*since)),
            shipped_cuts: inner.shipped_cuts,
            shipped_records: inner.shipped_records,
            failure: inner.failure.clone(),
        }
    }

    /// Ships what waits and ends. An error says what still waits: the next process ships it.
    pub(super) fn finish(&self) -> Result<(), SinkError> {
        self.status.inner().closing = true;
        self.status.changed.notify_all();
        match std::mem::replace(&mut *self.mode(), Mode::Ended) {
            Mode::Thread(thread) => drop(thread.join()), // a panic there has been said; what waits is told below
            Mode::Here(mut shipper) => {
                let mut failures = 0;
                while failures < DRAIN_FAILURES_MAX {
                    match shipper.step() {
                        Step::Shipped => failures = 0,
                        Step::Failed => failures += 1,
                        Step::Idle | Step::Ended => break,
                    }
                }
            }
            // Nothing was committed: what waited before waits on.
            Mode::Ready(_) | Mode::Ended => return Ok(()),
        }
        let mut inner = self.status.inner();
        if let Some(error) = inner.ended.take() {
            return Err(error);
        }
        if inner.cuts.is_empty() {
            return Ok(());
        }
        let reason = inner.failure.clone().unwrap_or_default();
        Err(SinkError::refused(
            format!("{} records of the changelog wait in the outbox: {reason}", inner.records),
            "the tables are published; the next start ships the records",
        ))
    }
}

fn run(mut shipper: Shipper, status: &Status) {
    let mut wait = RETRY_FIRST;
    let mut gone = (0, Instant::now());
    loop {
        match shipper.step() {
            Step::Shipped => wait = RETRY_FIRST,
            Step::Idle => {
                wait = RETRY_FIRST;
                const IDLE: Duration = Duration::from_secs(1);
                if !status.rest(IDLE, true) && status.inner().cuts.is_empty() {
                    return;
                }
            }
            Step::Failed => {
                let inner = status.inner();
                let (closing, progress) = (inner.closing, inner.progress);
                drop(inner);
                if progress != gone.0 || !closing {
                    gone = (progress, Instant::now());
                }
                if closing {
                    if gone.1.elapsed() > DRAIN_STALL_MAX {
                        return;
                    }
                    std::thread::sleep(RETRY_FIRST);
                } else {
                    status.rest(wait, false);
                    wait = (wait * 2).min(RETRY_MAX);
                }
            }
            Step::Ended => return,
        }
    }
}
