//! A schema registry by HTTP: the schemas of a capture, and those that are registered, while it is up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

pub struct Registry {
    pub url: String,
    pub is_up: Arc<AtomicBool>,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    /// `{"7": {"schema": "…"}}`
    schemas: serde_json::Map<String, Json>,
    /// (subject, id) of all that was registered.
    subjects: Vec<(String, String)>,
}

impl Registry {
    pub fn start(schemas: Json) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let held = Held { schemas: schemas.as_object().cloned().unwrap_or_default(), subjects: Vec::new() };
        let registry = Registry { url, is_up: Arc::new(AtomicBool::new(true)), held: Arc::new(Mutex::new(held)) };
        let (up, held) = (registry.is_up.clone(), registry.held.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &held, up.load(Ordering::SeqCst));
            }
        });
        registry
    }

    /// Subjects under which something was registered, in order.
    pub fn subjects(&self) -> Vec<String> {
        self.held.lock().expect("no panic").subjects.iter().map(|(subject, _)| subject.clone()).collect()
    }
}

fn answer(mut stream: TcpStream, held: &Mutex<Held>, is_up: bool) {
    let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
    let mut head: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(1..) if line.trim_end() != "" => head.push(line.trim_end().to_owned()),
            _ => break,
        }
    }
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("a body of its length");
    let mut words = head.first().map(String::as_str).unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let held = &mut *held.lock().expect("no panic");
    let (status, body) = match (is_up, method, path) {
        (false, _, _) => (503, "{}".to_owned()),
        (true, "POST", path) => (200, held.register(path, &body).to_string()),
        (true, _, "/subjects") => (200, "[]".to_owned()),
        (true, _, path) => {
            match path.strip_prefix("/schemas/ids/").and_then(|id| held.schemas.get(id)?.get("schema")) {
                Some(schema) => (200, json!({ "schema": schema }).to_string()),
                None => (404, r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned()),
            }
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let _ = stream.write_all(head.as_bytes());
}

impl Held {
    /// As a registry does: one schema has one number, whatever its subject.
    fn register(&mut self, path: &str, body: &[u8]) -> Json {
        let subject = path.strip_prefix("/subjects/").and_then(|rest| rest.strip_suffix("/versions"));
        let wanted: Json = serde_json::from_slice(body).expect("JSON");
        let schema = wanted["schema"].as_str().expect("a schema as text");
        serde_json::from_str::<Json>(schema).expect("a schema is JSON");
        let known = self.schemas.iter().find(|(_, known)| known["schema"] == schema).map(|(id, _)| id.clone());
        let id = known.unwrap_or_else(|| (self.schemas.len() + 1).to_string());
        self.schemas.insert(id.clone(), json!({ "schema": schema }));
        self.subjects.push((subject.expect("a subject").to_owned(), id.clone()));
        json!({ "id": id.parse::<u32>().expect("a number") })
    }
}
