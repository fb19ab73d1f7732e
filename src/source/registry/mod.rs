//! Schemas by their number, from a schema registry over HTTP, or from a file of them; who writes registers them there.
//!
//! ```text
//!   id ──cache──┐ GET /schemas/ids/{id} ──200──> Schema, kept for ever (an id never changes its meaning)
//!               └───────────────────────── 404 "not found" ──> the record is set aside, with the id and the address
//!                                           anything else  ──> not yet: asked again after a pause that grows
//! ```
//!
//! 1. A registry that is down, overloaded or refuses our password never sets a record aside: the record waits.
//! 2. An answer that there is no such schema is believed for `UNKNOWN_BELIEVED` and then asked for again.
//! 3. Messages name the id and the address; passwords in addresses are left out.

mod client;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use self::client::{Answer, HttpClient};
use super::SourceError;
use super::format::avro::{Schema, encodings};
use super::format::scalar::Encoding;

/// Where schemas are, and how one gets in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegistrySettings {
    /// `http://…`, `https://…`, or the path of a file `{"7": {"schema": "…"}}`.
    pub url: String,
    /// `user:password`.
    pub user_info: Option<String>,
    /// PEM files: whom to trust beside the system's authorities; who we are.
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub private_key: Option<PathBuf>,
}

impl RegistrySettings {
    fn is_remote(&self) -> bool {
        self.url.starts_with("http://") || self.url.starts_with("https://")
    }
}

/// A schema and what its columns' values mean.
#[derive(Debug)]
pub struct Written {
    pub id: u32,
    pub schema: Schema,
    pub encodings: HashMap<String, Encoding>,
}

/// Why there is no schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// There is none, or it is no Avro schema: waiting does not help.
    Unknown(String),
    /// Not to be had now.
    Away(String),
}

const UNKNOWN_BELIEVED: Duration = Duration::from_secs(10);
/// Between two tries of a registry that is away: doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The same warning is not repeated sooner.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);
/// References that lead to references.
const REFERENCES_DEPTH_MAX: usize = 16;

/// Asks for schemas and remembers them; each decoder has its own.
pub struct Registry {
    place: Place,
    /// Without what is secret in it.
    address: String,
    known: HashMap<u32, Arc<Written>>,
    unknown: HashMap<u32, (Instant, String)>,
    pause: Duration,
    away: Option<(Instant, String)>,
    warned_at: Option<Instant>,
}

enum Place {
    Http(HttpClient),
    File(HashMap<u32, String>),
}

impl Registry {
    pub fn open(settings: &RegistrySettings) -> Result<Registry, SourceError> {
        let (place, address) = match settings.is_remote() {
            true => {
                let client = HttpClient::new(settings)?;
                let address = client.address.clone();
                (Place::Http(client), address)
            }
            false => (Place::File(read_file(&settings.url)?), settings.url.clone()),
        };
        Ok(Registry {
            place,
            address,
            known: HashMap::new(),
            unknown: HashMap::new(),
            pause: PAUSE_MIN,
            away: None,
            warned_at: None,
        })
    }

    /// Refuses a registry that cannot be reached, or lets us not in.
    pub fn check(&self) -> Result<(), SourceError> {
        let Place::Http(client) = &self.place else { return Ok(()) };
        match client.get("/subjects") {
            Answer::Found(_) | Answer::Missing(_) => Ok(()),
            Answer::Failed(reason) => Err(SourceError::new(format!(
                "the schema registry {} cannot be asked: {reason}",
                self.address
            ))
            .with_hint(
                "is it up, and `schema_registry` right as seen from here? user and password go to basic.auth.user.info",
            )),
        }
    }

