//! `livemart.yml`: where sources come from, where marts go, and what the clock is.
//!
//! ```text
//!   targets: ──(selected one, rendered)──> sources ─ source ◄ source.table ─> SourceSettings per table
//!                                          sink, clock, commit_interval, http, state, memory_max, workers, alerts
//! ```
//!
//! 1. Only the selected target is rendered: another one's missing variable hurts nobody.
//! 2. A field that nobody knows is refused with its line and the nearest known name.
//! 3. Relative paths start at the folder of the file that names them.

mod changelog;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::{ProjectError, Result};
use super::files;
use super::jinja::scope::Scope;
use super::profile;
use super::yaml::{self, Map, Value, Yaml};
use crate::sink::changelog::ChangelogConfig;
use crate::sink::postgres::{TlsMode, TlsSettings};

pub const FILE: &str = "livemart.yml";

/// The selected target, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetConfig {
    pub name: String,
    /// By unique id of the source table; tables without an entry in livemart.yml are absent.
    pub sources: BTreeMap<String, SourceSettings>,
    pub sink: SinkConfig,
    /// Where the tables' changes go besides.
    pub changelog: Option<ChangelogConfig>,
    pub clock: ClockConfig,
    /// How often a cut is published.
    pub commit_interval: Duration,
    /// Address of metrics, health and the page; none under commands that end.
    pub http_listen: String,
    pub state_path: PathBuf,
    /// Near this much resident memory, reading stops. No limit by default.
    pub memory_bytes_max: Option<u64>,
    pub workers: usize,
    /// Whom to tell when something turns red; nobody by default.
    pub alerts: Option<AlertsConfig>,
}

/// Alerts of `serve`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertsConfig {
    pub webhook: WebhookConfig,
    /// Of what; of everything by default.
    pub on: Vec<AlertKind>,
    /// How long a source may have records left to read before that is an alert. 5 min by default.
    pub lag_after: Duration,
}

#[derive(Clone, PartialEq)]
pub struct WebhookConfig {
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub format: AlertFormat,
}

/// Address and headers may be secrets.
impl std::fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookConfig").field("format", &self.format).finish_non_exhaustive()
    }
}

/// What the webhook's body looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertFormat {
    Alertmanager,
    Slack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertKind {
    Test,
    Freshness,
    Lag,
    Errors,
}

pub const LAG_AFTER: Duration = Duration::from_secs(300);

/// How one source table is read.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSettings {
    pub connector: Connector,
    pub format: Format,
    pub envelope: EnvelopeKind,
    /// Columns of the key, where livemart.yml names them.
    pub key: Option<Vec<String>>,
    /// The column that tells an event's time, where the record does not.
    pub event_time: Option<String>,
    pub retain: Option<Retain>,
    /// Of CSV files.
    pub delimiter: char,
    /// Where the schemas of Avro are.
    pub schema_registry: Option<RegistryConfig>,
}

