//! A broker in memory with transactions and fencing, which fails when it is told to: for tests and the simulation.
//!
//! ```text
//!   open: epoch + 1, the open transaction is dropped ──> begin ─ send … ─ commit: log += records, position = through
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Broker, BrokerError, OutboxRecord};

/// A record as a read-committed consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shipped {
    pub seq: u64,
    pub record: OutboxRecord,
}

/// What outlives every process.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    epoch: u64,
    position: Option<u64>,
    topics: BTreeSet<String>,
    committed: Vec<Shipped>,
}

/// What befalls one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accident {
    /// It is not done.
    Away,
    /// It is done, but the answer is lost.
    AnswerLost,
}

impl MemoryLog {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broker as one process sees it. `accident` is asked at each call.
    pub fn broker(&self, accident: impl FnMut() -> Option<Accident> + Send + 'static) -> MemoryBroker {
        MemoryBroker { log: self.clone(), epoch: 0, open: None, accident: Box::new(accident) }
    }

    /// All that was committed, in order.
    pub fn committed(&self) -> Vec<Shipped> {
        self.inner().committed.clone()
    }

    pub fn position(&self) -> Option<u64> {
        self.inner().position
    }

    /// Topics and position are deleted.
    pub fn wipe(&self) {
        let mut inner = self.inner();
        let epoch = inner.epoch;
        *inner = Inner { epoch, ..Inner::default() };
    }

    /// A topic is deleted with its records.
    pub fn delete_topic(&self, topic: &str) {
        let mut inner = self.inner();
        inner.topics.remove(topic);
        inner.committed.retain(|shipped| shipped.record.topic != topic);
    }

    /// The last committed value of each key of a topic.
    pub fn latest(&self, topic: &str) -> BTreeMap<String, Option<String>> {
        let inner = self.inner();
        let records = inner.committed.iter().map(|shipped| &shipped.record).filter(|record| record.topic == topic);
        records.map(|record| (record.key.clone(), record.value.clone())).collect()
    }
}

/// One process's connection.
pub struct MemoryBroker {
    log: MemoryLog,
    epoch: u64,
    open: Option<Vec<Shipped>>,
    accident: Box<dyn FnMut() -> Option<Accident> + Send>,
}

impl MemoryBroker {
    fn call<T>(&mut self, work: impl FnOnce(&mut MemoryBroker) -> Result<T, BrokerError>) -> Result<T, BrokerError> {
        match (self.accident)() {
            None => work(self),
            Some(Accident::Away) => Err(BrokerError::Unreachable("the broker is away".to_owned())),
            Some(Accident::AnswerLost) => {
                work(self)?;
                Err(BrokerError::Unreachable("the broker does not answer".to_owned()))
            }
        }
    }

    /// Only who opened last may write.
    fn fence(&self) -> Result<(), BrokerError> {
        match self.log.inner().epoch == self.epoch {
            true => Ok(()),
            false => Err(BrokerError::Fenced("another producer has opened the broker".to_owned())),
        }
    }
}

impl Broker for MemoryBroker {
    fn open(&mut self) -> Result<Option<u64>, BrokerError> {
        self.call(|broker| {
            let mut inner = broker.log.inner();
            inner.epoch += 1;
            broker.epoch = inner.epoch;
            broker.open = None;
            Ok(inner.position)
        })
    }

    fn make_topics(&mut self, topics: &[String]) -> Result<Vec<String>, BrokerError> {
        self.call(|broker| {
            let mut inner = broker.log.inner();
            Ok(topics.iter().filter(|topic| inner.topics.insert((*topic).clone())).cloned().collect())
        })
    }

    fn is_empty(&mut self, topic: &str) -> Result<bool, BrokerError> {
        self.call(|broker| Ok(!broker.log.inner().committed.iter().any(|shipped| shipped.record.topic == topic)))
    }

    fn begin(&mut self) -> Result<(), BrokerError> {
        self.call(|broker| {
            broker.fence()?;
            assert!(broker.open.replace(Vec::new()).is_none(), "one transaction at a time");
            Ok(())
        })
    }

    fn send(&mut self, seq: u64, record: &OutboxRecord) -> Result<(), BrokerError> {
        self.call(|broker| {
            broker.fence()?;
            let open = broker.open.as_mut().expect("a transaction is open");
            open.push(Shipped { seq, record: record.clone() });
            Ok(())
        })
    }

    fn commit(&mut self, through: u64) -> Result<(), BrokerError> {
        self.call(|broker| {
            broker.fence()?;
            let records = broker.open.take().expect("a transaction is open");
            let mut inner = broker.log.inner();
            inner.committed.extend(records);
            inner.position = Some(through);
            Ok(())
        })
    }
}
