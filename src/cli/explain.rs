//! `livemart explain`: how models are maintained: their plans, what each operator costs and keeps, and what is shared.
//!
//! ```text
//!   customer_rank
//!     Project #0 #2
//!       Window order #1 desc: rank()      per table      all rows as one partition, on one worker, ordered by [#1]
//!         Get source.shop.raw.customers
//!     per table: Window order #1 desc: rank()
//!       the output itself changes widely: one change may alter rank in every row
//!       partition by a column; …
//! ```

use std::collections::BTreeSet;

use super::args::{Args, Deny, ExplainArgs};
use super::instance::{self, VerbError};
use super::keep::compile;
use super::run::nothing_to_do;
use super::talk::Speaker;
use super::{beside, parse, refuse};
use crate::engine::{Evaluated, OperatorState, Wanted, Workers, assemble};
use crate::plan::{CostClass, PlanLine};
use crate::project::{Project, ResourceType};
use crate::time::WallTime;

/// Wider plans push their costs to the right.
const PLAN_WIDTH_MAX: usize = 64;

/// Exit code 0 when the models can be maintained, 1 when one is refused or too dear, 2 when the project cannot be read.
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
    let selected = project.select(&select.selection(&[ResourceType::Model, ResourceType::Snapshot])?)?;
    selected.warnings.iter().for_each(|warning| speaker.warn(warning));
    if selected.ids.is_empty() {
        nothing_to_do::<()>(speaker);
        return Ok(());
    }
    let models: BTreeSet<String> = selected.ids.into_iter().collect();
    let wanted = Wanted { models, without_tables: true, ..Wanted::default() };
    compile(project, &wanted)?;
    let mut assembled = assemble(project, &instance::instance_name(project), &wanted)?;
    let mut too_dear = Vec::new();
    for model in &assembled.deployment.models {
        let name = &project.nodes[&model.id].name;
        let lines = model.plan.lines();
        println!("{name}");
        print_lines(&lines);
        println!();
        if let Some(deny) = explain.deny {
            too_dear.extend(denied(name, &lines, class(deny)));
        }
    }
    let workers = Workers::start(assembled.deployment.dataflow(), 1);
    let statistics = workers.statistics.clone();
    workers.stop();
    println!("{} operators for {} models", statistics.operators, assembled.deployment.models.len());
    println!("arrangements (operators that read each):");
    for (arrangement, readers) in &statistics.arrangements {
        println!("  {readers} x {arrangement}");
    }
    if explain.measure {
        let clock = instance::clock(project, None, assembled.deployment.clock_needs(), WallTime::system())?;
        print_states(&beside::evaluate_beside(project, &mut assembled.deployment, None, clock)?);
    }
    let Some((_, advice)) = too_dear.first() else { return Ok(()) };
    let message: Vec<&str> = too_dear.iter().map(|(message, _)| message.as_str()).collect();
    let error = VerbError::new(message.join("\n  "));
    Err(match advice {
        Some(advice) => error.with_hint(*advice),
        None => error,
    })
}

/// What each operator holds of what the sources hold now.
fn print_states(evaluated: &Evaluated) {
    let total: usize = evaluated.operators.iter().map(|state| state.size.bytes).sum();
    println!("states ({} records read, {} held by operators):", evaluated.records, shown(total));
    for OperatorState { model, operator, size } in &evaluated.operators {
        let model = model.rsplit('.').next().unwrap_or(model);
        println!("  {:>10} rows  {:>9}  {operator} of {model}", size.rows, shown(size.bytes));
    }
}

/// `1.5 MiB`; of little, `12 KiB`.
fn shown(bytes: usize) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        _ => format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

/// The plan with the cost of each operator beside it, then why some cost more than the change.
fn print_lines(lines: &[PlanLine]) {
    let width = lines.iter().map(|line| line.text.chars().count()).max().unwrap_or(0).min(PLAN_WIDTH_MAX);
    for line in lines {
        match &line.cost {
            Some(cost) => {
                let state = cost.state.as_deref().unwrap_or_default();
                println!("{}", format!("  {:width$}  {:13}  {state}", line.text, cost.class).trim_end());
            }
            None => println!("  {}", line.text),
        }
    }
    for line in lines {
        let Some(cost) = &line.cost else { continue };
        let Some(remark) = &cost.remark else { continue };
        println!("  {}: {}", cost.class, line.text.trim());
        println!("    {remark}");
        cost.advice.iter().for_each(|advice| println!("    {advice}"));
    }
}

/// Each operator whose cost is of that class or a dearer one, with what to do about it.
fn denied(model: &str, lines: &[PlanLine], class: CostClass) -> Vec<(String, Option<&'static str>)> {
    let dear = lines.iter().filter_map(|line| line.cost.as_ref().map(|cost| (line, cost)));
    dear.filter(|(_, cost)| cost.class >= class)
        .map(|(line, cost)| {
            let why = cost.remark.as_deref().unwrap_or_default();
            (format!("model \"{model}\" costs {} at \"{}\": {why}", cost.class, line.text.trim()), cost.advice)
        })
        .collect()
}

fn class(deny: Deny) -> CostClass {
    match deny {
        Deny::PerGroup => CostClass::PerGroup,
        Deny::PerPartition => CostClass::PerPartition,
        Deny::PerTable => CostClass::PerTable,
    }
}
