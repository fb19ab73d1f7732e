//! From journals to frames, behind the sink and beside the engine.
//!
//! ```text
//!   epoch 7 (not committed) │ epoch 6 (committed) ──queue──> keeper thread: one frame a second, or when 4 MiB wait
//!          staged           │      ready
//! ```
//!
//! 1. What the sink has not committed is not written as whole: an epoch's journal leaves `staged` when its commit is known.
//! 2. `ready` and the queue are bounded by `ready_bytes_max`: beyond it the engine stops reading (`is_full`), never the keeping.
//! 3. An error of the disk is tried again, slower and slower, and told (`KeeperStatus::failure`).
//! 4. On a stage without threads the same is done a step at a time, when the dice say so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use row::Epoch;

use super::StateError;
use super::log::{Log, Mark};
use crate::source::journal::Journal;
use crate::time::{Schedule, Stage};

/// How long the thread sleeps when nothing waits.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// Messages for the thread; what does not fit waits in `ready`.
const QUEUE_MAX: usize = 16;
/// Between tries while the disk refuses.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How often it is looked meanwhile whether anybody still waits.
const CLOSING_LOOK: Duration = Duration::from_millis(20);
/// A sweep begins when what is stored, unpacked, exceeds what lives by this factor and `sweep_bytes_min`.
const SWEEP_FACTOR: f64 = 1.4;

/// How state is written. A test that wants many frames makes them small.
#[derive(Clone, Copy, Debug)]
pub struct KeeperLimits {
    /// Journals of committed epochs that wait to be written. When there is more, reading stops.
    pub ready_bytes_max: u64,
    /// A frame is written when so much waits, or when the oldest has waited so long.
    pub frame_bytes: usize,
    pub frame_interval: Duration,
    /// The journal of an epoch that is still open goes to the disk in parts of this size.
    pub part_bytes: usize,
    /// Below it nothing is written anew.
    pub sweep_bytes_min: u64,
}

impl Default for KeeperLimits {
    fn default() -> KeeperLimits {
        KeeperLimits {
            ready_bytes_max: 64 << 20,
            frame_bytes: 4 << 20,
            frame_interval: Duration::from_secs(1),
            part_bytes: 16 << 20,
            sweep_bytes_min: 16 << 20,
        }
    }
}

/// An epoch's journal, on its way.
#[derive(Debug)]
pub struct Staged {
    pub epoch: Epoch,
    pub journal: Journal,
    pub mark: Mark,
    pub begins_sweep: bool,
    pub ends_sweep: bool,
}

/// What the thread tells.
#[derive(Debug, Default)]
pub struct KeeperStatus {
    /// Bytes handed over and not yet on the disk.
    waiting: AtomicU64,
    /// Bytes in the folder, and written in all.
    pub stored: AtomicU64,
    pub written: AtomicU64,
    /// CPU time of the thread, microseconds.
    pub cpu_micros: AtomicU64,
    failure: Mutex<Option<String>>,
    /// Nothing more will come: what the disk refuses now is given up.
    is_closing: AtomicBool,
}

impl KeeperStatus {
    /// Why nothing can be written now.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_failure(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

enum Message {
    Part(Journal),
    Whole(Box<Staged>),
}

/// The writing end as the engine sees it.
pub struct Keeper {
    end: KeeperEnd,
    pub status: Arc<KeeperStatus>,
}

enum KeeperEnd {
    Thread { queue: Option<Sender<Message>>, thread: Option<JoinHandle<()>> },
    Here { schedule: Schedule, stage: Stage, work: Box<Work>, queue: VecDeque<Message>, due: Option<Instant> },
}

impl Keeper {
    pub fn start(log: Log, limits: KeeperLimits, stage: &Stage) -> Keeper {
        let status = Arc::new(KeeperStatus::default());
        status.stored.store(log.bytes(), Ordering::Relaxed);
        let work = Work::new(log, limits, status.clone());
        if let Stage::Alone(schedule) = stage {
            let (schedule, stage, queue) = (schedule.clone(), stage.clone(), VecDeque::new());
            let end = KeeperEnd::Here { schedule, stage, work: Box::new(work), queue, due: None };
            return Keeper { end, status };
        }
        let (queue, messages) = bounded(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || work.run(&messages))
            .expect("the system gives a thread");
        Keeper { end: KeeperEnd::Thread { queue: Some(queue), thread: Some(thread) }, status }
    }

    /// Gives the message back when too many wait.
    fn send(&mut self, message: Message) -> Result<(), Message> {
        match &mut self.end {
            KeeperEnd::Thread { queue: Some(queue), .. } => queue.try_send(message).map_err(TrySendError::into_inner),
            KeeperEnd::Thread { queue: None, .. } => Err(message),
            KeeperEnd::Here { queue, .. } if queue.len() >= QUEUE_MAX => Err(message),
            KeeperEnd::Here { queue, .. } => {
                queue.push_back(message);
                Ok(())
            }
        }
    }

