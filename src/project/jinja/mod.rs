//! dbt's Jinja on minijinja.
//!
//! ```text
//!   template ──rewrite──> minijinja's Jinja ──render with Names──> text
//!                                              │ ref, source, config ──> Record (first pass)
//!                                              │ macros ──> templates of their own, called through MacroObject
//! ```
//!
//! 1. The engine is minijinja as it is published; what dbt's Jinja has more is rewritten, or is an object of ours.
//! 2. Rendering is a function of the project, the target, the variables and the moment the command started.
//! 3. An error names the template's file and line, and the macros it came through.

pub mod builtins;
pub mod calls;
pub mod failure;
pub mod filters;
pub mod macros;
pub mod methods;
pub mod modules;
pub mod moment;
pub mod names;
pub mod native;
pub mod regexp;
pub mod relation;
pub mod rewrite;
pub mod scope;
pub mod segments;
pub mod set;
pub mod table;
pub mod things;
pub mod value;

use std::sync::Arc;

use minijinja::Value;

use failure::{Failure, Place, failure_of};
use names::Names;
use scope::Scope;
use segments::{SegmentKind, Syntax, segments};

/// The version of dbt whose behaviour is followed; templates see it as `dbt_version`.
pub const DBT_VERSION: &str = "1.11.16";

/// The macros that dbt brings along, as templates of the `dbt` package: (file, text).
pub const INTERNAL_MACROS: &[(&str, &str)] = &[
    ("macros/generic_tests.sql", include_str!("global/generic_tests.sql")),
    ("macros/names.sql", include_str!("global/names.sql")),
    ("macros/types.sql", include_str!("global/types.sql")),
    ("macros/text.sql", include_str!("global/text.sql")),
    ("macros/time.sql", include_str!("global/time.sql")),
    ("macros/sets.sql", include_str!("global/sets.sql")),
];

/// Renders a node's template to text. `name` identifies the template, usually by its file.
pub fn render_text(scope: &Arc<Scope>, source: &str, name: &str) -> Result<String, Failure> {
    if !has_jinja(source) {
        return Ok(source.strip_suffix('\n').unwrap_or(source).to_string());
    }
    let registered = scope.world.register(name, source).map_err(|error| syntax_failure(scope, error))?;
    let template = scope.world.env.get_template(&registered).map_err(|error| located(scope, error))?;
    template.render(Value::from_object(Names::of(scope))).map_err(|error| located(scope, error))
}

/// Renders a template natively: a single expression keeps its type, anything else becomes text.
pub fn render_value(scope: &Arc<Scope>, source: &str, name: &str) -> Result<Value, Failure> {
    if !has_jinja(source) {
        return Ok(Value::from(source));
    }
    let parts = segments(source).map_err(|error| syntax_failure(scope, error))?;
    let [only] = parts.as_slice() else { return render_text(scope, source, name).map(Value::from) };
    if only.kind != SegmentKind::Print {
        return render_text(scope, source, name).map(Value::from);
    }
    let rewritten = rewrite::template(source).map_err(|error| syntax_failure(scope, error))?;
    let inner = rewritten.text.trim_start_matches("{{").trim_end_matches("}}").trim_matches(['-', '+']).to_string();
    let expression = scope.world.env.compile_expression_owned(inner).map_err(|error| located(scope, error))?;
    expression.eval(Value::from_object(Names::of(scope))).map_err(|error| located(scope, error))
}

/// Whether a text holds anything that Jinja would look at.
pub fn has_jinja(source: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| source.contains(mark))
}

/// The node as the outermost place of an error.
fn located(scope: &Scope, error: minijinja::Error) -> Failure {
    let line = error.line();
    let place = node_place(scope, line);
    failure_of(error).called_in(place)
}

fn syntax_failure(scope: &Scope, error: Syntax) -> Failure {
    let place = node_place(scope, Some(error.line));
    Failure::new(error.message).called_in(place)
}

fn node_place(scope: &Scope, line: Option<usize>) -> Place {
    let node = &scope.node;
    let object = format!("{} {}", node.resource_type, node.name).trim().to_string();
    Place { object, file: node.file.clone(), line }
}

#[cfg(test)]
#[path = "jinja_tests.rs"]
mod tests;
