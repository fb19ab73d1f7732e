//! TLS to a real server with certificates of its own.
//!
//! ```text
//!   authority ──signs──> the server's certificate, for 127.0.0.1 only     a stranger: another authority
//!             └─signs──> the certificate of the role `certified`
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use livemart::sink::postgres::{TlsMode, TlsSettings};
use livemart::sink::{PostgresConfig, PostgresSink, Sink, SinkError};

use super::own_server::OwnServer;
use super::postgres_sink::{Client, INSTANCE, cut, evolve, order, orders, url};

fn openssl(arguments: &[&str]) {
    let made = Command::new("openssl").args(arguments).output().expect("the program openssl");
    assert!(made.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
}

/// Keys and certificates, in a folder that goes with the value.
struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    fn new(name: &str) -> Certificates {
        let folder = std::env::temp_dir().join(format!("livemart-tls-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let certificates = Certificates { folder };
        for authority in ["authority", "stranger"] {
            let (key, certificate) = (certificates.key(authority), certificates.certificate(authority));
            let name = format!("/CN={authority}");
            openssl(&[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                &name,
                "-keyout",
                &key,
                "-out",
                &certificate,
            ]);
        }
        certificates.sign("server", "subjectAltName=IP:127.0.0.1");
        certificates.sign("certified", "extendedKeyUsage=clientAuth");
        certificates
    }

    fn sign(&self, name: &str, extension: &str) {
        let (request, extensions) = (self.path(&format!("{name}.csr")), self.path(&format!("{name}.ext")));
        std::fs::write(&extensions, extension).expect("written");
        let subject = format!("/CN={name}");
        openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &self.key(name),
            "-out",
            &request,
        ]);
        openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &self.certificate("authority"),
            "-CAkey",
            &self.key("authority"),
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            &extensions,
            "-out",
            &self.certificate(name),
        ]);
    }

    fn path(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    fn key(&self, name: &str) -> String {
        self.path(&format!("{name}.key"))
    }

    fn certificate(&self, name: &str) -> String {
        self.path(&format!("{name}.crt"))
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A server that takes TLS only, and the role `certified` only with its certificate.
fn server(name: &str, certificates: &Certificates) -> OwnServer {
    let mut server = OwnServer::create(name);
    let text = |path: &str| std::fs::read_to_string(path).expect("made above");
    server.write("server.key", &text(&certificates.key("server")));
    server.write("server.crt", &text(&certificates.certificate("server")));
    server.write("authority.crt", &text(&certificates.certificate("authority")));
    server.write("pg_hba.conf", "hostssl all certified 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 trust\n");
    server.set("ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\nssl_ca_file = 'authority.crt'");
    server.up();
    server
}

fn config(url: String) -> PostgresConfig {
    PostgresConfig {
        url,
        password_file: None,
        tls: TlsSettings::default(),
        schema: "marts".into(),
        meta_schema: "livemart".into(),
    }
}

/// Whether the sink's session is encrypted, or why there is none.
fn opened(config: PostgresConfig) -> Result<PostgresSink, String> {
    PostgresSink::open(config, INSTANCE, "a").map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let SinkError::Refused { message, hint, .. } = &error else { panic!("it should be final: {error}: {cause}") };
        format!("{message}: {cause} ({})", hint.clone().unwrap_or_default())
    })
}

fn is_refused(config: PostgresConfig, because: &str) {
    let said = opened(config).err().unwrap_or_else(|| panic!("it should be refused: {because}"));
    assert!(said.contains(because), "{said}");
}

