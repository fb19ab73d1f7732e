//! What verbs that run the engine share: the sink, the clock and the limits of a project's target.

use crate::engine::{AssembleError, Deployment, EngineError, Limits, carries_changes};
use crate::plan::clock::ClockNeeds;
use crate::project::{ClockMode as ConfiguredClock, Project, ProjectError, SinkConfig};
use crate::sink::changelog::{ChangelogSink, KafkaBroker};
use crate::sink::postgres::{self, PostgresConfig, PostgresSink, PostgresWatch};
use crate::sink::sqlite::{self, SqliteSink, SqliteWatch};
use crate::sink::{Published, Sink, SinkError, SinkState, TableRows, TableSpec, Watch};
use crate::state::StateError;
use crate::time::{Clock, ClockMode, ClockSettings, Stage, WallTime};

/// An epoch never holds more records than this: it bounds the memory of a catch-up.
const EPOCH_RECORDS_MAX: u64 = 200_000;

/// What went wrong in a verb, with its way out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct VerbError {
    pub message: String,
    pub hint: Option<String>,
    /// 1 when a node failed; 2 when the project cannot be read.
    pub exit_code: i32,
    /// Another process owns the instance.
    pub owned: bool,
}

impl VerbError {
    pub fn new(message: impl Into<String>) -> VerbError {
        VerbError { message: message.into(), hint: None, exit_code: 1, owned: false }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> VerbError {
        self.hint = Some(hint.into());
        self
    }
}

/// The error and the causes below it, on one line each.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !text.contains(&line) {
            text.push_str("\n  caused by: ");
            text.push_str(&line);
        }
        cause = error.source();
    }
    text
}

impl From<ProjectError> for VerbError {
    fn from(error: ProjectError) -> VerbError {
        VerbError { message: error.to_string(), hint: error.hint.clone(), exit_code: 2, owned: false }
    }
}

impl From<AssembleError> for VerbError {
    fn from(error: AssembleError) -> VerbError {
        VerbError { message: error.to_string(), hint: error.hint, exit_code: 1, owned: false }
    }
}

impl From<SinkError> for VerbError {
    fn from(error: SinkError) -> VerbError {
        let hint = match &error {
            SinkError::Refused { hint, .. } => hint.clone(),
            SinkError::Owned { .. } => Some("stop that process first, or wait until it has ended".to_owned()),
            _ => None,
        };
        let owned = matches!(error, SinkError::Owned { .. });
        VerbError { message: with_causes(&error), hint, exit_code: 1, owned }
    }
}

impl From<EngineError> for VerbError {
    fn from(error: EngineError) -> VerbError {
        match error {
            EngineError::Sink(error) => error.into(),
            EngineError::Source(error) => {
                VerbError { message: with_causes(&error), hint: error.hint, exit_code: 1, owned: false }
            }
            EngineError::Rewritten { message, hint } => {
                VerbError { message, hint: Some(hint), exit_code: 1, owned: false }
            }
            EngineError::State(error) => error.into(),
            error @ (EngineError::Workers(_) | EngineError::NotWarm(_)) => VerbError::new(error.to_string()),
        }
    }
}

impl From<StateError> for VerbError {
    fn from(error: StateError) -> VerbError {
        let hint = Some(error.hint().to_owned());
        VerbError { message: with_causes(&error), hint, exit_code: 1, owned: false }
    }
}

/// `project.target`: the name under which the bookkeeping tables know this deployment.
pub fn instance_name(project: &Project) -> String {
    format!("{}.{}", project.name, project.target.name)
}

/// A name for this process that no other has.
pub fn owner_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "localhost",
        host => host,
    };
    format!("{host}:{}:{}", std::process::id(), crate::time::wall_micros())
}

/// Opens the target's sink and takes ownership of the instance.
pub fn open_sink(project: &Project) -> Result<Box<dyn Sink>, SinkError> {
    let instance = instance_name(project);
    let owner = owner_name();
    // What the changelog's settings get wrong is told before anything is owned.
    let broker = changelog_broker(project)?;
    let (sink, schema): (Box<dyn Sink>, &str) = match &project.target.sink {
        SinkConfig::Sqlite { path } => (Box::new(SqliteSink::open(path, &instance, &owner)?), "main"),
        SinkConfig::Postgres { schema, .. } => {
            let config = postgres_config(project).expect("the sink is PostgreSQL");
            (Box::new(PostgresSink::open(config, &instance, &owner)?), schema)
        }
    };
    let Some((config, broker)) = project.target.changelog.clone().zip(broker) else { return Ok(sink) };
    let models = project.nodes.values().filter(|node| carries_changes(project, node).unwrap_or(false));
    let models = models.map(|node| node.unique_id.clone()).collect();
    Ok(Box::new(ChangelogSink::new(sink, Box::new(broker), config, &instance, schema, models, Stage::Threads)))
}

/// Kafka, as the target's changelog is shipped to it; None where there is no changelog. Nothing is connected yet.
pub fn changelog_broker(project: &Project) -> Result<Option<KafkaBroker>, SinkError> {
    let broker =
        project.target.changelog.clone().map(|config| KafkaBroker::new(config, &instance_name(project))).transpose()?;
    Ok(broker)
}

