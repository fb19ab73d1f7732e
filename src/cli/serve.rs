//! `livemart serve`: hydrates, follows the sources, and publishes a cut each commit interval until it is stopped.
//!
//! SIGTERM and SIGINT drain: what was read is published, and the exit code is 0.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use super::args::{Args, LogFormat, ServeArgs};
use super::docs::shown_page;
use super::instance::{self, VerbError};
use super::keep::{KeepOptions, Opened, open, prepare, stop_on_signals};
use super::run::{BUILT_TYPES, nothing_to_do};
use super::succession::{EngineFailure, PATIENCE, prepare_beside};
use super::talk::Speaker;
use super::watch::Watch as Alerts;
use super::{parse, refuse};
use crate::artifact::freshness::threshold;
use crate::engine::{Assembled, CommitReport, EngineEvent, Report, StopFlag, assemble};
use crate::observe::{CutCommitted, HealthLimits, HttpServer, Observer, Progress};
use crate::project::{Project, Selection};
use crate::sink::Watch;
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
    let serving = Serving { quiet: args.common.quiet, selection, options, speaker, observer, stop };
    let outcome = match serve.take_over {
        true => serving.take_over(project),
        false => serving.stand_by_and_follow(project),
    };
    server.stop();
    outcome
}

/// What does not change while it serves.
struct Serving<'a> {
    quiet: bool,
    selection: Selection,
    options: KeepOptions,
    speaker: &'a Speaker,
    observer: Observer,
    stop: StopFlag,
}

impl Serving<'_> {
    fn stand_by_and_follow(&self, project: &mut Project) -> Result<(), VerbError> {
        match self.take_ownership(project)? {
            Some(opened) => self.follow(opened, project),
            None => Ok(()),
        }
    }

    /// Takes a live owner's place; where there is none, or not warmly, as a standby does.
    fn take_over(&self, project: &mut Project) -> Result<(), VerbError> {
        let mut watch = instance::watch(project)?;
        let Some(owner) = watch.owner()? else { return self.stand_by_and_follow(project) };
        self.observer.ownership(false);
        let younger = prepare_beside(project, &self.selection, &self.options, &mut *watch)?;
        let Some(younger) = younger else {
            self.speaker
                .info(&format!("Taking over from {owner}, which has no state yet that could be taken beside it"));
            return self.take_over_cold(project, watch);
        };
        self.speaker.info(&format!("Taking over from {owner}: catching up beside it"));
        self.observer.show_page(shown_page(project, self.speaker));
        let mut listener = Listener::new(self, project, &younger.assembled, None)?;
        listener.set_limits(project);
        let outcome = younger.run(project, &self.options, watch, self.stop.clone(), &mut |event| listener.hear(event));
        match outcome {
            Ok(report) => self.tell_end(&report),
            Err(EngineFailure::Cold(reason)) => {
                self.speaker.warn(&format!("{reason}; starting again"));
                let watch = instance::watch(project)?;
                return self.take_over_cold(project, watch);
            }
            Err(EngineFailure::Other(error)) => return Err(error),
        }
        Ok(())
    }

    /// Asks, waits until the owner has gone, and starts as after a crash.
    fn take_over_cold(&self, project: &mut Project, mut watch: Box<dyn Watch>) -> Result<(), VerbError> {
        watch.ask(&instance::owner_name())?;
        let asked = Instant::now();
        while watch.owner()?.is_some() && !self.stop.is_set() {
            self.observer.loop_turned();
            if asked.elapsed() >= PATIENCE {
                watch.depose()?;
            }
            std::thread::sleep(STANDBY_PAUSE);
        }
        drop(watch);
        self.stand_by_and_follow(project)
    }

    fn tell_end(&self, report: &Report) {
        match &report.heir {
            Some(heir) => {
                self.speaker
                    .info(&format!("Handed over to {heir} at cut {} after {} records", report.seq, report.records));
            }
            None => self.speaker.info(&format!("Drained at cut {} after {} records", report.seq, report.records)),
        }
    }

    /// Opens the sink; stands by while another process owns it. None when stopped meanwhile.
    fn take_ownership(&self, project: &mut Project) -> Result<Option<Opened>, VerbError> {
        let mut watch = instance::watch(project)?;
        let mut said = false;
        while !self.stop.is_set() {
            // Who only looks reads neither state nor sources.
            let owner = match watch.owner()? {
                Some(owner) => owner,
                None => match open(project, &self.selection, &self.options) {
                    Ok((opened, warnings)) => {
                        warnings.iter().for_each(|warning| self.speaker.warn(warning));
                        for (model, warning) in &opened.assembled.warnings {
                            self.speaker.warn(&format!("{model}: {warning}"));
                        }
                        self.observer.ownership(true);
                        if opened.state.cut.is_some() {
                            self.observer.cut_found();
                        }
                        return Ok(Some(opened));
                    }
                    // Another standby was quicker.
                    Err(error) if error.owned => error.message,
                    Err(error) => return Err(error),
                },
            };
            self.observer.loop_turned();
            if !said {
                said = true;
                self.observer.ownership(false);
                // A mistake in the project is told now, not when the owner has gone.
                let (wanted, _) = prepare(project, &self.selection, self.options.tests, BTreeMap::new())?;
                assemble(project, &instance::instance_name(project), &wanted)?;
                self.speaker.info(&format!("Standing by: {} is owned by {owner}", instance::instance_name(project)));
            }
            std::thread::sleep(STANDBY_PAUSE);
        }
        Ok(None)
    }

    fn follow(&self, opened: Opened, project: &mut Project) -> Result<(), VerbError> {
        self.observer.show_page(shown_page(project, self.speaker));
        let total = opened.records_ahead();
        let mut listener = Listener::new(self, project, &opened.assembled, total)?;
        listener.owns = true;
        listener.tell_begin(project);
        let report = opened.keep(project, &self.options, self.stop.clone(), &mut |event| listener.hear(event))?;
        self.tell_end(&report);
        Ok(())
    }
}

