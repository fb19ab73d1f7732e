//! `livemart explain`: how models are maintained: their plans, the operators, and the arrangements that are shared.

use std::collections::BTreeSet;

use super::args::{Args, ExplainArgs};
use super::instance::{self, VerbError};
use super::keep::compile;
use super::run::nothing_to_do;
use super::talk::Speaker;
use super::{parse, refuse};
use crate::engine::{Wanted, Workers, assemble};
use crate::project::{Project, ResourceType};

/// Exit code 0 when the models can be maintained, 1 when one is refused, 2 when the project cannot be read.
pub fn run(args: &Args, explain: &ExplainArgs, speaker: &Speaker) -> i32 {
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    match print(explain, speaker, &mut project) {
        Ok(()) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

fn print(explain: &ExplainArgs, speaker: &Speaker, project: &mut Project) -> Result<(), VerbError> {
    let mut select = explain.select.clone();
    select.select.extend(explain.models.iter().cloned());
    let selected = project.select(&select.selection(&[ResourceType::Model])?)?;
    selected.warnings.iter().for_each(|warning| speaker.warn(warning));
    if selected.ids.is_empty() {
        nothing_to_do::<()>(speaker);
        return Ok(());
    }
    let models: BTreeSet<String> = selected.ids.into_iter().collect();
    let wanted = Wanted { models, without_tables: true, ..Wanted::default() };
    compile(project, &wanted)?;
    let assembled = assemble(project, &instance::instance_name(project), &wanted)?;
    for model in &assembled.deployment.models {
        println!("{}", project.nodes[&model.id].name);
        for line in model.plan.describe().lines() {
            println!("  {line}");
        }
        println!();
    }
    let workers = Workers::start(assembled.deployment.dataflow(), 1);
    let statistics = workers.statistics.clone();
    workers.stop();
    println!("{} operators for {} models", statistics.operators, assembled.deployment.models.len());
    println!("arrangements (operators that read each):");
    for (arrangement, readers) in &statistics.arrangements {
        println!("  {readers} x {arrangement}");
    }
    Ok(())
}
