//! The PostgreSQL sink against a real server, whose URL is in LIVEMART_TEST_POSTGRES. Each test makes its own schemas and drops
//! them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use livemart::sink::postgres::TlsSettings;
use livemart::sink::{
    Commit, Deploy, ErrorRow, PostgresConfig, PostgresSink, ProgressRow, Sink, SinkError, TableColumn, TableProperties,
    TableSpec, TestRow,
};
use proptest::prelude::*;
use row::{Datum, Interval, Numeric, NumericTypmod, Row, ScalarType};

pub const INSTANCE: &str = "shop.prod";
/// Row by row, by arrays, and merged from a staging table.
const WAYS: [(usize, usize); 3] = [(1_000, 1_000), (1, 1_000), (1, 1)];

pub fn url() -> String {
    std::env::var("LIVEMART_TEST_POSTGRES")
        .expect("LIVEMART_TEST_POSTGRES must hold the URL of a PostgreSQL server, such as postgres://postgres@127.0.0.1:5432/postgres")
}

/// A plain connection, as a BI tool has it.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Client {
    pub fn new() -> Client {
        Client::of(&url())
    }

    pub fn of(url: &str) -> Client {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) =
                tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the test server answers");
            tokio::spawn(connection);
            client
        });
        Client { runtime, client }
    }

    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap_or_else(|cause| panic!("{sql}: {cause:?}"));
    }

    /// The first column of the first row, as text.
    pub fn one(&self, sql: &str) -> String {
        let messages = self.runtime.block_on(self.client.simple_query(sql)).unwrap_or_else(|c| panic!("{sql}: {c:?}"));
        messages
            .iter()
            .find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_string()),
                _ => None,
            })
            .unwrap_or_else(|| panic!("no row: {sql}"))
    }
}

/// Two schemas of its own.
struct Place {
    client: Client,
    marts: String,
    meta: String,
}

impl Place {
    fn new() -> Place {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let marts = format!("lm_test_{}_{number}", std::process::id());
        let meta = format!("{marts}_meta");
        let client = Client::new();
        client.run(&format!("drop schema if exists {marts} cascade; drop schema if exists {meta} cascade"));
        Place { client, marts, meta }
    }

    fn config(&self) -> PostgresConfig {
        PostgresConfig {
            url: url(),
            password_file: None,
            tls: TlsSettings::default(),
            schema: self.marts.clone(),
            meta_schema: self.meta.clone(),
        }
    }

    fn open(&self, owner: &str) -> PostgresSink {
        PostgresSink::open(self.config(), INSTANCE, owner).expect("nobody owns it")
    }

    /// A sink whose connection goes through `proxy`.
    fn open_through(&self, proxy: &Proxy, owner: &str) -> PostgresSink {
        let config = PostgresConfig { url: proxy.url(), ..self.config() };
        PostgresSink::open(config, INSTANCE, owner).expect("nobody owns it")
    }

    /// `{m}` stands for the tables' schema, `{b}` for the bookkeeping's.
    fn run(&self, sql: &str) {
        self.client.run(&sql.replace("{m}", &self.marts).replace("{b}", &self.meta));
    }

    fn one(&self, sql: &str) -> String {
        self.client.one(&sql.replace("{m}", &self.marts).replace("{b}", &self.meta))
    }

    fn end_session_of(&self, owner: &str) {
        let ended = self.client.one(&format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'livemart {owner}'"
        ));
        assert_eq!(ended, "1", "one session of {owner}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.run("drop schema if exists {m} cascade; drop schema if exists {b} cascade");
    }
}

