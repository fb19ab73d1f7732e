//! Which target: its sink, its schema, and what templates see of it.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::boot_scope;
use crate::project::ProjectOptions;
use crate::project::error::{ProjectError, Result};
use crate::project::jinja::scope::Scope;
use crate::project::profile::{self, Places, Profile};
use crate::project::settings;
use crate::project::target::{META_SCHEMA, SinkConfig, Target, TargetsFile};
use crate::project::yaml::{Map, Yaml};
use crate::sink::postgres::{TlsMode, TlsSettings, database_of};

/// The selected target before it is matched with the project's sources.
pub(super) struct FoundTarget {
    pub profile_name: Option<String>,
    pub target: Target,
    pub sink: SinkConfig,
    /// The template's `target`.
    pub facts: JsonMap<String, Json>,
}

/// The target: `--target`, else the profile's default, else the only one.
pub(super) fn select_target(options: &ProjectOptions, raw: &Yaml, boot: &Arc<Scope>) -> Result<FoundTarget> {
    let profile_name = match (&options.profile, raw.get("profile")) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(name)) => profile::render(name, settings::FILE, boot)?.scalar_text(),
        (None, None) => None,
    };
    let env_dir = options.env.get("DBT_PROFILES_DIR").map(PathBuf::from);
    let home = options.env.get("HOME").map(PathBuf::from);
    let places = Places {
        profiles_dir: options.profiles_dir.as_deref(),
        env_dir: env_dir.as_deref(),
        project_dir: &options.project_dir,
        current_dir: &options.current_dir,
        home: home.as_deref(),
    };
    let profile = match &profile_name {
        Some(name) => profile::find(&places, name, boot)?,
        None => None,
    };
    let targets = TargetsFile::read(&options.project_dir)?;
    let name = target_name(options, profile.as_ref(), targets.as_ref())?;
    let named = boot_scope(
        options,
        raw,
        serde_json::json!({"name": name, "target_name": name}).as_object().cloned().unwrap_or_default(),
    );
    let target = match &targets {
        Some(file) => file.target(&name, &named)?,
        None => Target::empty(&name, &options.project_dir),
    };
    let output = match &profile {
        Some(profile) => profile.output(&name, boot)?,
        None => None,
    };
    if let (Some(profile), None, None) = (&profile, &output, &targets) {
        let known = profile.targets();
        let error =
            ProjectError::runtime(format!("The profile '{}' does not have a target named '{name}'.", profile.name));
        return Err(error.hint(format!("the valid target names are: {}", known.join(", "))));
    }
    let project_name = raw.get("name").and_then(Yaml::scalar_text).unwrap_or_default();
    let own_sink = target.sink()?;
    let sink = own_sink
        .or_else(|| output.as_ref().and_then(profile_sink))
        .unwrap_or_else(|| SinkConfig::Sqlite { path: target.default_folder().join("marts.db") });
    let facts = target_facts(options, &name, profile_name.as_deref(), output.as_ref(), &target, &sink, &project_name)?;
    Ok(FoundTarget { profile_name, target, sink, facts })
}

fn target_name(options: &ProjectOptions, profile: Option<&Profile>, targets: Option<&TargetsFile>) -> Result<String> {
    let from_env = options.env.get("DBT_TARGET").cloned();
    if let Some(name) =
        options.target.clone().or(from_env).or_else(|| profile.and_then(|profile| profile.default_target.clone()))
    {
        return Ok(name);
    }
    let names = targets.map_or_else(|| profile.map_or_else(Vec::new, Profile::targets), TargetsFile::names);
    match names.as_slice() {
        [] => Ok("default".into()),
        [only] => Ok(only.clone()),
        several if several.iter().any(|name| name == "default") => Ok("default".into()),
        several => Err(ProjectError::configuration(format!(
            "there are several targets ({}) and no default",
            several.join(", ")
        ))
        .hint("choose one with --target")),
    }
}

/// The sink that a profile of type postgres stands for.
fn profile_sink(output: &Yaml) -> Option<SinkConfig> {
    let text = |key: &str| output.get(key).and_then(Yaml::scalar_text);
    if text("type")? != "postgres" {
        return None;
    }
    let host = text("host").unwrap_or_else(|| "localhost".into());
    let port = text("port").unwrap_or_else(|| "5432".into());
    let user = text("user").unwrap_or_default();
    let database = text("dbname").or_else(|| text("database")).unwrap_or_default();
    let password = text("password")
        .or_else(|| text("pass"))
        .map_or(String::new(), |password| format!(":{}", percent_encoded(&password)));
    let path = |key: &str| text(key).map(PathBuf::from);
    let mode = text("sslmode").map(|mode| (TlsMode::named(&mode), mode));
    // A mode that nobody knows goes into the url, where it is refused: it must not become a weaker one.
    let unknown = match &mode {
        Some((None, mode)) => format!("?sslmode={}", percent_encoded(mode)),
        _ => String::new(),
    };
    let tls = TlsSettings {
        mode: mode.and_then(|(mode, _)| mode),
        root: path("sslrootcert"),
        certificate: path("sslcert"),
        key: path("sslkey"),
    };
    Some(SinkConfig::Postgres {
        url: format!(
            "postgresql://{}{password}@{host}:{port}/{}{unknown}",
            percent_encoded(&user),
            percent_encoded(&database)
        ),
        password_file: None,
        tls,
        schema: text("schema").unwrap_or_else(|| "public".into()),
        meta_schema: META_SCHEMA.into(),
    })
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn target_facts(
    options: &ProjectOptions,
    name: &str,
    profile_name: Option<&str>,
    output: Option<&Yaml>,
    target: &Target,
    sink: &SinkConfig,
    project_name: &str,
) -> Result<JsonMap<String, Json>> {
    let of_profile = |key: &str| output.and_then(|output| output.get(key)).and_then(Yaml::scalar_text);
    let mut facts = JsonMap::new();
    // What a profile says beside its secrets is visible to templates: many projects branch on a key of their own.
    for (key, value) in output.and_then(Yaml::as_map).into_iter().flat_map(Map::iter) {
        let key = key.scalar_text().unwrap_or_default();
        let is_secret =
            ["pass", "password", "token", "private_key", "secret", "url"].iter().any(|word| key.contains(word));
        if !is_secret {
            facts.insert(key, value.to_json());
        }
    }
    let database = match sink {
        SinkConfig::Postgres { url, .. } => database_of(url),
        SinkConfig::Sqlite { .. } => None,
    };
    let database = database
        .or_else(|| of_profile("dbname"))
        .or_else(|| of_profile("database"))
        .unwrap_or_else(|| project_name.into());
    let default_schema = if matches!(sink, SinkConfig::Postgres { .. }) { "public" } else { "main" };
    let schema = target.sink_schema()?.or_else(|| of_profile("schema")).unwrap_or_else(|| default_schema.into());
    let threads =
        options.threads.or_else(|| of_profile("threads").and_then(|threads| threads.parse().ok())).unwrap_or(1);
    for (key, value) in [
        ("name", Json::from(name)),
        ("target_name", name.into()),
        ("profile_name", profile_name.into()),
        ("type", "postgres".into()),
        ("database", database.clone().into()),
        ("dbname", database.into()),
        ("schema", schema.into()),
        ("threads", threads.into()),
    ] {
        facts.insert(key.into(), value);
    }
    Ok(facts)
}
