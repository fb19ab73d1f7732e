//! The bench's project, planned as `livemart run` plans it, without a sink.

use std::path::Path;

use livemart::engine::{AssembleError, Deployment, Wanted, assemble};
use livemart::project::{Project, ProjectError, ProjectOptions};

use super::super::mart::Query;

#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Assemble(#[from] AssembleError),
}

/// Compiles the project in `project_dir` over the events in `events` and plans the models of these queries.
pub fn deployment(project_dir: &Path, events: &Path, queries: &[Query]) -> Result<Deployment, DeployError> {
    let mut options = ProjectOptions::new(project_dir);
    options.target = Some("files".to_owned());
    options.vars.insert("events".to_owned(), events.display().to_string().into());
    // Nothing opens it here; the target wants one named.
    options.vars.insert("database".to_owned(), "marts.db".into());
    let mut project = Project::load(options)?;
    project.compile_all()?;
    let models = queries.iter().map(|query| query.model()).collect();
    let wanted = Wanted { models, ..Wanted::default() };
    Ok(assemble(&project, &format!("{}.bench", project.name), &wanted)?.deployment)
}