#[test]
fn postgres_tls_modes_believe_what_libpq_believes() {
    let certificates = Certificates::new("modes");
    let server = server("modes", &certificates);
    let with = |host: &str, words: &str| config(format!("postgres://postgres@{host}:{}/postgres?{words}", server.port));
    let (authority, stranger) = (certificates.certificate("authority"), certificates.certificate("stranger"));
    for (host, words) in [
        ("127.0.0.1", String::new()),
        ("127.0.0.1", "sslmode=prefer".into()),
        ("127.0.0.1", "sslmode=require".into()),
        ("127.0.0.1", format!("sslmode=require&sslrootcert={authority}")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={authority}")),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={authority}")),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={authority}")),
    ] {
        let mut sink = opened(with(host, &words)).unwrap_or_else(|said| panic!("{host} {words}: {said}"));
        evolve(&mut sink, &[orders()]);
        let seq = sink.state().expect("state").cut.map_or(1, |cut| cut.seq + 1);
        sink.commit(&cut(seq, vec![])).expect("a cut");
        Box::new(sink).close().expect("closed");
    }
    is_refused(with("127.0.0.1", "sslmode=disable"), "no encryption");
    is_refused(with("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={stranger}")), "certificate verify failed");
    is_refused(with("127.0.0.1", &format!("sslmode=require&sslrootcert={stranger}")), "name the authority");
    is_refused(with("127.0.0.1", "sslmode=verify-full&sslrootcert=system"), "certificate verify failed");
    is_refused(with("localhost", &format!("sslmode=verify-full&sslrootcert={authority}")), "certificate verify failed");
    is_refused(with("127.0.0.1", "sslmode=verify-full&sslrootcert=/nowhere.crt"), "/nowhere.crt");
}

#[test]
fn postgres_tls_settings_beside_the_url_and_a_certificate_of_our_own() {
    let certificates = Certificates::new("own");
    let mut server = server("own", &certificates);
    let path = |text: String| Some(Path::new(&text).to_path_buf());
    let verified = TlsSettings {
        mode: Some(TlsMode::VerifyFull),
        root: path(certificates.certificate("authority")),
        ..TlsSettings::default()
    };
    let admin = PostgresSink::open(PostgresConfig { tls: verified.clone(), ..config(server.url()) }, INSTANCE, "a")
        .expect("open");
    Box::new(admin).close().expect("closed");
    let made = Command::new("psql")
        .args([&format!("{}?sslmode=require", server.url()), "-qc"])
        .arg("create role certified login superuser")
        .status()
        .expect("psql runs");
    assert!(made.success());

    let url = format!("host=127.0.0.1 port={} user=certified dbname=postgres", server.port);
    let without = PostgresConfig { tls: verified.clone(), ..config(url) };
    is_refused(without.clone(), "certificate");
    let ours = TlsSettings {
        certificate: path(certificates.certificate("certified")),
        key: path(certificates.key("certified")),
        ..verified
    };
    is_refused(
        PostgresConfig {
            tls: TlsSettings { key: path(certificates.key("server")), ..ours.clone() },
            ..without.clone()
        },
        "is not the key of",
    );
    let mut sink = opened(PostgresConfig { tls: ours, ..without }).expect("it shows its certificate");
    evolve(&mut sink, &[orders()]);
    sink.commit(&cut(1, vec![(0, vec![(order(1, "new"), 1)])])).expect("a cut");

    // The server comes back, and so does the encrypted connection.
    server.down(libc::SIGQUIT);
    let second = cut(2, vec![(0, vec![(order(2, "new"), 1)])]);
    assert!(matches!(sink.commit(&second), Err(SinkError::Unreachable { .. })));
    server.up();
    while let Err(error) = sink.commit(&second) {
        assert!(matches!(error, SinkError::Unreachable { .. }), "{error}");
    }
    assert_eq!(sink.read_table(&orders()).expect("orders").len(), 2);
}

#[test]
fn postgres_tls_is_not_believed_where_there_is_none() {
    assert_eq!(Client::new().one("show ssl"), "off", "the shared test server has no TLS");
    let with = |word: &str| format!("{}{}sslmode={word}", url(), if url().contains('?') { "&" } else { "?" });
    is_refused(config(with("require")), "does not support TLS");
    is_refused(config(with("verify-full")), "set sslmode: prefer");
    is_refused(config(with("verify_full")), "unknown sslmode 'verify_full'");
}
