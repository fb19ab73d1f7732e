use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Name};

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
        Server::over(None)
    }

    fn over(tls: Option<SslAcceptor>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().expect("bound"));
        let (answers, asked) = (Answers::default(), Arc::new(Mutex::new(Vec::new())));
        let server = Server { url, answers: answers.clone(), asked: asked.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                match &tls {
                    None => answer(stream, &answers, &asked),
                    // Who does not believe the certificate, or has none of its own, goes away.
                    Some(tls) => drop(tls.accept(stream).map(|stream| answer(stream, &answers, &asked))),
                }
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

fn answer(mut stream: impl Read + Write, answers: &Answers, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let rest: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
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

/// A certificate with its key. `signer` signs it; None: itself, as an authority.
fn certificate(name: &str, signer: Option<&(X509, PKey<Private>)>) -> (X509, PKey<Private>) {
    let made = || -> Result<_, openssl::error::ErrorStack> {
        let key = PKey::from_rsa(Rsa::generate(2048)?)?;
        let mut subject = X509Name::builder()?;
        subject.append_entry_by_text("CN", name)?;
        let subject = subject.build();
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*BigNum::from_u32(7)?.to_asn1_integer()?)?;
        builder.set_subject_name(&subject)?;
        builder.set_issuer_name(signer.map_or(&*subject, |(signer, _)| signer.subject_name()))?;
        builder.set_pubkey(&key)?;
        builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
        builder.set_not_after(&*Asn1Time::days_from_now(2)?)?;
        if signer.is_none() {
            builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        } else {
            let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None))?;
            builder.append_extension(names)?;
        }
        builder.sign(signer.map_or(&key, |(_, key)| key), MessageDigest::sha256())?;
        Ok((builder.build(), key))
    };
    made().expect("a certificate")
}

/// A file that goes with the value.
struct Pem(PathBuf);

impl Pem {
    fn write(name: &str, text: Vec<u8>) -> Pem {
        let path = std::env::temp_dir().join(format!("livemart-registry-{}-{name}.pem", std::process::id()));
        std::fs::write(&path, text).expect("written");
        Pem(path)
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

impl Drop for Pem {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_registry_behind_tls_with_an_authority_of_ones_own_a_password_and_a_certificate_of_ours() {
    let authority = certificate("the house's own", None);
    let stranger = certificate("a stranger's", None);
    let (theirs, their_key) = certificate("registry", Some(&authority));
    let (ours, our_key) = certificate("livemart", Some(&authority));
    let mut tls = SslAcceptor::mozilla_intermediate(SslMethod::tls()).expect("an acceptor");
    tls.set_certificate(&theirs).and_then(|()| tls.set_private_key(&their_key)).expect("a certificate");
    let mut known = X509StoreBuilder::new().expect("a store");
    known.add_cert(authority.0.clone()).expect("added");
    tls.set_verify_cert_store(known.build()).expect("set");
    tls.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let server = Server::over(Some(tls.build()));
    server.say("/schemas/ids/7", 200, SCHEMA);
    let pem = |certificate: &X509| certificate.to_pem().expect("PEM");
    let ca = Pem::write("ca", pem(&authority.0));
    let other = Pem::write("other", pem(&stranger.0));
    let (certificate, key) =
        (Pem::write("ours", pem(&ours)), Pem::write("key", our_key.private_key_to_pem_pkcs8().expect("PEM")));
    let settings = RegistrySettings {
        user_info: Some("app:secret".into()),
        ca: ca.path(),
        certificate: certificate.path(),
        private_key: key.path(),
        ..server.settings()
    };
    Registry::open(&settings).expect("opened").schema(7, Instant::now()).expect("a schema");
    let questions = server.questions();
    assert_eq!(questions.len(), 1);
    assert!(questions[0].ends_with("Basic YXBwOnNlY3JldA=="), "{questions:?}");

    let refused = |what: &str, settings: RegistrySettings| {
        let mut registry = Registry::open(&settings).expect("opened");
        let Err(Miss::Away(reason)) = registry.schema(7, Instant::now()) else { panic!("{what} is believed") };
        assert!(reason.contains(&server.url) && !reason.contains("secret"), "{what}: {reason}");
        assert!(server.questions().is_empty(), "{what}: nothing was asked, and so no password told");
        reason
    };
    let reason = refused("an authority that nobody knows", RegistrySettings { ca: None, ..settings.clone() });
    assert!(reason.contains("certificate"), "{reason}");
    refused("somebody else's authority", RegistrySettings { ca: other.path(), ..settings.clone() });
    let port = server.url.rsplit(':').next().expect("a port");
    let by_name = RegistrySettings { url: format!("https://localhost:{port}"), ..settings.clone() };
    let mut registry = Registry::open(&by_name).expect("opened");
    assert!(matches!(registry.schema(7, Instant::now()), Err(Miss::Away(_))), "the certificate is for another name");
    assert!(server.questions().is_empty());
    refused("who has no certificate", RegistrySettings { certificate: None, private_key: None, ..settings });
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
