//! Moves whole cuts from the outbox to the broker.
//!
//! ```text
//!   open ──position──> forget up to it ──> begin ─ send … ─ commit(through) ──> forget(through) ──┐
//!     ▲ any error, a lost answer                     └──────────── next cuts <────────────────────┘
//! ```
//!
//! A step either gets on or leaves everything to the next opening, which learns from the broker what was committed.
//!
//! Where the broker could not be reached when the process began, the first opening also looks which topics are as they were: what
//! somebody deleted meanwhile begins anew with the next commit, and nothing is sent before that.

use std::sync::Arc;

use super::begin::{self, Known};
use super::shipping::{Anew, Status};
use super::{Broker, BrokerError, Carried, Outbox, WaitingCut};
use crate::sink::SinkError;

/// A transaction takes the cuts that wait up to so many records, and at least one cut.
const TRANSACTION_RECORDS: u64 = 20_000;
/// Records that are read from the outbox at a time.
const PAGE_RECORDS: usize = 5_000;

pub struct Shipper {
    outbox: Box<dyn Outbox>,
    broker: Box<dyn Broker>,
    /// The last cut that is in Kafka; None: it has to be asked.
    position: Option<u64>,
    /// Up to which cut the outbox was relieved.
    forgotten: u64,
    status: Arc<Status>,
    /// Yet to be asked, before anything is sent.
    question: Option<Question>,
}

/// Which topics go on, and which begin.
pub struct Question {
    pub wanted: Vec<Carried>,
    /// What the sink said when the process began.
    pub carried: Vec<Carried>,
    pub waiting: Vec<WaitingCut>,
    pub seq: u64,
}

pub struct Answer {
    /// Of each wanted table, since when its topic has it; None: it begins.
    pub since: Vec<Option<u64>>,
    /// Kafka knows of a cut that was shipped.
    pub was_shipped: bool,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Shipped,
    /// Nothing waits.
    Idle,
    /// It is to be tried again, later; the status says why.
    Failed,
    /// For good; the status says why.
    Ended,
}

enum Trouble {
    Passes(String),
    Final(SinkError),
    /// Somebody opened the broker after us.
    Fenced(String),
}

impl From<SinkError> for Trouble {
    fn from(error: SinkError) -> Trouble {
        match error {
            SinkError::Unreachable { message, cause } => {
                Trouble::Passes(cause.map_or(message.clone(), |cause| format!("{message}: {cause}")))
            }
            error => Trouble::Final(error),
        }
    }
}

impl From<BrokerError> for Trouble {
    fn from(error: BrokerError) -> Trouble {
        match error {
            BrokerError::Unreachable(reason) => Trouble::Passes(reason),
            BrokerError::Fenced(reason) => Trouble::Fenced(reason),
            refused @ BrokerError::Refused { .. } => Trouble::Final(refused.into()),
        }
    }
}

impl Shipper {
    pub fn new(outbox: Box<dyn Outbox>, broker: Box<dyn Broker>, status: Arc<Status>) -> Shipper {
        Shipper { outbox, broker, position: None, forgotten: 0, status, question: None }
    }

    pub fn outbox(&mut self) -> &mut dyn Outbox {
        &mut *self.outbox
    }

    /// Opens the broker, makes topics that are missing, and finds out which begin.
    pub fn ask(&mut self, question: &Question) -> Result<Answer, BrokerError> {
        let position = self.open()?;
        self.look(question, position)
    }

    /// The same when the broker can be reached; nothing is sent before.
    pub fn ask_later(&mut self, question: Question) {
        // The opening may have succeeded, and what followed failed.
        self.position = None;
        self.question = Some(question);
    }

    fn look(&mut self, question: &Question, position: Option<u64>) -> Result<Answer, BrokerError> {
        let Question { wanted, carried, waiting, seq } = question;
        let topics: Vec<String> = wanted.iter().map(|table| table.topic.clone()).collect();
        let made = self.broker.make_topics(&topics)?;
        let known = Known { carried, waiting, seq: *seq, position, made: &made };
        let since = begin::begins(wanted, &known, |topic| self.broker.is_empty(topic))?;
        Ok(Answer { since, was_shipped: position.is_some() })
    }

