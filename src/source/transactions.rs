//! The database's transactions, put together again from their topics: a cut never shows half of one.
//!
//! ```text
//!   shop.public.orders    o7:T1  o8:T2  ·························┐
//!   shop.public.items     i1:T1  i2:T1  i3:T2 ···················┼─ held until whole ──> group of batches ──> one epoch
//!   shop.transaction      END T1 {orders 1, items 2} ············┘
//! ```
//!
//! 1. Transactions go out in the order of their ENDs, which is that of their commits; within a partition that is the order of
//!    records, so a position stands for all before it.
//! 2. A transaction is whole when as many changes of each table are here as its END counts. A table whose every partition has
//!    changes from after the commit has no more to come: what is missing was left out, or came before we began to listen.
//! 3. Records outside of transactions (snapshots) wait for nothing. So do those of a transaction whose END must have been before
//!    the next one: a restarted connector sends them again, or the END is from before we began to listen.
//! 4. What is held is bounded by `HELD_BYTES_MAX`: a partition that is ahead of the others is not read on; a transaction that does
//!    not fit is an error, and is never split.
//! 5. What a restarted connector sends again counts once: where a queue goes back, what will come again is dropped from it, and
//!    a transaction that has gone out is waited for no more.
//! 6. A table whose topic has not been found yet (`Assembler::expect`) is waited for as one whose changes have not come.
//! 7. The order in which partitions are read does not show in the transactions, nor in their order.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::time::{Duration, Instant};

use super::format::json::{Cursor, Value};
use super::scan::{integer, plain_text};
use super::{Record, SourceError};

/// Bytes of keys and values that are held, over all partitions.
pub const HELD_BYTES_MAX: usize = 256 << 20;
/// A partition is not read further ahead than so many records and bytes, unless one transaction fills it.
const AHEAD_RECORDS_MAX: usize = 16 << 10;
const AHEAD_BYTES_MAX: usize = 8 << 20;
/// After so long a transaction that does not become whole is told.
const PATIENCE: Duration = Duration::from_secs(15);
/// Records of one group, where several transactions are whole.
const GROUP_RECORDS_MAX: usize = 4096;
/// Transactions that have gone out are known again, so many of the last ones; a connector goes back by a minute at most, by default.
const DONE_MAX: usize = 1 << 18;

/// What a change says about its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub id: Box<str>,
    /// Position of the last commit before the change that the connector knows; one that was restarted may have passed over some.
    pub commit: Option<i64>,
    /// Position of the change.
    pub lsn: Option<i64>,
    /// Its number within the transaction, over all tables.
    pub order: Option<u64>,
}

/// END of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub id: Box<str>,
    /// Position of the commit.
    pub commit: Option<i64>,
    /// Changes by table, as `public.orders`.
    pub counts: Vec<(String, u64)>,
}

/// One message of a data topic.
#[derive(Debug, Default)]
pub struct Held {
    /// The position after it.
    pub after: u64,
    pub bytes: usize,
    pub records: Vec<Record>,
    pub member: Option<Membership>,
}

/// Records of a partition that go out together with those of others.
#[derive(Debug)]
pub struct Part {
    pub partition: usize,
    pub position: u64,
    pub records: Vec<Record>,
}

#[derive(Default)]
struct Queue {
    /// The topic, and what tables are called there.
    topic: String,
    tables: Vec<String>,
    held: VecDeque<Held>,
    bytes: usize,
    /// The greatest commit that lies before some record that has come.
    passed: Option<i64>,
    /// Of the change that came last.
    last: Option<(Box<str>, Option<u64>)>,
}

pub struct Assembler {
    queues: Vec<Queue>,
    /// (END, the position after it) and the partition of marks.
    ends: VecDeque<(Ended, u64)>,
    /// None while their topic has not been found.
    marks: Option<usize>,
    /// Position after the last mark that says nothing (BEGIN).
    marks_position: u64,
    bytes: usize,
    /// The transaction that is waited for, since when.
    waiting: Option<(Box<str>, Instant)>,
    /// The greatest commit that has gone out.
    done: Option<i64>,
    /// Hashes of the ids that have gone out last, in their order and as a set.
    done_last: VecDeque<u64>,
    done_ids: HashSet<u64>,
    /// Whether the topic of a table (`public.orders`) may come.
    is_expected: Box<dyn Fn(&str) -> bool + Send>,
}

