//! What a snapshot keeps: versions of a query's rows, as dbt's snapshots have them.
//!
//! ```text
//!   query's rows, their keys (, updated_at) ──┐
//!   what the sink's table holds, its keys ────┴─> Plan::Snapshot ──> query's columns, scd_id, updated_at, valid_from, valid_to (, is_deleted)
//! ```
//!
//! Its input is the query's rows as they stand at a cut, or every version that they had since the last one (`versions`), each with its time.
//!
//! 1. This is the only node whose rows depend on history. What the sink's table held at the start comes in by a relation of its own.
//! 2. Names that begin with `livemart.` are no node of any project.

use row::{OwnedDatum, ScalarType};

use super::RelationId;

/// How versions are told apart, and what their columns hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Snapshot {
    /// dbt's unique id, which errors name.
    pub id: String,
    /// Columns of the query. After them the input has the key's columns, and then updated_at where the query tells it.
    pub width: usize,
    pub keys: Vec<ScalarType>,
    pub changed: Changed,
    /// The query tells when a row was updated; else it is the clock.
    pub tells_time: bool,
    /// Type of updated_at and valid_from.
    pub from: ScalarType,
    /// Type of valid_to, and what stands there while a version is open.
    pub until: ScalarType,
    pub until_open: OwnedDatum,
    pub hard_deletes: HardDeletes,
    pub sees: Sees,
}

/// Which versions a snapshot comes to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sees {
    /// Those of published cuts, at the cut's clock.
    EachCut,
    /// Every one, at its source's time. Its own columns (`versions::OWN_COLUMNS`) are the input's last.
    EachVersion,
}

/// When a row of a known key is a new version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Changed {
    /// It was updated after the open version began.
    Later,
    /// One of these columns differs from the open version's.
    Columns(Vec<usize>),
}

/// What becomes of the open version of a key that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HardDeletes {
    Ignore,
    Invalidate,
    /// It is closed, and a version says that the row is deleted.
    NewRecord,
}

impl Snapshot {
    /// Columns after the query's: scd_id, updated_at, valid_from, valid_to, and is_deleted where deletes are recorded.
    pub const SCD_ID: usize = 0;
    pub const UPDATED_AT: usize = 1;
    pub const VALID_FROM: usize = 2;
    pub const VALID_TO: usize = 3;
    pub const IS_DELETED: usize = 4;

    pub fn arity(&self) -> usize {
        self.width + if self.hard_deletes == HardDeletes::NewRecord { 5 } else { 4 }
    }
}

/// The relation by which the versions that the sink holds come in.
pub fn stored(id: &str) -> RelationId {
    RelationId(format!("livemart.stored.{id}").into())
}

/// Whose stored versions a relation holds.
pub fn stored_id(relation: &RelationId) -> Option<&str> {
    relation.0.strip_prefix("livemart.stored.")
}

/// The clock of each epoch and whether it is published, for all snapshots. No plan reads it, and every worker has all of it.
pub fn turns() -> RelationId {
    RelationId("livemart.snapshots.turns".into())
}
