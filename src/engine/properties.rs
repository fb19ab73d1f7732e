//! What a model's configuration says of its table besides its rows: `persist_docs`, `indexes` and `grants`, as dbt-postgres has them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::assemble::AssembleError;
use crate::project::Node;
use crate::sink::{IndexSpec, TableColumn, TableProperties};

/// Hooks are not among them: they are rendered when a deploy is at hand.
pub(super) fn table_properties(node: &Node, columns: &[TableColumn]) -> Result<TableProperties, AssembleError> {
    let persists = |what: &str| {
        node.config.get("persist_docs").and_then(|docs| docs.get(what)).and_then(Json::as_bool).unwrap_or(false)
    };
    let comment = (persists("relation") && !node.description.is_empty()).then(|| node.description.clone());
    let mut column_comments = Vec::new();
    if persists("columns") {
        for described in node.columns.iter().filter(|column| !column.description.is_empty()) {
            let found = columns.iter().position(|column| column.name.eq_ignore_ascii_case(&described.name));
            column_comments.extend(found.map(|column| (column, described.description.clone())));
        }
    }
    Ok(TableProperties {
        comment,
        column_comments,
        indexes: indexes(node)?,
        grants: grants(node)?,
        ..TableProperties::default()
    })
}

fn indexes(node: &Node) -> Result<Vec<IndexSpec>, AssembleError> {
    let refused = |got: &Json| {
        AssembleError::node(
            node,
            format!("Invalid index config: {got}"),
            Some("write indexes: [{columns: [a, b], unique: false, type: btree}]".to_owned()),
        )
    };
    let configured = match node.config.get("indexes") {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(items)) => items,
        Some(other) => return Err(refused(other)),
    };
    let mut indexes: Vec<IndexSpec> = Vec::new();
    for item in configured {
        let map = item.as_object().ok_or_else(|| refused(item))?;
        if map.keys().any(|key| !["columns", "unique", "type"].contains(&key.as_str())) {
            return Err(refused(item));
        }
        let columns: Option<Vec<String>> = map
            .get("columns")
            .and_then(Json::as_array)
            .map(|columns| columns.iter().filter_map(|column| column.as_str().map(String::from)).collect());
        let columns = columns.filter(|columns| !columns.is_empty()).ok_or_else(|| refused(item))?;
        let method = match map.get("type") {
            None | Some(Json::Null) => "btree".to_owned(),
            Some(Json::String(method)) if is_word(method) => method.to_lowercase(),
            Some(_) => return Err(refused(item)),
        };
        let unique = map.get("unique").and_then(Json::as_bool).unwrap_or(false);
        let index = IndexSpec { columns, unique, method };
        if !indexes.contains(&index) {
            indexes.push(index);
        }
    }
    Ok(indexes)
}

/// Without grantees anywhere dbt leaves a table's privileges alone, and so do we.
fn grants(node: &Node) -> Result<Option<BTreeMap<String, BTreeSet<String>>>, AssembleError> {
    let Some(configured) = node.config.get("grants").and_then(Json::as_object).filter(|map| !map.is_empty()) else {
        return Ok(None);
    };
    let mut grants = BTreeMap::new();
    for (privilege, grantees) in configured {
        let hint = Some("write grants: {select: [role]}".to_owned());
        if !is_word(privilege) {
            return Err(AssembleError::node(node, format!("\"{privilege}\" is no privilege"), hint));
        }
        let names: Option<BTreeSet<String>> = match grantees {
            Json::Null => Some(BTreeSet::new()),
            Json::String(name) => Some([name.clone()].into()),
            Json::Array(names) => names.iter().map(|name| name.as_str().map(String::from)).collect(),
            _ => None,
        };
        let Some(names) = names else {
            return Err(AssembleError::node(
                node,
                format!("grants: {privilege}: a role is a text, not {grantees}"),
                hint,
            ));
        };
        grants.insert(privilege.to_lowercase(), names);
    }
    Ok(Some(grants))
}

/// What may stand in SQL as it is.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ' ')
}
