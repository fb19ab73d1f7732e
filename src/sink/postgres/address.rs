//! Where the server is: a connection string as libpq reads it.
//!
//! ```text
//!   postgres://user@host:5432/db?sslmode=verify-full&sslrootcert=/etc/ca.pem   ──> what the driver knows + what TLS asks for
//!   host=db.internal dbname=marts sslmode=require sslcert='/etc/me.crt'        ──┘
//! ```
//!
//! The driver knows `sslmode` in part and certificates not at all, so the `ssl…` words are taken out before it reads the rest.

use std::path::PathBuf;

use tokio_postgres::Config;

/// How TLS is used; by libpq's names. What is None is taken from elsewhere, at last from libpq's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    pub mode: Option<TlsMode>,
    /// `sslrootcert`: the authorities to believe; `system` stands for those of the operating system.
    pub root: Option<PathBuf>,
    /// `sslcert` and `sslkey`: what we show the server.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    Disable,
    /// TLS where the server has it.
    Prefer,
    /// TLS, whoever answers; with `sslrootcert` like `verify-ca`, as in libpq.
    Require,
    /// The certificate comes from an authority that we believe.
    VerifyCa,
    /// And names the host that we asked for.
    VerifyFull,
}

impl TlsMode {
    pub const NAMES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

    pub fn named(name: &str) -> Option<TlsMode> {
        Some(match name {
            "disable" => TlsMode::Disable,
            // libpq's `allow` tries without first. Whoever accepts TLS there loses nothing by having it.
            "allow" | "prefer" => TlsMode::Prefer,
            "require" => TlsMode::Require,
            "verify-ca" => TlsMode::VerifyCa,
            "verify-full" => TlsMode::VerifyFull,
            _ => return None,
        })
    }
}

impl TlsSettings {
    /// `self`, and where it says nothing, `other`.
    pub fn or(self, other: TlsSettings) -> TlsSettings {
        TlsSettings {
            mode: self.mode.or(other.mode),
            root: self.root.or(other.root),
            certificate: self.certificate.or(other.certificate),
            key: self.key.or(other.key),
        }
    }

    /// Takes one word of a connection string. False for a word that is not about TLS.
    fn take(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "sslmode" => {
                let known = || format!("unknown sslmode '{value}': known are {}", TlsMode::NAMES.join(", "));
                self.mode = Some(TlsMode::named(value).ok_or_else(known)?);
            }
            "sslrootcert" => self.root = Some(value.into()),
            "sslcert" => self.certificate = Some(value.into()),
            "sslkey" => self.key = Some(value.into()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads a connection string; the error never holds the string, which may hold a password.
pub fn parse(url: &str) -> Result<(Config, TlsSettings), String> {
    let mut tls = TlsSettings::default();
    let rest = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        without_parameters(url, &mut tls)?
    } else {
        without_words(url, &mut tls)?
    };
    let config = rest.parse::<Config>().map_err(|cause| match std::error::Error::source(&cause) {
        Some(source) => source.to_string(),
        None => cause.to_string(),
    })?;
    Ok((config, tls))
}

/// The database that a connection string names; like libpq, the user's name where it names none.
pub fn database_of(url: &str) -> Option<String> {
    let (config, _) = parse(url).ok()?;
    config.get_dbname().or(config.get_user()).map(String::from)
}

fn without_parameters(url: &str, tls: &mut TlsSettings) -> Result<String, String> {
    let Some((address, parameters)) = url.split_once('?') else { return Ok(url.to_owned()) };
    let mut kept = Vec::new();
    for parameter in parameters.split('&') {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !tls.take(key, &percent_decoded(value))? {
            kept.push(parameter);
        }
    }
    Ok(if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) })
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// `key = value` words; a value may stand in single quotes, and a backslash takes the next character as it is.
fn without_words(text: &str, tls: &mut TlsSettings) -> Result<String, String> {
    let mut kept = String::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=') else {
            // Not ours to judge: the driver says what it misses.
            kept.push_str(rest);
            break;
        };
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let (mut value, mut end, mut escaped) = (String::new(), after.len(), false);
        for (at, c) in after.char_indices().skip(usize::from(quoted)) {
            match c {
                _ if escaped => {
                    value.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '\'' if quoted => {
                    end = at + 1;
                    break;
                }
                c if !quoted && c.is_whitespace() => {
                    end = at;
                    break;
                }
                c => value.push(c),
            }
        }
        if !tls.take(key.trim(), &value)? {
            kept.push_str(&format!("{}={} ", key.trim(), &after[..end]));
        }
        rest = after[end..].trim_start();
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_its_tls_words_and_keeps_the_others() {
        let url = "postgres://me:a%20b@db:5433/marts?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fetc%2Fca.pem";
        let (config, tls) = parse(url).expect("a url");
        assert_eq!(config.get_dbname(), Some("marts"));
        assert_eq!(config.get_connect_timeout().map(|timeout| timeout.as_secs()), Some(3));
        assert_eq!((tls.mode, tls.root), (Some(TlsMode::VerifyFull), Some("/etc/ca.pem".into())));
        assert_eq!(database_of("postgres://me@db?sslmode=verify-ca").as_deref(), Some("me"));
    }

    #[test]
    fn words_may_be_quoted() {
        let text =
            "host = db  password='it''s \\'x' sslkey='/a b/me.key' sslmode=require  sslcert=/me.crt dbname=marts";
        let mut tls = TlsSettings::default();
        let kept =
            without_words("host = db sslkey='/a b/it\\'s.key' sslmode=require password='a b' dbname=marts", &mut tls);
        assert_eq!(kept.as_deref(), Ok("host=db password='a b' dbname=marts "));
        assert_eq!((tls.mode, tls.key), (Some(TlsMode::Require), Some("/a b/it's.key".into())));
        assert!(parse(text).is_err(), "libpq does not double quotes either");
        assert!(parse("nonsense").is_err() && parse("").is_ok());
    }

    #[test]
    fn an_unknown_mode_is_named_and_no_password_is_told() {
        let error = parse("postgres://me:secret@db/marts?sslmode=verify_full").expect_err("no such mode");
        assert!(error.contains("verify_full") && error.contains("verify-ca") && !error.contains("secret"), "{error}");
        let error = parse("postgres://me:secret@db/marts?sslfoo=1").expect_err("no such word");
        assert!(error.contains("sslfoo") && !error.contains("secret"), "{error}");
    }
}
