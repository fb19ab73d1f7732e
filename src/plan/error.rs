//! Why a model cannot be planned.

use std::fmt;

/// A refusal while planning: what is wrong, where in the compiled SQL, and what to write instead.
///
/// The model's name is added by the caller, who knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// In PostgreSQL's words where PostgreSQL refuses too. Lower case, no full stop.
    pub message: String,
    /// Line of the compiled SQL, from 1.
    pub line: Option<u64>,
    /// Column of that line, from 1.
    pub column: Option<u64>,
    pub hint: Option<String>,
}

impl PlanError {
    pub fn new(message: impl Into<String>) -> PlanError {
        PlanError { message: message.into(), line: None, column: None, hint: None }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> PlanError {
        self.hint = Some(hint.into());
        self
    }

    /// Notes the place, unless a nearer one is known already. A line of 0 means "not known".
    pub fn at(mut self, line: u64, column: u64) -> PlanError {
        if self.line.is_none() && line > 0 {
            self.line = Some(line);
            self.column = Some(column);
        }
        self
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, " (line {line}, column {column})"),
            (Some(line), None) => write!(f, " (line {line})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for PlanError {}
