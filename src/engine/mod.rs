//! The loop: read, close an epoch, step, commit.
//!
//! ```text
//!   reader threads ──batches──> drive ──updates, positions──> workers ──changes──> publisher ──commit──> sink
//!                                 │ closes epochs                                     │
//!                                 └──────────────── notes (clock, errors) ────────────┘
//! ```
//!
//! 1. Only this module closes an epoch. What an epoch contains is a set of source positions and a clock.
//! 2. The sink is the truth: at start the collections are rebuilt to exactly the sink's positions with output suppressed, and
//!    only then does anything new flow.
//! 3. No epoch is closed for nothing: without records there is no cut.
//! 4. Every queue is bounded; a slow sink slows the workers, the drive and the readers, in that order.

mod assemble;
mod backlog;
mod changelog;
mod columns;
mod condition;
mod contract;
mod deployment;
mod drive;
mod evaluate;
mod hydrate;
mod memory;
mod properties;
mod publish;
mod seeds;
mod snapshots;
mod source_tables;
mod succession;
mod unit_tests;
mod versions;
mod workers;

pub use assemble::{AssembleError, Assembled, Wanted, assemble, assemble_query, is_published};
pub use changelog::carries_changes;
pub use columns::BoundColumns;
pub use condition::condition_holds;
pub use deployment::{Counts, Deployment, ModelPlan, PublishedModel, StoredSnapshot, TestPlan, demanded_columns};
pub use drive::{Drive, EngineError, EngineEvent, Limits, Report, StopFlag};
pub use evaluate::{Evaluated, evaluate};
pub use hydrate::Inheritance;
pub use publish::{CommitReport, TestOutput};
pub use succession::{Beside, Elder, Inherited, Start};
pub use unit_tests::{Comparison, UnitTestError, run_unit_test};
pub use workers::{Changes, Dataflow, OperatorState, Output, Workers, WorkersGone};
