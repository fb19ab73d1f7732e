//! `livemart serve`: hydrates, follows the sources, and publishes a cut each commit interval until it is stopped.
//!
//! SIGTERM and SIGINT drain: what was read is published, and the exit code is 0.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use super::args::{Args, LogFormat, ServeArgs};
use super::docs::shown_page;
use super::instance::{self, VerbError};
use super::keep::{KeepOptions, Opened, open, stop_on_signals};
use super::run::{BUILT_TYPES, nothing_to_do};
use super::talk::Speaker;
use super::watch::Watch;
use super::{parse, refuse};
use crate::artifact::freshness::threshold;
use crate::engine::{EngineEvent, StopFlag};
use crate::observe::{CutCommitted, HealthLimits, HttpServer, Observer, Progress};
use crate::project::Project;
use crate::time::WallTime;

/// How often a standby looks whether the owner has gone.
const STANDBY_PAUSE: Duration = Duration::from_millis(500);

/// Exit code 0 after a drain, 1 when the engine had to stop, 2 when the project cannot be read.
pub fn run(args: &Args, serve: &ServeArgs, speaker: &Speaker) -> i32 {
    start_logging(args);
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    match keep(args, serve, speaker, &mut project) {
        Ok(()) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

fn keep(args: &Args, serve: &ServeArgs, speaker: &Speaker, project: &mut Project) -> Result<(), VerbError> {
    let selection = serve.select.selection(&BUILT_TYPES)?;
    if project.select(&selection)?.ids.is_empty() {
        nothing_to_do::<()>(speaker);
        return Ok(());
    }
    let stop = stop_on_signals()?;
    let observer = Observer::new(HealthLimits::default());
    let listen = serve.listen.clone().unwrap_or_else(|| project.target.http_listen.clone());
    let listen: SocketAddr = listen.parse().map_err(|error| {
        VerbError::new(format!("http: listen: \"{listen}\": {error}"))
            .with_hint("write 127.0.0.1:9464, or port 0 for any")
    })?;
    let server = HttpServer::start(observer.clone(), listen).map_err(|error| {
        VerbError::new(format!("could not listen on {listen}: {error}"))
            .with_hint("choose another port: --listen 127.0.0.1:0")
    })?;
    speaker.info(&format!("Metrics and health on http://{}/metrics, /healthz, /readyz", server.address()));
    let options = KeepOptions {
        follow: true,
        tests: true,
        workers: serve.workers,
        adopt: serve.adopt,
        full_refresh: serve.full_refresh,
        rebuild_snapshots: false,
        resnapshot: serve.resnapshot,
        wall: WallTime::system(),
    };
    let Some(opened) = take_ownership(project, &selection, &options, speaker, &observer, &stop)? else { return Ok(()) };
    observer.show_page(shown_page(project, speaker));
    let outcome = follow(args, opened, project, &options, stop, speaker, &observer);
    server.stop();
    outcome
}

/// Opens the sink; stands by while another process owns it. None when stopped meanwhile.
fn take_ownership(
    project: &mut Project,
    selection: &crate::project::Selection,
    options: &KeepOptions,
    speaker: &Speaker,
    observer: &Observer,
    stop: &StopFlag,
) -> Result<Option<Opened>, VerbError> {
    let mut said = false;
    while !stop.is_set() {
        match open(project, selection, options) {
            Ok((opened, warnings)) => {
                warnings.iter().for_each(|warning| speaker.warn(warning));
                for (model, warning) in &opened.assembled.warnings {
                    speaker.warn(&format!("{model}: {warning}"));
                }
                observer.ownership(true);
                if opened.state.cut.is_some() {
                    observer.cut_found();
                }
                return Ok(Some(opened));
            }
            Err(error) if error.owned => {
                observer.loop_turned();
                if !said {
                    said = true;
                    observer.ownership(false);
                    speaker.info(&format!("Standing by: {}", error.message));
                }
                std::thread::sleep(STANDBY_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn follow(
    args: &Args,
    opened: Opened,
    project: &Project,
    options: &KeepOptions,
    stop: StopFlag,
    speaker: &Speaker,
    observer: &Observer,
) -> Result<(), VerbError> {
    let tables: Vec<String> = opened.deployment().published.iter().map(|model| model.table.name.clone()).collect();
    let tests: Vec<(String, String)> =
        opened.deployment().tests.iter().map(|test| (test.name.clone(), test.severity.clone())).collect();
    let sources: Vec<String> = opened.deployment().sources.iter().map(|source| source.spec.name.to_string()).collect();
    for source in project.sources.values() {
        let table = format!("{}.{}", source.source_name, source.name);
        for (severity, key) in [("warn", "warn_after"), ("error", "error_after")] {
            if let Some(limit) = threshold(source, key).filter(|_| sources.contains(&table)) {
                observer.freshness_limit(&table, severity, Duration::from_secs_f64(limit));
            }
        }
    }
    speaker.info(&format!(
        "Serving {} to {}, a cut every {} ms",
        tables.join(", "),
        instance::sink_place(project),
        project.target.commit_interval.as_millis()
    ));
    let mut watch = Watch::start(project, &opened.assembled, observer)?;
    let mut total = opened.records_ahead();
    let mut progress = Some(Progress::start("catching up", args.common.quiet, Instant::now()));
    let mut done = 0;
    let report = opened.keep(project, options, stop, &mut |event| match event {
        EngineEvent::Built { operators } => observer.dataflow_built(operators),
        EngineEvent::Records { source, records, set_aside, newest_of_tables } => {
            done += records;
            observer.records_read(source, records);
            observer.records_set_aside(source, set_aside);
            for (table, newest) in sources.iter().zip(newest_of_tables) {
                if let Some(newest) = newest {
                    observer.newest_event(table, *newest);
                }
            }
            if let Some(progress) = &mut progress {
                progress.advance_to(done, total, Instant::now());
            }
        }
        EngineEvent::Lag { remaining } => {
            if let Some(watch) = &mut watch {
                watch.lag(remaining, Instant::now());
            }
            for (source, partition, records) in remaining {
                if let Some(records) = records {
                    observer.lag(source, partition, *records);
                }
            }
            if total.is_none() && remaining.iter().all(|(_, _, records)| records.is_some()) {
                total = Some(done + remaining.iter().filter_map(|(_, _, records)| *records).sum::<u64>());
            }
        }
        EngineEvent::Turn { idle } => {
            observer.loop_turned();
            if let Some(watch) = &mut watch {
                watch.turn(observer, Instant::now());
            }
            if idle {
                observer.caught_up();
                if let Some(progress) = progress.take_if(|_| done > 0) {
                    progress.finish(done, Instant::now());
                }
            }
        }
        EngineEvent::Closed { epoch, updates } => observer.epoch_closed(epoch, updates),
        EngineEvent::Restored { rows, took } => observer.restored(rows, took),
        EngineEvent::HeldBack { reason } => observer.held_back(reason),
        EngineEvent::Sizes { tables, state } => {
            for (table, rows, bytes) in tables {
                observer.state_measured(table, *rows, *bytes);
            }
            if let Some(state) = state {
                observer.state_kept(state);
            }
        }
        EngineEvent::Hydrated { took, .. } => observer.hydrated(took),
        EngineEvent::Retrying { seq, attempt, reason } => observer.commit_retried(seq, attempt, reason),
        EngineEvent::Committed(report) => {
            if let Some(watch) = &watch {
                watch.committed(report);
            }
            let rows = report.tables.iter().map(|(_, came, went)| came + went).sum();
            observer.cut_committed(CutCommitted { seq: report.seq, clock: report.clock, rows, took: report.took });
            for (table, came, went) in &report.tables {
                observer.table_changed(&tables[*table], came + went);
            }
            for (test, failures) in &report.tests {
                let (name, severity) = &tests[*test];
                observer.test_evaluated(
                    name,
                    severity,
                    failures.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
                );
            }
            observer.errors_flooded(report.floods.clone());
            for (kind, errors) in &report.errors {
                observer.errors_set_aside(kind, *errors);
            }
        }
    })?;
    speaker.info(&format!("Drained at cut {} after {} records", report.seq, report.records));
    Ok(())
}

/// Log lines of the engine go to stderr; RUST_LOG chooses among them.
fn start_logging(args: &Args) {
    let default = if args.common.debug { "livemart=debug" } else { "livemart=info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start in one process, as in tests, keeps the first.
    let _ = if args.common.log_format == LogFormat::Json { logging.json().try_init() } else { logging.try_init() };
}
