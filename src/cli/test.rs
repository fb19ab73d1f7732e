//! `livemart test`: unit tests, and the tests at the published cut, without reading new input.
//!
//! Where a live owner maintains the tests, its `livemart.tests` are told. Others are evaluated in memory: collections from the state
//! and the sources, up to exactly the positions of the cut. Nothing is owned and nothing is written.
//!
//! With `--store-failures` each test's failing rows get a table, as `build` deploys it: what there is to read is read, and a cut is published.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::args::{Args, RunArgs};
use super::artifacts::leave_results;
use super::instance::{self, VerbError};
use super::keep::{compile, seconds_since};
use super::run::{self, nothing_to_do};
use super::talk::Speaker;
use super::words::{Outcome, Status};
use super::{beside, parse, refuse, unit};
use crate::engine::{Wanted, assemble, condition_holds};
use crate::project::{Project, ResourceType, Severity, TestSettings};
use crate::time::WallTime;

/// Exit code 0 when no test failed, 1 when one did, 2 when the project cannot be read.
pub fn run(args: &Args, test: &RunArgs, speaker: &Speaker) -> i32 {
    if test.store_failures {
        return run::run(args, test, speaker, &TESTED_TYPES);
    }
    let started = Instant::now();
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    if args.common.warn_error && speaker.warnings() > 0 {
        return refuse(speaker, &super::warned());
    }
    match outcomes(args, test, speaker, &mut project) {
        Ok(Some(outcomes)) => {
            speaker.footer(&project, &outcomes, seconds_since(started));
            leave_results(args, &test.select, &mut project, &outcomes, seconds_since(started), speaker);
            i32::from(outcomes.iter().any(has_failed))
        }
        Ok(None) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

/// What `test` takes.
const TESTED_TYPES: [ResourceType; 2] = [ResourceType::Test, ResourceType::UnitTest];

fn outcomes(
    args: &Args,
    test: &RunArgs,
    speaker: &Speaker,
    project: &mut Project,
) -> Result<Option<Vec<Outcome>>, VerbError> {
    let selected = project.select(&test.select.selection(&TESTED_TYPES)?)?;
    selected.warnings.iter().for_each(|warning| speaker.warn(warning));
    if selected.ids.is_empty() {
        return Ok(nothing_to_do(speaker));
    }
    let is_unit = |id: &&String| project.resource_type(id) == Some(ResourceType::UnitTest);
    let (units, tests): (Vec<&String>, Vec<&String>) = selected.ids.iter().partition(is_unit);
    let (units, tests): (Vec<String>, BTreeSet<String>) =
        (units.into_iter().cloned().collect(), tests.into_iter().cloned().collect());
    let total = selected.ids.len();
    speaker.concurrency(1, &project.target.name);
    let mut fail_fast = FailFast::new(test.fail_fast);
    let mut outcomes = units_run(project, &units, total, speaker, &mut fail_fast);
    if tests.is_empty() {
        return Ok(Some(outcomes));
    }
    let mut watch = instance::watch(project)?;
    if watch.state()?.is_none() {
        return Err(VerbError::new(format!(
            "{} has no published cut of {}",
            instance::sink_place(project),
            instance::instance_name(project)
        ))
        .with_hint("publish one first: livemart run, or livemart build to test in the same go"));
    }
    let began = Instant::now();
    let mut failing: BTreeMap<String, Option<i64>> = BTreeMap::new();
    if let Some(owner) = watch.owner()? {
        let maintained: BTreeMap<String, i64> =
            watch.tests()?.into_iter().map(|row| (row.test, row.failures)).collect();
        for id in &tests {
            let node = &project.nodes[id];
            // Another `fail_calc` may have no number, which the sink does not tell from none failing.
            let counts_rows = node.test_settings().fail_calc.trim().eq_ignore_ascii_case("count(*)");
            if let Some(failures) = maintained.get(&node.name).filter(|_| counts_rows) {
                failing.insert(id.clone(), Some(*failures));
            }
        }
        let (told, all) = (failing.len(), tests.len());
        speaker.info(&format!("{told} of {all} tests are maintained by {owner}: told as of its current cut"));
    }
    let others: BTreeSet<String> = tests.into_iter().filter(|id| !failing.contains_key(id)).collect();
    if !others.is_empty() {
        failing.extend(evaluated(project, others)?);
    }
    let seconds = seconds_since(began);
    for (id, failures) in failing {
        let index = outcomes.len() + 1;
        let node = &project.nodes[&id];
        let outcome = if fail_fast.skips() {
            outcome(&id, Status::Skipped, 0.0)
        } else {
            speaker.start(index, total, node);
            verdict(&id, &node.test_settings(), failures, seconds, args.common.warn_error)
        };
        speaker.outcome(index, total, node, &outcome);
        fail_fast.note(&outcome);
        outcomes.push(outcome);
    }
    Ok(Some(outcomes))
}

/// Failures of tests at the published cut.
fn evaluated(project: &mut Project, tests: BTreeSet<String>) -> Result<Vec<(String, Option<i64>)>, VerbError> {
    let wanted = Wanted { tests, without_tables: true, ..Wanted::default() };
    compile(project, &wanted)?;
    let mut assembled = assemble(project, &instance::instance_name(project), &wanted)?;
    let Some(state) = instance::read_versions(project, &mut assembled.deployment)? else { return Ok(Vec::new()) };
    let published = state.cut.as_ref().map(|cut| cut.clock);
    let clock = instance::clock(project, published, assembled.deployment.clock_needs(), WallTime::system())?;
    let evaluated = beside::evaluate_beside(project, &mut assembled.deployment, Some(state), clock)?;
    let plans = assembled.deployment.tests.iter();
    let failures = plans.map(|plan| plan.counts.failures(evaluated.models[plan.model].iter()));
    Ok(assembled.tests.into_iter().zip(failures).collect())
}

/// Runs unit tests one after the other, and says so.
pub fn units_run(
    project: &mut Project,
    ids: &[String],
    total: usize,
    speaker: &Speaker,
    fail_fast: &mut FailFast,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for id in ids {
        let index = outcomes.len() + 1;
        let skips = fail_fast.skips();
        if !skips {
            speaker.start_unit(index, total, &project.unit_tests[id]);
        }
        let outcome = if skips { outcome(id, Status::Skipped, 0.0) } else { unit::run(project, id) };
        speaker.outcome_unit(index, total, &project.unit_tests[id], &outcome);
        fail_fast.note(&outcome);
        outcomes.push(outcome);
    }
    outcomes
}

/// What a number of failures means for a test, as dbt decides it.
pub fn verdict(id: &str, settings: &TestSettings, failures: Option<i64>, seconds: f64, warn_error: bool) -> Outcome {
    let Some(failures) = failures else {
        let message = format!("fail_calc \"{}\" gave no whole number", settings.fail_calc);
        return Outcome { message: Some(message), ..outcome(id, Status::Error, seconds) };
    };
    // A condition that is none was refused while planning.
    let holds = |condition: &str| condition_holds(condition, failures).unwrap_or(failures != 0);
    if settings.severity == Severity::Error && holds(&settings.error_if) {
        outcome(id, Status::Fail(failures), seconds)
    } else if holds(&settings.warn_if) && warn_error {
        let results = if failures == 1 { "result" } else { "results" };
        let message = format!("Got {failures} {results}, configured to fail if {}", settings.warn_if);
        Outcome { message: Some(message), ..outcome(id, Status::Fail(failures), seconds) }
    } else if holds(&settings.warn_if) {
        outcome(id, Status::Warn(failures), seconds)
    } else {
        outcome(id, Status::Pass, seconds)
    }
}

/// Whether an outcome makes the command fail.
pub fn has_failed(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::Error | Status::Fail(_))
}

/// With `--fail-fast` what comes after the first failure is skipped.
pub struct FailFast {
    is_on: bool,
    has_failed: bool,
}

impl FailFast {
    pub fn new(is_on: bool) -> FailFast {
        FailFast { is_on, has_failed: false }
    }

    /// Whether the next node is skipped.
    pub fn skips(&self) -> bool {
        self.is_on && self.has_failed
    }

    pub fn note(&mut self, outcome: &Outcome) {
        self.has_failed |= has_failed(outcome);
    }
}

/// An outcome without a message of its own.
pub fn outcome(id: &str, status: Status, seconds: f64) -> Outcome {
    Outcome { unique_id: id.to_owned(), status, seconds, message: None, compiled_path: None, failures_relation: None }
}
