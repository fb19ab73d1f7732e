//! A sink with a changelog: what is committed to the tables is committed to the outbox.

use std::collections::BTreeSet;
use std::sync::Arc;

use row::Row;

use super::begin;
use super::config::is_topic;
use super::records::{self, Moment};
use super::shipper::{Answer, Question, Shipper};
use super::shipping::{Limits, Shipping};
use super::{Broker, BrokerError, Carried, ChangelogConfig, Outbox, OutboxCut, OutboxRecord, WaitingCut};
use crate::sink::{Commit, Deploy, RunHooks, Sink, SinkError, SinkState, TableSpec, net};
use crate::time::Stage;

pub struct ChangelogSink {
    inner: Box<dyn Sink>,
    config: ChangelogConfig,
    instance: String,
    /// Of tables that name none.
    schema: String,
    /// The models whose changes are carried.
    models: BTreeSet<String>,
    stage: Stage,
    /// Until tables are deployed.
    broker: Option<Box<dyn Broker>>,
    shipping: Option<Arc<Shipping>>,
    tables: Vec<TableSpec>,
    /// By table.
    carried: Vec<Option<Carried>>,
    /// What the first commit does besides.
    begins: Option<Begin>,
    /// The cut whose records the sink has been given.
    staged: Option<WaitingCut>,
}

#[derive(Default)]
struct Begin {
    forgets: Vec<String>,
    forgets_all: bool,
    /// All rows of tables whose topics begin.
    fills: Vec<(usize, Vec<(Row, i64)>)>,
}

impl ChangelogSink {
    /// `inner` is owned. `models` are carried, of those that are deployed; `schema` is that of tables without one.
    pub fn new(
        inner: Box<dyn Sink>,
        broker: Box<dyn Broker>,
        config: ChangelogConfig,
        instance: &str,
        schema: &str,
        models: BTreeSet<String>,
        stage: Stage,
    ) -> ChangelogSink {
        ChangelogSink {
            inner,
            config,
            instance: instance.to_owned(),
            schema: schema.to_owned(),
            models,
            stage,
            broker: Some(broker),
            shipping: None,
            tables: Vec::new(),
            carried: Vec::new(),
            begins: None,
            staged: None,
        }
    }

    /// Each table with its topic, which must be its own.
    fn wanted(&self) -> Result<Vec<Option<Carried>>, SinkError> {
        let mut topics = BTreeSet::new();
        let mut wanted = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            if !self.models.contains(&table.model) {
                wanted.push(None);
                continue;
            }
            let topic = self.config.topic_of(&table.schema, &table.name);
            if !is_topic(&topic) {
                return Err(SinkError::refused(
                    format!("the changelog of {} cannot go to \"{topic}\": Kafka has no such topics", table.model),
                    "a topic's name has letters of ASCII, digits, '.', '_' and '-': give the model an alias, or leave it out with \
                     meta: {livemart: {changelog: false}}",
                ));
            }
            if !topics.insert(topic.clone()) {
                return Err(SinkError::refused(
                    format!(
                        "the changelogs of {} and of another model would both go to the topic {topic}",
                        table.model
                    ),
                    "write {schema} into the changelog's `topic`",
                ));
            }
            let shape = self.config.shape(table)?;
            wanted.push(Some(Carried { model: table.model.clone(), topic, shape, since: 0 }));
        }
        Ok(wanted)
    }

    /// Finds out which topics begin, and makes ready to ship.
    fn prepare(&mut self) -> Result<(), SinkError> {
        let Some(broker) = self.broker.take() else { return Ok(()) };
        let mut wanted = self.wanted()?;
        let seq = self.inner.state()?.cut.map_or(0, |cut| cut.seq);
        let status = Shipping::status(self.stage.clone());
        let mut shipper = Shipper::new(self.inner.outbox()?, broker, status.clone());
        let known = shipper.outbox().carried()?;
        let waiting = shipper.outbox().waiting()?;
        let list: Vec<Carried> = wanted.iter().flatten().cloned().collect();
        let is_known = list.iter().all(|table| begin::carried_as(&known, table).is_some());
        let count = list.len();
        let question = Question { wanted: list, carried: known.clone(), waiting: waiting.clone(), seq };
        let Answer { since, was_shipped } = match shipper.ask(&question) {
            Ok(answer) => answer,
            // What comes can wait in the outbox until the broker is back.
            Err(BrokerError::Unreachable(reason)) if is_known => {
                status.failed(reason);
                let known = |table| begin::carried_as(&known, table).map(|known| known.since);
                let since = question.wanted.iter().map(known).collect();
                shipper.ask_later(question);
                Answer { since, was_shipped: true }
            }
            Err(error) => return Err(error.into()),
        };
        let mut begins = Begin::default();
        for ((at, carried), since) in
            wanted.iter_mut().enumerate().filter_map(|(at, table)| Some((at, table.as_mut()?))).zip(since)
        {
            let rows = if since.is_none() { self.inner.read_table(&self.tables[at])? } else { Vec::new() };
            // An empty topic is all that there is to tell of an empty table.
            let told = begin::carried_as(&known, carried).filter(|_| rows.is_empty() && waiting.is_empty());
            carried.since = since.or(told.map(|known| known.since)).unwrap_or(seq + 1);
            if since.is_none() && told.is_none() {
                begins.forgets.push(carried.topic.clone());
                begins.fills.push((at, rows));
            }
        }
        begins.forgets_all = !was_shipped && begins.forgets.len() == count && count > 0;
        let starts_at_once = begins.forgets.is_empty();
        for cut in waiting.into_iter().filter(|_| starts_at_once) {
            status.committed(cut);
        }
        let limits = Limits { records_max: self.config.outbox_records_max, bytes_max: self.config.outbox_bytes_max };
        let shipping = Shipping::new(shipper, status, limits);
        if starts_at_once {
            shipping.start();
        }
        self.shipping = Some(Arc::new(shipping));
        self.carried = wanted;
        self.begins = Some(begins);
        Ok(())
    }

    /// Topics that were found to hold nothing when the broker came back begin with this cut.
    fn begin_anew(&mut self, seq: u64) -> Result<(), SinkError> {
        let Some(anew) = self.shipping.as_ref().and_then(|shipping| shipping.anew()) else { return Ok(()) };
        let mut begins = Begin { forgets_all: anew.forgets_all, ..Begin::default() };
        for (at, carried) in self.carried.iter_mut().enumerate().filter_map(|(at, table)| Some((at, table.as_mut()?))) {
            if anew.topics.contains(&carried.topic) {
                carried.since = seq;
                begins.forgets.push(carried.topic.clone());
                begins.fills.push((at, self.inner.read_table(&self.tables[at])?));
            }
        }
        self.begins = Some(begins);
        Ok(())
    }

    /// Gives the sink the records of a cut, once.
    fn stage(&mut self, commit: &Commit) -> Result<WaitingCut, SinkError> {
        if let Some(staged) = self.staged.filter(|staged| staged.seq == commit.seq) {
            return Ok(staged);
        }
        self.begin_anew(commit.seq)?;
        let mut records = Vec::new();
        let moment = Moment { instance: &self.instance, seq: commit.seq, clock: commit.clock };
        let mut push = |table: usize, rows: &[(Row, i64)]| match &self.carried[table] {
            Some(carried) => {
                records::push(&mut records, self.config.envelope, moment, &self.tables[table], carried, rows)
            }
            None => Ok(()),
        };
        let fills = self.begins.as_ref().map_or(&[][..], |begins| &begins.fills);
        for (table, rows) in fills {
            // With what the cut changes of them, so that it tells each row once.
            let deltas = commit.deltas.iter().filter(|(of, _)| of == table).flat_map(|(_, deltas)| deltas);
            let mut rows: Vec<(Row, i64)> = rows.iter().chain(deltas).cloned().collect();
            net::add_up(&mut rows);
            push(*table, &rows)?;
        }
        for (table, deltas) in &commit.deltas {
            if !fills.iter().any(|(filled, _)| filled == table) {
                push(*table, deltas)?;
            }
        }
        let cut = WaitingCut {
            seq: commit.seq,
            records: records.len() as u64,
            bytes: records.iter().map(OutboxRecord::bytes).sum(),
        };
        let mut outbox = OutboxCut { records, ..OutboxCut::default() };
        if let Some(begins) = &self.begins {
            outbox.forgets.clone_from(&begins.forgets);
            outbox.forgets_all = begins.forgets_all;
            outbox.carried = Some(self.carried.iter().flatten().cloned().collect());
        }
        self.inner.stage_outbox(outbox);
        self.staged = Some(cut);
        Ok(cut)
    }
}

