//! The publisher as the engine sees it: on a thread of its own, or dealing with one note at a time.
//!
//! ```text
//!   engine ──notes, a bounded queue──> publisher ──told──> engine
//! ```

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Note, Published, Publisher, Told};
use crate::time::{Schedule, Stage};

/// The publisher as the engine sees it.
pub enum PublisherEnd {
    Thread {
        notes: Option<Sender<Note>>,
        published: Receiver<Published>,
    },
    /// Notes are dealt with when the dice say so, or when the engine must know.
    Here {
        schedule: Schedule,
        notes: VecDeque<Note>,
        publisher: Box<Publisher>,
        has_ended: bool,
    },
}

impl PublisherEnd {
    /// `notes_max` bounds what waits to be dealt with.
    pub fn start(mut publisher: Publisher, notes_max: usize) -> PublisherEnd {
        if let Stage::Alone(schedule) = &publisher.stage {
            let schedule = schedule.clone();
            let (notes, publisher) = (VecDeque::new(), Box::new(publisher));
            return PublisherEnd::Here { schedule, notes, publisher, has_ended: false };
        }
        let (notes, notes_out) = bounded(notes_max);
        let (published_in, published) = bounded(notes_max * 2);
        publisher.told = Told::Queue(published_in);
        std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || publisher.run(&notes_out))
            .expect("the system gives a thread");
        PublisherEnd::Thread { notes: Some(notes), published }
    }

    /// False when the publisher has ended.
    pub fn send(&mut self, note: Note) -> bool {
        match self {
            PublisherEnd::Thread { notes, .. } => notes.as_ref().is_some_and(|notes| notes.send(note).is_ok()),
            PublisherEnd::Here { notes, has_ended, .. } => {
                notes.push_back(note);
                !*has_ended
            }
        }
    }

    /// What it has told by now.
    pub fn told(&mut self) -> Option<Published> {
        match self {
            PublisherEnd::Thread { published, .. } => published.try_recv().ok(),
            PublisherEnd::Here { schedule, .. } => {
                if schedule.throw(2) == 0 {
                    self.step();
                }
                self.take_told()
            }
        }
    }

    /// The next that it tells; None when it has ended.
    pub fn await_told(&mut self) -> Option<Published> {
        if let PublisherEnd::Thread { published, .. } = self {
            return published.recv().ok();
        }
        loop {
            if let Some(told) = self.take_told() {
                return Some(told);
            }
            if !self.step() {
                return self.take_told();
            }
        }
    }

    /// No more notes will come: it deals with those it has, closes the sink and ends.
    pub fn close(&mut self) {
        match self {
            PublisherEnd::Thread { notes, .. } => *notes = None,
            PublisherEnd::Here { .. } => {
                while self.step() {}
                if let PublisherEnd::Here { publisher, has_ended, .. } = self
                    && !std::mem::replace(has_ended, true)
                {
                    publisher.finish();
                }
            }
        }
    }

    fn take_told(&mut self) -> Option<Published> {
        match self {
            PublisherEnd::Here { publisher, .. } => match &mut publisher.told {
                Told::Here(told) => told.pop_front(),
                Told::Queue(_) => None,
            },
            PublisherEnd::Thread { .. } => None,
        }
    }

    /// Deals with one note; false when there is none to be dealt with.
    fn step(&mut self) -> bool {
        let PublisherEnd::Here { notes, publisher, has_ended, .. } = self else { return false };
        let Some(note) = notes.pop_front().filter(|_| !*has_ended) else { return false };
        *has_ended = !publisher.deal(note);
        true
    }
}
