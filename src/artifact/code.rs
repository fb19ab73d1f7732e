//! `target/compiled/` and `target/run/`: the SQL of each node, below its package and the path of its file.
//!
//! `compiled` holds what a template became. `run` holds the statement that a batch run would send for it: for a table the
//! `create table … as`, for a test the query of its verdict. livemart maintains the same result; people paste it into psql.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{ArtifactError, write_whole};
use crate::project::{Materialization, Node, Project, ResourceType};

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a node's SQL stands below `target/compiled` or `target/run`: a generic test below its property file.
fn place(node: &Node) -> PathBuf {
    let base = Path::new(&node.package).join(&node.original_file_path);
    match node.resource_type {
        ResourceType::Snapshot => base.join(format!("{}.sql", node.name)),
        _ if node.original_file_path.ends_with(".sql") => base,
        _ => base.join(&node.path),
    }
}

pub fn compiled_path(target: &Path, node: &Node) -> PathBuf {
    target.join("compiled").join(place(node))
}

/// As the manifest names it: from the project's folder where the target folder is below it.
pub fn relative_compiled_path(project: &Project, node: &Node) -> String {
    let path = compiled_path(&project.target_path, node);
    path.strip_prefix(&project.root).unwrap_or(&path).display().to_string()
}

/// Where the statement of a node that was run stands; none for what a batch run sends nothing for.
pub fn relative_run_path(project: &Project, node: &Node) -> Option<String> {
    statement(node)?;
    let path = project.target_path.join("run").join(place(node));
    Some(path.strip_prefix(&project.root).unwrap_or(&path).display().to_string())
}

/// Writes a node's compiled SQL and gives the file's path.
pub fn write_compiled(project: &Project, node: &Node) -> Result<PathBuf, ArtifactError> {
    let path = compiled_path(&project.target_path, node);
    write_whole(&path, node.compiled_code.as_deref().unwrap_or_default().as_bytes())?;
    Ok(path)
}

/// Writes the statement of a node that was run.
pub fn write_run(project: &Project, node: &Node) -> Result<(), ArtifactError> {
    match statement(node) {
        Some(statement) => write_whole(&project.target_path.join("run").join(place(node)), statement.as_bytes()),
        None => Ok(()),
    }
}

/// None for what a batch run sends nothing for: ephemeral models, seeds, analyses.
fn statement(node: &Node) -> Option<String> {
    let code = node.compiled_code.as_deref()?;
    match (node.resource_type, &node.relation_name) {
        (ResourceType::Test, _) => {
            let settings = node.test_settings();
            let limit = settings.limit.map_or(String::new(), |limit| format!("\n      limit {limit}"));
            let (fail_calc, warn_if, error_if) = (&settings.fail_calc, &settings.warn_if, &settings.error_if);
            Some(format!(
                "select\n      {fail_calc} as failures,\n      {fail_calc} {warn_if} as should_warn,\n      {fail_calc} {error_if} as should_error\n    \
                 from (\n      {code}{limit}\n    ) dbt_internal_test"
            ))
        }
        (ResourceType::Model, Some(relation)) => Some(match node.materialized() {
            Some(Materialization::View) => format!("create view {relation} as (\n{code}\n);\n"),
            Some(Materialization::MaterializedView) => {
                format!("create materialized view {relation} as (\n{code}\n);\n")
            }
            _ => format!("create table {relation} as (\n{code}\n);\n"),
        }),
        _ => None,
    }
}
