//! HTTP to the registry: one blocking question at a time, on the reader's own thread.

use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider};

use super::RegistrySettings;
use crate::source::SourceError;

/// A reader stands still for so long at most before it looks whether it should stop.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// A schema of more is not believed to be one.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

pub enum Answer {
    Found(Json),
    /// The registry says that there is no such thing.
    Missing(String),
    Failed(String),
}

pub struct HttpClient {
    agent: ureq::Agent,
    base: String,
    authorization: Option<String>,
    /// Without user and password.
    pub address: String,
}

impl HttpClient {
    pub fn new(settings: &RegistrySettings) -> Result<HttpClient, SourceError> {
        let mut tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
        if let Some(ca) = &settings.ca {
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(ca)?));
        }
        if let (Some(certificate), Some(key)) = (&settings.certificate, &settings.private_key) {
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&certificates(certificate)?, private_key(key)?)));
        }
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_MAX))
            .http_status_as_error(false)
            .tls_config(tls.build())
            .build();
        let (base, inside) = without_user(settings.url.trim_end_matches('/'));
        let user_info = settings.user_info.clone().or(inside);
        let authorization = user_info.map(|user_info| {
            let mut text = "Basic ".to_owned();
            crate::source::format::binary::write_base64(user_info.as_bytes(), &mut text);
            text
        });
        Ok(HttpClient { agent: ureq::Agent::new_with_config(config), address: base.clone(), base, authorization })
    }

    pub fn get(&self, path: &str) -> Answer {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        request = request.header("Accept", "application/vnd.schemaregistry.v1+json, application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        answer(request.call())
    }

    pub fn post(&self, path: &str, body: &Json) -> Answer {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        request = request.header("Content-Type", "application/vnd.schemaregistry.v1+json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        answer(request.send(body.to_string()))
    }
}

fn answer(answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => return Answer::Failed(error.to_string()),
    };
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    let body = match body {
        Ok(body) => body,
        Err(error) => return Answer::Failed(error.to_string()),
    };
    let json = serde_json::from_str::<Json>(&body).ok();
    let said = json.as_ref().and_then(|json| json.get("message")?.as_str()).unwrap_or_default().to_owned();
    match (status, json) {
        (200, Some(json)) => Answer::Found(json),
        (200, None) => Answer::Failed("the answer is not JSON: is this a schema registry?".into()),
        // Only the registry's own word counts: a proxy's 404 says nothing about schemas.
        (404, Some(json)) if json.get("error_code").is_some() => Answer::Missing(said),
        (401 | 403, _) => Answer::Failed(format!("it does not let us in ({status} {said})")),
        (_, _) => Answer::Failed(format!("it answers {status} {said}").trim_end().to_owned()),
    }
}

/// An address without the user and password in it, and these.
fn without_user(url: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rsplit_once('@') {
        Some((user_info, _)) => (format!("{scheme}://{}", &rest[user_info.len() + 1..]), Some(user_info.to_owned())),
        None => (url.to_owned(), None),
    }
}

/// A subject's name inside a path.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, SourceError> {
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&pem(path)?) {
        if let PemItem::Certificate(certificate) = item.map_err(|cause| not_pem(path, &cause.to_string()))? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(not_pem(path, "it holds no certificate")) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKey<'static>, SourceError> {
    PrivateKey::from_pem(&pem(path)?).map_err(|cause| not_pem(path, &cause.to_string()))
}

fn pem(path: &Path) -> Result<Vec<u8>, SourceError> {
    std::fs::read(path).map_err(|cause| not_pem(path, &cause.to_string()))
}

fn not_pem(path: &Path, reason: &str) -> SourceError {
    SourceError::new(format!("{} cannot be read: {reason}", path.display()))
        .with_hint("ssl.ca.location, ssl.certificate.location and ssl.key.location of schema_registry are PEM files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_leave_the_address() {
        let (address, user) = without_user("https://me:p%40ss@registry:8081/api");
        assert_eq!((address.as_str(), user.as_deref()), ("https://registry:8081/api", Some("me:p%40ss")));
        assert_eq!(without_user("http://registry/a@b"), ("http://registry/a@b".to_owned(), None));
        assert_eq!(escape("shop.public/orders value"), "shop.public%2Forders%20value");
    }
}
