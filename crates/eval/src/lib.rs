//! Expressions over rows, with PostgreSQL's types and values.
//!
//! ```text
//!   binder ──resolve──> (function, argument types, result type) ──> Expr ──eval over a scratch row──> Datum or EvalError
//!                 │                                                  │
//!                 └─ functions: one static table                     └─ cast, functions/*: one implementation per row of the table
//! ```
//!
//! 1. Everything about types (which `+`, which casts, what `sum(bigint)` returns) is decided once, by `resolve`.
//! 2. Evaluation allocates only in the arena, and is a pure function of the row.
//! 3. `Expr::is_fallible` never says no to an expression that can fail: operators move expressions by it.

pub mod accumulate;
mod aggregates;
mod array_text;
pub mod by_value;
mod cast;
mod describe;
mod error;
mod expr;
mod functions;
mod json;
pub mod ordered;
mod refused;
pub mod resolve;
pub mod table_function;
#[cfg(test)]
mod testing;
mod types;
mod walk;
mod zone;

pub use bumpalo::Bump as Arena;
pub use error::EvalError;
pub use expr::{AggregateCall, AggregateFunction, Expr, OrderTerm};
pub use resolve::FunctionId;
pub use table_function::{TableCall, TableFunction};
pub use types::{CastContext, cast_context, type_name};
pub use zone::{session_time_zone, set_session_time_zone};
