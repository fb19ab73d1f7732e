//! What survives a crash besides the sink: the collections of all sources, written behind the sink's commits.
//!
//! ```text
//!   drive ──journal of epoch e──> staged ──(sink has committed e)──> keeper thread ──frames──> segment 7 │ segment 8 │ …
//!                                                                         └── rows of append-only tables ──> appended
//!   start: segments ──apply in order──> collections at the state's positions ──read on, silently──> the sink's cut
//! ```
//!
//! 1. State lags the sink: a frame is written only when the sink has committed the epochs in it. So after a crash the way from the
//!    state's positions to the sink's is a part of the sources that can be read again.
//! 2. A frame is whole or not there: it carries a checksum, and the part behind the last whole frame is cut off. An earlier state
//!    is a valid state.
//! 3. Every so often everything that lives is written again, in slices between the epochs (a sweep); when the last slice is on the
//!    disk, older segments go. So the disk holds what lives once or twice, and every byte of it is written a bounded number of times.
//! 4. Only one process has the folder: a lock that dies with it.
//! 5. When the disk is full, the same frame is tried again; what waits is bounded, and when the bound is reached reading stops.
//!
//! While the sources still hold their history, losing the folder costs time; afterwards it is data.

mod dictionary;
mod files;
mod keeper;
mod log;
mod resume;
mod segment;

pub use dictionary::{Dictionary, StoredTable, Unfit};
pub use files::{DirFiles, Files};
pub use keeper::{Keeper, KeeperLimits, KeeperStatus, Keeping, Staged};
pub use log::{Log, Mark, Stored};
pub use resume::{Loaded, Resume, StateFolder, resume, stored_tables};

use std::path::PathBuf;

/// Why state cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the state in {} is in use by another process{}", folder.display(), owner.as_ref().map(|pid| format!(" ({pid})")).unwrap_or_default())]
    Locked { folder: PathBuf, owner: Option<String> },
    #[error("could not {verb} {}", path.display())]
    Io {
        verb: &'static str,
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    /// It can be thrown away where the sources have their history.
    #[error("the state in {} is damaged: {reason}", folder.display())]
    Damaged { folder: PathBuf, reason: String },
    #[error("the state in {} belongs to {owner}, not to {instance}", folder.display())]
    Foreign { folder: PathBuf, owner: String, instance: String },
}

impl StateError {
    pub fn hint(&self) -> &'static str {
        match self {
            StateError::Locked { .. } => "stop that process, or give this target a folder of its own: state: {path: …}",
            StateError::Io { .. } => {
                "the folder of `state: {path: …}` must be on a disk that can be written and has room"
            }
            StateError::Damaged { .. } => {
                "remove the folder: everything is read again from the sources, if they still have it"
            }
            StateError::Foreign { .. } => "give each project and target a folder of its own: state: {path: …}",
        }
    }
}
