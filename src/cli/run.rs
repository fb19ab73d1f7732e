//! `livemart run`: reads every source to the end it has now, publishes, and exits. `build` evaluates the tests at that cut, too.

use std::time::Instant;

use super::args::{Args, RunArgs};
use super::artifacts::leave_results;
use super::instance::{self, VerbError};
use super::keep::{KeepOptions, Opened, open, seconds_since, stop_on_signals};
use super::talk::Speaker;
use super::test::FailFast;
use super::words::{Outcome, Status};
use super::{parse, refuse, test};
use crate::engine::{EngineEvent, Report};
use crate::observe::Progress;
use crate::project::{Project, ResourceType};
use crate::time::WallTime;

/// What `build` takes care of; `serve` leaves unit tests out.
pub const BUILT_TYPES: [ResourceType; 5] =
    [ResourceType::Seed, ResourceType::Model, ResourceType::Snapshot, ResourceType::Test, ResourceType::UnitTest];

/// Exit code 0 when all is published (and no test failed), 1 when something failed, 2 when the project cannot be read.
pub fn run(args: &Args, run: &RunArgs, speaker: &Speaker, types: &[ResourceType]) -> i32 {
    let started = Instant::now();
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    if args.common.warn_error && speaker.warnings() > 0 {
        return refuse(speaker, &super::warned());
    }
    match keep(args, run, speaker, &mut project, types) {
        Ok(Some(outcomes)) => {
            speaker.footer(&project, &outcomes, seconds_since(started));
            leave_results(args, &run.select, &mut project, &outcomes, seconds_since(started), speaker);
            i32::from(outcomes.iter().any(test::has_failed))
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
    types: &[ResourceType],
) -> Result<Option<Vec<Outcome>>, VerbError> {
    let tests = types.contains(&ResourceType::Test);
    let selection = run.select.selection(types)?;
    let selected = project.select(&selection)?.ids;
    if selected.is_empty() {
        return Ok(nothing_to_do(speaker));
    }
    let is_unit = |id: &String| project.resource_type(id) == Some(ResourceType::UnitTest);
    let (units, others): (Vec<String>, Vec<String>) = selected.into_iter().partition(is_unit);
    speaker.concurrency(run.workers.unwrap_or(project.target.workers).max(1), &project.target.name);
    let mut fail_fast = FailFast::new(run.fail_fast);
    let mut outcomes = test::units_run(project, &units, units.len() + others.len(), speaker, &mut fail_fast);
    if outcomes.iter().any(test::has_failed) {
        // A model whose unit test fails is not built, as in dbt; and a cut holds all models or none.
        let skipped = others.iter().filter(|id| project.nodes.contains_key(*id));
        outcomes.extend(skipped.map(|id| test::outcome(id, Status::Skipped, 0.0)));
        speaker.info("A unit test failed: nothing is published");
        return Ok(Some(outcomes));
    }
    if others.is_empty() {
        return Ok(Some(outcomes));
    }
    let options = KeepOptions {
        follow: false,
        tests,
        workers: run.workers,
        adopt: run.adopt,
        full_refresh: run.full_refresh,
        rebuild_snapshots: run.full_refresh && run.rebuild_snapshots,
        resnapshot: run.resnapshot,
        wall: WallTime::system(),
    };
    let (opened, warnings) = open(project, &selection, &options)?;
    warnings.iter().for_each(|warning| speaker.warn(warning));
    for (model, warning) in &opened.assembled.warnings {
        speaker.warn(&format!("{model}: {warning}"));
    }
    if args.common.warn_error && speaker.warnings() > 0 {
        return Err(super::warned());
    }
    let stop = stop_on_signals()?;
    let planned = Instant::now();
    // A table of failing rows is told with its test.
    let published = opened.deployment().published.iter().map(|model| model.table.model.clone()).enumerate();
    let is_test = |id: &String| project.nodes[id].resource_type == ResourceType::Test;
    let tables: Vec<(usize, String)> = published.filter(|(_, id)| !is_test(id)).collect();
    let test_ids: Vec<String> = if tests { opened.assembled.tests.clone() } else { Vec::new() };
    let before = outcomes.len();
    let total = before + tables.len() + test_ids.len();
    for (i, (_, id)) in tables.iter().enumerate() {
        speaker.start(before + i + 1, total, &project.nodes[id]);
    }
    let published = publish(args, opened, project, &options, stop);
    let seconds = seconds_since(planned);
    let report = match published {
        Ok(report) => report,
        Err(error) => {
            // One transaction for all: when it fails, no table has changed.
            let message = [Some(error.message), error.hint].into_iter().flatten().collect::<Vec<_>>().join("\n  ");
            for (i, (_, id)) in tables.iter().enumerate() {
                let outcome = Outcome { message: Some(message.clone()), ..test::outcome(id, Status::Error, seconds) };
                speaker.outcome(before + i + 1, total, &project.nodes[id], &outcome);
                outcomes.push(outcome);
            }
            outcomes.extend(test_ids.iter().map(|id| test::outcome(id, Status::Skipped, 0.0)));
            return Ok(Some(outcomes));
        }
    };
    for (i, (table, id)) in tables.iter().enumerate() {
        let (came, went) = report.tables.get(table).copied().unwrap_or_default();
        let label = match project.nodes[id].resource_type {
            ResourceType::Seed => format!("INSERT {}", project.read_seed(&project.nodes[id])?.rows.len()),
            _ => format!("+{came} -{went}"),
        };
        let outcome = test::outcome(id, Status::Success(label), seconds);
        speaker.outcome(before + i + 1, total, &project.nodes[id], &outcome);
        outcomes.push(outcome);
    }
    for (i, id) in test_ids.iter().enumerate() {
        let node = &project.nodes[id];
        let outcome = if fail_fast.skips() {
            test::outcome(id, Status::Skipped, 0.0)
        } else {
            let failures = report.failures.get(i).copied().flatten();
            let outcome = test::verdict(id, &node.test_settings(), failures, seconds, args.common.warn_error);
            let kept = node.relation_name.clone().filter(|_| outcome.status != Status::Pass);
            Outcome { failures_relation: kept, ..outcome }
        };
        speaker.outcome(before + tables.len() + i + 1, total, node, &outcome);
        fail_fast.note(&outcome);
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