/// Tells people and metrics what happens.
struct Listener<'a> {
    observer: &'a Observer,
    speaker: &'a Speaker,
    tables: Vec<String>,
    tests: Vec<(String, String)>,
    sources: Vec<String>,
    /// Records to be read until it has caught up, where that is known.
    total: Option<u64>,
    done: u64,
    progress: Option<Progress>,
    /// Who is told when something turns red; nobody before the sink is ours.
    alerts: Option<Alerts>,
    owns: bool,
}

impl<'a> Listener<'a> {
    fn new(
        serving: &'a Serving<'_>,
        project: &Project,
        assembled: &Assembled,
        total: Option<u64>,
    ) -> Result<Listener<'a>, VerbError> {
        let deployment = &assembled.deployment;
        Ok(Listener {
            alerts: Alerts::start(project, assembled, &serving.observer)?,
            owns: false,
            observer: &serving.observer,
            speaker: serving.speaker,
            tables: deployment.published.iter().map(|model| model.table.name.clone()).collect(),
            tests: deployment.tests.iter().map(|test| (test.name.clone(), test.severity.clone())).collect(),
            sources: deployment.sources.iter().map(|source| source.spec.name.clone()).collect(),
            total,
            done: 0,
            progress: Some(Progress::start("catching up", serving.quiet, Instant::now())),
        })
    }

    /// What sources may be behind at most, as the project says.
    fn set_limits(&self, project: &Project) {
        for source in project.sources.values() {
            let table = format!("{}.{}", source.source_name, source.name);
            for (severity, key) in [("warn", "warn_after"), ("error", "error_after")] {
                if let Some(limit) = threshold(source, key).filter(|_| self.sources.contains(&table)) {
                    self.observer.freshness_limit(&table, severity, Duration::from_secs_f64(limit));
                }
            }
        }
    }

    fn tell_begin(&self, project: &Project) {
        self.set_limits(project);
        self.speaker.info(&format!(
            "Serving {} to {}, a cut every {} ms",
            self.tables.join(", "),
            instance::sink_place(project),
            project.target.commit_interval.as_millis()
        ));
    }

    fn hear(&mut self, event: EngineEvent<'_>) {
        let observer = self.observer;
        match event {
            EngineEvent::Built { operators } => observer.dataflow_built(operators),
            EngineEvent::Records { source, records, set_aside, newest_of_tables } => {
                self.done += records;
                observer.records_read(source, records);
                observer.records_set_aside(source, set_aside);
                for (table, newest) in self.sources.iter().zip(newest_of_tables) {
                    if let Some(newest) = newest {
                        observer.newest_event(table, *newest);
                    }
                }
                if let Some(progress) = &mut self.progress {
                    progress.advance_to(self.done, self.total, Instant::now());
                }
            }
            EngineEvent::Lag { remaining } => {
                if let Some(alerts) = self.alerts.as_mut().filter(|_| self.owns) {
                    alerts.lag(remaining, Instant::now());
                }
                for (source, partition, records) in remaining {
                    if let Some(records) = records {
                        observer.lag(source, partition, *records);
                    }
                }
                if self.total.is_none() && remaining.iter().all(|(_, _, records)| records.is_some()) {
                    let ahead: u64 = remaining.iter().filter_map(|(_, _, records)| *records).sum();
                    self.total = Some(self.done + ahead);
                }
            }
            EngineEvent::Turn { idle } => {
                observer.loop_turned();
                if let Some(alerts) = self.alerts.as_mut().filter(|_| self.owns) {
                    alerts.turn(observer, Instant::now());
                }
                if idle {
                    observer.caught_up();
                    if let Some(progress) = self.progress.take_if(|_| self.done > 0) {
                        progress.finish(self.done, Instant::now());
                    }
                }
            }
            EngineEvent::Closed { epoch, updates } => observer.epoch_closed(epoch, updates),
            EngineEvent::Restored { rows, took } => observer.restored(rows, took),
            EngineEvent::HeldBack { reason } => observer.held_back(reason),
            EngineEvent::Obstacle { reason } => observer.obstructed(reason),
            EngineEvent::Sizes { tables, operators, state } => {
                let mut models: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
                for operator in operators {
                    let (rows, bytes) = models.entry(&operator.model).or_default();
                    *rows += operator.size.rows as u64;
                    *bytes += operator.size.bytes as u64;
                }
                observer.operators_measured(&models);
                for (table, rows, bytes) in tables {
                    observer.state_measured(table, *rows, *bytes);
                }
                if let Some(state) = state {
                    observer.state_kept(state);
                }
            }
            EngineEvent::Changelog { backlog } => observer.changelog(backlog),
            EngineEvent::Hydrated { took, .. } => observer.hydrated(took),
            EngineEvent::Retrying { seq, attempt, reason } => observer.commit_retried(seq, attempt, reason),
            EngineEvent::TookOver { seq } => {
                self.owns = true;
                observer.ownership(true);
                observer.cut_found();
                self.speaker.info(&format!("Took over at cut {seq}"));
            }
            EngineEvent::Committed(report) => self.hear_commit(report),
        }
    }

    fn hear_commit(&self, report: &CommitReport) {
        let observer = self.observer;
        if let Some(alerts) = &self.alerts {
            alerts.committed(report);
        }
        let rows = report.tables.iter().map(|(_, came, went)| came + went).sum();
        observer.cut_committed(CutCommitted { seq: report.seq, clock: report.clock, rows, took: report.took });
        for (table, came, went) in &report.tables {
            observer.table_changed(&self.tables[*table], came + went);
        }
        for (test, failures) in &report.tests {
            let (name, severity) = &self.tests[*test];
            let count = failures.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
            observer.test_evaluated(name, severity, count);
        }
        observer.errors_flooded(report.floods.clone());
        for (kind, errors) in &report.errors {
            observer.errors_set_aside(kind, *errors);
        }
    }
}

/// Log lines of the engine go to stderr; RUST_LOG chooses among them.
fn start_logging(args: &Args) {
    let default = if args.common.debug { "livemart=debug" } else { "livemart=info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start in one process, as in tests, keeps the first.
    let _ = if args.common.log_format == LogFormat::Json { logging.json().try_init() } else { logging.try_init() };
}