/// A schema registry, or a file of schemas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegistryConfig {
    /// `http://…`, `https://…`, or a path.
    pub url: String,
    /// `user:password`.
    pub user_info: Option<String>,
    /// PEM files.
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub private_key: Option<PathBuf>,
    /// The subject of the table's values; `<topic>-value` by default.
    pub subject: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Connector {
    /// A path or a glob.
    File { path: PathBuf },
    Kafka {
        brokers: String,
        topic: String,
        group_id: Option<String>,
        properties: BTreeMap<String, String>,
        /// The topic of Debezium's transaction marks, where transactions are kept whole.
        transactions: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Avro,
    Csv,
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeKind {
    Debezium,
    Upsert,
    Append,
}

/// Rows older than this leave the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Retain {
    pub column: String,
    pub keep: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SinkConfig {
    Sqlite { path: PathBuf },
    Postgres { url: String, password_file: Option<PathBuf>, tls: TlsSettings, schema: String, meta_schema: String },
}

#[derive(Clone, Debug, PartialEq)]
pub struct ClockConfig {
    pub mode: ClockMode,
    /// The moment of a fixed clock, as written.
    pub at: Option<String>,
    /// The zone of `current_date`, of `timestamp with time zone` in casts, and of the session in general.
    pub time_zone: String,
    /// How far apart the values of `now()` are, where a model reads it as a value.
    pub tick: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMode {
    /// The greatest time that an event carried.
    Event,
    Wall,
    Fixed,
}

pub const COMMIT_INTERVAL: Duration = Duration::from_millis(200);
pub const HTTP_LISTEN: &str = "127.0.0.1:9464";
pub const META_SCHEMA: &str = "livemart";
pub const CLOCK_TICK: Duration = Duration::from_secs(60);

/// The file as written.
#[derive(Clone, Debug)]
pub struct TargetsFile {
    folder: PathBuf,
    shown: String,
    targets: Map,
}

impl TargetsFile {
    /// Reads `livemart.yml` beside `dbt_project.yml`; a project without one is fine.
    pub fn read(project_dir: &Path) -> Result<Option<TargetsFile>> {
        let path = project_dir.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        TargetsFile::parse(&files::read(&path, FILE)?, project_dir).map(Some)
    }

    /// The text of the file; relative paths in it start at `project_dir`.
    pub fn parse(text: &str, project_dir: &Path) -> Result<TargetsFile> {
        let root = yaml::parse(text, FILE)?;
        let fields = Fields::of(&root, FILE, "livemart.yml")?;
        fields.only(&["targets"])?;
        let targets = fields.map("targets")?.cloned().unwrap_or_default();
        Ok(TargetsFile { folder: project_dir.to_path_buf(), shown: FILE.to_string(), targets })
    }

    pub fn names(&self) -> Vec<String> {
        self.targets.iter().filter_map(|(key, _)| key.scalar_text()).collect()
    }

    /// The target of that name, rendered; an unknown one is refused with the known ones.
    pub fn target(&self, name: &str, scope: &Arc<Scope>) -> Result<Target> {
        let Some(raw) = self.targets.get(name) else {
            let names = self.names();
            let error = ProjectError::configuration(format!("{} has no target '{name}'", self.shown))
                .in_file(self.shown.clone());
            return Err(match files::nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error.hint(format!("it has: {}", names.join(", "))),
            });
        };
        let yaml = profile::render(raw, &self.shown, scope)?;
        let yaml = if yaml.is_null() { Yaml { value: Value::Map(Map::default()), line: yaml.line } } else { yaml };
        Fields::of(&yaml, &self.shown, &format!("target '{name}'"))?.only(&[
            "sources",
            "sink",
            "clock",
            "commit_interval",
            "http",
            "state",
            "memory_max",
            "workers",
            "alerts",
        ])?;
        Ok(Target { name: name.to_string(), folder: self.folder.clone(), file: self.shown.clone(), yaml })
    }
}

/// A rendered target, not yet matched with the project's sources.
#[derive(Clone, Debug)]
pub struct Target {
    name: String,
    folder: PathBuf,
    file: String,
    yaml: Yaml,
}

/// A declared source table, as far as matching needs it.
pub struct DeclaredTable<'a> {
    pub unique_id: &'a str,
    pub source: &'a str,
    pub table: &'a str,
    pub identifier: &'a str,
}

impl Target {
    /// A target that livemart.yml does not speak of.
    pub fn empty(name: &str, project_dir: &Path) -> Target {
        let yaml = Yaml { value: Value::Map(Map::default()), line: 0 };
        Target { name: name.to_string(), folder: project_dir.to_path_buf(), file: FILE.to_string(), yaml }
    }

    fn fields(&self) -> Result<Fields<'_>> {
        Fields::of(&self.yaml, &self.file, &format!("target '{}'", self.name))
    }

    /// The sink, where the target names one.
    pub fn sink(&self) -> Result<Option<SinkConfig>> {
        let fields = self.fields()?;
        let Some(sink) = fields.sub("sink")? else { return Ok(None) };
        let kind = sink.require_text("type")?;
        Ok(Some(match kind.as_str() {
            "sqlite" => {
                sink.only(&["type", "path", "changelog"])?;
                SinkConfig::Sqlite { path: self.folder.join(sink.require_text("path")?) }
            }
            "postgres" => {
                sink.only(&[
                    "type",
                    "url",
                    "password_file",
                    "sslmode",
                    "sslrootcert",
                    "sslcert",
                    "sslkey",
                    "schema",
                    "meta_schema",
                    "changelog",
                ])?;
                SinkConfig::Postgres {
                    url: sink.require_text("url")?,
                    password_file: sink.text("password_file")?.map(|path| self.folder.join(path)),
                    tls: self.tls(&sink)?,
                    schema: sink.text("schema")?.unwrap_or_else(|| "public".into()),
                    meta_schema: sink.text("meta_schema")?.unwrap_or_else(|| META_SCHEMA.into()),
                }
            }
            other => return Err(sink.unknown_value("type", other, &["sqlite", "postgres"])),
        }))
    }

    /// `sslmode` and its neighbours, with libpq's names.
    fn tls(&self, sink: &Fields<'_>) -> Result<TlsSettings> {
        let mode = match sink.text("sslmode")? {
            None => None,
            Some(name) => match TlsMode::named(&name) {
                Some(mode) => Some(mode),
                None => return Err(sink.unknown_value("sslmode", &name, &TlsMode::NAMES)),
            },
        };
        let path = |key: &str| -> Result<Option<PathBuf>> {
            let text = sink.text(key)?;
            // `system` stands for the operating system's authorities and is no file.
            Ok(text.map(|text| if text == "system" { text.into() } else { self.folder.join(text) }))
        };
        Ok(TlsSettings { mode, root: path("sslrootcert")?, certificate: path("sslcert")?, key: path("sslkey")? })
    }

    /// The schema that the sink names itself.
    pub fn sink_schema(&self) -> Result<Option<String>> {
        match self.fields()?.sub("sink")? {
            Some(sink) => sink.text("schema"),
            None => Ok(None),
        }
    }

    /// Everything, matched with the project's source tables.
    pub fn resolve(&self, sink: SinkConfig, tables: &[DeclaredTable<'_>]) -> Result<TargetConfig> {
        let fields = self.fields()?;
        let clock = match fields.sub("clock")? {
            Some(clock) => self.clock(&clock)?,
            None => ClockConfig { mode: ClockMode::Wall, at: None, time_zone: "UTC".into(), tick: CLOCK_TICK },
        };
        let http = match fields.sub("http")? {
            Some(http) => {
                http.only(&["listen"])?;
                http.text("listen")?
            }
            None => None,
        };
        let state = match fields.sub("state")? {
            Some(state) => {
                state.only(&["path"])?;
                state.text("path")?.map(|path| self.folder.join(path))
            }
            None => None,
        };
        let workers = match fields.map.get("workers") {
            None => 1,
            Some(Yaml { value: Value::Int(count @ 1..=1024), .. }) => *count as usize,
            Some(other) => return Err(fields.wrong(other, "'workers' is a number from 1")),
        };
        Ok(TargetConfig {
            name: self.name.clone(),
            sources: self.sources(&fields, tables)?,
            sink,
            changelog: self.changelog()?,
            clock,
            commit_interval: fields.duration("commit_interval")?.unwrap_or(COMMIT_INTERVAL),
            http_listen: http.unwrap_or_else(|| HTTP_LISTEN.into()),
            state_path: state.unwrap_or_else(|| self.default_folder().join("state")),
            memory_bytes_max: fields.bytes("memory_max")?,
            workers,
            alerts: fields.sub("alerts")?.map(|alerts| alerts_of(&alerts)).transpose()?,
        })
    }

    /// `.livemart/<target>` beside the project, which `clean` leaves alone.
    pub fn default_folder(&self) -> PathBuf {
        self.folder.join(".livemart").join(&self.name)
    }

    fn clock(&self, clock: &Fields<'_>) -> Result<ClockConfig> {
        clock.only(&["mode", "at", "time_zone", "tick"])?;
        let mode = match clock.text("mode")?.as_deref() {
            Some("event") => ClockMode::Event,
            None | Some("wall") => ClockMode::Wall,
            Some("fixed") => ClockMode::Fixed,
            Some(other) => return Err(clock.unknown_value("mode", other, &["event", "wall", "fixed"])),
        };
        let at = clock.text("at")?;
        if (mode == ClockMode::Fixed) != at.is_some() {
            return Err(clock.error("'at' belongs to `mode: fixed`, and a fixed clock needs it"));
        }
        let time_zone = clock.text("time_zone")?.unwrap_or_else(|| "UTC".into());
        if time_zone.parse::<chrono_tz::Tz>().is_err() {
            return Err(clock
                .error(format!("unknown time zone '{time_zone}'"))
                .hint("use a name such as Europe/Berlin"));
        }
        let tick = clock.duration("tick")?.unwrap_or(CLOCK_TICK);
        if tick < Duration::from_millis(1) {
            return Err(clock.error("tick: the clock moves at most once a millisecond"));
        }
        Ok(ClockConfig { mode, at, time_zone, tick })
    }

    fn sources(&self, fields: &Fields<'_>, tables: &[DeclaredTable<'_>]) -> Result<BTreeMap<String, SourceSettings>> {
        let mut found = BTreeMap::new();
        let Some(entries) = fields.map("sources")? else { return Ok(found) };
        let mut known: Vec<String> =
            tables.iter().flat_map(|t| [t.source.to_string(), format!("{}.{}", t.source, t.table)]).collect();
        known.sort();
        known.dedup();
        for (key, _) in entries.iter() {
            let name = key.scalar_text().unwrap_or_default();
            if !known.contains(&name) {
                let error = fields.wrong(key, format!("no dbt source is called '{name}'"));
                return Err(match files::nearest(&name, known.iter().map(String::as_str)) {
                    Some(near) => error.hint(format!("did you mean '{near}'?")),
                    None => error.hint("declare it under `sources:` in a property file of the project"),
                });
            }
        }
        for table in tables {
            let general = entries.get(table.source);
            let own = entries.get(&format!("{}.{}", table.source, table.table));
            let Some(line) = own.or(general).map(|yaml| yaml.line) else { continue };
            let mut merged = Map::default();
            for layer in [general, own].into_iter().flatten() {
                let what = format!("source '{}'", table.source);
                for (key, value) in Fields::of(layer, &self.file, &what)?.map.iter() {
                    merged.insert(key.clone(), value.clone());
                }
            }
            let yaml = Yaml { value: Value::Map(merged), line };
            let fields = Fields::of(&yaml, &self.file, &format!("source '{}.{}'", table.source, table.table))?;
            found.insert(table.unique_id.to_string(), self.source(&fields, table)?);
        }
        Ok(found)
    }

    fn source(&self, fields: &Fields<'_>, table: &DeclaredTable<'_>) -> Result<SourceSettings> {
        const SHARED: [&str; 8] =
            ["connector", "format", "envelope", "key", "event_time", "retain", "delimiter", "schema_registry"];
        let fill = |text: String| {
            text.replace("{table}", table.table)
                .replace("{identifier}", table.identifier)
                .replace("{source}", table.source)
        };
        let connector = match fields.require_text("connector")?.as_str() {
            "file" => {
                fields.only(&[&SHARED[..], &["path"]].concat())?;
                Connector::File { path: self.folder.join(fill(fields.require_text("path")?)) }
            }
            "kafka" => {
                fields.only(
                    &[
                        &SHARED[..],
                        &["brokers", "topic", "properties", "group_id", "transactions", "transaction_topic"],
                    ]
                    .concat(),
                )?;
                let properties = fields.properties()?;
                let topic = fill(fields.require_text("topic")?);
                let transactions = match fields.text("transactions")?.as_deref() {
                    None => None,
                    Some("debezium") => Some(match fields.text("transaction_topic")? {
                        Some(topic) => fill(topic),
                        // Debezium's topics are prefix.schema.table, that of transactions is prefix.transaction.
                        None => match topic.rsplitn(3, '.').nth(2).filter(|_| !topic.starts_with('^')) {
                            Some(prefix) => format!("{prefix}.transaction"),
                            None => {
                                return Err(fields.error("'transaction_topic' is missing: 'topic' does not tell it"));
                            }
                        },
                    }),
                    Some(other) => return Err(fields.unknown_value("transactions", other, &["debezium"])),
                };
                Connector::Kafka {
                    brokers: fields.require_text("brokers")?,
                    topic,
                    group_id: fields.text("group_id")?,
                    properties,
                    transactions,
                }
            }
            other => return Err(fields.unknown_value("connector", other, &["file", "kafka"])),
        };
        let format = match fields.text("format")?.as_deref() {
            Some("json") => Format::Json,
            Some("avro") => Format::Avro,
            Some("csv") => Format::Csv,
            Some("parquet") => Format::Parquet,
            Some(other) => return Err(fields.unknown_value("format", other, &["json", "avro", "csv", "parquet"])),
            None => format_of(&connector),
        };
        let envelope = match fields.text("envelope")?.as_deref() {
            Some("debezium") => EnvelopeKind::Debezium,
            Some("upsert") => EnvelopeKind::Upsert,
            Some("append") | None => EnvelopeKind::Append,
            Some(other) => return Err(fields.unknown_value("envelope", other, &["debezium", "upsert", "append"])),
        };
        let key = match fields.map.get("key") {
            None | Some(Yaml { value: Value::Null, .. }) => None,
            Some(key) => Some(super::settings::texts(key)),
        };
        let retain = match fields.sub("retain")? {
            None => None,
            Some(retain) => {
                retain.only(&["column", "for"])?;
                let keep = retain.duration("for")?.ok_or_else(|| retain.error("'for' is missing"))?;
                Some(Retain { column: retain.require_text("column")?, keep })
            }
        };
        let delimiter = fields.text("delimiter")?.and_then(|text| text.chars().next()).unwrap_or(',');
        Ok(SourceSettings {
            connector,
            format,
            envelope,
            key,
            event_time: fields.text("event_time")?,
            retain,
            delimiter,
            schema_registry: self.registry(fields, &fill)?,
        })
    }

    /// An address alone, or a map with the names that Kafka's clients use.
    fn registry(&self, fields: &Fields<'_>, fill: &dyn Fn(String) -> String) -> Result<Option<RegistryConfig>> {
        let place = |url: String| match url.starts_with("http://") || url.starts_with("https://") {
            true => url,
            false => self.folder.join(fill(url)).display().to_string(),
        };
        if let Some(Yaml { value: Value::Map(_), .. }) = fields.map.get("schema_registry") {
            let Some(registry) = fields.sub("schema_registry")? else { return Ok(None) };
            registry.only(&[
                "url",
                "basic.auth.user.info",
                "ssl.ca.location",
                "ssl.certificate.location",
                "ssl.key.location",
                "subject",
            ])?;
            let file = |key: &str| Ok(registry.text(key)?.map(|path| self.folder.join(path)));
            return Ok(Some(RegistryConfig {
                url: place(registry.require_text("url")?),
                user_info: registry.text("basic.auth.user.info")?,
                ca: file("ssl.ca.location")?,
                certificate: file("ssl.certificate.location")?,
                private_key: file("ssl.key.location")?,
                subject: registry.text("subject")?.map(fill),
            }));
        }
        // An empty text is none: what a variable of the environment gives that is not set.
        let url = fields.text("schema_registry")?.filter(|url| !url.is_empty());
        Ok(url.map(|url| RegistryConfig { url: place(url), ..RegistryConfig::default() }))
    }
}