impl Assembler {
    /// `topics` are (topic, tables' identifiers) by partition; `marks` is the partition of the topic with BEGIN and END.
    pub fn new(topics: Vec<(String, Vec<String>)>, marks: Option<usize>) -> Assembler {
        let queue = |(topic, tables)| Queue { topic, tables, ..Queue::default() };
        Assembler {
            queues: topics.into_iter().map(queue).collect(),
            ends: VecDeque::new(),
            marks,
            marks_position: 0,
            bytes: 0,
            waiting: None,
            done: None,
            done_last: VecDeque::new(),
            done_ids: HashSet::new(),
            is_expected: Box::new(|_| false),
        }
    }

    /// Tables whose topics may still come are told by `is_expected`.
    pub fn expect(&mut self, is_expected: impl Fn(&str) -> bool + Send + 'static) {
        self.is_expected = Box::new(is_expected);
    }

    /// A partition that came later.
    pub fn add(&mut self, topic: String, tables: Vec<String>, is_marks: bool) {
        if is_marks {
            self.marks = Some(self.queues.len());
        }
        self.queues.push(Queue { topic, tables, ..Queue::default() });
    }

    /// Whether something is held for a topic that has not been found.
    pub fn awaits_topic(&self) -> bool {
        if self.marks.is_none() {
            return self.queues.iter().any(|queue| !queue.held.is_empty());
        }
        self.ends.front().is_some_and(|(ended, _)| {
            ended
                .counts
                .iter()
                .any(|(table, _)| !self.queues.iter().any(|queue| queue.holds(table)) && (self.is_expected)(table))
        })
    }

    /// Whether a partition is to be read on.
    pub fn wants(&self, partition: usize) -> bool {
        if Some(partition) == self.marks {
            return self.ends.len() < AHEAD_RECORDS_MAX;
        }
        let queue = &self.queues[partition];
        let is_short = queue.held.len() < AHEAD_RECORDS_MAX && queue.bytes < AHEAD_BYTES_MAX;
        // The rest of a transaction must come, however large: it is what all others wait for.
        let ends = queue.held.front().and_then(id).zip(queue.held.back().and_then(id));
        is_short || ends.is_some_and(|(first, last)| first == last)
    }

    pub fn push(&mut self, partition: usize, held: Held) -> Result<(), SourceError> {
        let queue = &mut self.queues[partition];
        if let Some(member) = &held.member {
            self.bytes -= queue.go_back_to(member);
            queue.last = Some((member.id.clone(), member.order));
        }
        if let Some(commit) = held.member.as_ref().and_then(|member| member.commit) {
            queue.passed = queue.passed.max(Some(commit));
        }
        queue.bytes += held.bytes;
        self.bytes += held.bytes;
        if self.bytes > HELD_BYTES_MAX {
            let name = id(&held).unwrap_or("?").to_owned();
            return Err(SourceError::new(format!(
                "transaction {name} of topic {} does not fit: more than {} MiB are held back for transactions that are not whole",
                queue.topic,
                HELD_BYTES_MAX >> 20
            ))
            .with_hint("leave `transactions` out of livemart.yml for this source: its cuts then may split large transactions"));
        }
        queue.held.push_back(held);
        Ok(())
    }

    /// A message of the topic of marks; None for BEGIN.
    pub fn mark(&mut self, position: u64, ended: Option<Ended>) {
        match ended {
            Some(ended) => self.ends.push_back((ended, position)),
            None if self.ends.is_empty() => self.marks_position = position,
            None => {}
        }
        if let Some((_, after)) = self.ends.back_mut() {
            *after = position.max(*after);
        }
    }

    /// What may go out now, together: free records, or whole transactions.
    pub fn next_group(&mut self, now: Instant) -> Option<Vec<Part>> {
        let mut parts: BTreeMap<usize, Part> = BTreeMap::new();
        let mut count = 0;
        while count < GROUP_RECORDS_MAX {
            let before = count;
            count += self.take_free(&mut parts, GROUP_RECORDS_MAX - count);
            if self.is_whole() {
                count += self.take_transaction(&mut parts).max(1);
            } else if count == before {
                break;
            }
        }
        if let Some(marks) = self.marks.filter(|_| self.marks_position > 0) {
            let position = std::mem::take(&mut self.marks_position);
            parts.entry(marks).or_insert(Part { partition: marks, position, records: Vec::new() });
        }
        let awaited = self.awaited().map(Box::from);
        if awaited != self.waiting.as_ref().map(|(id, _)| id.clone()) {
            self.waiting = awaited.map(|id: Box<str>| (id, now));
        }
        if parts.is_empty() { None } else { Some(parts.into_values().collect()) }
    }