/// Stands between a sink and the server, and can lose what passes.
struct Proxy {
    port: u16,
    /// After the next COMMIT the server's answer is thrown away and the connection closed.
    loses_answer: Arc<AtomicBool>,
    /// Sockets towards the sink; closing them leaves the server's side open, as a broken network does.
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn new() -> Proxy {
        let config: tokio_postgres::Config = url().parse().expect("a url");
        let host = match &config.get_hosts()[0] {
            tokio_postgres::config::Host::Tcp(host) => host.clone(),
            tokio_postgres::config::Host::Unix(path) => panic!("the test server must listen on TCP, not {path:?}"),
        };
        let server = (host, config.get_ports().first().copied().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let loses_answer = Arc::new(AtomicBool::new(false));
        let clients = Arc::new(Mutex::new(Vec::new()));
        let (armed, known) = (loses_answer.clone(), clients.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect((server.0.as_str(), server.1)) else { continue };
                known.lock().expect("no panic").push(client.try_clone().expect("a socket"));
                let lost = Arc::new(AtomicBool::new(false));
                let (mut from, mut to) =
                    (client.try_clone().expect("a socket"), upstream.try_clone().expect("a socket"));
                let (armed, losing) = (armed.clone(), lost.clone());
                std::thread::spawn(move || {
                    let mut buffer = [0; 1 << 16];
                    while let Ok(length @ 1..) = from.read(&mut buffer) {
                        let commits = buffer[..length].windows(7).any(|window| window == b"commit\0");
                        if commits && armed.swap(false, Ordering::SeqCst) {
                            losing.store(true, Ordering::SeqCst);
                        }
                        if to.write_all(&buffer[..length]).is_err() {
                            break;
                        }
                    }
                });
                let (mut from, mut to) = (upstream, client);
                std::thread::spawn(move || {
                    let mut buffer = [0; 1 << 16];
                    while let Ok(length @ 1..) = from.read(&mut buffer) {
                        if lost.load(Ordering::SeqCst) {
                            let _ = from.shutdown(Shutdown::Both);
                            let _ = to.shutdown(Shutdown::Both);
                            return;
                        }
                        // A sink that is gone leaves its server process alone in the world.
                        let _ = to.write_all(&buffer[..length]);
                    }
                });
            }
        });
        Proxy { port, loses_answer, clients }
    }

    fn url(&self) -> String {
        let config: tokio_postgres::Config = url().parse().expect("a url");
        format!(
            "host=127.0.0.1 port={} user={} dbname={} {}",
            self.port,
            config.get_user().unwrap_or("postgres"),
            config.get_dbname().unwrap_or("postgres"),
            config.get_password().map(|p| format!("password='{}'", String::from_utf8_lossy(p))).unwrap_or_default()
        )
    }

    fn break_network(&self) {
        for client in self.clients.lock().expect("no panic").drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

pub fn table(name: &str, columns: &[(&str, ScalarType)], key: Option<&[usize]>) -> TableSpec {
    TableSpec {
        model: format!("model.shop.{name}"),
        schema: String::new(),
        name: name.into(),
        columns: columns
            .iter()
            .map(|(name, ty)| TableColumn { name: (*name).into(), ty: ty.clone(), nullable: true })
            .collect(),
        key: key.map(<[usize]>::to_vec),
        fingerprint: "f1".into(),
        compiled_sql: "select 1".into(),
        properties: TableProperties::default(),
    }
}

pub fn orders() -> TableSpec {
    table("orders", &[("id", ScalarType::Int64), ("status", ScalarType::Text)], Some(&[0]))
}

fn clicks() -> TableSpec {
    table("clicks", &[("who", ScalarType::Text), ("page", ScalarType::Text)], None)
}

pub fn order(id: i64, status: &str) -> Row {
    Row::pack([Datum::Int(id), Datum::Text(status)])
}

fn click(who: Option<&str>, page: &str) -> Row {
    Row::pack([who.map_or(Datum::Null, Datum::Text), Datum::Text(page)])
}

pub fn cut(seq: u64, deltas: Vec<(usize, Vec<(Row, i64)>)>) -> Commit {
    Commit { seq, clock: 1_000_000 * seq as i64 + 1, deltas, ..Commit::default() }
}

pub fn evolve(sink: &mut PostgresSink, tables: &[TableSpec]) {
    sink.deploy(tables.iter().map(|table| (table.clone(), Deploy::Evolve)).collect(), false)
        .expect("nothing in the way");
}

fn sorted(mut rows: Vec<(Row, i64)>) -> Vec<(Row, i64)> {
    rows.sort();
    rows
}

#[test]
fn postgres_a_cut_writes_tables_and_bookkeeping_together() {
    let place = Place::new();
    let mut sink = place.open("a");
    assert_eq!(sink.state().expect("state").cut, None);
    evolve(&mut sink, &[orders(), clicks()]);
    let progress = ProgressRow { source: "raw.orders".into(), partition: "0".into(), position: 3, mark: "t".into() };
    let test = TestRow { test: "t1".into(), model: "m".into(), severity: "error".into(), failures: 2 };
    sink.commit(&Commit {
        progress: vec![progress.clone()],
        tests: vec![test.clone()],
        ..cut(1, vec![(0, vec![(order(1, "new"), 1)]), (1, vec![(click(None, "/"), 2)])])
    })
    .expect("first cut");
    sink.commit(&Commit {
        progress: vec![ProgressRow { position: 5, ..progress.clone() }],
        tests: vec![TestRow { failures: 0, ..test }],
        ..cut(2, vec![(0, vec![(order(1, "new"), -1), (order(1, "paid"), 1), (order(2, "new"), 1)])])
    })
    .expect("second cut");

    let state = sink.state().expect("state");
    assert_eq!(state.cut.map(|cut| (cut.owner, cut.seq, cut.clock)), Some(("a".into(), 2, 2_000_001)));
    assert_eq!(state.progress, [ProgressRow { position: 5, ..progress }]);
    assert_eq!(state.models.len(), 2);
    assert_eq!(sink.read_table(&orders()).expect("orders"), sorted(vec![(order(1, "paid"), 1), (order(2, "new"), 1)]));
    assert_eq!(sink.read_table(&clicks()).expect("clicks"), [(click(None, "/"), 2)]);
    assert_eq!(place.one("select failures || ' ' || seq from {b}.tests"), "0 2");
    assert_eq!(
        place.one("select relation from {b}.models where model like '%orders'"),
        format!("{}.orders", place.marts)
    );
    assert_eq!(place.one("select clock at time zone 'UTC' from {b}.cut"), "1970-01-01 00:00:02.000001");
    Box::new(sink).close().expect("closed");
    place.open("b");
}

#[test]
fn postgres_a_second_owner_is_refused_by_name_until_the_first_closes() {
    let place = Place::new();
    let first = place.open("the-first");
    let Err(SinkError::Owned { message }) = PostgresSink::open(place.config(), INSTANCE, "b") else {
        panic!("a second owner got in");
    };
    assert!(message.contains("the-first") && message.contains(INSTANCE), "{message}");
    PostgresSink::open(place.config(), "shop.other", "c").expect("another instance is free");
    Box::new(first).close().expect("closed");
    place.open("b");
}

#[test]
fn postgres_a_lost_answer_is_settled_by_the_stored_cut() {
    let (place, proxy) = (Place::new(), Proxy::new());
    let mut sink = place.open_through(&proxy, "a");
    evolve(&mut sink, &[clicks()]);
    let first = cut(1, vec![(0, vec![(click(None, "/"), 1)])]);
    proxy.loses_answer.store(true, Ordering::SeqCst);
    assert!(matches!(sink.commit(&first), Err(SinkError::Unreachable { .. })));
    assert_eq!(place.one("select count(*) from {m}.clicks"), "1", "it was committed, nobody heard it");
    sink.commit(&first).expect("settled");
    proxy.loses_answer.store(true, Ordering::SeqCst);
    let second = cut(2, vec![(0, vec![(click(None, "/"), 1)])]);
    assert!(matches!(sink.commit(&second), Err(SinkError::Unreachable { .. })));
    sink.commit(&second).expect("settled");
    sink.commit(&cut(3, vec![(0, vec![(click(None, "/"), -2)])])).expect("the next one");
    assert_eq!(place.one("select count(*) from {m}.clicks"), "0");
}

#[test]
fn postgres_a_lost_connection_is_made_again() {
    let place = Place::new();
    let mut sink = place.open("lost-a");
    evolve(&mut sink, &[orders()]);
    sink.commit(&cut(1, vec![(0, vec![(order(1, "new"), 1)])])).expect("first");
    place.end_session_of("lost-a");
    let second = cut(2, vec![(0, vec![(order(1, "new"), -1), (order(1, "paid"), 1)])]);
    let outcome = sink.commit(&second);
    assert!(matches!(outcome, Err(SinkError::Unreachable { .. })), "{outcome:?}");
    sink.commit(&second).expect("on a new connection");
    assert_eq!(place.one("select status from {m}.orders"), "paid");
    assert!(matches!(PostgresSink::open(place.config(), INSTANCE, "b"), Err(SinkError::Owned { .. })), "it owns again");
}

#[test]
fn postgres_a_session_that_the_server_believes_alive_is_followed_by_its_own_sink() {
    let (place, proxy) = (Place::new(), Proxy::new());
    let mut sink = place.open_through(&proxy, "half-a");
    evolve(&mut sink, &[orders()]);
    sink.commit(&cut(1, vec![(0, vec![(order(1, "new"), 1)])])).expect("first");
    proxy.break_network();
    let second = cut(2, vec![(0, vec![(order(2, "new"), 1)])]);
    assert!(matches!(sink.commit(&second), Err(SinkError::Unreachable { .. })));
    sink.commit(&second).expect("the old server process was ended");
    assert_eq!(place.one("select count(*) from pg_stat_activity where application_name = 'livemart half-a'"), "1");
    assert_eq!(place.one("select count(*) from {m}.orders"), "2");
}

#[test]
fn postgres_a_zombie_is_fenced() {
    let place = Place::new();
    let mut zombie = place.open("zombie");
    evolve(&mut zombie, &[clicks()]);
    zombie.commit(&cut(1, vec![])).expect("while it was alive");
    place.end_session_of("zombie");
    let mut heir = place.open("heir");
    let second = cut(2, vec![(0, vec![(click(None, "/"), 1)])]);
    assert!(matches!(zombie.commit(&second), Err(SinkError::Unreachable { .. })), "its connection is gone");
    assert!(matches!(zombie.commit(&second), Err(SinkError::Owned { .. })), "the heir has the lock");
    heir.deploy(vec![(clicks(), Deploy::Keep)], false).expect("as it was");
    Box::new(heir).close().expect("closed");
    let outcome = zombie.commit(&second);
    assert!(matches!(&outcome, Err(SinkError::Fenced { message }) if message.contains("heir")), "{outcome:?}");
    assert_eq!(place.one("select count(*) from {m}.clicks"), "0");
}

#[test]
fn postgres_somebody_elses_write_aborts_the_cut_and_names_the_table() {
    let place = Place::new();
    for (arrays_from, merges_from) in WAYS {
        place.run("drop schema if exists {m} cascade; drop schema if exists {b} cascade");
        let mut sink = place.open("a").with_ways(arrays_from, merges_from);
        evolve(&mut sink, &[orders(), clicks()]);
        sink.commit(&cut(1, vec![(0, vec![(order(1, "new"), 1)]), (1, vec![(click(None, "/"), 2)])])).expect("a cut");
        place.run(
            "delete from {m}.orders; insert into {m}.orders values (9, 'x');
             delete from {m}.clicks where ctid = (select min(ctid) from {m}.clicks)",
        );
        for (delta, name) in [
            ((0, vec![(order(1, "new"), -1), (order(1, "paid"), 1)]), "orders"),
            ((0, vec![(order(1, "new"), -1)]), "orders"),
            ((0, vec![(order(9, "new"), 1)]), "orders"),
            ((1, vec![(click(None, "/"), -2)]), "clicks"),
        ] {
            let error = sink.commit(&cut(2, vec![delta])).expect_err("wrong counts");
            let SinkError::Refused { message, hint: Some(hint), .. } = &error else { panic!("{error:?}") };
            assert!(message.contains(name) && hint.contains("--adopt"), "{message} {hint}");
        }
        sink.commit(&cut(2, vec![(1, vec![(click(None, "/"), -1)])])).expect("the sink goes on");
        Box::new(sink).close().expect("closed");
    }
}

#[test]
fn postgres_null_in_a_key_is_one_key() {
    let place = Place::new();
    let totals = table(
        "totals",
        &[("region", ScalarType::Text), ("day", ScalarType::Date), ("cents", ScalarType::Int64)],
        Some(&[0, 1]),
    );
    let total = |region: Option<&str>, cents| {
        Row::pack([region.map_or(Datum::Null, Datum::Text), Datum::Null, Datum::Int(cents)])
    };
    for (arrays_from, merges_from) in WAYS {
        place.run("drop schema if exists {m} cascade; drop schema if exists {b} cascade");
        let mut sink = place.open("a").with_ways(arrays_from, merges_from);
        evolve(&mut sink, std::slice::from_ref(&totals));
        sink.commit(&cut(1, vec![(0, vec![(total(None, 1), 1), (total(Some("eu"), 2), 1)])])).expect("first");
        sink.commit(&cut(2, vec![(0, vec![(total(None, 1), -1), (total(None, 3), 1)])])).expect("update");
        assert!(sink.commit(&cut(3, vec![(0, vec![(total(None, 4), 1)])])).is_err(), "the key is there");
        sink.commit(&cut(3, vec![(0, vec![(total(Some("eu"), 2), -1), (total(Some("us"), 2), 1)])])).expect("third");
        assert_eq!(
            sink.read_table(&totals).expect("totals"),
            sorted(vec![(total(None, 3), 1), (total(Some("us"), 2), 1)])
        );
        Box::new(sink).close().expect("closed");
    }
}

#[test]
fn postgres_values_come_back_as_they_were() {
    let typed = |precision, scale| ScalarType::Numeric(Some(NumericTypmod { precision, scale }));
    let numeric = |text: &str| Datum::Numeric(Numeric::parse(text).expect("a numeric"));
    let integers = Row::pack([Datum::Int(1), Datum::Null, Datum::Int(-3)]);
    let names = Row::pack([Datum::Text("a,\"b\""), Datum::Text("")]);
    let amounts = Row::pack([numeric("1.50"), numeric("NaN")]);
    let documents = Row::pack([Datum::Text("{\"a\": 1}")]);
    let of = |ty| ScalarType::Array(Box::new(ty));
    let interval = Datum::Interval(Interval { months: 14, days: -3, micros: 5 });
    let values: Vec<(ScalarType, Vec<Datum<'_>>)> = vec![
        (ScalarType::Bool, vec![Datum::Bool(true), Datum::Bool(false)]),
        (ScalarType::Int16, vec![Datum::Int(-7), Datum::Int(0)]),
        (ScalarType::Int32, vec![Datum::Int(i64::from(i32::MIN))]),
        (ScalarType::Int64, vec![Datum::Int(i64::MIN), Datum::Int(i64::MAX)]),
        (typed(12, 2), vec![numeric("12.50"), numeric("-3.00"), numeric("NaN")]),
        (typed(5, -2), vec![numeric("1200")]),
        (ScalarType::NUMERIC, vec![numeric("1.50"), numeric("0.000"), numeric("Infinity"), numeric("-0.00001")]),
        (ScalarType::NUMERIC, vec![numeric("123456789012345678901234567890123456789012345678901234567890.0001")]),
        (ScalarType::Float32, vec![Datum::Float32(0.1), Datum::Float32(f32::INFINITY)]),
        (ScalarType::Float64, vec![Datum::Float64(0.1), Datum::Float64(f64::NAN), Datum::Float64(f64::NEG_INFINITY)]),
        (ScalarType::Text, vec![Datum::Text("12.50"), Datum::Text(""), Datum::Text("ü\n\\N\t")]),
        (ScalarType::Varchar(Some(9)), vec![Datum::Text("007")]),
        (ScalarType::Varchar(None), vec![Datum::Text("x")]),
        (ScalarType::Char(4), vec![Datum::Text("ab  ")]),
        (ScalarType::Bytes, vec![Datum::Bytes(&[0, 255]), Datum::Bytes(b"")]),
        (ScalarType::Date, vec![Datum::Date(19_782), Datum::Date(i32::MAX), Datum::Date(-800_000)]),
        (ScalarType::Time, vec![Datum::Time(86_399_999_999)]),
        (ScalarType::Timestamp, vec![Datum::Timestamp(-1), Datum::Timestamp(1_709_290_800_250_000)]),
        (ScalarType::TimestampTz, vec![Datum::TimestampTz(1_709_290_800_000_000), Datum::TimestampTz(i64::MIN)]),
        (ScalarType::Interval, vec![interval]),
        (ScalarType::Json, vec![Datum::Text("12"), Datum::Text("{\"a\":  1.50}")]),
        (ScalarType::Jsonb, vec![Datum::Text("1.50"), Datum::Text("{\"a\": [1, null]}")]),
        (ScalarType::Uuid, vec![Datum::Text("6ba7b810-9dad-11d1-80b4-00c04fd430c8")]),
        (of(ScalarType::Int32), vec![Datum::Array(integers.as_ref())]),
        (of(ScalarType::Text), vec![Datum::Array(names.as_ref())]),
        (of(ScalarType::NUMERIC), vec![Datum::Array(amounts.as_ref())]),
        (of(ScalarType::Json), vec![Datum::Array(documents.as_ref())]),
        (of(ScalarType::Jsonb), vec![Datum::Array(documents.as_ref())]),
    ];
    let place = Place::new();
    for (arrays_from, merges_from) in WAYS {
        place.run("drop schema if exists {m} cascade; drop schema if exists {b} cascade");
        let mut sink = place.open("a").with_ways(arrays_from, merges_from);
        let (mut tables, mut deltas) = (vec![], vec![]);
        for (index, (ty, datums)) in values.iter().enumerate() {
            tables.push(table(&format!("t{index}"), &[("id", ScalarType::Int64), ("v", ty.clone())], None));
            let rows = datums.iter().chain([&Datum::Null]).enumerate();
            let rows = rows.map(|(id, datum)| (Row::pack([Datum::Int(id as i64), datum.clone()]), 1)).collect();
            deltas.push((index, rows));
        }
        evolve(&mut sink, &tables);
        sink.commit(&cut(1, vec![])).expect("tables");
        sink.commit(&cut(2, deltas.clone())).expect("values");
        for (index, rows) in &deltas {
            let held = sink.read_table(&tables[*index]).expect("a table");
            assert_eq!(held, sorted(rows.clone()), "{:?}", values[*index].0);
        }
        assert_eq!(place.one("select v from {m}.t4 where id = 0"), "12.50");
        assert_eq!(place.one("select v::text from {m}.t15 where id = 0"), "2024-02-29");
        assert_eq!(place.one("select v from {m}.t23 where id = 0"), "{1,NULL,-3}");
        let gone = deltas
            .into_iter()
            .map(|(index, rows): (_, Vec<_>)| (index, rows.into_iter().map(|(row, _)| (row, -1)).collect()));
        sink.commit(&cut(3, gone.collect())).expect("deletes");
        for table in &tables {
            assert!(sink.read_table(table).expect("a table").is_empty());
        }
        Box::new(sink).close().expect("closed");
    }
}

#[test]
fn postgres_a_table_that_somebody_else_made_is_refused_unless_adopted() {
    let place = Place::new();
    let mut sink = place.open("a");
    place.run(
        "create schema {m}; create table {m}.orders (id bigint, status text, old text);
         insert into {m}.orders values (1, 'new', 'x'), (2, 'paid', 'y'); create view {m}.clicks as select 1 as who",
    );
    let deploy = vec![(orders(), Deploy::Evolve)];
    let error = sink.deploy(deploy.clone(), false).expect_err("not ours");
    let SinkError::Refused { message, hint: Some(hint), .. } = &error else { panic!("{error}") };
    assert!(message.contains("orders") && hint.contains("--adopt"), "{message} {hint}");
    let reserved = TableSpec { schema: place.meta.clone(), ..table("cut", &[("id", ScalarType::Int64)], None) };
    assert!(sink.deploy(vec![(reserved, Deploy::Evolve)], true).is_err(), "the bookkeeping cannot be adopted");
    assert!(sink.deploy(vec![(clicks(), Deploy::Evolve)], true).expect_err("a view").to_string().contains("view"));

    sink.deploy(deploy.clone(), true).expect("adopted");
    assert_eq!(sink.read_table(&orders()).expect("held"), sorted(vec![(order(1, "new"), 1), (order(2, "paid"), 1)]));
    sink.commit(&cut(1, vec![(0, vec![(order(2, "paid"), -1), (order(3, "new"), 1)])])).expect("corrected");
    assert_eq!(sink.read_table(&orders()).expect("orders"), sorted(vec![(order(1, "new"), 1), (order(3, "new"), 1)]));
    assert_eq!(
        place.one(
            "select string_agg(attname, ',' order by attnum) from pg_attribute
                          where attrelid = '{m}.orders'::regclass and attnum > 0 and not attisdropped"
        ),
        "id,status"
    );

    // Another instance does not take it while its owner is there, and does afterwards if it is told to.
    let mut other = PostgresSink::open(place.config(), "shop.other", "b").expect("free");
    let error = other.deploy(deploy.clone(), true).expect_err("its owner is running").to_string();
    assert!(error.contains(INSTANCE) && error.contains("running"), "{error}");
    Box::new(sink).close().expect("closed");
    assert!(other.deploy(deploy.clone(), false).expect_err("not without a word").to_string().contains(INSTANCE));
    other.deploy(deploy, true).expect("taken over");
    other.commit(&cut(1, vec![])).expect("a cut");
    assert_eq!(place.one("select string_agg(instance, ',') from {b}.models"), "shop.other");
}

#[test]
fn postgres_a_changed_model_alters_its_table_and_views_and_grants_survive() {
    let place = Place::new();
    let mut sink = place.open("a");
    let before = table(
        "orders",
        &[("id", ScalarType::Int64), ("status", ScalarType::Varchar(Some(9))), ("total", ScalarType::Int64)],
        Some(&[0]),
    );
    evolve(&mut sink, &[before]);
    let row = |id, status, total| Row::pack([Datum::Int(id), Datum::Text(status), Datum::Int(total)]);
    sink.commit(&cut(1, vec![(0, vec![(row(1, "new", 5), 1), (row(2, "paid", 6), 1)])])).expect("before");
    place.run("create view {m}.dashboard as select id from {m}.orders; grant select on {m}.orders to public");
    let filed = place.one("select relfilenode from pg_class where oid = '{m}.orders'::regclass");

    let after = table(
        "orders",
        &[
            ("id", ScalarType::Int64),
            ("status", ScalarType::Text),
            ("total", ScalarType::Text),
            ("day", ScalarType::Date),
        ],
        Some(&[0]),
    );
    sink.deploy(vec![(after.clone(), Deploy::Evolve)], false).expect("ours");
    let blank = |id, status| Row::pack([Datum::Int(id), Datum::Text(status), Datum::Null, Datum::Null]);
    let held = sink.read_table(&after).expect("as it will be");
    assert_eq!(held, sorted(vec![(blank(1, "new"), 1), (blank(2, "paid"), 1)]));
    let full = |id, status, total| {
        Row::pack([Datum::Int(id), Datum::Text(status), Datum::Text(total), Datum::Date(id as i32)])
    };
    let now = vec![(full(1, "new", "five"), 1), (full(2, "paid", "six"), 1)];
    let delta = held.iter().map(|(row, _)| (row.clone(), -1)).chain(now.clone()).collect();
    sink.commit(&cut(2, vec![(0, delta)])).expect("after");
    assert_eq!(sink.read_table(&after).expect("orders"), sorted(now));
    assert_eq!(place.one("select count(*) from {m}.dashboard"), "2");
    assert_eq!(place.one("select has_table_privilege('public', '{m}.orders', 'select')"), "t");
    assert_eq!(
        place.one("select relfilenode from pg_class where oid = '{m}.orders'::regclass"),
        filed,
        "not rewritten"
    );

    place.run("create view {m}.daily as select day from {m}.orders");
    let narrow = table("orders", &[("id", ScalarType::Int64)], Some(&[0]));
    sink.deploy(vec![(narrow, Deploy::Evolve)], false).expect("ours");
    let error = sink.commit(&cut(3, vec![])).expect_err("the view needs the column");
    let SinkError::Refused { message, hint: Some(hint), .. } = &error else { panic!("{error:?}") };
    assert!(message.contains("orders") && hint.contains("view"), "{message} {hint}");
    assert!(std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("daily")), "{error:?}");
}

