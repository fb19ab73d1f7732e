//! `livemart source freshness`: how old the newest row of each source table is.
//!
//! ```text
//!   loaded_at_query ──┐
//!   loaded_at_field ──┴─> one query over the source as it stands now ─┐
//!   neither ────────────> the newest event among its records ─────────┴─> age ──> pass, warn, error ──> sources.json
//! ```
//!
//! Only tables with `warn_after` or `error_after` are looked at. Nothing is owned and nothing is published.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use row::Datum;

use super::args::{Args, FreshnessArgs};
use super::artifacts::{leave_manifest, told};
use super::instance::{self, VerbError};
use super::keep::seconds_since;
use super::run::nothing_to_do;
use super::talk::{Colour, Level, Speaker};
use super::words::padded;
use super::{parse, refuse};
use crate::artifact;
use crate::artifact::freshness::{Freshness, Verdict, age_seconds, has_criteria, sources, verdict};
use crate::engine::{Assembled, assemble_query, evaluate};
use crate::project::{NoIntrospection, Project, ResourceType, SourceTable};
use crate::source::{Poll, Positions, Until, open_readers};
use crate::time::{WallTime, wall_micros};

/// How long a reader is waited for in one go.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Exit code 0 when no table is stale, 1 when one is or cannot be read, 2 when the project cannot be read.
pub fn run(args: &Args, freshness: &FreshnessArgs, speaker: &Speaker) -> i32 {
    let started = Instant::now();
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    leave_manifest(&mut project, speaker);
    let ids = match wanted(&project, freshness, speaker) {
        Ok(ids) => ids,
        Err(error) => return refuse(speaker, &error),
    };
    if ids.is_empty() {
        nothing_to_do::<()>(speaker);
        return 0;
    }
    speaker.concurrency(1, &project.target_name);
    let mut found = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        let source = &project.sources[id];
        let title = format!("freshness of {}.{}", source.source_name, source.name);
        speaker.info(&padded(at + 1, ids.len(), &format!("START {title}"), "RUN", None));
        let began = Instant::now();
        let one = Freshness {
            unique_id: id.clone(),
            found: newest(&project, source).map_err(|error| error.message).and_then(|newest| {
                let newest = newest.ok_or_else(|| "the table has no row with a time".to_string())?;
                Ok((newest, wall_micros()))
            }),
            seconds: seconds_since(began),
        };
        say(speaker, at + 1, ids.len(), &title, source, &one);
        found.push(one);
    }
    let elapsed = seconds_since(started);
    footer(speaker, &project, &found, elapsed);
    let json = sources(&project, &found, elapsed, wall_micros());
    let written = match &freshness.output {
        Some(path) => artifact::write_whole(path, json.to_string().as_bytes()),
        None => artifact::write(&project, "sources.json", &json).map(|_| ()),
    };
    told(written, speaker);
    i32::from(found.iter().any(|one| !matches!(verdict_of(&project, one), Some(Verdict::Pass | Verdict::Warn))))
}

/// Selected tables that have a threshold.
fn wanted(project: &Project, freshness: &FreshnessArgs, speaker: &Speaker) -> Result<Vec<String>, VerbError> {
    let selected = project.select(&freshness.select.selection(&[ResourceType::Source])?)?;
    selected.warnings.iter().for_each(|warning| speaker.notice(warning));
    Ok(selected.ids.into_iter().filter(|id| project.sources.get(id).is_some_and(has_criteria)).collect())
}

fn verdict_of(project: &Project, one: &Freshness) -> Option<Verdict> {
    let (newest, looked_at) = *one.found.as_ref().ok()?;
    Some(verdict(project.sources.get(&one.unique_id)?, age_seconds(newest, looked_at)))
}

fn say(speaker: &Speaker, at: usize, total: usize, title: &str, source: &SourceTable, one: &Freshness) {
    let verdict = one.found.as_ref().map(|(newest, at)| verdict(source, age_seconds(*newest, *at)));
    let (word, colour, level) = match verdict {
        Ok(Verdict::Pass) => ("PASS", Colour::Green, Level::Info),
        Ok(Verdict::Warn) => ("WARN", Colour::Yellow, Level::Warn),
        Ok(Verdict::Error) => ("ERROR STALE", Colour::Red, Level::Error),
        Err(_) => ("ERROR", Colour::Red, Level::Error),
    };
    let line = padded(at, total, &format!("{word} {title}"), &speaker.paint(colour, word), Some(one.seconds));
    speaker.at(level, &line);
}