    /// What is waited for, when that takes long.
    pub fn obstacle(&self, now: Instant) -> Option<String> {
        let (waited_for, since) = self.waiting.as_ref()?;
        let seconds = now.saturating_duration_since(*since);
        if seconds < PATIENCE {
            return None;
        }
        let seconds = seconds.as_secs();
        let missing: Vec<String> = match self.ends.front() {
            Some((ended, _)) => self.missing(ended),
            None => vec!["its END has not come on the topic of transactions".to_owned()],
        };
        Some(format!("transaction {waited_for} is not whole since {seconds} s: {}", missing.join(", ")))
    }

    /// The transaction that everything waits for.
    fn awaited(&self) -> Option<&str> {
        match self.ends.front() {
            Some((ended, _)) => Some(&ended.id),
            None => self.queues.iter().find_map(|queue| queue.held.front().and_then(id)),
        }
    }

    /// Takes records that wait for nothing from the fronts.
    fn take_free(&mut self, parts: &mut BTreeMap<usize, Part>, most: usize) -> usize {
        let mut count = 0;
        // Changes whose END was before we began to listen are those before the first one; later ones wait for theirs.
        let is_first = self.done_last.is_empty();
        let next = self.ends.front().filter(|_| is_first).map(|(ended, _)| (ended.id.clone(), ended.commit));
        for partition in 0..self.queues.len() {
            let is_free = |held: &Held| is_free(held, next.as_ref()) || self.is_done(held);
            let free = self.queues[partition].held.iter().take(most - count).take_while(|held| is_free(held)).count();
            for _ in 0..free {
                count += self.take(partition, parts);
            }
        }
        count
    }

    /// Whether a change comes again, of a transaction that has gone out.
    fn is_done(&self, held: &Held) -> bool {
        id(held).is_none_or(|id| self.done_ids.contains(&hash(id)))
    }

    /// Whether the transaction that ended next is here, or has long gone out.
    fn is_whole(&self) -> bool {
        self.ends.front().is_some_and(|(ended, _)| {
            let is_repeated = ended.commit.is_some() && ended.commit <= self.done;
            is_repeated || self.done_ids.contains(&hash(&ended.id)) || self.missing(ended).is_empty()
        })
    }

    /// What of a transaction has not come.
    fn missing(&self, ended: &Ended) -> Vec<String> {
        let mut missing = Vec::new();
        for (table, count) in &ended.counts {
            let queues = || self.queues.iter().filter(|queue| queue.holds(table));
            // A topic may hold several tables: together they have what their counts say.
            let topics: Vec<&str> = queues().map(|queue| queue.topic.as_str()).collect();
            if topics.is_empty() {
                if (self.is_expected)(table) {
                    missing.push(format!("the topic of {table} has not been found"));
                }
                continue; // else nobody declared it
            }
            let all = ended.counts.iter().filter(|(other, _)| queues().any(|queue| queue.holds(other)));
            let wanted: u64 = all.map(|(_, count)| count).sum();
            let here: u64 = queues().map(|queue| queue.run(&ended.id)).sum();
            let has_passed = ended.commit.is_some() && queues().all(|queue| queue.passed >= ended.commit);
            if here < wanted && !has_passed {
                missing.push(format!("{here} of {} changes of {table} have come", wanted.max(*count)));
            }
        }
        missing
    }

    fn take_transaction(&mut self, parts: &mut BTreeMap<usize, Part>) -> usize {
        let Some((ended, position)) = self.ends.pop_front() else { return 0 };
        let mut count = 0;
        for partition in 0..self.queues.len() {
            let is_of = |held: &Held| id(held).is_none_or(|id| *id == *ended.id);
            while self.queues[partition].held.front().is_some_and(is_of) {
                count += self.take(partition, parts);
            }
        }
        if let Some(marks) = self.marks {
            let of = parts.entry(marks).or_insert(Part { partition: marks, position, records: Vec::new() });
            of.position = position;
        }
        self.done = self.done.max(ended.commit);
        if self.done_last.len() == DONE_MAX
            && let Some(oldest) = self.done_last.pop_front()
        {
            self.done_ids.remove(&oldest);
        }
        let id = hash(&ended.id);
        if self.done_ids.insert(id) {
            self.done_last.push_back(id);
        }
        count
    }

    fn take(&mut self, partition: usize, parts: &mut BTreeMap<usize, Part>) -> usize {
        let queue = &mut self.queues[partition];
        let Some(held) = queue.held.pop_front() else { return 0 };
        queue.bytes -= held.bytes;
        self.bytes -= held.bytes;
        let part = parts.entry(partition).or_insert(Part { partition, position: 0, records: Vec::new() });
        part.position = held.after;
        part.records.extend(held.records);
        1
    }
}

impl Queue {
    /// Whether the topic carries a table, called `public.orders`.
    fn holds(&self, table: &str) -> bool {
        let is_topic = self.topic.strip_suffix(table).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        is_topic || self.tables.iter().any(|name| table.rsplit('.').next() == Some(name))
    }