    /// The schema of an id.
    pub fn schema(&mut self, id: u32, now: Instant) -> Result<Arc<Written>, Miss> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        if let Some((asked, reason)) = self.unknown.get(&id)
            && now.saturating_duration_since(*asked) < UNKNOWN_BELIEVED
        {
            return Err(Miss::Unknown(reason.clone()));
        }
        if let Some((until, reason)) = &self.away
            && now < *until
        {
            return Err(Miss::Away(reason.clone()));
        }
        match self.fetch(id) {
            Ok(written) => {
                self.pause = PAUSE_MIN;
                self.away = None;
                self.unknown.remove(&id);
                let written = Arc::new(written);
                self.known.insert(id, written.clone());
                Ok(written)
            }
            Err(Miss::Unknown(reason)) => {
                self.unknown.insert(id, (now, reason.clone()));
                Err(Miss::Unknown(reason))
            }
            Err(Miss::Away(reason)) => {
                self.away = Some((now + self.pause, reason.clone()));
                self.pause = (self.pause * 2).min(PAUSE_MAX);
                if self.warned_at.is_none_or(|at| now.saturating_duration_since(at) >= WARNING_INTERVAL) {
                    self.warned_at = Some(now);
                    tracing::warn!(%reason, "asking the schema registry failed; it is tried again");
                }
                Err(Miss::Away(reason))
            }
        }
    }

    /// Registers a schema under a subject and gives its number; one that the subject has already keeps its number.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32, SourceError> {
        let Place::Http(client) = &self.place else {
            return Err(SourceError::new(format!("{} is a file, which schemas cannot be registered at", self.address))
                .with_hint("name a schema registry: http://…"));
        };
        let path = format!("/subjects/{}/versions", client::escape(subject));
        let reason = match client.post(&path, &serde_json::json!({ "schema": schema })) {
            Answer::Found(json) => match json.get("id").and_then(Json::as_u64).and_then(|id| u32::try_from(id).ok()) {
                Some(id) => return Ok(id),
                None => format!("its answer holds no id: {json}"),
            },
            Answer::Missing(reason) | Answer::Failed(reason) => reason,
        };
        Err(SourceError::new(format!(
            "the schema registry {} does not take the schema of {subject}: {reason}",
            self.address
        )))
    }

    /// The newest schema of a subject: what a table's types come from before a record has been read.
    pub fn newest(&self, subject: &str) -> Result<Schema, SourceError> {
        let hint = "write a data_type for each column in sources.yml, or register the schema first";
        let failed = |reason: String| SourceError::new(reason).with_hint(hint);
        match &self.place {
            Place::File(schemas) => {
                // The file does not say which is newest: the greatest number is.
                let newest = schemas.iter().filter(|(_, text)| is_of_subject(text, subject)).max_by_key(|(id, _)| **id);
                let (id, text) =
                    newest.ok_or_else(|| failed(format!("{} holds no schema of {subject}", self.address)))?;
                Schema::parse(text, &[]).map_err(|reason| failed(self.unreadable(*id, &reason)))
            }
            Place::Http(client) => {
                let path = format!("/subjects/{}/versions/latest", client::escape(subject));
                let json = match client.get(&path) {
                    Answer::Found(json) => json,
                    Answer::Missing(reason) | Answer::Failed(reason) => {
                        return Err(failed(format!(
                            "the schema registry {} has no schema of the subject {subject}: {reason}",
                            self.address
                        )));
                    }
                };
                let parsed = self.parse(client, &json);
                parsed.map_err(|miss| match miss {
                    Miss::Unknown(reason) | Miss::Away(reason) => {
                        failed(format!("the schema of {subject} at {}: {reason}", self.address))
                    }
                })
            }
        }
    }

    fn fetch(&self, id: u32) -> Result<Written, Miss> {
        let unknown =
            |reason: &str| Miss::Unknown(format!("the schema registry {} has no schema {id}: {reason}", self.address));
        let schema = match &self.place {
            Place::File(schemas) => {
                let text = schemas.get(&id).ok_or_else(|| unknown("the file does not hold it"))?;
                Schema::parse(text, &[]).map_err(|reason| Miss::Unknown(self.unreadable(id, &reason)))?
            }
            Place::Http(client) => match client.get(&format!("/schemas/ids/{id}")) {
                Answer::Found(json) => self.parse(client, &json).map_err(|miss| match miss {
                    Miss::Unknown(reason) => Miss::Unknown(self.unreadable(id, &reason)),
                    away => away,
                })?,
                Answer::Missing(reason) => return Err(unknown(&reason)),
                Answer::Failed(reason) => {
                    return Err(Miss::Away(format!("schema {id} of the registry {}: {reason}", self.address)));
                }
            },
        };
        let encodings = encodings(&schema);
        Ok(Written { id, schema, encodings })
    }

    fn parse(&self, client: &HttpClient, json: &Json) -> Result<Schema, Miss> {
        match json.get("schemaType").and_then(Json::as_str) {
            None | Some("AVRO") => {}
            Some(other) => return Err(Miss::Unknown(format!("it is of type {other}, not AVRO"))),
        }
        let mut references = Vec::new();
        self.references(client, json, &mut references, 0)?;
        let text = json.get("schema").and_then(Json::as_str);
        let text = text.ok_or_else(|| Miss::Unknown("the answer has no \"schema\"".into()))?;
        Schema::parse(text, &references).map_err(Miss::Unknown)
    }

    /// The texts of the schemas that one names, those that they name before them.
    fn references(&self, client: &HttpClient, json: &Json, into: &mut Vec<String>, depth: usize) -> Result<(), Miss> {
        if depth > REFERENCES_DEPTH_MAX {
            return Err(Miss::Unknown("its references lead in a circle".into()));
        }
        for reference in json.get("references").and_then(Json::as_array).into_iter().flatten() {
            let subject = reference.get("subject").and_then(Json::as_str).unwrap_or_default();
            let version = reference.get("version").and_then(Json::as_i64).unwrap_or_default();
            let path = format!("/subjects/{}/versions/{version}", client::escape(subject));
            let named = match client.get(&path) {
                Answer::Found(json) => json,
                Answer::Missing(reason) => return Err(Miss::Unknown(format!("it names {subject}: {reason}"))),
                Answer::Failed(reason) => return Err(Miss::Away(format!("{subject} at {}: {reason}", self.address))),
            };
            self.references(client, &named, into, depth + 1)?;
            if let Some(text) = named.get("schema").and_then(Json::as_str)
                && !into.iter().any(|known| known == text)
            {
                into.push(text.to_owned());
            }
        }
        Ok(())
    }

    fn unreadable(&self, id: u32, reason: &str) -> String {
        format!("schema {id} of the registry {} cannot be read: {reason}", self.address)
    }
}