    /// Opens the broker, and gives the last cut that is there.
    fn open(&mut self) -> Result<Option<u64>, BrokerError> {
        self.position = None;
        let position = self.broker.open()?;
        self.position = Some(position.unwrap_or(0));
        Ok(position)
    }

    pub fn step(&mut self) -> Step {
        let trouble = match self.try_step() {
            Ok(shipped) => {
                self.status.went_well();
                return if shipped { Step::Shipped } else { Step::Idle };
            }
            Err(trouble) => trouble,
        };
        self.position = None;
        let trouble = match trouble {
            // The owner's shipper is fenced by a zombie that will see that it is one; the owner opens again.
            Trouble::Fenced(reason) => match self.outbox.is_ours() {
                Ok(true) => Trouble::Passes(reason),
                Ok(false) => Trouble::Final(self.not_ours()),
                Err(error) => error.into(),
            },
            trouble => trouble,
        };
        match trouble {
            Trouble::Passes(reason) | Trouble::Fenced(reason) => {
                self.status.failed(reason);
                Step::Failed
            }
            Trouble::Final(error) => {
                self.status.end(error);
                Step::Ended
            }
        }
    }

    fn not_ours(&self) -> SinkError {
        SinkError::fenced("the changelog is shipped by another process, which owns the instance now")
    }

    /// False when nothing waits.
    fn try_step(&mut self) -> Result<bool, Trouble> {
        let position = match self.position {
            Some(position) => position,
            None => {
                let position = self.open()?;
                // Only now can nobody else be fenced by us any more who is the owner.
                if !self.outbox.is_ours()? {
                    return Err(Trouble::Final(self.not_ours()));
                }
                self.look_once(position)?;
                position.unwrap_or(0)
            }
        };
        if let Some(reason) = self.status.awaits_anew() {
            return Err(Trouble::Passes(reason));
        }
        if self.forgotten < position {
            self.outbox.forget(position)?;
            self.forgotten = position;
            self.status.shipped(position);
        }
        let cuts = self.status.next_cuts(TRANSACTION_RECORDS);
        let Some(through) = cuts.last().map(|cut| cut.seq) else { return Ok(false) };
        self.ship(position, through, &cuts)?;
        self.position = Some(through);
        self.outbox.forget(through)?;
        self.forgotten = through;
        self.status.shipped(through);
        Ok(true)
    }

    /// Asks what could not be asked when the process began. What has waited since then has not been shipped, so that the answer is still
    /// to what was known then.
    fn look_once(&mut self, position: Option<u64>) -> Result<(), Trouble> {
        let Some(question) = self.question.take() else { return Ok(()) };
        let answer = match self.look(&question, position) {
            Ok(answer) => answer,
            Err(error) => {
                self.question = Some(question);
                return Err(error.into());
            }
        };
        let begins = question.wanted.iter().zip(&answer.since).filter(|(_, since)| since.is_none());
        let topics: Vec<String> = begins.map(|(table, _)| table.topic.clone()).collect();
        if !topics.is_empty() {
            let forgets_all = !answer.was_shipped && topics.len() == question.wanted.len();
            self.status.begin_anew(Anew { topics, forgets_all });
        }
        Ok(())
    }

    fn ship(&mut self, position: u64, through: u64, cuts: &[WaitingCut]) -> Result<(), Trouble> {
        let wanted: u64 = cuts.iter().map(|cut| cut.records).sum();
        let (mut after, mut sent) = ((position, None), 0);
        self.broker.begin()?;
        while sent < wanted {
            let page = self.outbox.read(after, through, PAGE_RECORDS)?;
            let Some(last) = page.last() else { break };
            after = (last.seq, Some(last.n));
            for waiting in &page {
                self.broker.send(waiting.seq, &waiting.record)?;
            }
            sent += page.len() as u64;
            self.status.gets_on();
        }
        if sent != wanted {
            // Who has taken over may have shipped and deleted them.
            return Err(Trouble::Final(match self.outbox.is_ours()? {
                false => self.not_ours(),
                true => SinkError::refused(
                    format!("the outbox holds {sent} of {wanted} records of the cuts up to {through}"),
                    "another program deleted them: delete the changelog's topics and its position topic, and start again",
                ),
            }));
        }
        Ok(self.broker.commit(through)?)
    }
}

#[cfg(test)]
#[path = "shipper_tests.rs"]
mod tests;
