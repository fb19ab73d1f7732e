//! `livemart parse`: reads the project and says whether it could.

use super::args::{Args, ParseArgs};
use super::artifacts::leave_manifest;
use super::talk::Speaker;
use crate::artifact;
use crate::project::{Project, ProjectError, ProjectOptions};

/// Loads the project of a command, with the lines that every command begins with.
pub fn load(options: ProjectOptions, speaker: &Speaker) -> Result<Project, ProjectError> {
    speaker.running_with();
    let keeps_log = options.command != "serve";
    let state = options.state.as_ref().map(|folder| options.current_dir.join(folder));
    let mut project = Project::load(options)?;
    if let Some(folder) = state {
        let old = artifact::state::read(&folder).map_err(|error| ProjectError::runtime(error.to_string()))?;
        project.states = Some(artifact::state::compare(&project, &old));
    }
    if keeps_log {
        speaker.log_to(&project.root.join(&project.packages[0].log_path));
    } else {
        speaker.no_log(None);
    }
    Ok(project)
}

/// Loads the project that the command line names; a failure has been said, and is its exit code.
pub fn loaded(args: &Args, speaker: &Speaker) -> Result<Project, i32> {
    let loaded = args.project_options().and_then(|options| load(options, speaker));
    let project = loaded.map_err(|error| speaker.fail(&error))?;
    let time_zone = &project.target.clock.time_zone;
    if !eval::set_session_time_zone(time_zone) {
        let used = eval::session_time_zone();
        let message = format!("time_zone: {time_zone}: this process computes in {used} already");
        return Err(speaker.fail(&ProjectError::configuration(message).hint("run one target per process")));
    }
    Ok(project)
}

/// Exit code 0 when the project can be read, 1 when `--warn-error` turns a note into an error, 2 when it cannot be read.
pub fn run(args: &Args, _: &ParseArgs, speaker: &Speaker) -> i32 {
    let loaded = args.project_options().and_then(|options| load(options, speaker));
    match loaded {
        Ok(mut project) => {
            speaker.found(&project);
            leave_manifest(&mut project, speaker);
            let is_denied = args.common.warn_error && speaker.warnings() > 0;
            i32::from(is_denied)
        }
        Err(error) => speaker.fail(&error),
    }
}
