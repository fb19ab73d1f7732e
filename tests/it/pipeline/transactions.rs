//! A bank whose transfers are transactions over two topics; whoever reads the marts never sees money on its way.
//!
//! ```text
//!   bank.public.left   −7:T1 ·· −3:T2 ··┐  each topic lags as it likes
//!   bank.public.right  ····· +7:T1 ·····┼─> serve, killed now and then ──> SQLite: sum(left) + sum(right) is always the same
//!   bank.transaction   END T1 ··········┘
//! ```

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rusqlite::{Connection, OpenFlags};

use super::OnDrop;
use super::binary::{Folder, await_that};
use super::history::Dice;
use super::parts::{brokers, fresh, producer, try_create_topics};

const ACCOUNTS: i64 = 8;
const CENTS: i64 = 10_000;
const TRANSFERS: i64 = 400;

fn project(prefix: &str) -> Folder {
    let folder = Folder::new("bank");
    folder
        .write("dbt_project.yml", "name: bank\nversion: '1.0.0'\nconfig-version: 2\nmodels:\n  +materialized: table\n");
    let columns = "columns: [{name: id, data_type: bigint}, {name: cents, data_type: bigint}]";
    folder.write(
        "models/sources.yml",
        &format!(
            "version: 2\nsources:\n  - name: raw\n    tables:\n      - name: left\n        {columns}\n      - name: right\n        {columns}\n"
        ),
    );
    for side in ["left", "right"] {
        let sql = format!("select id, cents from {{{{ source('raw', '{side}') }}}}");
        folder.write(&format!("models/{side}_accounts.sql"), &sql);
    }
    folder.write(
        "livemart.yml",
        &format!(
            "targets:
  prod:
    sources:
      raw: {{connector: kafka, brokers: \"{}\", topic: \"{prefix}.public.{{table}}\", envelope: debezium, key: [id], transactions: debezium}}
    sink: {{type: sqlite, path: marts.db}}
    clock: {{mode: wall}}
    commit_interval: 5ms
",
            brokers()
        ),
    );
    folder
}

/// (topic, key, value) of one change.
fn change(prefix: &str, side: &str, transaction: Option<i64>, id: i64, cents: i64) -> (String, String, String) {
    let (op, block, snapshot, lsn) = match transaction {
        None => ("r", "null".to_owned(), "true", 1),
        Some(number) => {
            let lsn = number * 1000 + 1;
            let block = format!(r#"{{"id":"{number}:{lsn}","total_order":1,"data_collection_order":1}}"#);
            ("u", block, "false", lsn)
        }
    };
    let commit = transaction.map_or(0, |number| (number - 1) * 1000 + 9);
    let value = format!(
        r#"{{"before":null,"after":{{"id":{id},"cents":{cents}}},"op":"{op}","source":{{"name":"bank","table":"{side}","ts_ms":{lsn},"snapshot":"{snapshot}","lsn":{lsn},"sequence":"[\"{commit}\",\"{lsn}\"]"}},"transaction":{block},"ts_ms":1}}"#
    );
    (format!("{prefix}.public.{side}"), format!(r#"{{"id":{id}}}"#), value)
}

fn end(prefix: &str, number: i64) -> (String, String, String) {
    let id = format!("{number}:{}", number * 1000 + 9);
    let value = format!(
        r#"{{"status":"END","id":"{id}","event_count":2,"data_collections":[{{"data_collection":"public.left","event_count":1}},{{"data_collection":"public.right","event_count":1}}],"ts_ms":1}}"#
    );
    (format!("{prefix}.transaction"), format!(r#"{{"id":"{id}"}}"#), value)
}

fn say(producer: &BaseProducer, (topic, key, value): &(String, String, String)) {
    let record = BaseRecord::to(topic).partition(0).key(key).payload(value);
    producer.send(record).map_err(|(error, _)| error).expect("queued");
    producer.poll(Duration::ZERO);
}

/// (rows, sum of cents) of both sides in one transaction; none before there are tables.
fn look(folder: &Folder) -> Option<(i64, i64)> {
    let path = folder.path("marts.db");
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    database.busy_timeout(Duration::from_secs(10)).expect("set");
    let sql = "select count(*), coalesce(sum(cents), 0) from (select cents from left_accounts union all select cents from right_accounts)";
    database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).ok()
}

#[test]
fn pipeline_transactions_over_several_topics_are_never_seen_in_half() {
    let prefix = fresh("bank");
    let topics = ["public.left", "public.right", "transaction"].map(|name| (format!("{prefix}.{name}"), 1));
    try_create_topics(&topics).expect("topics");
    let folder = project(&prefix);
    let producer = producer();
    for id in 0..ACCOUNTS {
        for side in ["left", "right"] {
            say(&producer, &change(&prefix, side, None, id, CENTS));
        }
    }
    let (rows, total) = (2 * ACCOUNTS, 2 * ACCOUNTS * CENTS);
    let mut live = Some(folder.serve(&[]));
    await_that("the snapshot is there", || look(&folder).filter(|(count, _)| *count == rows));

    let (is_over, looks) = (AtomicBool::new(false), std::sync::atomic::AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                if let Some((count, sum)) = look(&folder) {
                    assert_eq!((count, sum), (rows, total), "money on its way was seen");
                    looks.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        // The one who looks must not look for ever, should this end early.
        let ends = OnDrop(&is_over);
        let mut dice = Dice::new(7);
        let mut balances = [[CENTS; ACCOUNTS as usize]; 2];
        let mut streams: [VecDeque<(String, String, String)>; 3] = Default::default();
        for number in 1..=TRANSFERS {
            let (from, to) = (dice.between(0, ACCOUNTS), dice.between(0, ACCOUNTS));
            let cents = 1 + dice.between(0, 500);
            balances[0][from as usize] -= cents;
            balances[1][to as usize] += cents;
            streams[0].push_back(change(&prefix, "left", Some(number), from, balances[0][from as usize]));
            streams[1].push_back(change(&prefix, "right", Some(number), to, balances[1][to as usize]));
            streams[2].push_back(end(&prefix, number));
        }
        let mut said = 0;
        while streams.iter().any(|stream| !stream.is_empty()) {
            // One topic gets a few messages, the others wait.
            let at = dice.between(0, 3) as usize;
            for _ in 0..dice.between(0, 6) {
                said += 1;
                streams[at].pop_front().iter().for_each(|message| say(&producer, message));
            }
            producer.flush(Duration::from_secs(30)).expect("the broker answers");
            std::thread::sleep(Duration::from_millis(dice.between(0, 12).unsigned_abs()));
            if said > 400 && said < 420 {
                said = 420;
                live.take().expect("it runs").kill();
                live = Some(folder.serve(&[]));
            }
        }
        let expected: i64 = balances[0].iter().sum();
        await_that("everything is published", || {
            let database = Connection::open(folder.path("marts.db")).ok()?;
            let left: i64 = database.query_row("select sum(cents) from left_accounts", [], |row| row.get(0)).ok()?;
            (left == expected).then_some(())
        });
        drop(ends);
    });
    assert!(looks.load(Ordering::SeqCst) > 20, "somebody looked");
    assert_eq!(look(&folder), Some((rows, total)));
    let mut live = live.expect("it runs");
    live.await_ready();
    // A transaction whose second half never comes.
    say(&producer, &change(&prefix, "left", Some(TRANSFERS + 1), 0, 0));
    say(&producer, &end(&prefix, TRANSFERS + 1));
    producer.flush(Duration::from_secs(30)).expect("the broker answers");
    await_that("/readyz says what is missing", || {
        let (status, text) = live.get("/readyz");
        (status != 200 && text.contains("0 of 1 changes of public.right")).then_some(())
    });
    assert_eq!(look(&folder), Some((rows, total)), "it waits");
    assert_eq!(live.terminate().0, Some(0));
}