#[test]
fn postgres_a_key_that_changes_is_indexed_after_its_delta() {
    let place = Place::new();
    let mut sink = place.open("a");
    let by_id = table("t", &[("id", ScalarType::Int64), ("v", ScalarType::Int64)], Some(&[0]));
    evolve(&mut sink, std::slice::from_ref(&by_id));
    let row = |id, v| Row::pack([Datum::Int(id), Datum::Int(v)]);
    sink.commit(&cut(1, vec![(0, vec![(row(1, 1), 1), (row(2, 1), 1), (row(3, 2), 1)])])).expect("by id");
    let by_v = TableSpec { key: Some(vec![1]), ..by_id.clone() };
    sink.deploy(vec![(by_v.clone(), Deploy::Evolve)], false).expect("ours");
    sink.commit(&cut(2, vec![(0, vec![(row(2, 1), -1)])])).expect("by v");
    sink.commit(&cut(3, vec![(0, vec![(row(1, 1), -1), (row(9, 1), 1)])])).expect("an update by the new key");
    assert_eq!(sink.read_table(&by_v).expect("t"), sorted(vec![(row(3, 2), 1), (row(9, 1), 1)]));
    let keyless = TableSpec { key: None, ..by_id };
    sink.deploy(vec![(keyless.clone(), Deploy::Evolve)], false).expect("ours");
    sink.commit(&cut(4, vec![(0, vec![(row(9, 1), 1)])])).expect("a second copy");
    assert_eq!(sink.read_table(&keyless).expect("t"), sorted(vec![(row(3, 2), 1), (row(9, 1), 2)]));
}