fn alerts_of(alerts: &Fields<'_>) -> Result<AlertsConfig> {
    const KINDS: [(&str, AlertKind); 4] = [
        ("test", AlertKind::Test),
        ("freshness", AlertKind::Freshness),
        ("lag", AlertKind::Lag),
        ("errors", AlertKind::Errors),
    ];
    alerts.only(&["webhook", "on", "lag_after"])?;
    let webhook = alerts.sub("webhook")?.ok_or_else(|| alerts.error("'webhook' is missing"))?;
    webhook.only(&["url", "headers", "format"])?;
    let url = webhook.require_text("url")?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        // The address may hold a token: it is not repeated.
        return Err(webhook.error("'url' begins with http:// or https://"));
    }
    let mut headers = BTreeMap::new();
    for (name, value) in webhook.map("headers")?.into_iter().flat_map(Map::iter) {
        let text = value.scalar_text().ok_or_else(|| webhook.wrong(value, "a header is a text"))?;
        headers.insert(name.scalar_text().unwrap_or_default(), text);
    }
    let format = match webhook.text("format")?.as_deref() {
        None | Some("alertmanager") => AlertFormat::Alertmanager,
        Some("slack") => AlertFormat::Slack,
        Some(other) => return Err(webhook.unknown_value("format", other, &["alertmanager", "slack"])),
    };
    let on = match alerts.value("on") {
        None => KINDS.iter().map(|(_, kind)| *kind).collect(),
        Some(listed) => {
            let names = super::settings::texts(listed);
            let kind = |name: &String| {
                let known = KINDS.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
                known.ok_or_else(|| alerts.unknown_value("on", name, &KINDS.map(|(name, _)| name)))
            };
            names.iter().map(kind).collect::<Result<Vec<_>>>()?
        }
    };
    let lag_after = alerts.duration("lag_after")?.unwrap_or(LAG_AFTER);
    Ok(AlertsConfig { webhook: WebhookConfig { url, headers, format }, on, lag_after })
}

