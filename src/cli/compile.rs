//! `livemart compile`: the project's SQL, rendered.
//!
//! Files go to `target/compiled/<package>/<path>`; a node that was named, or `--inline`, goes to stdout, too.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::args::{Args, CompileArgs, TextOrJson};
use super::parse;
use super::talk::Speaker;
use crate::project::{Introspect, Node, Project, ProjectError, ResourceType};

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
        None => nodes(&mut project, compile, speaker),
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

fn nodes(project: &mut Project, compile: &CompileArgs, speaker: &Speaker) -> Result<(), ProjectError> {
    let selected = project.select(&compile.select.selection(&TYPES)?)?;
    selected.warnings.iter().for_each(|warning| speaker.notice(warning));
    if selected.ids.is_empty() {
        speaker.notice("Nothing to do. Try checking your model configs and model specification args");
        return Ok(());
    }
    speaker.concurrency(args_threads(project), &project.target_name.clone());
    let named: Vec<String> =
        compile.select.select.iter().chain(&compile.select.models).flat_map(|text| bare_names(text)).collect();
    for id in &selected.ids {
        let node = project.compile(id)?.clone();
        write_compiled(project, &node)?;
        if named.contains(&node.name) {
            let code = node.compiled_code.as_deref().unwrap_or_default();
            match compile.output {
                TextOrJson::Text => print(code),
                TextOrJson::Json => print(&pretty(&json!({"node": node.name, "compiled": code}))),
            }
        }
    }
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

/// Writes a node's compiled SQL below the target folder and gives the file's path.
pub fn write_compiled(project: &Project, node: &Node) -> Result<PathBuf, ProjectError> {
    let path = compiled_path(&project.target_path, node);
    let code = node.compiled_code.as_deref().unwrap_or_default();
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, code));
    written.map_err(|error| {
        ProjectError::runtime(format!("could not write {}: {error}", path.display())).in_object(node.title())
    })?;
    Ok(path)
}

/// `target/compiled/shop/models/schema.yml/not_null_orders_id.sql` for a generic test, else the node's own file below it.
pub fn compiled_path(target: &Path, node: &Node) -> PathBuf {
    let base = target.join("compiled").join(&node.package).join(&node.original_file_path);
    let is_in_a_file_of_many =
        !node.original_file_path.ends_with(".sql") || node.resource_type == ResourceType::Snapshot;
    match (is_in_a_file_of_many, node.resource_type) {
        (true, ResourceType::Snapshot) => base.join(format!("{}.sql", node.name)),
        (true, _) => base.join(&node.path),
        (false, _) => base,
    }
}

fn pretty(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

fn print(text: &str) {
    // A closed pipe ends the output quietly.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