impl Sink for ChangelogSink {
    fn state(&mut self) -> Result<SinkState, SinkError> {
        self.inner.state()
    }

    fn read_table(&mut self, table: &TableSpec) -> Result<Vec<(Row, i64)>, SinkError> {
        self.inner.read_table(table)
    }

    fn lost_columns(&mut self, table: &TableSpec) -> Result<Vec<String>, SinkError> {
        self.inner.lost_columns(table)
    }

    fn note_hooks(&mut self, hooks: RunHooks) {
        self.inner.note_hooks(hooks);
    }

    fn deploy(&mut self, tables: Vec<(TableSpec, Deploy)>, adopt: bool) -> Result<(), SinkError> {
        self.tables = tables.iter().map(|(table, _)| table.clone()).collect();
        for table in self.tables.iter_mut().filter(|table| table.schema.is_empty()) {
            table.schema.clone_from(&self.schema);
        }
        self.prepare()?;
        self.inner.deploy(tables, adopt)
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), SinkError> {
        if let Some(shipping) = &self.shipping {
            shipping.play();
            if let Some(error) = shipping.end() {
                return Err(error);
            }
        }
        let cut = self.stage(commit)?;
        self.inner.commit(commit)?;
        if let Some(shipping) = &self.shipping {
            if self.begins.as_ref().is_some_and(|begins| !begins.forgets.is_empty()) {
                // What waited for topics that begin is gone with this cut.
                shipping.begun(self.inner.outbox()?.waiting()?);
                shipping.start();
            } else {
                shipping.committed(cut);
            }
            shipping.play();
        }
        self.begins = None;
        self.staged = None;
        Ok(())
    }

    fn stage_outbox(&mut self, cut: OutboxCut) {
        self.inner.stage_outbox(cut);
    }

    fn outbox(&mut self) -> Result<Box<dyn Outbox>, SinkError> {
        self.inner.outbox()
    }

    fn owes_cut(&self) -> bool {
        self.begins.as_ref().is_some_and(|begins| !begins.forgets.is_empty())
            || self.shipping.as_ref().is_some_and(|shipping| shipping.owes_cut())
    }

    fn shipping(&self) -> Option<Arc<Shipping>> {
        self.shipping.clone()
    }

    fn heir(&mut self) -> Option<String> {
        self.inner.heir()
    }

    fn close(self: Box<Self>) -> Result<(), SinkError> {
        let shipped = self.shipping.as_ref().map_or(Ok(()), |shipping| shipping.finish());
        // The sink is let go in any case.
        self.inner.close().and(shipped)
    }
}
