//! How sinks say what went wrong: one constructor per kind, so that every message names its object.

use super::SinkError;

pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

impl SinkError {
    pub(super) fn owned(message: impl Into<String>) -> SinkError {
        SinkError::Owned { message: message.into() }
    }

    pub(super) fn fenced(message: impl Into<String>) -> SinkError {
        SinkError::Fenced { message: message.into() }
    }

    pub(super) fn unreachable(message: impl Into<String>, cause: impl Into<Cause>) -> SinkError {
        SinkError::Unreachable { message: message.into(), cause: Some(cause.into()) }
    }

    pub(super) fn refused(message: impl Into<String>, hint: impl Into<String>) -> SinkError {
        SinkError::Refused { message: message.into(), hint: Some(hint.into()), cause: None }
    }

    /// The table does not hold what we wrote: `found` of `wanted` rows were where they had to be.
    pub(super) fn disturbed(relation: &str, verb: &str, wanted: u64, found: u64) -> SinkError {
        SinkError::refused(
            format!(
                "table {relation} does not hold the rows that livemart wrote: {found} of {wanted} rows to {verb} found"
            ),
            "another program wrote into it; stop that program and deploy with --adopt, which corrects the table by difference",
        )
    }

    /// `cut` is not where this owner left it.
    pub(super) fn cut_moved(instance: &str, stored: Option<(&str, u64)>, seq: u64) -> SinkError {
        SinkError::fenced(match stored {
            Some((owner, stored_seq)) => format!(
                "cannot publish cut {seq} of \"{instance}\": the sink stands at cut {stored_seq}, written by {owner}"
            ),
            None => format!("cannot publish cut {seq} of \"{instance}\": its row in cut is gone"),
        })
    }
}
