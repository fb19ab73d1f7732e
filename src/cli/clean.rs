//! `livemart clean`: deletes the folders that `clean-targets` names.
//!
//! 1. A folder that holds the project's sources is never deleted, nor the project itself.
//! 2. A folder outside of the project is deleted only when that is asked for.

use std::path::{Component, Path, PathBuf};

use super::args::{Args, CleanArgs};
use super::talk::Speaker;
use crate::project::{Project, ProjectError};

/// Exit code 0; 2 when a folder may not be deleted or the project cannot be read.
pub fn run(args: &Args, clean: &CleanArgs, speaker: &Speaker) -> i32 {
    let cleaned = args.project_options().and_then(|options| {
        // No log file: the folder of logs may be among those that go.
        speaker.no_log(None);
        speaker.running_with();
        let project = Project::load(options)?;
        targets(&project, clean)?.iter().try_for_each(|path| remove(path, speaker))
    });
    match cleaned {
        Ok(()) => {
            speaker.info("Finished cleaning all paths.");
            0
        }
        Err(error) => speaker.fail(&error),
    }
}

/// The folders to delete, each checked before the first is touched.
pub fn targets(project: &Project, clean: &CleanArgs) -> Result<Vec<PathBuf>, ProjectError> {
    let settings = &project.packages[0];
    let root = normal(&project.root);
    let mut found = Vec::new();
    for target in &settings.clean_targets {
        let path = normal(&project.root.join(target));
        let is_outside = !path.starts_with(&root);
        if is_outside && !clean.no_clean_project_files_only {
            return Err(ProjectError::runtime(format!(
                "livemart will not clean the following directory outside the project: {}",
                path.display()
            ))
            .in_file("dbt_project.yml")
            .hint("pass --no-clean-project-files-only to delete it"));
        }
        let holds_sources =
            settings.source_paths().iter().any(|source| normal(&project.root.join(source)).starts_with(&path));
        if root.starts_with(&path) || holds_sources {
            return Err(ProjectError::runtime(format!(
                "livemart will not clean a directory that holds the project's files: {}",
                path.display()
            ))
            .in_file("dbt_project.yml")
            .hint("take it out of clean-targets"));
        }
        found.push(path);
    }
    Ok(found)
}

fn remove(path: &Path, speaker: &Speaker) -> Result<(), ProjectError> {
    speaker.info(&format!("Checking {}/*", path.display()));
    if path.is_dir() {
        std::fs::remove_dir_all(path)
            .map_err(|error| ProjectError::runtime(format!("could not delete {}: {error}", path.display())))?;
    }
    speaker.info(&format!("Cleaned {}/*", path.display()));
    Ok(())
}

/// The path without `.` and `..`, whether or not it exists.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts
}
