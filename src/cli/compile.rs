//! `livemart compile`: the project's SQL, rendered.
//!
//! Files go to `target/compiled/<package>/<path>`; a node that was named, or `--inline`, goes to stdout, too.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::args::{Args, CompileArgs, TextOrJson};
use super::artifacts::{leave_results, told};
use super::talk::Speaker;
use super::words::{Outcome, Status};
use super::{parse, test};
use crate::artifact::code;
use crate::project::{Introspect, Project, ProjectError, ResourceType};

/// Nodes that have SQL of their own.
const TYPES: [ResourceType; 4] =
    [ResourceType::Model, ResourceType::Analysis, ResourceType::Test, ResourceType::Snapshot];

/// Exit code 0; 1 when a node cannot be compiled; 2 when the project cannot be read.
///
/// `introspect` answers a template's questions about columns; none asks the property files alone.
pub fn run(args: &Args, compile: &CompileArgs, introspect: Option<Arc<dyn Introspect>>, speaker: &Speaker) -> i32 {
    let loaded = args.project_options().and_then(|mut options| {
        if let Some(introspect) = &introspect {
            options.introspect = Arc::clone(introspect);
        }
        parse::load(options, speaker)
    });
    let mut project = match loaded {
        Ok(project) => project,
        Err(error) => return speaker.fail(&error),
    };
    speaker.found(&project);
    let result = match &compile.inline {
        Some(sql) => inline(&project, sql, compile, introspect),
        None => nodes(args, &mut project, compile, speaker),
    };
    speaker.templates(&project);
    match result {
        Ok(()) => 0,
        Err(error) => {
            speaker.fail(&error);
            1
        }
    }
}

fn inline(
    project: &Project,
    sql: &str,
    compile: &CompileArgs,
    introspect: Option<Arc<dyn Introspect>>,
) -> Result<(), ProjectError> {
    let introspect = introspect.unwrap_or_else(|| Arc::new(crate::project::NoIntrospection));
    let compiled = project.compile_inline(sql, introspect)?;
    let text = match compile.output {
        TextOrJson::Text => compiled.code,
        TextOrJson::Json => pretty(&json!({"compiled": compiled.code})),
    };
    print(&text);
    Ok(())
}

fn nodes(args: &Args, project: &mut Project, compile: &CompileArgs, speaker: &Speaker) -> Result<(), ProjectError> {
    let selected = project.select(&compile.select.selection(&TYPES)?)?;
    selected.warnings.iter().for_each(|warning| speaker.notice(warning));
    if selected.ids.is_empty() {
        speaker.notice("Nothing to do. Try checking your model configs and model specification args");
        return Ok(());
    }
    speaker.concurrency(args_threads(project), &project.target_name.clone());
    let named: Vec<String> =
        compile.select.select.iter().chain(&compile.select.models).flat_map(|text| bare_names(text)).collect();
    let started = Instant::now();
    let mut outcomes: Vec<Outcome> = Vec::new();
    for id in &selected.ids {
        let node = project.compile(id)?.clone();
        told(code::write_compiled(project, &node), speaker);
        if named.contains(&node.name) {
            let code = node.compiled_code.as_deref().unwrap_or_default();
            match compile.output {
                TextOrJson::Text => print(code),
                TextOrJson::Json => print(&pretty(&json!({"node": node.name, "compiled": code}))),
            }
        }
        outcomes.push(test::outcome(id, Status::Success(String::new()), 0.0));
    }
    leave_results(args, &compile.select, project, &outcomes, started.elapsed().as_secs_f64(), speaker);
    Ok(())
}

fn args_threads(project: &Project) -> usize {
    project.target_fact("threads").and_then(serde_json::Value::as_u64).unwrap_or(1) as usize
}

/// The names in a selection, without the signs around them.
fn bare_names(text: &str) -> Vec<String> {
    text.split([' ', ','])
        .map(|word| word.trim_matches(|c: char| c == '+' || c == '@' || c.is_ascii_digit()).to_string())
        .collect()
}

fn pretty(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

fn print(text: &str) {
    // A closed pipe ends the output quietly.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
