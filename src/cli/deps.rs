//! `livemart deps`: which packages the project lists, and whether each is at hand. Nothing is fetched.
//!
//! Local packages are read where they lie. Those of the hub and of git are read from `dbt_packages/`, where `dbt deps` (or a hand) put them.

use super::args::{Args, DepsArgs};
use super::talk::Speaker;
use crate::project::{PackageSource, ProjectError, listed_packages};

/// Exit code 0 when every package is at hand, 1 when one is missing, 2 when the list cannot be read.
pub fn run(args: &Args, _: &DepsArgs, speaker: &Speaker) -> i32 {
    speaker.running_with();
    speaker.no_log(None);
    let listed = args.project_options().and_then(|options| listed_packages(&options.project_dir));
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => return speaker.fail(&error),
    };
    if listed.packages.is_empty() {
        speaker.warn("No packages were found in packages.yml");
        return 0;
    }
    let mut missing: Vec<String> = Vec::new();
    for package in &listed.packages {
        match package {
            PackageSource::Local { path, is_project: true } => {
                speaker.info(&format!("Using {path}"));
                speaker.info(&format!("  Read where it is <local @ {path}>"));
            }
            PackageSource::Local { path, is_project: false } => {
                speaker.error(&format!("{path} holds no dbt_project.yml"));
                missing.push(path.clone());
            }
            PackageSource::Elsewhere { name } => match listed.installed.iter().find(|folder| is_of(folder, name)) {
                Some(folder) => {
                    speaker.info(&format!("Using {name}"));
                    speaker.info(&format!("  Read from {}/{folder}", listed.folder));
                }
                None => missing.push(name.clone()),
            },
        }
    }
    if missing.is_empty() {
        return 0;
    }
    let message = format!("livemart fetches no packages, and these are not at hand: {}", missing.join(", "));
    speaker.fail(&ProjectError::runtime(message).hint(format!(
        "run dbt deps once (livemart reads {} as it is), or copy the packages there by hand",
        listed.folder
    )));
    1
}

/// `dbt-labs/dbt_utils` and `https://…/dbt-utils.git` are installed as `dbt_utils`, more or less.
fn is_of(folder: &str, name: &str) -> bool {
    let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
    let plain = |text: &str| text.trim_end_matches(".git").replace('-', "_").to_lowercase();
    plain(last) == plain(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_folder_is_known_by_the_packages_last_name() {
        assert!(is_of("dbt_utils", "dbt-labs/dbt_utils"));
        assert!(is_of("dbt_utils", "https://example.com/labs/dbt-utils.git"));
        assert!(!is_of("dbt_date", "dbt-labs/dbt_utils"));
    }
}
