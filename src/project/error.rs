//! Why a project cannot be loaded or compiled.
//!
//! An error is shown as dbt shows it: a first line with its kind and object, the message indented below, then a hint of ours.
//!
//! ```text
//!   Compilation Error in model stg_orders (models/staging/stg_orders.sql)
//!     'dbt_utls' is undefined. ...
//!       line 3
//!         {{ dbt_utls.star(ref('x')) }}
//! ```

use std::fmt;

/// One reason, with the object it speaks of and, where known, the place in the user's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectError {
    pub kind: ErrorKind,
    /// `model stg_orders`, `test not_null_x_y`, `livemart.yml`: what the first line names.
    pub object: Option<String>,
    /// Relative to the project's folder where the file lies inside it.
    pub file: Option<String>,
    /// Counted from one.
    pub line: Option<usize>,
    pub message: String,
    pub hint: Option<String>,
}

/// dbt's name for the stage that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Compilation,
    Parsing,
    Runtime,
    Configuration,
}

impl ErrorKind {
    fn title(self) -> &'static str {
        match self {
            ErrorKind::Compilation => "Compilation Error",
            ErrorKind::Parsing => "Parsing Error",
            ErrorKind::Runtime => "Runtime Error",
            ErrorKind::Configuration => "Configuration Error",
        }
    }
}

pub type Result<T> = std::result::Result<T, ProjectError>;

impl ProjectError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> ProjectError {
        ProjectError { kind, object: None, file: None, line: None, message: message.into(), hint: None }
    }

    pub fn compilation(message: impl Into<String>) -> ProjectError {
        ProjectError::new(ErrorKind::Compilation, message)
    }

    pub fn parsing(message: impl Into<String>) -> ProjectError {
        ProjectError::new(ErrorKind::Parsing, message)
    }

    pub fn runtime(message: impl Into<String>) -> ProjectError {
        ProjectError::new(ErrorKind::Runtime, message)
    }

    pub fn configuration(message: impl Into<String>) -> ProjectError {
        ProjectError::new(ErrorKind::Configuration, message)
    }

    /// Names the object, unless a more precise one is named already.
    pub fn in_object(mut self, object: impl Into<String>) -> ProjectError {
        self.object.get_or_insert_with(|| object.into());
        self
    }

    /// Names the file, unless a more precise one is named already.
    pub fn in_file(mut self, file: impl Into<String>) -> ProjectError {
        self.file.get_or_insert_with(|| file.into());
        self
    }

    pub fn at_line(mut self, line: usize) -> ProjectError {
        self.line.get_or_insert(line);
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> ProjectError {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.title())?;
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) if self.object.is_none() => Some(format!("{file}:{line}")),
            (Some(file), _) => Some(file.clone()),
            (None, _) => None,
        };
        match (&self.object, place) {
            (Some(object), Some(place)) => write!(f, " in {object} ({place})")?,
            (Some(object), None) => write!(f, " in {object}")?,
            (None, Some(place)) => write!(f, " in {place}")?,
            (None, None) => {}
        }
        for line in self.message.lines() {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ProjectError {}
