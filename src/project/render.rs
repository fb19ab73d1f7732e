//! From a template's failure to the error that the user sees.

use super::error::ProjectError;
use super::jinja::failure::{Failure, Place};

/// dbt's shape of a compilation error: the message, the line of the node's own text, then the macros it came through.
pub fn failed(failure: Failure, source: &str) -> ProjectError {
    let Some(outermost) = failure.trail.last().cloned() else { return ProjectError::compilation(failure.message) };
    let mut message = failure.message.clone();
    if failure.trail.len() == 1 {
        if let Some(line) = outermost.line {
            let text = source.lines().nth(line - 1).unwrap_or_default().trim();
            message.push_str(&format!("\n  line {line}\n    {text}"));
        }
    } else {
        message.push('\n');
        for (at, place) in failure.trail.iter().enumerate() {
            let word = if at == 0 { "in" } else { "called by" };
            message.push_str(&format!("\n> {word} {} ({})", place.object, with_line(place)));
        }
    }
    let mut error = ProjectError::compilation(message);
    error.line = outermost.line;
    error.object = (!outermost.object.is_empty()).then_some(outermost.object);
    error.file = (!outermost.file.is_empty()).then_some(outermost.file);
    error
}

fn with_line(place: &Place) -> String {
    match place.line {
        Some(line) => format!("{}:{line}", place.file),
        None => place.file.clone(),
    }
}
