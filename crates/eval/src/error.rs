//! Why an expression failed on a row, in PostgreSQL's words.

/// The text is PostgreSQL's own message ("division by zero", "invalid input syntax for type integer: \"abc\"").
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub String);

impl EvalError {
    pub fn new(message: impl Into<String>) -> EvalError {
        EvalError(message.into())
    }

    /// Keeps the words of an error of the value layer.
    pub(crate) fn from_value(error: impl std::fmt::Display) -> EvalError {
        EvalError(error.to_string())
    }
}