    /// Goes a step where there is no thread; errors are tried again with the next one.
    fn step(&mut self, is_closing: bool) {
        let KeeperEnd::Here { schedule, stage, work, queue, due } = &mut self.end else { return };
        if !is_closing && schedule.throw(3) > 0 {
            return;
        }
        let mut went_well = work.try_it();
        while went_well && let Some(message) = queue.pop_front() {
            due.get_or_insert_with(|| stage.now() + work.limits.frame_interval);
            work.next = Some(message);
            went_well = work.try_it();
        }
        if went_well && (is_closing || work.is_due(*due, stage.now())) {
            *due = None;
            work.flushes = true;
            work.try_it();
        }
    }
}

impl Drop for Keeper {
    /// Writes what was handed over, or says that it could not.
    fn drop(&mut self) {
        self.status.is_closing.store(true, Ordering::SeqCst);
        self.step(true);
        if let KeeperEnd::Thread { queue, thread } = &mut self.end {
            *queue = None;
            if let Some(thread) = thread.take()
                && thread.join().is_err()
            {
                tracing::error!("the thread that keeps state panicked");
            }
        }
    }
}

struct Work {
    log: Log,
    limits: KeeperLimits,
    status: Arc<KeeperStatus>,
    /// What is gathered for the next frame, and how many bytes that was when it came.
    mark: Option<Mark>,
    journal: Journal,
    journal_bytes: u64,
    ends_sweep: bool,
    /// What was begun: a frame, then a message.
    flushes: bool,
    next: Option<Message>,
    /// Bytes of a part whose rows may be on the disk already.
    part_bytes: Option<u64>,
}

impl Work {
    fn new(log: Log, limits: KeeperLimits, status: Arc<KeeperStatus>) -> Work {
        Work {
            log,
            limits,
            status,
            mark: None,
            journal: Journal::default(),
            journal_bytes: 0,
            ends_sweep: false,
            flushes: false,
            next: None,
            part_bytes: None,
        }
    }

