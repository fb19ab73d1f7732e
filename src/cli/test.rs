//! `livemart test`: the tests at the published cut, without reading new input.
//!
//! The sources are read again up to exactly the positions of the cut, in memory; nothing is owned and nothing is written, so it
//! runs beside a live `serve`.

use std::collections::BTreeSet;
use std::time::Instant;

use super::args::{Args, RunArgs};
use super::artifacts::leave_results;
use super::instance::{self, VerbError};
use super::keep::{compile, seconds_since};
use super::run::nothing_to_do;
use super::talk::{Outcome, Speaker, Status};
use super::{parse, refuse};
use crate::engine::{Wanted, assemble, evaluate};
use crate::project::{Project, ResourceType, Severity, TestSettings};
use crate::time::WallTime;

/// Exit code 0 when no test failed, 1 when one did, 2 when the project cannot be read.
pub fn run(args: &Args, test: &RunArgs, speaker: &Speaker) -> i32 {
    let started = Instant::now();
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    match outcomes(test, speaker, &mut project) {
        Ok(Some(outcomes)) => {
            speaker.footer(&project, &outcomes, seconds_since(started));
            leave_results(args, &test.select, &mut project, &outcomes, seconds_since(started), speaker);
            i32::from(outcomes.iter().any(|outcome| matches!(outcome.status, Status::Error | Status::Fail(_))))
        }
        Ok(None) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

fn outcomes(test: &RunArgs, speaker: &Speaker, project: &mut Project) -> Result<Option<Vec<Outcome>>, VerbError> {
    let selected = project.select(&test.select.selection(&[ResourceType::Test])?)?;
    selected.warnings.iter().for_each(|warning| speaker.warn(warning));
    if selected.ids.is_empty() {
        return Ok(nothing_to_do(speaker));
    }
    let Some(state) = instance::published_state(project)? else {
        return Err(VerbError::new(format!(
            "{} has no published cut of {}",
            instance::sink_place(project),
            instance::instance_name(project)
        ))
        .with_hint("publish one first: livemart run, or livemart build to test in the same go"));
    };
    let tests: BTreeSet<String> = selected.ids.iter().cloned().collect();
    let wanted = Wanted { tests, without_tables: true, ..Wanted::default() };
    compile(project, &wanted)?;
    let assembled = assemble(project, &instance::instance_name(project), &wanted)?;
    speaker.concurrency(1, &project.target.name);
    let began = Instant::now();
    let published = state.cut.as_ref().map(|cut| cut.clock);
    let clock = instance::clock(project, published, assembled.deployment.clock_needs(), WallTime::system())?;
    let evaluated = evaluate(&assembled.deployment, Some(&state.progress), clock)?;
    let seconds = seconds_since(began);
    let total = assembled.tests.len();
    let mut outcomes = Vec::new();
    for (i, (id, plan)) in assembled.tests.iter().zip(&assembled.deployment.tests).enumerate() {
        let node = &project.nodes[id];
        speaker.start(i + 1, total, node);
        let failures = evaluated.models[plan.model].values().sum();
        let outcome = outcome(id, verdict(&node.test_settings(), failures), seconds);
        speaker.outcome(i + 1, total, node, &outcome);
        outcomes.push(outcome);
    }
    Ok(Some(outcomes))
}

/// What a number of failing rows means for a test, as dbt decides it.
pub fn verdict(settings: &TestSettings, failures: i64) -> Status {
    let failures = settings.limit.map_or(failures, |limit| failures.min(i64::try_from(limit).unwrap_or(i64::MAX)));
    if settings.severity == Severity::Error && holds(&settings.error_if, failures) {
        Status::Fail(failures)
    } else if holds(&settings.warn_if, failures) {
        Status::Warn(failures)
    } else {
        Status::Pass
    }
}

/// Whether `failures` meets a condition such as `!= 0` or `>10`; one that cannot be read is met by any failure.
fn holds(condition: &str, failures: i64) -> bool {
    let condition = condition.trim();
    let operators = ["!=", "<>", ">=", "<=", "==", ">", "<", "="];
    let Some(operator) = operators.into_iter().find(|operator| condition.starts_with(operator)) else {
        return failures != 0;
    };
    let Ok(bound) = condition[operator.len()..].trim().parse::<i64>() else { return failures != 0 };
    match operator {
        "!=" | "<>" => failures != bound,
        ">=" => failures >= bound,
        "<=" => failures <= bound,
        ">" => failures > bound,
        "<" => failures < bound,
        _ => failures == bound,
    }
}

/// An outcome without a message of its own.
pub fn outcome(id: &str, status: Status, seconds: f64) -> Outcome {
    Outcome { unique_id: id.to_owned(), status, seconds, message: None, compiled_path: None, failures_relation: None }
}