#[test]
fn postgres_deletes_without_a_key_go_through_the_hash() {
    let place = Place::new();
    let mut sink = place.open("a");
    evolve(&mut sink, &[clicks()]);
    let pages: Vec<String> = (0..5_000).map(|page| format!("/{page}")).collect();
    sink.commit(&cut(1, vec![(0, pages.iter().map(|page| (click(Some("ada"), page), 1)).collect())])).expect("inserts");
    assert_eq!(place.one("select count(*) from pg_indexes where schemaname = '{m}'"), "0", "it only grew");
    sink.commit(&cut(2, vec![(0, vec![(click(Some("ada"), "/7"), -1)])])).expect("the first delete makes the index");
    place.run("analyze {m}.clicks");
    let plan = place.one(
        "explain (format json) select ctid from {m}.clicks
         where hash_record_extended(row(who, page), 0) = hash_record_extended(row('ada'::text, '/8'::text), 0) limit 1",
    );
    assert!(plan.contains("livemart_rows_clicks"), "{plan}");
}

#[test]
fn postgres_errors_come_and_go_with_an_exact_count() {
    let error = |position: u64| ErrorRow {
        kind: "decode".into(),
        model: None,
        source: Some("raw.orders".into()),
        partition: Some("0".into()),
        position: Some(position),
        key: None,
        column_name: Some("total".into()),
        expression: None,
        reason: "not a number".into(),
        record: Some("{\"total\": \"\0\"}".into()),
    };
    let place = Place::new();
    let mut sink = place.open("a");
    let with_errors = |seq, errors| Commit { errors, ..cut(seq, vec![]) };
    let counts = "select total || ' ' || kept || ' ' || (select count(*) from {b}.errors) from {b}.error_counts";
    sink.commit(&with_errors(1, vec![(error(1), 2), (error(2), 1)])).expect("three errors");
    assert_eq!(place.one(counts), "3 3 3");
    sink.commit(&with_errors(2, vec![(error(1), -1)])).expect("one copy healed");
    assert_eq!(place.one(counts), "2 2 2");
    assert!(sink.commit(&with_errors(3, vec![(error(5), -1)])).is_err(), "it was never set aside");
    let fresh = Commit { resets_errors: true, ..with_errors(3, vec![(error(1), 1), (error(7), 1)]) };
    sink.commit(&fresh).expect("all set aside anew");
    assert_eq!(place.one(counts), "2 2 2");
    sink.commit(&with_errors(4, vec![(error(7), -1), (error(2), 1)])).expect("on from there");
    sink.commit(&with_errors(5, (10..1_510).map(|position| (error(position), 1)).collect())).expect("many");
    assert_eq!(place.one(counts), "1502 1000 1000");
    sink.commit(&with_errors(6, vec![(error(1_509), -1), (error(10), -1)])).expect("one counted, one kept");
    assert_eq!(place.one(counts), "1500 999 999");
    let rest = (11..1_509).map(|position| (error(position), -1)).chain([(error(1), -1), (error(2), -1)]);
    sink.commit(&with_errors(7, rest.collect())).expect("all healed");
    assert_eq!(place.one("select (select count(*) from {b}.error_counts) + (select count(*) from {b}.errors)"), "0");
}

