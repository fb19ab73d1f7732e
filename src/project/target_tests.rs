use super::*;
use crate::project::jinja::scope::{World, WorldParts};
use crate::sink::postgres::{TlsMode, TlsSettings};

fn scope() -> Arc<Scope> {
    let env_vars = [
        ("KAFKA_BROKERS".to_string(), "k:9092".to_string()),
        ("DBT_ENV_SECRET_URL".to_string(), "postgresql://x".to_string()),
    ];
    let world =
        World::new(WorldParts { project_name: "shop".into(), env_vars: env_vars.into(), ..WorldParts::default() });
    let mut scope = Scope::for_yaml(Arc::new(world));
    scope.may_read_secrets = true;
    Arc::new(scope)
}

const TABLES: [DeclaredTable<'static>; 2] = [
    DeclaredTable { unique_id: "source.shop.raw.orders", source: "raw", table: "orders", identifier: "orders" },
    DeclaredTable { unique_id: "source.shop.raw.items", source: "raw", table: "items", identifier: "order_items" },
];

fn load(text: &str, name: &str) -> Result<TargetConfig> {
    let folder =
        std::env::temp_dir().join(format!("livemart-target-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    std::fs::write(folder.join(FILE), text).expect("written");
    let read = TargetsFile::read(&folder);
    std::fs::remove_dir_all(&folder).expect("removed");
    let target = read?.expect("the file").target(name, &scope())?;
    let sink = target.sink()?.unwrap_or(SinkConfig::Sqlite { path: "x.db".into() });
    target.resolve(sink, &TABLES)
}

fn check_error(text: &str, message: &str, line: usize, hint: &str) {
    let error = load(text, "dev").expect_err(text);
    assert!(error.message.contains(message), "{error}");
    assert_eq!(error.line, Some(line), "{error}");
    assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{error:?}");
}

#[test]
fn a_table_inherits_its_sources_settings_key_by_key() {
    let text = "targets:\n  dev:\n    sources:\n      raw: {connector: file, path: \"../data/{table}.jsonl\", envelope: debezium}\n      raw.items: {key: [order_id, line_no], envelope: upsert}\n";
    let config = load(text, "dev").expect("valid");
    let orders = &config.sources["source.shop.raw.orders"];
    let items = &config.sources["source.shop.raw.items"];
    assert_eq!((orders.envelope, items.envelope), (EnvelopeKind::Debezium, EnvelopeKind::Upsert));
    assert_eq!(items.key.as_deref(), Some(&["order_id".to_string(), "line_no".to_string()][..]));
    assert!(matches!(&items.connector, Connector::File { path } if path.ends_with("../data/items.jsonl")));
    assert_eq!(config.commit_interval, COMMIT_INTERVAL);
    assert!(config.state_path.ends_with(".livemart/dev/state"));
}

#[test]
fn only_the_selected_target_is_rendered() {
    let memory = load("targets:\n  dev: {memory_max: 1.5GiB}\n", "dev").expect("a limit").memory_bytes_max;
    assert_eq!(memory, Some(3 << 29));
    let text = "targets:\n  dev: {commit_interval: 10ms}\n  prod:\n    sink: {type: postgres, url: \"{{ env_var('NOT_SET') }}\"}\n";
    assert_eq!(load(text, "dev").expect("dev alone").commit_interval, Duration::from_millis(10));
    let error = load(text, "prod").expect_err("a missing variable");
    assert!(error.message.contains("Env var required but not provided: 'NOT_SET'"), "{error}");
}

#[test]
fn kafka_takes_what_librdkafka_takes() {
    let text = "targets:\n  prod:\n    sources:\n      raw: {connector: kafka, brokers: \"{{ env_var('KAFKA_BROKERS') }}\", topic: \"s.{table}\", format: avro, properties: {security.protocol: SASL_SSL, enable.x: true}}\n    sink: {type: postgres, url: \"{{ env_var('DBT_ENV_SECRET_URL') }}\", schema: marts}\n    clock: {mode: wall, time_zone: Europe/Berlin}\n    workers: 4\n";
    let config = load(text, "prod").expect("valid");
    let Connector::Kafka { brokers, topic, properties, .. } = &config.sources["source.shop.raw.orders"].connector
    else {
        panic!("kafka")
    };
    assert_eq!((brokers.as_str(), topic.as_str()), ("k:9092", "s.orders"));
    assert_eq!(properties["enable.x"], "true");
    assert_eq!(
        config.sink,
        SinkConfig::Postgres {
            url: "postgresql://x".into(),
            password_file: None,
            tls: TlsSettings::default(),
            schema: "marts".into(),
            meta_schema: "livemart".into()
        }
    );
    assert_eq!((config.clock.mode, config.workers), (ClockMode::Wall, 4));
}

#[test]
fn tls_is_said_with_libpqs_words() {
    let text = "targets:\n  prod:\n    sink: {type: postgres, url: x, sslmode: verify-full, sslrootcert: ca.pem, sslcert: /me.crt, sslkey: /me.key}\n";
    let SinkConfig::Postgres { tls, .. } = load(text, "prod").expect("valid").sink else { panic!("postgres") };
    assert_eq!(tls.mode, Some(TlsMode::VerifyFull));
    assert!(tls.root.expect("a path").ends_with("ca.pem") && tls.certificate == Some("/me.crt".into()));
    check_error(
        "targets:\n  dev:\n    sink: {type: postgres, url: x, sslmode: verify_ca}\n",
        "unknown sslmode 'verify_ca'",
        3,
        "verify-ca",
    );
}

#[test]
fn an_unknown_field_is_refused_with_its_line_and_the_nearest_name() {
    check_error("targets:\n  dev:\n    comit_interval: 1s\n", "unknown field 'comit_interval'", 3, "commit_interval");
    check_error("targets:\n  dev:\n    sink:\n      type: sqlite\n      paht: x\n", "unknown field 'paht'", 5, "path");
    check_error("targets:\n  dev:\n    sink: {type: sqllite, path: x}\n", "unknown type 'sqllite'", 3, "sqlite");
    check_error(
        "targets:\n  dev:\n    sources:\n      raw.order: {connector: file, path: x}\n",
        "no dbt source is called 'raw.order'",
        4,
        "raw.orders",
    );
    check_error("targets:\n  dev:\n    memory_max: much\n", "'much' is not an amount of memory", 3, "2GiB");
    check_error("targets:\n  dev:\n    commit_interval: soon\n", "'soon' is not a duration", 3, "200ms");
    check_error("targets:\n  dev:\n    clock: {mode: fixed}\n", "a fixed clock needs it", 3, "");
}

#[test]
fn durations_have_units() {
    assert_eq!(parse_duration("10ms"), Some(Duration::from_millis(10)));
    assert_eq!(parse_duration("400 days"), Some(Duration::from_secs(400 * 86_400)));
    assert_eq!(parse_duration("1.5h"), Some(Duration::from_secs(5_400)));
    assert_eq!((parse_duration("5"), parse_duration("x"), parse_duration("5 parsecs")), (None, None, None));
}

#[test]
fn a_kafka_source_with_a_registry_and_whole_transactions() {
    let load = |source: &str| load(&format!("targets:\n  dev:\n    sources:\n      raw: {source}\n"), "dev");
    let whole = load(
        "{connector: kafka, brokers: b, topic: \"shop.public.{table}\", format: avro, envelope: debezium, transactions: debezium, schema_registry: {url: \"https://r:8081\", basic.auth.user.info: \"a:b\", ssl.ca.location: ca.pem}}",
    );
    let whole = whole.expect("valid");
    let orders = &whole.sources["source.shop.raw.orders"];
    let Connector::Kafka { transactions, .. } = &orders.connector else { panic!("{orders:?}") };
    assert_eq!(transactions.as_deref(), Some("shop.transaction"));
    let registry = orders.schema_registry.as_ref().expect("a registry");
    assert_eq!((registry.url.as_str(), registry.user_info.as_deref()), ("https://r:8081", Some("a:b")));
    assert!(registry.ca.as_ref().expect("a file").ends_with("ca.pem"));
    let error = load("{connector: kafka, brokers: b, topic: orders, transactions: debezium}").expect_err("no prefix");
    assert!(error.message.contains("transaction_topic"), "{error}");
    let error = load("{connector: kafka, brokers: b, topic: x, transactions: mysql}").expect_err("unknown");
    assert!(error.to_string().contains("mysql"), "{error}");
}

#[test]
fn a_changelog_is_read_whole_and_strictly() {
    let changelog = |rest: &str| {
        let text =
            format!("targets:\n  dev:\n    sink:\n      type: sqlite\n      path: x.db\n      changelog: {{{rest}}}\n");
        load(&text, "dev").map(|config| config.changelog.expect("a changelog"))
    };
    let full = changelog(
        "brokers: \"{{ env_var('KAFKA_BROKERS') }}\", topic: \"{schema}.{table}\", envelope: upsert, models: marked, partitions: 3, \
         outbox_bytes_max: 2MiB, properties: {sasl.password: x}",
    );
    let full = full.expect("valid");
    assert_eq!((full.brokers.as_str(), full.partitions, full.replication, full.carries_all), ("k:9092", 3, 1, false));
    assert_eq!((full.outbox_bytes_max, full.topic_of("a", "b").as_str()), (2 << 20, "a.b"));
    assert_eq!(full.position_topic_of("shop.dev é"), "livemart.livemart.shop.dev__");
    assert!(!format!("{full:?}").contains("password"), "properties may be secrets");
    for (rest, message) in [
        ("brokers: x, topic: \"t.{table}\", topics: y", "unknown field 'topics'"),
        ("brokers: x, topic: t", "'topic' must hold {table}"),
        ("topic: \"t.{table}\"", "'brokers' is missing"),
        ("brokers: x, topic: \"t.{table}\", envelope: avro", "unknown envelope 'avro'"),
        ("brokers: x, topic: \"t.{table}\", partitions: 0", "'partitions' is a number from 1"),
    ] {
        let error = changelog(rest).expect_err(rest);
        assert!(error.message.contains(message), "{error}");
    }
}
