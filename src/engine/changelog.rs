//! Which models' changes go to Kafka, and whether they can.

use super::assemble::AssembleError;
use crate::project::{Node, Project};
use crate::sink::TableSpec;
use crate::sink::changelog::{Envelope, KEYLESS_HINT, keyless_message};

/// Whether the changelog carries a model, a seed or a snapshot, if it is published: `meta: {livemart: {changelog: true}}`, else what
/// the target says.
pub fn carries_changes(project: &Project, node: &Node) -> Result<bool, AssembleError> {
    let Some(config) = &project.target.changelog else { return Ok(false) };
    if !node.resource_type.is_refable() {
        return Ok(false);
    }
    match node.meta().get("livemart").and_then(|livemart| livemart.get("changelog")) {
        None => Ok(config.carries_all),
        Some(value) => value.as_bool().ok_or_else(|| {
            let hint = Some("write true or false".to_owned());
            AssembleError::node(node, format!("meta.livemart.changelog: {value} is not known"), hint)
        }),
    }
}

/// Refuses what the changelog cannot tell.
pub(super) fn check_changelog(project: &Project, node: &Node, table: &TableSpec) -> Result<(), AssembleError> {
    let is_upsert = project.target.changelog.as_ref().is_some_and(|config| config.envelope == Envelope::Upsert);
    if carries_changes(project, node)? && is_upsert && table.key.is_none() {
        return Err(AssembleError::node(node, keyless_message(&node.name), Some(KEYLESS_HINT.to_owned())));
    }
    Ok(())
}