#[test]
fn postgres_a_reader_sees_whole_cuts_only() {
    let place = Place::new();
    let mut sink = place.open("a").with_ways(3, 20);
    evolve(&mut sink, &[orders(), clicks()]);
    sink.commit(&cut(1, vec![])).expect("empty tables");
    let (marts, meta, done) = (place.marts.clone(), place.meta.clone(), Arc::new(AtomicBool::new(false)));
    let stop = done.clone();
    let reader = std::thread::spawn(move || {
        let client = Client::new();
        let mut looks = 0;
        while !stop.load(Ordering::Relaxed) || looks == 0 {
            client.run("begin isolation level repeatable read read only");
            let orders: i64 = client.one(&format!("select count(*) from {marts}.orders")).parse().expect("a count");
            let clicks: i64 = client.one(&format!("select count(*) from {marts}.clicks")).parse().expect("a count");
            let seq: i64 = client.one(&format!("select seq from {meta}.cut")).parse().expect("a number");
            client.run("commit");
            assert_eq!((orders, clicks), (10 * (seq - 1), 2 * (seq - 1)), "torn cut");
            looks += 1;
        }
    });
    let mut id = 0;
    for seq in 2..100 {
        let page = format!("/{seq}");
        let new: Vec<_> = (0..10).map(|n| (order(id + n, "new"), 1)).collect();
        id += 10;
        sink.commit(&cut(seq, vec![(0, new), (1, vec![(click(None, &page), 2)])])).expect("a cut");
    }
    done.store(true, Ordering::Relaxed);
    reader.join().expect("no torn cut");
}

