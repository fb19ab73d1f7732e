//! `livemart run`: reads every source to the end it has now, publishes, and exits. `build` evaluates the tests at that cut, too.

use std::time::Instant;

use super::args::{Args, RunArgs};
use super::artifacts::leave_results;
use super::instance::{self, VerbError};
use super::keep::{KeepOptions, Opened, open, seconds_since, stop_on_signals};
use super::talk::{Outcome, Speaker, Status};
use super::{parse, refuse, test};
use crate::engine::{EngineEvent, Report};
use crate::observe::Progress;
use crate::project::{Project, ResourceType};
use crate::time::WallTime;

/// Exit code 0 when all is published (and no test failed), 1 when something failed, 2 when the project cannot be read.
pub fn run(args: &Args, run: &RunArgs, speaker: &Speaker, tests: bool) -> i32 {
    let started = Instant::now();
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    match keep(args, run, speaker, &mut project, tests) {
        Ok(Some(outcomes)) => {
            speaker.footer(&project, &outcomes, seconds_since(started));
            leave_results(args, &run.select, &mut project, &outcomes, seconds_since(started), speaker);
            let failed = |outcome: &&Outcome| matches!(outcome.status, Status::Error | Status::Fail(_));
            i32::from(outcomes.iter().any(|outcome| failed(&outcome)))
        }
        Ok(None) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

/// None when the selection is empty.
fn keep(
    args: &Args,
    run: &RunArgs,
    speaker: &Speaker,
    project: &mut Project,
    tests: bool,
) -> Result<Option<Vec<Outcome>>, VerbError> {
    let types: &[ResourceType] =
        if tests { &[ResourceType::Model, ResourceType::Test] } else { &[ResourceType::Model] };
    let selection = run.select.selection(types)?;
    if project.select(&selection)?.ids.is_empty() {
        return Ok(nothing_to_do(speaker));
    }
    let options = KeepOptions {
        follow: false,
        tests,
        workers: run.workers,
        adopt: run.adopt,
        full_refresh: run.full_refresh,
        resnapshot: run.resnapshot,
        wall: WallTime::system(),
    };
    let (opened, warnings) = open(project, &selection, &options)?;
    warnings.iter().for_each(|warning| speaker.warn(warning));
    for (model, warning) in &opened.assembled.warnings {
        speaker.warn(&format!("{model}: {warning}"));
    }
    let stop = stop_on_signals()?;
    let planned = Instant::now();
    let tables: Vec<String> = opened.deployment().published.iter().map(|model| model.table.model.clone()).collect();
    let test_ids: Vec<String> = if tests { opened.assembled.tests.clone() } else { Vec::new() };
    let total = tables.len() + test_ids.len();
    speaker.concurrency(options.workers.unwrap_or(project.target.workers).max(1), &project.target.name);
    for (i, id) in tables.iter().enumerate() {
        speaker.start(i + 1, total, &project.nodes[id]);
    }
    let published = publish(args, opened, project, &options, stop);
    let seconds = seconds_since(planned);
    let mut outcomes = Vec::new();
    let report = match published {
        Ok(report) => report,
        Err(error) => {
            // One transaction for all: when it fails, no table has changed.
            let message = [Some(error.message), error.hint].into_iter().flatten().collect::<Vec<_>>().join("\n  ");
            for (i, id) in tables.iter().enumerate() {
                let outcome = Outcome { message: Some(message.clone()), ..test::outcome(id, Status::Error, seconds) };
                speaker.outcome(i + 1, total, &project.nodes[id], &outcome);
                outcomes.push(outcome);
            }
            return Ok(Some(outcomes));
        }
    };
    for (i, id) in tables.iter().enumerate() {
        let (came, went) = report.tables.get(&i).copied().unwrap_or_default();
        let outcome = test::outcome(id, Status::Success(format!("+{came} -{went}")), seconds);
        speaker.outcome(i + 1, total, &project.nodes[id], &outcome);
        outcomes.push(outcome);
    }
    for (i, id) in test_ids.iter().enumerate() {
        let node = &project.nodes[id];
        let outcome = test::outcome(
            id,
            test::verdict(&node.test_settings(), report.failures.get(i).copied().unwrap_or(0)),
            seconds,
        );
        speaker.outcome(tables.len() + i + 1, total, node, &outcome);
        outcomes.push(outcome);
    }
    speaker.blank();
    speaker.info(&format!(
        "Read {} records, {} of them set aside; published cut {} to {}",
        report.records,
        report.set_aside,
        report.seq,
        instance::sink_place(project)
    ));
    Ok(Some(outcomes))
}

/// Runs to the end with a progress bar.
fn publish(
    args: &Args,
    opened: Opened,
    project: &Project,
    options: &KeepOptions,
    stop: crate::engine::StopFlag,
) -> Result<Report, VerbError> {
    let ahead = opened.records_ahead();
    let mut progress = Some(Progress::start("reading", args.common.quiet, Instant::now()));
    let mut done = 0;
    let report = opened.keep(project, options, stop, &mut |event| {
        if let EngineEvent::Records { records, .. } = event {
            done += records;
            if let Some(progress) = &mut progress {
                progress.advance_to(done, ahead, Instant::now());
            }
        }
    })?;
    if let Some(progress) = progress.take() {
        progress.finish(done, Instant::now());
    }
    Ok(report)
}

/// dbt's words for a selection without nodes.
pub fn nothing_to_do<T>(speaker: &Speaker) -> Option<T> {
    speaker.warn("Nothing to do. Try checking your model configs and model specification args");
    None
}
