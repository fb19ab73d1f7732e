//! Against a real HTTP server in the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::observe::HealthLimits;

const WAIT: Duration = Duration::from_secs(20);

/// Answers with these statuses in turn, then 200 for ever; gives (headers, body) of each request.
fn server(statuses: Vec<u16>) -> (String, Receiver<(String, Json)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}/api/v2/alerts", listener.local_addr().expect("an address"));
    let (requests, received) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.into_iter();
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if stream.read_line(&mut head).expect("a line") == 0 {
                    break;
                }
            }
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).expect("a body");
            let status = statuses.next().unwrap_or(200);
            write!(stream.get_mut(), "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .expect("an answer");
            let body = serde_json::from_slice(&body).expect("a body of JSON");
            if requests.send((head, body)).is_err() {
                return;
            }
        }
    });
    (address, received)
}

fn alerts(url: String, format: AlertFormat) -> (Alerts, Observer) {
    let headers = BTreeMap::from([("Authorization".to_string(), "Bearer secret".to_string())]);
    let observer = Observer::new(HealthLimits::default());
    let webhook = WebhookConfig { url, headers, format };
    (Alerts::start(webhook, "shop.prod", observer.clone()).expect("a thread"), observer)
}

fn critical(summary: &str) -> Option<Problem> {
    Some(Problem { severity: "critical", summary: summary.into() })
}

#[test]
fn alertmanager_is_told_of_red_and_then_of_green() {
    let (url, received) = server(Vec::new());
    let (alerts, _) = alerts(url, AlertFormat::Alertmanager);
    alerts.set("LivemartTestFails", "not_null_orders_id", critical("3 rows fail not_null_orders_id"));
    let (head, body) = received.recv_timeout(WAIT).expect("a request");
    assert!(head.starts_with("POST /api/v2/alerts ") && head.contains("Bearer secret"), "{head}");
    assert_eq!(body.as_array().map(Vec::len), Some(1));
    assert_eq!(
        body[0]["labels"],
        json!({"alertname": "LivemartTestFails", "instance": "shop.prod", "severity": "critical", "object": "not_null_orders_id"})
    );
    assert_eq!(body[0]["annotations"]["summary"], "3 rows fail not_null_orders_id");
    let moment = |json: &Json| {
        chrono::DateTime::parse_from_rfc3339(json.as_str().expect("a moment")).expect("RFC 3339").timestamp_micros()
    };
    assert!(moment(&body[0]["startsAt"]) < wall_micros() && moment(&body[0]["endsAt"]) > wall_micros());

    // More failing rows are no transition.
    alerts.set("LivemartTestFails", "not_null_orders_id", critical("4 rows fail not_null_orders_id"));
    alerts.set("LivemartTestFails", "not_null_orders_id", None);
    let (_, over) = received.recv_timeout(WAIT).expect("a second request");
    assert_eq!(over[0]["labels"], body[0]["labels"], "an alert is known by its labels");
    assert!(moment(&over[0]["endsAt"]) <= wall_micros());
    drop(alerts);
    assert!(received.recv_timeout(Duration::from_millis(300)).is_err(), "each transition is told once");
}

#[test]
fn a_webhook_that_fails_is_told_again() {
    let (url, received) = server(vec![500, 503]);
    let (alerts, observer) = alerts(url, AlertFormat::Alertmanager);
    alerts.set("LivemartRowsSetAside", "decode", critical("1 row is set aside"));
    for _ in 0..3 {
        let (_, body) = received.recv_timeout(WAIT).expect("a request");
        assert_eq!(body[0]["labels"]["object"], "decode");
    }
    drop(alerts);
    assert!(received.recv_timeout(Duration::from_millis(300)).is_err(), "told at last, it is not told again");
    let text = observer.metrics_text();
    assert!(text.contains("livemart_alert_posts_total{outcome=\"failed\"} 2"), "{text}");
    assert!(text.contains("livemart_alert_posts_total{outcome=\"sent\"} 1"), "{text}");
}

#[test]
fn slack_gets_a_line_per_transition() {
    let (url, received) = server(Vec::new());
    let (alerts, _) = alerts(url, AlertFormat::Slack);
    alerts.set("LivemartTestFails", "a", critical("1 row fails a"));
    let text = |body: Json| body["text"].as_str().expect("a text").to_string();
    let first = text(received.recv_timeout(WAIT).expect("a request").1);
    assert_eq!(first, ":red_circle: shop.prod: 1 row fails a");
    alerts.set("LivemartTestFails", "b", Some(Problem { severity: "warning", summary: "2 rows fail b".into() }));
    let second = text(received.recv_timeout(WAIT).expect("a request").1);
    assert_eq!(second, ":large_yellow_circle: shop.prod: 2 rows fail b", "what was told is not told again");
    alerts.set("LivemartTestFails", "a", None);
    let third = text(received.recv_timeout(WAIT).expect("a request").1);
    assert_eq!(third, ":large_green_circle: shop.prod: LivemartTestFails a is over");
}