#[test]
fn postgres_an_alter_behind_a_long_reader_is_given_back_to_be_retried() {
    let place = Place::new();
    let mut sink = place.open("a");
    evolve(&mut sink, &[orders()]);
    sink.commit(&cut(1, vec![])).expect("a table");
    place.run("begin; select count(*) from {m}.orders");
    let wider = table(
        "orders",
        &[("id", ScalarType::Int64), ("status", ScalarType::Text), ("day", ScalarType::Date)],
        Some(&[0]),
    );
    sink.deploy(vec![(wider.clone(), Deploy::Evolve)], false).expect("ours");
    let outcome = sink.commit(&cut(2, vec![]));
    assert!(matches!(outcome, Err(SinkError::Unreachable { .. })), "{outcome:?}");
    place.run("commit");
    sink.commit(&cut(2, vec![])).expect("the reader has gone");
    assert_eq!(
        place.one("select count(*) from pg_attribute where attrelid = '{m}.orders'::regclass and attnum > 0"),
        "3"
    );
}

#[test]
fn postgres_a_server_that_is_not_there_is_unreachable() {
    let config = PostgresConfig {
        url: "postgres://postgres:secret@127.0.0.1:1/postgres".into(),
        password_file: None,
        tls: TlsSettings::default(),
        schema: "marts".into(),
        meta_schema: "livemart".into(),
    };
    let Err(SinkError::Unreachable { message, .. }) = PostgresSink::open(config.clone(), INSTANCE, "a") else {
        panic!("somebody listens on port 1");
    };
    assert!(message.contains("127.0.0.1:1") && !message.contains("secret"), "{message}");
    let nonsense = PostgresConfig { url: "nonsense".into(), ..config };
    assert!(matches!(PostgresSink::open(nonsense, INSTANCE, "a"), Err(SinkError::Refused { .. })));
}