/// A file's name tells its format; everything else is JSON.
fn format_of(connector: &Connector) -> Format {
    match connector {
        Connector::File { path } => match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Format::Csv,
            Some("parquet") => Format::Parquet,
            _ => Format::Json,
        },
        Connector::Kafka { .. } => Format::Json,
    }
}

/// A map of settings that knows what it is called in errors.
struct Fields<'a> {
    map: &'a Map,
    file: &'a str,
    what: String,
    line: usize,
}

impl<'a> Fields<'a> {
    fn of(yaml: &'a Yaml, file: &'a str, what: &str) -> Result<Fields<'a>> {
        match yaml.as_map() {
            Some(map) => Ok(Fields { map, file, what: what.to_string(), line: yaml.line }),
            None => Err(ProjectError::configuration(format!("{what} is not a map")).in_file(file).at_line(yaml.line)),
        }
    }

    fn error(&self, message: impl Into<String>) -> ProjectError {
        ProjectError::configuration(format!("{}: {}", self.what, message.into())).in_file(self.file).at_line(self.line)
    }

    fn wrong(&self, yaml: &Yaml, message: impl Into<String>) -> ProjectError {
        ProjectError::configuration(format!("{}: {}", self.what, message.into())).in_file(self.file).at_line(yaml.line)
    }

    /// Refuses every field but these.
    fn only(&self, known: &[&str]) -> Result<()> {
        for (key, _) in self.map.iter() {
            let name = key.scalar_text().unwrap_or_default();
            if !known.contains(&name.as_str()) {
                let error = self.wrong(key, format!("unknown field '{name}'"));
                return Err(match files::nearest(&name, known.iter().copied()) {
                    Some(near) => error.hint(format!("did you mean '{near}'?")),
                    None => error.hint(format!("known fields are: {}", known.join(", "))),
                });
            }
        }
        Ok(())
    }

    fn value(&self, key: &str) -> Option<&'a Yaml> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn text(&self, key: &str) -> Result<Option<String>> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match value.scalar_text() {
                Some(text) => Ok(Some(text)),
                None => Err(self.wrong(value, format!("'{key}' is not a text"))),
            },
        }
    }

    fn require_text(&self, key: &str) -> Result<String> {
        self.text(key)?.ok_or_else(|| self.error(format!("'{key}' is missing")))
    }

    fn map(&self, key: &str) -> Result<Option<&'a Map>> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => value.as_map().map(Some).ok_or_else(|| self.wrong(value, format!("'{key}' is not a map"))),
        }
    }

    /// `properties`, which go to librdkafka as they are.
    fn properties(&self) -> Result<BTreeMap<String, String>> {
        let mut properties = BTreeMap::new();
        for (key, value) in self.map("properties")?.into_iter().flat_map(Map::iter) {
            let text = match value.value {
                Value::Bool(bool) => bool.to_string(),
                _ => value.scalar_text().ok_or_else(|| self.wrong(value, "a property of librdkafka is a text"))?,
            };
            properties.insert(key.scalar_text().unwrap_or_default(), text);
        }
        Ok(properties)
    }

    fn sub(&self, key: &str) -> Result<Option<Fields<'a>>> {
        self.value(key).map(|value| Fields::of(value, self.file, &format!("{}: {key}", self.what))).transpose()
    }

    fn duration(&self, key: &str) -> Result<Option<Duration>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        parse_duration(&text).map(Some).ok_or_else(|| {
            let value = self.value(key).map_or(self.line, |value| value.line);
            ProjectError::configuration(format!("{}: '{text}' is not a duration", self.what))
                .in_file(self.file)
                .at_line(value)
                .hint("write a number with a unit: 200ms, 2s, 5m, 1h, 400 days")
        })
    }

    fn bytes(&self, key: &str) -> Result<Option<u64>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        parse_bytes(&text).map(Some).ok_or_else(|| {
            let line = self.value(key).map_or(self.line, |value| value.line);
            ProjectError::configuration(format!("{}: '{text}' is not an amount of memory", self.what))
                .in_file(self.file)
                .at_line(line)
                .hint("write a number with a unit: 512MiB, 2GiB, 2GB")
        })
    }

    fn unknown_value(&self, key: &str, value: &str, known: &[&str]) -> ProjectError {
        let line = self.value(key).map_or(self.line, |value| value.line);
        let error = ProjectError::configuration(format!("{}: unknown {key} '{value}'", self.what))
            .in_file(self.file)
            .at_line(line);
        match files::nearest(value, known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint(format!("known are: {}", known.join(", "))),
        }
    }
}

/// `512MiB`, `1.5GiB`, `2GB`.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim() {
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    let bytes = number * unit;
    (1.0..1e18).contains(&bytes).then_some(bytes as u64)
}

/// `10ms`, `2s`, `1.5h`, `400 days`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..split].parse().ok()?;
    let seconds = match text[split..].trim() {
        "us" => 1e-6,
        "ms" | "milliseconds" => 1e-3,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
