//! The table `outbox` of the bookkeeping schema, written with each cut and emptied by the shipper over a connection of its own.

use tokio::runtime::Runtime;

use super::session::{Job, Session, number, numbers, optional_texts, text, texts};
use super::watch::runtime;
use super::{PostgresConfig, failure};
use crate::sink::SinkError;
use crate::sink::changelog::{Carried, Outbox, OutboxCut, OutboxRecord, WaitingCut, WaitingRecord};
use crate::sink::names::quoted;

pub const TABLES: &str = r#"
create table if not exists {s}.outbox (
    instance text not null, seq bigint not null, n bigint not null, topic text not null, key text not null, value text,
    primary key (instance, seq, n)
);
create table if not exists {s}.changelog (
    instance text not null, model text not null, topic text not null, shape text not null, since bigint not null,
    primary key (instance, model)
);
"#;

/// Records of one statement: its arrays are held in memory on both sides.
const RECORDS_PER_STATEMENT: usize = 5_000;

/// The statements of a cut, in order.
pub fn jobs<'a>(schema: &str, instance: &'a str, seq: u64, cut: &'a OutboxCut) -> Vec<Job<'a>> {
    let s = quoted(schema);
    let mut jobs = Vec::new();
    if cut.forgets_all {
        let sql = format!("delete from {s}.outbox where instance = $1");
        jobs.push(Job { sql, values: vec![text(instance)] });
    }
    for topic in &cut.forgets {
        let sql = format!("delete from {s}.outbox where instance = $1 and topic = $2");
        jobs.push(Job { sql, values: vec![text(instance), text(topic)] });
    }
    if let Some(carried) = &cut.carried {
        let sql = format!("delete from {s}.changelog where instance = $1");
        jobs.push(Job { sql, values: vec![text(instance)] });
        let sql =
            format!("insert into {s}.changelog (instance, model, topic, shape, since) values ($1, $2, $3, $4, $5)");
        for Carried { model, topic, shape, since } in carried {
            let values = vec![text(instance), text(model), text(topic), text(shape), number(*since as i64)];
            jobs.push(Job { sql: sql.clone(), values });
        }
    }
    for (chunk, records) in cut.records.chunks(RECORDS_PER_STATEMENT).enumerate() {
        let sql = format!(
            "insert into {s}.outbox (instance, seq, n, topic, key, value) select $1, $2, s.* from unnest($3, $4, $5, $6) as s"
        );
        let first = chunk * RECORDS_PER_STATEMENT;
        let values = vec![
            text(instance),
            number(seq as i64),
            numbers((first..first + records.len()).map(|n| n as i64)),
            texts(records.iter().map(|record| record.topic.as_str())),
            texts(records.iter().map(|record| record.key.as_str())),
            optional_texts(records.iter().map(|record| record.value.as_deref())),
        ];
        jobs.push(Job { sql, values });
    }
    jobs
}

pub struct PostgresOutbox {
    config: PostgresConfig,
    instance: String,
    owner: String,
    runtime: Runtime,
    session: Option<Session>,
}

impl PostgresOutbox {
    pub fn new(config: PostgresConfig, instance: &str, owner: &str) -> Result<PostgresOutbox, SinkError> {
        let runtime = runtime("the changelog's outbox")?;
        Ok(PostgresOutbox { config, instance: instance.into(), owner: owner.into(), runtime, session: None })
    }

    /// Runs `work` with a session, the schema's name and the instance; connects first where it was lost.
    fn with_session<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session, &str, &str) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, SinkError> {
        let PostgresOutbox { config, instance, owner, runtime, session } = self;
        runtime.block_on(async {
            let mut lives = match session.take().filter(|session| !session.client.is_closed()) {
                Some(lives) => lives,
                None => Session::connect(config, &format!("changelog of {owner}")).await?,
            };
            let outcome = work(&mut lives, &quoted(&config.meta_schema), instance).await;
            let outcome = outcome.map_err(|cause| failure("could not read or write outbox", cause));
            if !matches!(outcome, Err(SinkError::Unreachable { .. })) {
                *session = Some(lives);
            }
            outcome
        })
    }
}

impl Outbox for PostgresOutbox {
    fn carried(&mut self) -> Result<Vec<Carried>, SinkError> {
        self.with_session(async |session, s, instance| {
            let sql = format!("select model, topic, shape, since from {s}.changelog where instance = $1 order by 1");
            let rows = session.client.query(&sql, &[&instance]).await?;
            let carried = rows.iter().map(|row| {
                let since = row.get::<_, i64>(3) as u64;
                Carried { model: row.get(0), topic: row.get(1), shape: row.get(2), since }
            });
            Ok(carried.collect())
        })
    }

    fn waiting(&mut self) -> Result<Vec<WaitingCut>, SinkError> {
        self.with_session(async |session, s, instance| {
            let sql = format!(
                "select seq, count(*), sum(octet_length(key) + coalesce(octet_length(value), 0))::bigint
                 from {s}.outbox where instance = $1 group by seq order by seq"
            );
            let rows = session.client.query(&sql, &[&instance]).await?;
            let cuts = rows.iter().map(|row| {
                let [seq, records, bytes] = [0, 1, 2].map(|column| row.get::<_, i64>(column) as u64);
                WaitingCut { seq, records, bytes }
            });
            Ok(cuts.collect())
        })
    }

    fn read(
        &mut self,
        after: (u64, Option<u64>),
        through: u64,
        records_max: usize,
    ) -> Result<Vec<WaitingRecord>, SinkError> {
        let n = after.1.map_or(i64::MAX, |n| n as i64);
        self.with_session(async |session, s, instance| {
            let sql = format!(
                "select seq, n, topic, key, value from {s}.outbox
                 where instance = $1 and (seq, n) > ($2, $3) and seq <= $4 order by seq, n limit $5"
            );
            let (seq, through, limit) = (after.0 as i64, through as i64, records_max as i64);
            let statement = session.client.prepare(&sql).await?;
            let rows = session.client.query(&statement, &[&instance, &seq, &n, &through, &limit]).await?;
            let records = rows.iter().map(|row| {
                let record = OutboxRecord { topic: row.get(2), key: row.get(3), value: row.get(4) };
                WaitingRecord { seq: row.get::<_, i64>(0) as u64, n: row.get::<_, i64>(1) as u64, record }
            });
            Ok(records.collect())
        })
    }

    fn forget(&mut self, through: u64) -> Result<(), SinkError> {
        self.with_session(async |session, s, instance| {
            let sql = format!("delete from {s}.outbox where instance = $1 and seq <= $2");
            session.execute(&sql, vec![text(instance), number(through as i64)]).await.map(drop)
        })
    }

    fn is_ours(&mut self) -> Result<bool, SinkError> {
        let owner = self.owner.clone();
        self.with_session(async |session, s, instance| {
            let sql = format!("select count(*) from {s}.cut where instance = $1 and owner <> $2");
            Ok(session.client.query_one(&sql, &[&instance, &owner]).await?.get::<_, i64>(0) == 0)
        })
    }
}
