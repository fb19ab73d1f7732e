//! The files that tools around a dbt project read, as dbt 1.11 writes them.
//!
//! ```text
//!   Project ──> manifest.json (v12)      Outcomes ──> run_results.json (v6)
//!   sink ─────> catalog.json (v1)        lags ──────> sources.json (v3)       all of them ──> index.html
//!   compiled code ──> target/compiled/   what a node's table or verdict is made with ──> target/run/
//! ```
//!
//! 1. A manifest always has compiled code: a command never leaves a poorer one than it found.
//! 2. A file appears whole: it is written beside its place and renamed.
//! 3. Time comes in as an argument; passwords and addresses never go out.

pub mod catalog;
pub mod code;
pub mod freshness;
pub mod manifest;
pub mod page;
pub mod run_results;
pub mod state;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::{Map as JsonMap, Value as Json, json};

use crate::project::{DBT_VERSION, Project};

/// Why an artifact could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error("could not write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("could not read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("{} is not a manifest: {reason}", path.display())]
    NotAManifest { path: PathBuf, reason: String },
}

/// Writes an artifact into the project's target folder; gives its path.
pub fn write(project: &Project, name: &str, json: &Json) -> Result<PathBuf, ArtifactError> {
    let path = project.target_path.join(name);
    write_whole(&path, json.to_string().as_bytes())?;
    Ok(path)
}

/// Writes a file beside its place and renames it: a reader sees the old one or the new one.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    let wrong = |cause| ArtifactError::Write { path: path.to_path_buf(), cause };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path)).map_err(|cause| {
        // What was half written helps nobody; the error is the first one.
        let _ = std::fs::remove_file(&beside);
        wrong(cause)
    })
}

/// What every artifact says of itself. `kind` is `manifest/v12`, `run-results/v6`, ….
fn metadata(project: &Project, kind: &str, now: i64) -> JsonMap<String, Json> {
    const CUSTOM: &str = "DBT_ENV_CUSTOM_ENV_";
    let env: JsonMap<String, Json> = project
        .environment()
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(CUSTOM)?.to_string(), value.clone().into())))
        .collect();
    let json = json!({
        "dbt_schema_version": format!("https://schemas.getdbt.com/dbt/{kind}.json"),
        "dbt_version": DBT_VERSION,
        "generated_at": moment(now),
        "invocation_id": project.invocation_id(),
        "invocation_started_at": moment(project.started_at()),
        "env": env,
    });
    json.as_object().cloned().unwrap_or_default()
}

/// `2026-11-21T11:45:41.000505Z`
pub fn moment(micros: i64) -> String {
    let moment = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH);
    moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
#[path = "artifact_tests.rs"]
mod tests;