    /// Changes of a transaction that lie at the front.
    fn run(&self, wanted: &str) -> u64 {
        let run = self.held.iter().take_while(|held| id(held).is_none_or(|id| id == wanted));
        run.filter(|held| held.member.is_some()).count() as u64
    }

    /// Drops the changes from this one on, which a restarted connector sends again; how many bytes they had.
    fn go_back_to(&mut self, member: &Membership) -> usize {
        let Some((last, order)) = &self.last else { return 0 };
        let is_next = match member.id == *last {
            true => member.order > *order || member.order.is_none(),
            false => member.commit.is_some() && member.commit > self.passed,
        };
        if is_next || member.order.is_none() {
            return 0;
        }
        // The commits that changes tell are no guide here. What lies behind a change that comes again comes again, too.
        let comes_again =
            |held: &Held| held.member.as_ref().is_some_and(|held| held.id == member.id && held.order >= member.order);
        let Some(at) = self.held.iter().position(comes_again) else { return 0 };
        let mut dropped = 0;
        let behind = self.held.split_off(at);
        for held in behind {
            match held.member {
                Some(_) => dropped += held.bytes,
                None => self.held.push_back(held),
            }
        }
        self.bytes -= dropped;
        dropped
    }
}

fn hash(id: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(id)
}

fn id(held: &Held) -> Option<&str> {
    held.member.as_ref().map(|member| &*member.id)
}

/// Whether a record waits for nothing: it is of no transaction, or of one that must have ended before the next END.
fn is_free(held: &Held, next: Option<&(Box<str>, Option<i64>)>) -> bool {
    let Some(member) = &held.member else { return true };
    match next {
        Some((id, Some(end))) if *id != member.id => {
            member.commit.is_some_and(|commit| commit < *end) && member.lsn.is_none_or(|lsn| lsn < *end)
        }
        _ => false,
    }
}

/// PostgreSQL's ids are `transaction:position`, with a position of its own for BEGIN, each change and END; others are taken whole.
fn split_id(id: &str) -> (Box<str>, Option<i64>) {
    match id.split_once(':') {
        Some((transaction, position)) if transaction.bytes().all(|byte| byte.is_ascii_digit()) => {
            (transaction.into(), position.parse().ok())
        }
        _ => (id.into(), None),
    }
}

/// What the `transaction` block of a change says; `commit` is from its `source.sequence`.
pub fn membership(block: Option<Value<'_>>, commit: Option<i64>) -> Option<Membership> {
    let (mut found, mut order) = (None, None);
    each_field(block?, &mut |name, value| match name {
        "id" => found = plain_text(value).map(split_id),
        "total_order" => order = integer(value).and_then(|order| u64::try_from(order).ok()),
        _ => {}
    });
    let (id, lsn) = found?;
    Some(Membership { id, commit, lsn, order })
}

/// What a message of the topic of marks says: None for BEGIN and for what is no mark.
pub fn ended(value: Value<'_>) -> Option<Ended> {
    let (mut status, mut name, mut counts) = (None, None, Vec::new());
    each_field(value, &mut |field, value| match field {
        "status" => status = plain_text(value).map(str::to_owned),
        "id" => name = plain_text(value).map(split_id),
        "data_collections" => each_item(value, &mut |item| {
            let (mut table, mut count) = (None, None);
            each_field(item, &mut |field, value| match field {
                "data_collection" => table = plain_text(value).map(str::to_owned),
                "event_count" => count = integer(value).and_then(|count| u64::try_from(count).ok()),
                _ => {}
            });
            counts.extend(table.zip(count));
        }),
        _ => {}
    });
    let (id, commit) = name?;
    (status.as_deref() == Some("END")).then_some(Ended { id, commit, counts })
}

fn each_field<'a>(value: Value<'a>, visit: &mut dyn FnMut(&str, Value<'a>)) {
    match value {
        Value::Object(text) => {
            let _ = Cursor::new(text).object(|name, cursor| {
                visit(&name, cursor.value()?);
                Ok(())
            });
        }
        Value::Record(fields) => fields.iter().for_each(|(name, value)| visit(name, *value)),
        _ => {}
    }
}

fn each_item<'a>(value: Value<'a>, visit: &mut dyn FnMut(Value<'a>)) {
    match value {
        Value::Array(text) => {
            let _ = Cursor::new(text).array(|cursor| {
                visit(cursor.value()?);
                Ok(())
            });
        }
        Value::List(values) => values.iter().for_each(|value| visit(*value)),
        _ => {}
    }
}

#[cfg(test)]
#[path = "transactions_tests.rs"]
mod tests;