fn footer(speaker: &Speaker, project: &Project, found: &[Freshness], seconds: f64) {
    speaker.blank();
    let count = if found.len() == 1 { "1 source".to_string() } else { format!("{} sources", found.len()) };
    speaker.info(&super::words::finished(&count, seconds));
    for one in found {
        let Some(source) = project.sources.get(&one.unique_id) else { continue };
        let (word, status, level) = match (verdict_of(project, one), &one.found) {
            (Some(Verdict::Pass), _) => continue,
            (Some(Verdict::Warn), _) => ("Warning", "Status: warn".to_string(), Level::Warn),
            (Some(Verdict::Error), _) => ("Failure", "Status: error".to_string(), Level::Error),
            (None, Err(reason)) => ("Failure", reason.clone(), Level::Error),
            (None, Ok(_)) => continue,
        };
        speaker.blank();
        speaker.at(level, &format!("{word} in source {} ({})", source.name, source.original_file_path));
        speaker.at(level, &format!("  {status}"));
    }
    speaker.info("Done.");
}

/// The newest row's time, microseconds since 1970 UTC; None where the table has none.
fn newest(project: &Project, source: &SourceTable) -> Result<Option<i64>, VerbError> {
    let filter = source.freshness.get("filter").and_then(|filter| filter.as_str());
    let filter = filter.map_or(String::new(), |filter| format!(" where {filter}"));
    let relation = &source.relation_name;
    match (&source.loaded_at_query, &source.loaded_at_field) {
        (Some(query), _) => queried(project, source, &format!("select ({query}) as max_loaded_at")),
        (None, Some(field)) => {
            queried(project, source, &format!("select max({field}) as max_loaded_at from {relation}{filter}"))
        }
        (None, None) if filter.is_empty() => newest_event(project, source),
        (None, None) => Err(VerbError::new("a freshness filter needs a loaded_at_field")),
    }
}

/// A query's single value, over the sources as they stand now.
fn queried(project: &Project, source: &SourceTable, sql: &str) -> Result<Option<i64>, VerbError> {
    let instance = instance::instance_name(project);
    // `this` is the table, as dbt has it.
    let sql = sql.replace("{{ this }}", &source.relation_name).replace("{{this}}", &source.relation_name);
    let compiled = project.compile_inline(&sql, std::sync::Arc::new(NoIntrospection))?;
    let assembled = assemble_query(project, &instance, &compiled.code)?;
    let clock = instance::clock(project, None, assembled.deployment.clock_needs(), WallTime::system())?;
    let evaluated = evaluate(&assembled.deployment, None, clock, None)?;
    if let Some(error) = evaluated.errors.keys().next() {
        let reason: Vec<String> = error
            .iter()
            .filter_map(|datum| match datum {
                Datum::Text(text) => Some(text.to_string()),
                _ => None,
            })
            .collect();
        return Err(VerbError::new(format!("the query fails: {}", reason.join(" "))));
    }
    let rows = evaluated.models.last().map(BTreeMap::keys).into_iter().flatten();
    let mut newest = None;
    for row in rows {
        if let Some(datum) = row.iter().next() {
            newest = newest.max(moment_of(datum, &assembled)?);
        }
    }
    Ok(newest)
}

/// A date or a timestamp as microseconds; without a zone it is taken as UTC, as dbt does.
fn moment_of(datum: Datum<'_>, assembled: &Assembled) -> Result<Option<i64>, VerbError> {
    match datum {
        Datum::Null => Ok(None),
        Datum::Timestamp(micros) | Datum::TimestampTz(micros) => Ok(Some(micros)),
        Datum::Date(days) => Ok(Some(i64::from(days) * 86_400_000_000)),
        _ => {
            let ty = assembled.columns.last().and_then(|columns| columns.first()).map(|column| column.ty.to_string());
            let ty = ty.unwrap_or_default();
            Err(VerbError::new(format!(
                "Expected a timestamp value when querying for freshness, but received a value of type {ty}"
            ))
            .with_hint("cast it in loaded_at_field: loaded_at_field: cast(created_at as timestamp)"))
        }
    }
}

/// The greatest time that an event of this table carries: read from its beginning to its end.
fn newest_event(project: &Project, source: &SourceTable) -> Result<Option<i64>, VerbError> {
    let instance = instance::instance_name(project);
    let sql = format!("select count(*) as n from {}", source.relation_name);
    let assembled = assemble_query(project, &instance, &sql)?;
    let deployment = &assembled.deployment;
    let mut newest = None;
    for open in open_readers(deployment.sources.clone(), &Positions::new(), Until::End)
        .map_err(crate::engine::EngineError::from)?
    {
        let mut reader = open.reader;
        loop {
            match reader.poll(POLL_TIMEOUT).map_err(crate::engine::EngineError::from)? {
                Poll::Batch(batch) => {
                    newest = newest.max(batch.records.iter().filter_map(|record| deployment.event_time(record)).max());
                }
                Poll::Idle => {}
                Poll::End => break,
            }
        }
    }
    newest.map(Some).ok_or_else(|| {
        VerbError::new("no record of this table carries a time")
            .with_hint("name a column: loaded_at_field in the property file, or event_time in livemart.yml")
    })
}