/// Looks at the target's sink without owning it.
pub fn watch(project: &Project) -> Result<Box<dyn Watch>, SinkError> {
    let instance = instance_name(project);
    Ok(match &project.target.sink {
        SinkConfig::Sqlite { path } => Box::new(SqliteWatch::open(path, &instance)),
        SinkConfig::Postgres { .. } => {
            let config = postgres_config(project).expect("the sink is PostgreSQL");
            Box::new(PostgresWatch::open(config, &instance)?)
        }
    })
}

/// What the sink has published, read without owning it; None before the first cut.
pub fn published_state(project: &Project) -> Result<Option<SinkState>, SinkError> {
    watch(project)?.state()
}

/// What readers see of the target's sink, at one cut; None before the first.
pub fn published(project: &Project) -> Result<Option<Published>, SinkError> {
    Look::of(project).published()
}

/// All that it takes to look at a sink, without the project.
pub struct Look {
    instance: String,
    sink: SinkConfig,
    /// (model, schema, name) of everything that may have a table.
    tables: Vec<(String, String, String)>,
}

impl Look {
    pub fn of(project: &Project) -> Look {
        let nodes = project.nodes.values().filter(|node| node.relation_name.is_some());
        Look {
            instance: instance_name(project),
            sink: project.target.sink.clone(),
            tables: nodes.map(|node| (node.unique_id.clone(), node.schema.clone(), node.alias.clone())).collect(),
        }
    }

    /// Rows of every published table, tests and errors.
    pub fn published(&self) -> Result<Option<Published>, SinkError> {
        match &self.sink {
            SinkConfig::Sqlite { path } => sqlite::published::published(path, &self.instance, &self.tables),
            SinkConfig::Postgres { .. } => match config_of(&self.sink) {
                Some(config) => postgres::published::published(&config, &self.instance, &self.tables),
                None => Ok(None),
            },
        }
    }
}

/// What the sink has published and what these tables hold, all in one cut, read without owning it.
pub fn read_tables(project: &Project, tables: &[&TableSpec]) -> Result<(SinkState, TableRows), SinkError> {
    let instance = instance_name(project);
    match &project.target.sink {
        SinkConfig::Sqlite { path } => sqlite::read_tables(path, &instance, tables),
        SinkConfig::Postgres { .. } => {
            let config = postgres_config(project).expect("the sink is PostgreSQL");
            postgres::read_tables(&config, &instance, tables)
        }
    }
}

/// Gives the snapshots of a deployment the versions that are published. Gives back what else is published with them.
pub fn read_versions(project: &Project, deployment: &mut Deployment) -> Result<Option<SinkState>, SinkError> {
    let Some(state) = published_state(project)? else { return Ok(None) };
    if deployment.stored.is_empty() {
        return Ok(Some(state));
    }
    let tables: Vec<TableSpec> = deployment.stored.iter().map(|snapshot| snapshot.table.clone()).collect();
    let (state, rows) = read_tables(project, &tables.iter().collect::<Vec<_>>())?;
    for (snapshot, versions) in deployment.stored.iter_mut().zip(rows) {
        snapshot.versions = versions;
    }
    Ok(Some(state))
}

/// The PostgreSQL sink's settings; None for another sink.
pub fn postgres_config(project: &Project) -> Option<PostgresConfig> {
    config_of(&project.target.sink)
}

fn config_of(sink: &SinkConfig) -> Option<PostgresConfig> {
    match sink {
        SinkConfig::Sqlite { .. } => None,
        SinkConfig::Postgres { url, password_file, tls, schema, meta_schema } => Some(PostgresConfig {
            url: url.clone(),
            password_file: password_file.clone(),
            tls: tls.clone(),
            schema: schema.clone(),
            meta_schema: meta_schema.clone(),
        }),
    }
}

/// Where the sink is, for people; never with a password.
pub fn sink_place(project: &Project) -> String {
    match &project.target.sink {
        SinkConfig::Sqlite { path } => path.display().to_string(),
        SinkConfig::Postgres { schema, .. } => format!("PostgreSQL, schema {schema}"),
    }
}

/// The target's clock, going on from the stored time of the last cut.
pub fn clock(project: &Project, stored: Option<i64>, needs: ClockNeeds, wall: WallTime) -> Result<Clock, VerbError> {
    let config = &project.target.clock;
    let error = |message: String| VerbError::new(format!("clock: {message}"));
    let time_zone = row::calendar::parse_zone(&config.time_zone).map_err(|cause| error(cause.to_string()))?;
    let mode = match config.mode {
        ConfiguredClock::Wall => ClockMode::Wall,
        ConfiguredClock::Event => ClockMode::Event,
        ConfiguredClock::Fixed => {
            let at = config.at.as_deref().unwrap_or_default();
            let micros = row::calendar::parse_timestamptz(at, time_zone)
                .map_err(|cause| error(format!("at: {cause}")).with_hint("write at: 2025-01-31 12:00:00"))?;
            if let Some(stored) = stored.filter(|stored| *stored > micros) {
                let published = row::calendar::format_timestamptz(stored, time_zone);
                return Err(error(format!("at: {at} is before the published cut's clock, {published}"))
                    .with_hint("a clock never goes back; livemart run --full-refresh starts again"));
            }
            ClockMode::Fixed(micros)
        }
    };
    let settings = ClockSettings { mode, time_zone, tick: config.tick };
    Ok(Clock::new(settings, stored, needs, wall))
}

pub fn limits(project: &Project) -> Limits {
    Limits {
        commit_interval: project.target.commit_interval,
        epoch_records_max: EPOCH_RECORDS_MAX,
        memory_bytes_max: project.target.memory_bytes_max,
    }
}