/// Rows of a small domain, so that keys and copies meet often.
fn changes() -> impl Strategy<Value = Vec<Vec<(Option<i64>, i64, i64)>>> {
    let key = prop_oneof![Just(None), (0_i64..4).prop_map(Some)];
    prop::collection::vec(prop::collection::vec((key, 0_i64..3, 0_i64..4), 0..12), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Old table plus delta is the new table, with and without a key, row by row and merged.
    #[test]
    fn postgres_tables_follow_a_model_multiset(cuts in changes(), (arrays_from, merges_from) in prop::sample::select([WAYS.as_slice(), &[(2, 4)]].concat())) {
        let place = Place::new();
        let mut sink = place.open("a").with_ways(arrays_from, merges_from);
        let columns = [("k", ScalarType::NUMERIC), ("v", ScalarType::Text)];
        let keyed = table("keyed", &columns, Some(&[0]));
        let keyless = table("keyless", &columns, None);
        evolve(&mut sink, &[keyed.clone(), keyless.clone()]);
        let row = |key: Option<i64>, value: i64| {
            let key = key.map_or(Datum::Null, |key| Datum::Numeric(Numeric::from_parts(i128::from(key), 0)));
            Row::pack([key, Datum::Text(&value.to_string())])
        };
        let (mut by_key, mut copies) = (BTreeMap::<Option<i64>, i64>::new(), BTreeMap::<Row, i64>::new());
        for (seq, cut_changes) in cuts.iter().enumerate() {
            let mut keyed_delta = BTreeMap::<Row, i64>::new();
            let mut copies_delta = BTreeMap::<Row, i64>::new();
            for (key, value, count) in cut_changes {
                // In the keyed table a count of 0 deletes; elsewhere the row gets exactly `count` copies.
                if let Some(old) = if *count == 0 { by_key.remove(key) } else { by_key.insert(*key, *value) } {
                    *keyed_delta.entry(row(*key, old)).or_default() -= 1;
                }
                if *count > 0 {
                    *keyed_delta.entry(row(*key, *value)).or_default() += 1;
                }
                let old = copies.insert(row(*key, *value), *count).unwrap_or(0);
                *copies_delta.entry(row(*key, *value)).or_default() += count - old;
            }
            let net = |delta: BTreeMap<Row, i64>| delta.into_iter().filter(|(_, diff)| *diff != 0).collect::<Vec<_>>();
            sink.commit(&cut(seq as u64 + 1, vec![(0, net(keyed_delta)), (1, net(copies_delta))])).expect("a cut");
            let expected: BTreeMap<Row, i64> = by_key.iter().map(|(key, value)| (row(*key, *value), 1)).collect();
            prop_assert_eq!(sink.read_table(&keyed).expect("keyed"), expected.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(sink.read_table(&keyless).expect("keyless"), net(copies.clone()));
        }
    }
}

/// Prints what a cut of so many updated rows takes, by way. The choice in `sink/postgres` rests on it:
/// `cargo test --test it what_each_way_costs -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and checks nothing"]
fn postgres_what_each_way_costs() {
    const ROWS: i64 = 200_000;
    let columns = [
        ("id", ScalarType::Int64),
        ("customer", ScalarType::Text),
        ("day", ScalarType::Date),
        ("cents", ScalarType::Int64),
        ("share", ScalarType::Float64),
        ("seen", ScalarType::Timestamp),
    ];
    let row = |id: i64, cents: i64| {
        let name = format!("customer {id}");
        Row::pack([
            Datum::Int(id),
            Datum::Text(&name),
            Datum::Date(20_000),
            Datum::Int(cents),
            Datum::Float64(0.5),
            Datum::Timestamp(1_700_000_000_000_000 + cents),
        ])
    };
    for (what, key, inserts) in [
        ("by key", Some([0].as_slice()), false),
        ("without a key", None, false),
        ("new rows", Some([0].as_slice()), true),
    ] {
        let place = Place::new();
        let mut sink = place.open("a");
        let spec = table("measured", &columns, key);
        evolve(&mut sink, std::slice::from_ref(&spec));
        let mut held = vec![0_i64; ROWS as usize];
        let all = (0..ROWS).map(|id| (row(id, 0), 1)).collect();
        sink.commit(&cut(1, vec![(0, all)])).expect("filled");
        let mut seq = 1;
        for size in [1, 2, 3, 5, 10, 30, 100, 300, 1_000, 3_000, 10_000] {
            let mut line = format!("{what}: {size:>6} rows");
            for (way, arrays_from, merges_from) in
                [("row by row", 99_999, 99_999), ("arrays", 1, 99_999), ("merge", 1, 1)]
            {
                sink = sink.with_ways(arrays_from, merges_from);
                let mut took: Vec<u128> = (0..if size > 1_000 { 3 } else { 15 })
                    .map(|_| {
                        seq += 1;
                        let fresh = ROWS + seq as i64 * 10_000;
                        let delta = (0..size).flat_map(|n| {
                            if inserts {
                                return vec![(row(fresh + n, 0), 1)];
                            }
                            let id = (seq as i64 * 7_919 + n * 104_729) % ROWS;
                            let before = held[id as usize];
                            held[id as usize] += 1;
                            vec![(row(id, before), -1), (row(id, before + 1), 1)]
                        });
                        let commit = cut(seq, vec![(0, delta.collect())]);
                        let started = std::time::Instant::now();
                        sink.commit(&commit).expect("a cut");
                        started.elapsed().as_micros()
                    })
                    .collect();
                took.sort_unstable();
                line += &format!("   {way} {:>8.2} ms", took[took.len() / 2] as f64 / 1e3);
            }
            println!("{line}");
        }
    }
}
