//! Errors of templates on their way out: through the macros that were being called, to the node that asked.

use std::fmt;

use minijinja::{Error, ErrorKind, Value};

/// What `return()` throws; the macro catches it.
#[derive(Debug)]
pub struct ReturnSignal(pub Value);

impl fmt::Display for ReturnSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("return")
    }
}

impl std::error::Error for ReturnSignal {}

/// Where a call was, innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `macro star`, `model orders`.
    pub object: String,
    pub file: String,
    pub line: Option<usize>,
}

/// A template's error with the macros it came through.
#[derive(Clone, Debug)]
pub struct Failure {
    pub message: String,
    pub trail: Vec<Place>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), trail: Vec::new() }
    }

    /// dbt's words for a name that nothing answers to.
    pub fn undefined(name: &str) -> Failure {
        Failure::new(format!(
            "'{name}' is undefined. This can happen when calling a macro that does not exist. \
             Check for typos and/or install package dependencies with \"dbt deps\"."
        ))
    }

    pub fn called_in(mut self, place: Place) -> Failure {
        self.trail.push(place);
        self
    }

    pub fn into_error(self) -> Error {
        Error::new(ErrorKind::InvalidOperation, self.message.clone()).with_source(self)
    }
}

fn source_of<T: std::error::Error + 'static>(error: &Error) -> Option<&T> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

/// The value of a `return()` that is on its way through this error.
pub fn take_return(error: &Error) -> Option<Value> {
    source_of::<ReturnSignal>(error).map(|signal| signal.0.clone())
}

/// The failure inside an error of minijinja's, with dbt's words where it has its own.
pub fn failure_of(error: Error) -> Failure {
    if let Some(failure) = source_of::<Failure>(&error) {
        return failure.clone();
    }
    let detail = error.detail().unwrap_or_default().to_string();
    match error.kind() {
        ErrorKind::UnknownFunction => Failure::undefined(detail.trim_end_matches(" is unknown")),
        ErrorKind::UndefinedError | ErrorKind::UnknownMethod | ErrorKind::InvalidOperation
            if undefined_name(&error).is_some() =>
        {
            Failure::undefined(&undefined_name(&error).unwrap_or_default())
        }
        ErrorKind::SyntaxError => Failure::new(detail),
        ErrorKind::UnknownFilter => Failure::new(format!("No filter named '{}'.", quoted_word(&detail))),
        ErrorKind::UnknownTest => Failure::new(format!("No test named '{}'.", quoted_word(&detail))),
        _ if detail.is_empty() => Failure::new(error.kind().to_string()),
        _ => Failure::new(detail),
    }
}

fn quoted_word(detail: &str) -> &str {
    detail
        .split_whitespace()
        .map(|word| word.trim_matches(['`', '\'', '"']))
        .find(|word| *word != "filter" && *word != "test")
        .unwrap_or(detail)
}

/// The name that was undefined, as minijinja's error says it: "… (`nope` is undefined)".
fn undefined_name(error: &Error) -> Option<String> {
    let detail = error.detail()?;
    let before = &detail[..detail.find("` is undefined")?];
    let name = &before[before.rfind('`')? + 1..];
    let end = name.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(name.len());
    (end > 0 && !name.starts_with("_lm_")).then(|| name[..end].to_string())
}
