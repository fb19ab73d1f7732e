//! The table `livemart_outbox`, written with each cut and emptied by the shipper over a connection of its own.

use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::{BUSY_TIMEOUT, failure};
use crate::sink::SinkError;
use crate::sink::changelog::{Carried, Outbox, OutboxCut, OutboxRecord, WaitingCut, WaitingRecord};

pub const TABLES: &str = r#"
create table if not exists livemart_outbox (
    instance text not null, seq bigint not null, n bigint not null, topic text not null, key text not null, value text,
    primary key (instance, seq, n)
) without rowid;
create table if not exists livemart_changelog (
    instance text not null, model text not null, topic text not null, shape text not null, since bigint not null,
    primary key (instance, model)
) without rowid;
"#;

pub fn write(transaction: &Transaction<'_>, instance: &str, seq: u64, cut: &OutboxCut) -> rusqlite::Result<()> {
    if cut.forgets_all {
        transaction.execute("delete from livemart_outbox where instance = ?1", [instance])?;
    }
    for topic in &cut.forgets {
        transaction.execute("delete from livemart_outbox where instance = ?1 and topic = ?2", [instance, topic])?;
    }
    if let Some(carried) = &cut.carried {
        transaction.execute("delete from livemart_changelog where instance = ?1", [instance])?;
        for Carried { model, topic, shape, since } in carried {
            transaction.execute(
                "insert into livemart_changelog (instance, model, topic, shape, since) values (?1, ?2, ?3, ?4, ?5)",
                params![instance, model, topic, shape, *since as i64],
            )?;
        }
    }
    let mut statement = transaction.prepare_cached(
        "insert into livemart_outbox (instance, seq, n, topic, key, value) values (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (n, OutboxRecord { topic, key, value }) in cut.records.iter().enumerate() {
        statement.execute(params![instance, seq as i64, n as i64, topic, key, value])?;
    }
    Ok(())
}

pub struct SqliteOutbox {
    connection: Connection,
    instance: String,
    owner: String,
}

impl SqliteOutbox {
    pub fn open(path: &Path, instance: &str, owner: &str) -> Result<SqliteOutbox, SinkError> {
        let failed = |cause| failure(&format!("could not open {}", path.display()), cause);
        let connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        // A deletion that a power cut takes back is made again: the position says what was shipped.
        connection.pragma_update(None, "synchronous", "normal").map_err(failed)?;
        Ok(SqliteOutbox { connection, instance: instance.into(), owner: owner.into() })
    }
}

fn failed(cause: rusqlite::Error) -> SinkError {
    failure("could not read or write livemart_outbox", cause)
}

impl Outbox for SqliteOutbox {
    fn carried(&mut self) -> Result<Vec<Carried>, SinkError> {
        let sql = "select model, topic, shape, since from livemart_changelog where instance = ?1 order by 1";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let rows = statement.query_map([&self.instance], |row| {
            let since = row.get::<_, i64>(3)? as u64;
            Ok(Carried { model: row.get(0)?, topic: row.get(1)?, shape: row.get(2)?, since })
        });
        rows.and_then(Iterator::collect).map_err(failed)
    }

    fn waiting(&mut self) -> Result<Vec<WaitingCut>, SinkError> {
        let sql = "select seq, count(*), sum(length(cast(key as blob)) + coalesce(length(cast(value as blob)), 0))
                   from livemart_outbox where instance = ?1 group by seq order by seq";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let rows = statement.query_map([&self.instance], |row| {
            let [seq, records, bytes] = [row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?].map(|number| number as u64);
            Ok(WaitingCut { seq, records, bytes })
        });
        rows.and_then(Iterator::collect).map_err(failed)
    }

    fn read(
        &mut self,
        after: (u64, Option<u64>),
        through: u64,
        records_max: usize,
    ) -> Result<Vec<WaitingRecord>, SinkError> {
        let sql = "select seq, n, topic, key, value from livemart_outbox
                   where instance = ?1 and (seq, n) > (?2, ?3) and seq <= ?4 order by seq, n limit ?5";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let n = after.1.map_or(i64::MAX, |n| n as i64);
        let values = params![self.instance, after.0 as i64, n, through as i64, records_max as i64];
        let rows = statement.query_map(values, |row| {
            let record = OutboxRecord { topic: row.get(2)?, key: row.get(3)?, value: row.get(4)? };
            Ok(WaitingRecord { seq: row.get::<_, i64>(0)? as u64, n: row.get::<_, i64>(1)? as u64, record })
        });
        rows.and_then(Iterator::collect).map_err(failed)
    }

    fn forget(&mut self, through: u64) -> Result<(), SinkError> {
        let sql = "delete from livemart_outbox where instance = ?1 and seq <= ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        statement.execute(params![self.instance, through as i64]).map_err(failed)?;
        Ok(())
    }

    fn is_ours(&mut self) -> Result<bool, SinkError> {
        let sql = "select count(*) from livemart_cut where instance = ?1 and owner <> ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let foreign: i64 = statement.query_row([&self.instance, &self.owner], |row| row.get(0)).map_err(failed)?;
        Ok(foreign == 0)
    }
}
