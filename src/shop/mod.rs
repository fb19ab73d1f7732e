//! The shop's event generator: all source systems with one set of customers, the same bytes for the same seed and scale.
//!
//! ```text
//!   people ──(each day)──> stories ──told──> timeline ──in order of delivery──> files: a log per source, CSV drops per month
//!                                                                        └───> Kafka: a topic per table, in JSON or Avro, at a given rate
//! ```
//!
//! 1. The same scale gives the same changes in the same order, wherever they go.
//! 2. A change is delivered when a connector would deliver it: late payments months after they were made, clicks now and then days
//!    after, corrections after what they correct.
//! 3. About one record in ten thousand cannot be read. One that spoils a row is followed by the row as it should be.
//! 4. Memory holds the customers and what is still to come, not the history.

mod columns;
mod people;
mod produce;
mod random;
mod stories;
mod tables;
mod timeline;
mod wire;
mod write;

use std::collections::BTreeMap;
use std::io;

pub use produce::{ProduceOptions, Producer};
pub use tables::{Change, Medium, Op, Table};
pub use wire::{WireEnvelope, WireFormat};
pub use write::{Files, Form};

use people::Person;
use random::Random;
use stories::{Ids, Scene, business, campaigns, cards, clicks, retail};
use tables::{PAYMENTS, Value, WEBSITE_ACTIVITY};
use timeline::{DAY, Timeline};

/// 2024-07-01, a Monday.
pub const BEGIN_MS: i64 = 1_719_792_000_000;
/// Changes per record that cannot be read.
const MALFORMED_EVERY: i64 = 10_000;
/// However small the shop: on these days half a record comes, and a payment that cannot be read before it can.
const HALF_A_RECORD_DAY: i64 = 20;
const WRONG_PAYMENT_DAY: i64 = 70;

/// How large a shop is, and which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    pub seed: u64,
    pub customers: i64,
    pub days: i64,
    /// How much customers do of what they do day by day (orders, visits, purchases by card, what their devices and users send),
    /// in percent of the usual.
    pub activity_percent: u16,
}

/// Where changes go.
pub trait Deliver {
    fn change(&mut self, change: &Change) -> io::Result<()>;

    fn unreadable(&mut self, table: &'static Table, at_ms: i64, unreadable: &Unreadable<'_>) -> io::Result<()>;
}

/// A record that no decoder can read.
#[derive(Clone, Copy, Debug)]
pub enum Unreadable<'a> {
    /// It is no change, or not a whole one; nobody knows whose.
    Text(&'static str),
    /// A change with a value that its column's type does not know.
    Value(&'a Change),
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub records: u64,
    pub by_table: BTreeMap<&'static str, u64>,
    /// What was planted on purpose, and how often.
    pub situations: BTreeMap<&'static str, u64>,
}

/// The topics that changes are produced to.
pub fn topics() -> Vec<String> {
    tables::ALL.iter().filter(|table| table.medium == Medium::Log).map(|table| produce::topic(table)).collect()
}

/// Makes the whole history. `progress` hears the records so far and about how many there will be.
pub fn generate(scale: Scale, to: &mut dyn Deliver, progress: &mut dyn FnMut(u64, u64)) -> io::Result<Summary> {
    let Scale { seed, customers, days, activity_percent } = scale;
    let people: Vec<Person> =
        (1..=customers).map(|number| Person::draw(seed, number, BEGIN_MS, days, activity_percent)).collect();
    let timeline = Timeline::new(BEGIN_MS);
    let mut scene = Scene { seed, begin_ms: BEGIN_MS, timeline, ids: Ids::default() };
    let mut summary = Summary::default();
    let mut spoiler = Random::new(seed, "malformed", 0);
    for day in 0..days {
        campaigns::day(&mut scene, &people, day);
        for person in &people {
            retail::day(&mut scene, person, day);
            clicks::day(&mut scene, person, day);
            cards::day(&mut scene, person, day);
            business::day(&mut scene, person, day);
        }
        let (mut half, mut wrong) = (day == HALF_A_RECORD_DAY, day == WRONG_PAYMENT_DAY);
        while let Some(change) = scene.timeline.next_before(BEGIN_MS + (day + 1) * DAY) {
            let kind = if std::mem::take(&mut half) {
                Some(Malformed::HalfARecord)
            } else if change.table == PAYMENTS && std::mem::take(&mut wrong) {
                Some(Malformed::WrongValue)
            } else if change.table.medium == Medium::Log && spoiler.between(0, MALFORMED_EVERY) == 0 {
                Some(spoiler.pick(&Malformed::KINDS))
            } else {
                None
            };
            if let Some(kind) = kind {
                spoil(&change, kind, &mut scene.timeline, to)?;
                summary.records += 1;
            }
            to.change(&change)?;
            summary.records += 1;
            *summary.by_table.entry(change.table.name).or_default() += 1;
        }
        let done = (day + 1) as u64;
        progress(summary.records, summary.records * days as u64 / done);
    }
    summary.situations = scene.timeline.situations;
    Ok(summary)
}

/// Ways in which a record cannot be read.
#[derive(Clone, Copy, Debug)]
enum Malformed {
    HalfARecord,
    NoChange,
    /// The change with a value that its column's type does not know; the right one follows.
    WrongValue,
}

impl Malformed {
    const KINDS: [Malformed; 5] = [
        Malformed::HalfARecord,
        Malformed::NoChange,
        Malformed::WrongValue,
        Malformed::WrongValue,
        Malformed::WrongValue,
    ];
}

/// Delivers a record that cannot be read, just before the change.
fn spoil(change: &Change, kind: Malformed, timeline: &mut Timeline, to: &mut dyn Deliver) -> io::Result<()> {
    match (kind, spoiled(change)) {
        (Malformed::HalfARecord, _) => {
            timeline.saw("malformed: half a record");
            to.unreadable(WEBSITE_ACTIVITY, change.at_ms, &Unreadable::Text(r#"{"before":null,"after":{"event_id":9"#))
        }
        (Malformed::WrongValue, Some(wrong)) => {
            timeline.saw("malformed, then right");
            to.unreadable(change.table, change.at_ms, &Unreadable::Value(&wrong))
        }
        _ => {
            timeline.saw("malformed: not a change");
            to.unreadable(change.table, change.at_ms, &Unreadable::Text(r#"["not", "a", "change"]"#))
        }
    }
}

/// The change with one value that its column's type does not know; None where all columns are texts or the row goes.
fn spoiled(change: &Change) -> Option<Change> {
    let mut change = change.clone();
    let key = change.table.key;
    let cell = change.row.iter_mut().rev().find_map(|(name, value)| {
        let wrong = match value {
            Value::Moment(_) => "2025-02-30T10:00:00Z",
            Value::Cents(_) => "12,50",
            Value::Int(_) => "many",
            _ => return None,
        };
        (!key.contains(name)).then_some((value, wrong))
    });
    let (value, wrong) = cell.filter(|_| change.op != Op::Delete)?;
    *value = wrong.into();
    Some(change)
}

#[cfg(test)]
#[path = "shop_tests.rs"]
mod tests;
