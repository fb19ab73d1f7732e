//! TLS to the server, as libpq has it.
//!
//! | sslmode | encrypted | the server's certificate |
//! |---|---|---|
//! | `disable` | no | |
//! | `prefer` (default) | where the server can | any |
//! | `require` | yes | any; with `sslrootcert` as `verify-ca` |
//! | `verify-ca` | yes | from an authority of `sslrootcert` |
//! | `verify-full` | yes | and for the host that was asked for |
//!
//! Without `sslrootcert` authorities are those of `~/.postgresql/root.crt`, where it exists, else the operating system's; `system`
//! names the latter. Files are read at each connect, so that certificates may be replaced while the sink is open.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use postgres_openssl::MakeTlsConnector;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::address::{TlsMode, TlsSettings};
use crate::sink::SinkError;

/// What stands for the operating system's authorities.
const SYSTEM: &str = "system";

/// Sets the driver's mode and gives the connector to connect with.
pub fn connector(target: &mut Config, settings: &TlsSettings) -> Result<MakeTlsConnector, SinkError> {
    let named_system = settings.root.as_deref() == Some(Path::new(SYSTEM));
    let mode = settings.mode.unwrap_or(if named_system { TlsMode::VerifyFull } else { TlsMode::Prefer });
    let mode = if mode == TlsMode::Require && settings.root.is_some() { TlsMode::VerifyCa } else { mode };
    // A Unix socket has no wire to listen on, and the server no TLS there.
    let local = target.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    target.ssl_mode(match mode {
        _ if local => SslMode::Disable,
        TlsMode::Disable => SslMode::Disable,
        TlsMode::Prefer => SslMode::Prefer,
        TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
    });
    let failed = |cause: ErrorStack| SinkError::Refused {
        message: "could not prepare TLS".into(),
        hint: None,
        cause: Some(Box::new(cause)),
    };
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(failed)?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(failed)?;
    if mode < TlsMode::VerifyCa {
        builder.set_verify(SslVerifyMode::NONE);
    } else if let Some(path) = root(settings) {
        let mut store = X509StoreBuilder::new().map_err(failed)?;
        let authorities =
            X509::stack_from_pem(&read("sslrootcert", &path)?).map_err(unreadable("sslrootcert", &path))?;
        if authorities.is_empty() {
            return Err(SinkError::refused(
                format!("sslrootcert: {} holds no certificate", path.display()),
                "name a file of certificates in PEM form",
            ));
        }
        for authority in authorities {
            store.add_cert(authority).map_err(failed)?;
        }
        builder.set_cert_store(store.build());
    }
    if let Some(path) = &settings.certificate {
        let chain = X509::stack_from_pem(&read("sslcert", path)?).map_err(unreadable("sslcert", path))?;
        let Some((own, issuers)) = chain.split_first() else {
            return Err(SinkError::refused(
                format!("sslcert: {} holds no certificate", path.display()),
                "name a file with our certificate in PEM form",
            ));
        };
        let Some(key_path) = &settings.key else {
            return Err(SinkError::refused(
                "sslcert is given without sslkey",
                "name the file with the certificate's private key",
            ));
        };
        let key = PKey::private_key_from_pem(&read("sslkey", key_path)?).map_err(unreadable("sslkey", key_path))?;
        builder.set_certificate(own).map_err(failed)?;
        for issuer in issuers {
            builder.add_extra_chain_cert(issuer.clone()).map_err(failed)?;
        }
        builder.set_private_key(&key).map_err(|cause| SinkError::Refused {
            message: format!("sslkey: {} is not the key of {}", key_path.display(), path.display()),
            hint: None,
            cause: Some(Box::new(cause)),
        })?;
    }
    let mut connector = MakeTlsConnector::new(builder.build());
    connector.set_callback(move |connection, _| {
        connection.set_verify_hostname(mode == TlsMode::VerifyFull);
        Ok(())
    });
    Ok(connector)
}

/// The file of authorities; None for the operating system's.
fn root(settings: &TlsSettings) -> Option<PathBuf> {
    match &settings.root {
        Some(path) if path.as_os_str() == SYSTEM => None,
        Some(path) => Some(path.clone()),
        None => {
            let usual = PathBuf::from(std::env::var_os("HOME")?).join(".postgresql/root.crt");
            usual.is_file().then_some(usual)
        }
    }
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, SinkError> {
    std::fs::read(path).map_err(|cause| SinkError::Refused {
        message: format!("{what}: could not read {}", path.display()),
        hint: None,
        cause: Some(Box::new(cause)),
    })
}

fn unreadable<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(ErrorStack) -> SinkError + 'a {
    move |cause| SinkError::Refused {
        message: format!("{what}: {} is not in PEM form", path.display()),
        hint: None,
        cause: Some(Box::new(cause)),
    }
}

/// What TLS said when it failed for good, and the way out; None for what passes, as a server that dies in the handshake.
pub fn final_failure(said: &str) -> Option<&'static str> {
    if said.contains("certificate verify failed") {
        return Some(
            "name the authority of the server's certificate as sslrootcert, and the host as the certificate names it",
        );
    }
    said.contains("does not support TLS").then_some("switch ssl on in the server, or set sslmode: prefer")
}