    fn run(mut self, messages: &Receiver<Message>) {
        let mut due: Option<Instant> = None;
        loop {
            let wait = due.map_or(IDLE_WAIT, |due| due.saturating_duration_since(Instant::now()));
            let is_open = match messages.recv_timeout(wait) {
                Ok(message) => {
                    due.get_or_insert_with(|| Instant::now() + self.limits.frame_interval);
                    self.next = Some(message);
                    true
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            if !self.until_done() {
                return;
            }
            if self.is_due(due, Instant::now()) || !is_open {
                due = None;
                self.flushes = true;
                if !self.until_done() {
                    return;
                }
            }
            if !is_open {
                return;
            }
        }
    }

    fn is_due(&self, due: Option<Instant>, now: Instant) -> bool {
        due.is_some_and(|due| due <= now) || self.journal.len() >= self.limits.frame_bytes
    }

    /// Does what was begun. After an error the same may be tried again.
    fn work_off(&mut self) -> Result<(), StateError> {
        let is_apart = |message: &Message| match message {
            Message::Part(_) => true,
            Message::Whole(staged) => staged.begins_sweep,
        };
        if self.flushes || self.next.as_ref().is_some_and(is_apart) {
            self.flush()?;
            self.flushes = false;
        }
        match self.next.take() {
            Some(Message::Part(mut journal)) => {
                let bytes = *self.part_bytes.get_or_insert(journal.len() as u64);
                if let Err(error) = self.log.write_part(&mut journal) {
                    self.next = Some(Message::Part(journal));
                    return Err(error);
                }
                self.part_bytes = None;
                self.status.waiting.fetch_sub(bytes, Ordering::Relaxed);
            }
            Some(Message::Whole(staged)) => {
                if staged.begins_sweep {
                    self.log.begin_sweep();
                }
                self.journal_bytes += staged.journal.len() as u64;
                self.journal.extend(staged.journal);
                self.mark = Some(staged.mark);
                self.ends_sweep |= staged.ends_sweep;
            }
            None => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StateError> {
        let Some(mark) = &self.mark else { return Ok(()) };
        self.log.write_whole(mark, &mut self.journal, self.ends_sweep)?;
        self.mark = None;
        self.journal = Journal::default();
        self.ends_sweep = false;
        self.status.waiting.fetch_sub(std::mem::take(&mut self.journal_bytes), Ordering::Relaxed);
        self.status.stored.store(self.log.bytes(), Ordering::Relaxed);
        self.status.written.store(self.log.bytes_written, Ordering::Relaxed);
        self.status.cpu_micros.store(thread_cpu_micros(), Ordering::Relaxed);
        Ok(())
    }

    fn try_it(&mut self) -> bool {
        match self.work_off() {
            Ok(()) => {
                self.status.set_failure(None);
                true
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                tracing::warn!("{error}{cause}; it is tried again");
                self.status.set_failure(Some(format!("{error}{cause}")));
                false
            }
        }
    }

    /// Tries until it works; false when the engine is gone and the disk refuses.
    fn until_done(&mut self) -> bool {
        let mut wait = RETRY_FIRST;
        while !self.try_it() {
            let deadline = Instant::now() + wait;
            while Instant::now() < deadline {
                if self.status.is_closing.load(Ordering::SeqCst) {
                    tracing::warn!(
                        "state stays behind the sink: the next start reads the difference from the sources again"
                    );
                    return false;
                }
                std::thread::sleep(CLOSING_LOOK.min(wait));
            }
            wait = (wait * 2).min(RETRY_MAX);
        }
        true
    }
}

/// The engine's side: what is staged and what is ready.
pub struct Keeping {
    keeper: Keeper,
    stage: Stage,
    limits: KeeperLimits,
    staged: VecDeque<Staged>,
    ready: VecDeque<Message>,
    ready_bytes: u64,
    /// Entries stored, unpacked, and how many of them were there when the running sweep began.
    raw_bytes: u64,
    raw_before_sweep: Option<u64>,
}

impl Keeping {
    /// `raw_bytes`: entries that are stored already, unpacked.
    pub fn new(log: Log, raw_bytes: u64, limits: KeeperLimits, stage: &Stage) -> Keeping {
        Keeping {
            keeper: Keeper::start(log, limits, stage),
            stage: stage.clone(),
            limits,
            staged: VecDeque::new(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            raw_bytes,
            raw_before_sweep: None,
        }
    }

    pub fn status(&self) -> &KeeperStatus {
        &self.keeper.status
    }

    /// The journal of the open epoch is so long that a part of it should go.
    pub fn wants_part(&self, journal_bytes: usize) -> bool {
        journal_bytes >= self.limits.part_bytes && self.staged.is_empty() && self.ready.is_empty()
    }

    /// Takes a part of the open epoch's journal.
    pub fn part(&mut self, journal: Journal) {
        self.raw_bytes += journal.entries.len() as u64;
        self.make_ready(Message::Part(journal));
    }

    /// Everything should be noted anew.
    pub fn wants_sweep(&self, live_bytes: u64) -> bool {
        let limit = live_bytes as f64 * SWEEP_FACTOR + self.limits.sweep_bytes_min as f64;
        self.raw_before_sweep.is_none() && self.raw_bytes as f64 > limit
    }

    /// Takes the journal of an epoch that has just been closed.
    pub fn stage(&mut self, staged: Staged) {
        if staged.begins_sweep {
            self.raw_before_sweep = Some(self.raw_bytes);
        }
        self.raw_bytes += staged.journal.entries.len() as u64;
        if staged.ends_sweep {
            self.raw_bytes -= self.raw_before_sweep.take().unwrap_or_default();
        }
        self.staged.push_back(staged);
    }

    /// The sink has all epochs up to this one.
    pub fn committed(&mut self, epoch: Epoch, seq: u64) {
        while self.staged.front().is_some_and(|staged| staged.epoch <= epoch) {
            if let Some(mut staged) = self.staged.pop_front() {
                staged.mark.seq = seq;
                self.make_ready(Message::Whole(Box::new(staged)));
            }
        }
        self.hand_over();
    }

    /// So much waits for the disk that nothing more should be read. Asked again and again while that is so.
    pub fn is_full(&mut self) -> bool {
        self.hand_over();
        self.ready_bytes + self.status().waiting.load(Ordering::Relaxed) > self.limits.ready_bytes_max
    }

    fn make_ready(&mut self, message: Message) {
        self.ready_bytes += message.bytes();
        self.ready.push_back(message);
        self.hand_over();
    }

    fn hand_over(&mut self) {
        while let Some(message) = self.ready.pop_front() {
            let bytes = message.bytes();
            self.keeper.status.waiting.fetch_add(bytes, Ordering::Relaxed);
            match self.keeper.send(message) {
                Ok(()) => self.ready_bytes -= bytes,
                Err(refused) => {
                    self.keeper.status.waiting.fetch_sub(bytes, Ordering::Relaxed);
                    self.ready.push_front(refused);
                    break;
                }
            }
        }
        self.keeper.step(false);
    }

    /// Waits until the disk has everything that the sink has, unless it refuses.
    pub fn finish(mut self) {
        while !self.ready.is_empty() && self.status().failure().is_none() {
            self.hand_over();
            self.stage.sleep(Duration::from_millis(1));
        }
    }
}

impl Message {
    fn bytes(&self) -> u64 {
        match self {
            Message::Part(journal) => journal.len() as u64,
            Message::Whole(staged) => staged.journal.len() as u64,
        }
    }
}

fn thread_cpu_micros() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the struct it is given and keeps nothing.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if done != 0 {
        return 0;
    }
    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1_000
}
