//! Moves whole cuts from the outbox to the broker.
//!
//! ```text
//!   open ──position──> forget up to it ──> begin ─ send … ─ commit(through) ──> forget(through) ──┐
//!     ▲ any error, a lost answer                     └──────────── next cuts <────────────────────┘
//! ```
//!
//! A step either gets on or leaves everything to the next opening, which learns from the broker what was committed.

use std::sync::Arc;

use super::shipping::Status;
use super::{Broker, BrokerError, Outbox, WaitingCut};
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
        Shipper { outbox, broker, position: None, forgotten: 0, status }
    }

    pub fn outbox(&mut self) -> &mut dyn Outbox {
        &mut *self.outbox
    }

    pub fn broker(&mut self) -> &mut dyn Broker {
        &mut *self.broker
    }

    /// Opens the broker, and gives the last cut that is there.
    pub fn open(&mut self) -> Result<Option<u64>, BrokerError> {
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
                let position = self.open()?.unwrap_or(0);
                // Only now can nobody else be fenced by us any more who is the owner.
                if !self.outbox.is_ours()? {
                    return Err(Trouble::Final(self.not_ours()));
                }
                position
            }
        };
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