/// Whether a schema is one of the topic's values, by its namespace: the file does not say so.
fn is_of_subject(text: &str, subject: &str) -> bool {
    let topic = subject.strip_suffix("-value").unwrap_or(subject);
    let Ok(json) = serde_json::from_str::<Json>(text) else { return false };
    let name = json.get("name").and_then(Json::as_str).unwrap_or_default();
    name != "Key" && json.get("namespace").and_then(Json::as_str) == Some(topic)
}

/// `{"7": {"schema": "…"}}`, as one may save what a registry holds.
fn read_file(path: &str) -> Result<HashMap<u32, String>, SourceError> {
    let wrong = |reason: String| {
        SourceError::new(format!("the schemas in {path} cannot be read: {reason}"))
            .with_hint("schema_registry is an address, http://… or https://…, or a file {\"1\": {\"schema\": \"…\"}}")
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let json: Json = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let entries = json.as_object().ok_or_else(|| wrong("it is no object".into()))?;
    let mut schemas = HashMap::new();
    for (id, entry) in entries {
        let id = id.parse().map_err(|_| wrong(format!("\"{id}\" is no schema's number")))?;
        let schema = entry.get("schema").unwrap_or(entry);
        schemas.insert(id, schema.as_str().map_or_else(|| schema.to_string(), str::to_owned));
    }
    Ok(schemas)
}

#[cfg(test)]
#[path = "../registry_tests.rs"]
mod tests;
