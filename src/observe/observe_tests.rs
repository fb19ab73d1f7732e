use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use super::*;

/// (status, body) as a scraper sees them.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_string())
}

fn serve(observer: &Observer) -> HttpServer {
    HttpServer::start(observer.clone(), (Ipv4Addr::LOCALHOST, 0).into()).expect("a free port")
}

#[test]
fn a_scrape_shows_what_was_told() {
    let observer = Observer::new(HealthLimits::default());
    let server = serve(&observer);
    let (_, before) = get(server.address(), "/metrics");
    assert!(before.contains("livemart_errors_rows{kind=\"decode\"} 0") && !before.contains("cut_age"), "{before}");

    observer.records_read("raw.orders", 3);
    observer.records_read("raw.orders", 4);
    observer.records_set_aside("raw.orders", 1);
    observer.lag("raw.orders", "0", 12);
    observer.newest_event("raw.orders", wall_micros() - 1_500_000);
    observer.freshness_limit("raw.orders", "warn", Duration::from_secs(60));
    observer.dataflow_built(42);
    observer.epoch_closed(1, 7);
    observer.state_measured("raw.orders", 5, 500);
    observer.table_changed("marts.orders", 9);
    observer.cut_committed(CutCommitted { seq: 5, clock: 1_500_000, rows: 9, took: Duration::from_millis(2) });
    observer.commit_retried(6, 1, "connection refused");
    observer.test_evaluated("not_null_orders_id", "error", 2);
    observer.errors_set_aside("decode", 1);
    observer.hydrated(Duration::from_secs(3));
    let (status, text) = get(server.address(), "/metrics");
    assert_eq!(status, 200);
    for line in [
        "livemart_source_records_total{source=\"raw.orders\"} 7",
        "livemart_source_decode_errors_total{source=\"raw.orders\"} 1",
        "livemart_source_lag_records{partition=\"0\",source=\"raw.orders\"} 12",
        "livemart_source_lag_seconds{source=\"raw.orders\"} 1.",
        "livemart_source_freshness_limit_seconds{severity=\"warn\",source=\"raw.orders\"} 60",
        "livemart_dataflow_operators 42",
        "livemart_epochs_total 1",
        "livemart_epoch_updates_total 7",
        "livemart_state_bytes{table=\"raw.orders\"} 500",
        "livemart_table_delta_rows_total{table=\"marts.orders\"} 9",
        "livemart_cut_seq 5",
        "livemart_cut_clock_seconds 1.5",
        "livemart_sink_commit_seconds_count 1",
        "livemart_sink_commit_seconds_bucket{le=\"0.0025\"} 1",
        "livemart_sink_commit_seconds_bucket{le=\"0.001\"} 0",
        "livemart_sink_retries_total 1",
        "livemart_test_failures_rows{severity=\"error\",test=\"not_null_orders_id\"} 2",
        "livemart_errors_rows{kind=\"decode\"} 1",
        "livemart_hydration_seconds 3",
        "livemart_cut_age_seconds ",
        "livemart_ready 0",
    ] {
        assert!(text.lines().any(|there| there.starts_with(line)), "{line} is not in\n{text}");
    }
}

#[test]
fn every_metric_ends_in_its_unit() {
    let observer = Observer::new(HealthLimits::default());
    let units = ["_total", "_seconds", "_records", "_rows", "_bytes", "_operators", "_seq", "_ready"];
    let text = observer.metrics_text();
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter_map(|line| line.split(' ').next());
    for name in names {
        assert!(name.starts_with("livemart_") && units.iter().any(|unit| name.ends_with(unit)), "{name}");
    }
}

#[test]
fn health_is_told_by_status_and_reason() {
    let limits = HealthLimits { loop_silence_max: Duration::from_millis(150), ..HealthLimits::default() };
    let observer = Observer::new(limits);
    let server = serve(&observer);
    assert_eq!(
        get(server.address(), "/readyz"),
        (503, "not the owner: standing by\nhydrating\nnothing is published yet\n".into())
    );
    observer.loop_turned();
    assert_eq!(get(server.address(), "/healthz").0, 200);
    std::thread::sleep(Duration::from_millis(200));
    let (status, text) = get(server.address(), "/healthz");
    assert!(status == 503 && text.starts_with("stuck"), "{text}");
    observer.ownership(true);
    observer.hydrated(Duration::ZERO);
    observer.cut_found();
    assert_eq!(get(server.address(), "/readyz"), (200, "ready\n".into()));
    assert_eq!(get(server.address(), "/").0, 200);
    assert_eq!(get(server.address(), "/nothing").0, 404);
}

#[test]
fn a_stopped_server_frees_its_port_even_from_a_client_that_stays() {
    let observer = Observer::new(HealthLimits::default());
    let server = serve(&observer);
    let address = server.address();
    let idle = TcpStream::connect(address).expect("it listens");
    server.stop();
    let again = HttpServer::start(observer, address).expect("the port is free");
    assert_eq!(again.address(), address);
    drop(idle);
}

/// A rule on a series that is not there never fires, and nobody sees that.
#[test]
fn every_metric_of_the_rules_is_scraped() {
    let rules = include_str!("../../ops/alerts.yml");
    let observer = Observer::new(HealthLimits::default());
    observer.records_read("raw.orders", 1);
    observer.records_set_aside("raw.orders", 1);
    observer.lag("raw.orders", "0", 0);
    observer.newest_event("raw.orders", 0);
    observer.freshness_limit("raw.orders", "error", Duration::from_secs(1));
    observer.test_evaluated("not_null", "error", 0);
    observer.alerts_told(true);
    let text = observer.metrics_text();
    let scraped: Vec<&str> = text.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: std::collections::BTreeSet<&str> = words.filter(|word| word.starts_with("livemart_")).collect();
    assert!(named.len() >= 10, "{named:?}");
    for name in named {
        assert!(scraped.contains(&name), "{name} is in no answer of /metrics");
    }
    let yaml = crate::project::parse_yaml(rules, "alerts.yml").expect("the rules are YAML");
    let groups = yaml.get("groups").and_then(crate::project::Yaml::as_list).expect("groups");
    let rules =
        groups.iter().flat_map(|group| group.get("rules").and_then(crate::project::Yaml::as_list).unwrap_or_default());
    for rule in rules {
        for key in ["alert", "expr", "labels", "annotations"] {
            assert!(rule.get(key).is_some(), "line {}: {key} is missing", rule.line);
        }
    }
}

/// Airflow is not at hand; its DAG is at least a program.
#[test]
fn the_example_dag_is_python() {
    let dag = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/airflow/livemart_deploy.py");
    let check = format!("import ast; ast.parse(open({dag:?}).read())");
    let done =
        std::process::Command::new("python3").args(["-c", &check]).status().expect("python3 is part of the setup");
    assert!(done.success());
}
