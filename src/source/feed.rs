//! Readers on threads of their own, and the bounded queue between them and the engine.
//!
//! ```text
//!   reader thread ─┐
//!   reader thread ─┼──(at most INBOX_BATCHES_MAX batches)──> Feed::next ──> engine
//!   reader thread ─┘        full: the reader waits, and stops polling its transport
//! ```
//!
//! On a stage without threads a reader is polled when the engine asks, and the dice say which.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};

use super::{Batch, Gate, Poll, Reader, SourceError};
use crate::time::{Schedule, Stage};

/// Decoded batches waiting for the engine. When full, readers stop polling.
pub const INBOX_BATCHES_MAX: usize = 64;
/// How long a reader waits for records before it looks whether it should stop.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How often a reader tells how much is left.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// What a reader says; the number is its place in the list given to `Feed::start`.
#[derive(Debug)]
pub enum Event {
    Batch(usize, Batch),
    /// The reader reached the end that was there when it was opened, and is done.
    End(usize),
    /// The reader cannot go on, and is done.
    Failed(usize, SourceError),
}

/// What readers last said about themselves.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// (source, partition, records still to read, when known).
    pub remaining: Vec<(Arc<str>, Arc<str>, Option<u64>)>,
    /// Records of undeclared tables, by name.
    pub skipped: BTreeMap<String, u64>,
    /// Why nothing goes on although there is something to read.
    pub obstacle: Option<String>,
}

/// All readers at work. Dropping it stops them and waits for their threads.
pub struct Feed {
    inbox: Receiver<Event>,
    stop: Arc<AtomicBool>,
    reports: Vec<Arc<Mutex<Report>>>,
    threads: Vec<JoinHandle<()>>,
    here: Option<Here>,
}

/// Readers that are polled by whoever asks.
struct Here {
    schedule: Schedule,
    /// By their number; none once a reader is done.
    readers: Mutex<Vec<Option<Box<dyn Reader>>>>,
}

impl Feed {
    pub fn start(readers: Vec<Box<dyn Reader>>) -> Result<Feed, SourceError> {
        Feed::start_at(readers, Gate::open(), &Stage::Threads)
    }

    /// Readers go to the gate's limits, and on when it opens.
    pub fn start_at(mut readers: Vec<Box<dyn Reader>>, gate: Gate, stage: &Stage) -> Result<Feed, SourceError> {
        let (outbox, inbox) = crossbeam_channel::bounded(INBOX_BATCHES_MAX);
        let mut feed = Feed { inbox, stop: Arc::default(), reports: Vec::new(), threads: Vec::new(), here: None };
        if let Stage::Alone(schedule) = stage {
            readers.iter_mut().for_each(|reader| reader.wait_at(gate.clone()));
            let readers = Mutex::new(readers.into_iter().map(Some).collect());
            feed.here = Some(Here { schedule: schedule.clone(), readers });
            return Ok(feed);
        }
        for (number, mut reader) in readers.into_iter().enumerate() {
            reader.wait_at(gate.clone());
            let report = Arc::new(Mutex::new(Report::default()));
            let work = Work { number, reader, outbox: outbox.clone(), stop: feed.stop.clone(), report: report.clone() };
            let thread = std::thread::Builder::new().name(format!("source-{number}")).spawn(move || work.run());
            let thread =
                thread.map_err(|cause| SourceError::new("could not start a thread for a source").with_cause(cause))?;
            feed.threads.push(thread);
            feed.reports.push(report);
        }
        Ok(feed)
    }

    /// The next event, or `None` after `wait` without one (and once all readers are done).
    pub fn next(&self, wait: Duration) -> Option<Event> {
        match &self.here {
            Some(here) => here.next(wait),
            None => self.inbox.recv_timeout(wait).ok(),
        }
    }

    /// Nothing that was read waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    /// The queue itself, for a `select` over several.
    pub fn inbox(&self) -> &Receiver<Event> {
        &self.inbox
    }

    /// What each reader last said about itself; at most `REPORT_INTERVAL` old while it works.
    pub fn reports(&self) -> Vec<Report> {
        if let Some(here) = &self.here {
            let readers = here.readers.lock().unwrap_or_else(PoisonError::into_inner);
            let report = |reader: &dyn Reader| Report {
                remaining: reader.remaining(),
                skipped: reader.skipped(),
                obstacle: reader.obstacle(),
            };
            return readers.iter().flatten().map(|reader| report(&**reader)).collect();
        }
        self.reports.iter().map(|report| report.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
}

impl Here {
    fn next(&self, wait: Duration) -> Option<Event> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let live: Vec<usize> = (0..readers.len()).filter(|number| readers[*number].is_some()).collect();
        if live.is_empty() {
            self.schedule.pass(wait);
            return None;
        }
        let number = live[self.schedule.throw(live.len() as u64) as usize];
        let polled = readers[number].as_mut()?.poll(Duration::ZERO);
        let event = match polled {
            Ok(Poll::Batch(batch)) => return Some(Event::Batch(number, batch)),
            Ok(Poll::Idle) => {
                self.schedule.pass(wait);
                return None;
            }
            Ok(Poll::End) => Event::End(number),
            Err(error) => Event::Failed(number, error),
        };
        readers[number] = None;
        Some(event)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A reader that panicked has already said so on its own thread.
            let _ = thread.join();
        }
    }
}

struct Work {
    number: usize,
    reader: Box<dyn Reader>,
    outbox: Sender<Event>,
    stop: Arc<AtomicBool>,
    report: Arc<Mutex<Report>>,
}

impl Work {
    fn run(mut self) {
        let mut reported_at: Option<Instant> = None;
        while !self.stop.load(Ordering::Relaxed) {
            let polled = self.reader.poll(POLL_WAIT);
            if reported_at.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL) || !matches!(polled, Ok(Poll::Batch(_))) {
                self.report();
                reported_at = Some(Instant::now());
            }
            let event = match polled {
                Ok(Poll::Batch(batch)) => Event::Batch(self.number, batch),
                Ok(Poll::Idle) => continue,
                Ok(Poll::End) => Event::End(self.number),
                Err(error) => Event::Failed(self.number, error),
            };
            let is_last = !matches!(event, Event::Batch(..));
            if !self.send(event) || is_last {
                return;
            }
        }
    }

    fn report(&self) {
        let report = Report {
            remaining: self.reader.remaining(),
            skipped: self.reader.skipped(),
            obstacle: self.reader.obstacle(),
        };
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
    }

    /// Waits for room in the queue; false when nobody takes from it any more.
    fn send(&self, mut event: Event) -> bool {
        loop {
            match self.outbox.send_timeout(event, POLL_WAIT) {
                Ok(()) => return true,
                Err(SendTimeoutError::Disconnected(_)) => return false,
                Err(SendTimeoutError::Timeout(returned)) if !self.stop.load(Ordering::Relaxed) => event = returned,
                Err(SendTimeoutError::Timeout(_)) => return false,
            }
        }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
