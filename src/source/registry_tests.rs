use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;

/// What a registry answers to one path.
type Answers = Arc<Mutex<HashMap<String, (u16, String)>>>;

/// A registry on a port of its own: answers by path, and the lines that it was asked with. It ends with the test's process.
struct Server {
    url: String,
    answers: Answers,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (answers, asked) = (Answers::default(), Arc::new(Mutex::new(Vec::new())));
        let server = Server { url, answers: answers.clone(), asked: asked.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &answers, &asked);
            }
        });
        server
    }

    fn say(&self, path: &str, status: u16, body: &str) {
        self.answers.lock().expect("unpoisoned").insert(path.to_owned(), (status, body.to_owned()));
    }

    fn questions(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("unpoisoned"))
    }

    fn settings(&self) -> RegistrySettings {
        RegistrySettings { url: self.url.clone(), ..RegistrySettings::default() }
    }
}

fn answer(mut stream: TcpStream, answers: &Answers, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let rest: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let user = rest.iter().find(|line| line.to_ascii_lowercase().starts_with("authorization"));
    asked.lock().expect("unpoisoned").push(format!("{path} {}", user.map_or("", |line| line)).trim().to_owned());
    let (status, body) = answers.lock().expect("unpoisoned").get(&path).cloned().unwrap_or((500, "{}".to_owned()));
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

const SCHEMA: &str =
    r#"{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"int\"}]}"}"#;

#[test]
fn a_schema_is_asked_for_once() {
    let server = Server::start();
    server.say("/schemas/ids/7", 200, SCHEMA);
    let settings = RegistrySettings { user_info: Some("app:secret".into()), ..server.settings() };
    let mut registry = Registry::open(&settings).expect("opened");
    let now = Instant::now();
    registry.schema(7, now).expect("a schema");
    registry.schema(7, now).expect("the same");
    let questions = server.questions();
    assert_eq!(questions.len(), 1, "{questions:?}");
    assert!(questions[0].to_ascii_lowercase().contains("authorization: basic"), "{questions:?}");
    assert!(questions[0].ends_with("YXBwOnNlY3JldA=="), "{questions:?}");
}

#[test]
fn what_is_not_there_is_unknown_and_asked_for_again_later() {
    let server = Server::start();
    server.say("/schemas/ids/7", 404, r#"{"error_code":40403,"message":"Schema 7 not found"}"#);
    let mut registry = Registry::open(&server.settings()).expect("opened");
    let now = Instant::now();
    let Err(Miss::Unknown(reason)) = registry.schema(7, now) else { panic!("it is not there") };
    assert!(reason.contains("schema 7") && reason.contains(&server.url) && reason.contains("not found"), "{reason}");
    registry.schema(7, now).expect_err("still not");
    assert_eq!(server.questions().len(), 1, "believed for a while");
    server.say("/schemas/ids/7", 200, SCHEMA);
    registry.schema(7, now + UNKNOWN_BELIEVED).expect("now it is");
}

#[test]
fn a_registry_that_is_away_says_nothing_about_schemas() {
    let server = Server::start();
    let mut registry = Registry::open(&server.settings()).expect("opened");
    let mut now = Instant::now();
    for (status, body, reason) in [
        (503, "{}", "503"),
        (404, "no such page", "404"),
        (401, r#"{"error_code":401,"message":"who?"}"#, "let us in"),
        (200, "<html>", "not JSON"),
    ] {
        server.say("/schemas/ids/7", status, body);
        let Err(Miss::Away(away)) = registry.schema(7, now) else { panic!("{status} says nothing") };
        assert!(away.contains(reason) && away.contains(&server.url), "{away}");
        now += PAUSE_MAX;
    }
    server.questions();
    registry.schema(7, now - PAUSE_MAX).expect_err("not asked before the pause is over");
    assert!(server.questions().is_empty());
    server.say("/schemas/ids/7", 200, SCHEMA);
    registry.schema(7, now).expect("back again");
}

#[test]
fn a_registry_that_nobody_runs_is_refused_by_name() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let url = format!("http://user:secret@127.0.0.1:{port}");
    let registry = Registry::open(&RegistrySettings { url, ..RegistrySettings::default() }).expect("opened");
    let error = registry.check().expect_err("nobody listens").to_string();
    assert!(error.contains(&format!("127.0.0.1:{port}")) && !error.contains("secret"), "{error}");
}

#[test]
fn the_newest_schema_of_a_subject_with_its_references() {
    let server = Server::start();
    let order = r#"{"schema":"{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"total\",\"type\":\"Money\"}]}",
        "references":[{"name":"Money","subject":"money","version":3}]}"#;
    server.say("/subjects/shop.orders-value/versions/latest", 200, order);
    let money = r#"{"schema":"{\"type\":\"fixed\",\"name\":\"Money\",\"size\":8}"}"#;
    server.say("/subjects/money/versions/3", 200, money);
    let registry = Registry::open(&server.settings()).expect("opened");
    let schema = registry.newest("shop.orders-value").expect("found");
    let types = crate::source::format::avro::column_types(&schema).expect("a record");
    assert_eq!(types, [("total".to_owned(), Some(row::ScalarType::Bytes))]);
    server.say("/subjects/none/versions/latest", 404, r#"{"error_code":40401,"message":"Subject not found."}"#);
    assert!(registry.newest("none").expect_err("no such subject").to_string().contains("none"));
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let mut registry = Registry::open(&RegistrySettings { url, ..RegistrySettings::default() }).expect("opened");
    let started = Instant::now();
    assert!(matches!(registry.schema(1, started), Err(Miss::Away(_))));
    assert!(started.elapsed() < Duration::from_secs(20));
}
