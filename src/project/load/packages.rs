//! Packages: `local:` entries of `packages.yml` or `dependencies.yml`, and what lies in `dbt_packages/`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::project::error::{ProjectError, Result};
use crate::project::files;
use crate::project::jinja::scope::Scope;
use crate::project::profile;
use crate::project::settings::{self, Settings};
use crate::project::yaml::{self, Yaml};

/// The project's settings and those of all its packages, each once, the project first.
pub fn find(root: &Settings, scope: &Arc<Scope>) -> Result<Vec<Settings>> {
    let mut found = vec![root.clone()];
    let mut at = 0;
    while at < found.len() {
        let folders = if at == 0 { installed(root)? } else { Vec::new() };
        let locals = listed(&found[at], scope)?;
        let owner = found[at].root.clone();
        at += 1;
        // What a package needs lies beside it: `dbt deps` has put it into the project's own folder.
        if at == 1 {
            check_installed(root, &locals, folders.len())?;
        }
        let own = locals.into_iter().filter_map(|entry| entry.local.map(|path| owner.join(path)));
        for folder in own.chain(folders) {
            let raw = settings::read(&folder).map_err(|error| {
                error.hint(format!("the package folder {} is named by the project '{}'", folder.display(), root.name))
            })?;
            let package = settings::resolve(&folder, &raw, scope)?;
            match found.iter().find(|known| known.name == package.name) {
                None => found.push(package),
                Some(known) if same(&known.root, &folder) || at > 1 || known.name != root.name => {}
                Some(_) => {
                    return Err(ProjectError::compilation(format!(
                        "dbt found more than one package with the name \"{}\" included in this project. Package names must be unique in a project. \
                         Please rename one of these packages.",
                        package.name
                    )));
                }
            }
        }
    }
    Ok(found)
}

fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

struct Listed {
    local: Option<PathBuf>,
}

/// The entries of the project's list of packages.
fn listed(settings: &Settings, scope: &Arc<Scope>) -> Result<Vec<Listed>> {
    for name in ["packages.yml", "dependencies.yml"] {
        let path = settings.root.join(name);
        if !path.is_file() {
            continue;
        }
        let yaml = yaml::parse(&files::read(&path, name)?, name)?;
        let yaml = profile::render(&yaml, name, scope)?;
        let entries = yaml.get("packages").and_then(Yaml::as_list).unwrap_or_default();
        return Ok(entries
            .iter()
            .map(|entry| Listed { local: entry.get("local").and_then(Yaml::scalar_text).map(PathBuf::from) })
            .collect());
    }
    Ok(Vec::new())
}

/// Folders below the install path that hold a project.
fn installed(root: &Settings) -> Result<Vec<PathBuf>> {
    let folder = root.root.join(&root.packages_install_path);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join(settings::FILE).is_file())
        .collect();
    folders.sort();
    Ok(folders)
}

/// Packages that are not local must lie in the install path.
fn check_installed(root: &Settings, listed: &[Listed], installed: usize) -> Result<()> {
    let remote = listed.iter().filter(|entry| entry.local.is_none()).count();
    if remote > installed {
        let message = format!(
            "dbt found {} package(s) specified in packages.yml, but only {installed} package(s) installed in {}. \
             Run \"dbt deps\" to install package dependencies.",
            listed.len(),
            root.packages_install_path
        );
        return Err(ProjectError::compilation(message).hint("a package may also be copied into that folder by hand"));
    }
    Ok(())
}

/// A package as packages.yml lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageSource {
    Local {
        path: String,
        is_project: bool,
    },
    /// Of the hub, of git, or of an archive.
    Elsewhere {
        name: String,
    },
}

/// The packages that a project lists, and what lies in its folder of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedPackages {
    pub packages: Vec<PackageSource>,
    pub folder: String,
    pub installed: Vec<String>,
}

/// Reads the list without loading the project, which may not be possible before its packages are there.
pub fn listed_packages(root: &Path) -> Result<ListedPackages> {
    let settings = settings::read(root)?;
    let text = |key: &str| settings.get(key).and_then(Yaml::scalar_text);
    let folder = text("packages-install-path").unwrap_or_else(|| "dbt_packages".into());
    let mut listed = ListedPackages { folder, ..ListedPackages::default() };
    if let Ok(entries) = std::fs::read_dir(root.join(&listed.folder)) {
        let projects =
            entries.filter_map(std::result::Result::ok).filter(|entry| entry.path().join(settings::FILE).is_file());
        listed.installed = projects.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        listed.installed.sort();
    }
    for name in ["packages.yml", "dependencies.yml"] {
        let path = root.join(name);
        if !path.is_file() {
            continue;
        }
        let yaml = yaml::parse(&files::read(&path, name)?, name)?;
        for entry in yaml.get("packages").and_then(Yaml::as_list).unwrap_or_default() {
            let text = |key: &str| entry.get(key).and_then(Yaml::scalar_text);
            if let Some(path) = text("local") {
                let is_project = root.join(&path).join(settings::FILE).is_file();
                listed.packages.push(PackageSource::Local { path, is_project });
            } else if let Some(name) =
                text("package").or_else(|| text("git")).or_else(|| text("name")).or_else(|| text("tarball"))
            {
                listed.packages.push(PackageSource::Elsewhere { name });
            } else {
                return Err(ProjectError::compilation("a package is 'local', 'package', 'git' or 'tarball'")
                    .in_file(name)
                    .at_line(entry.line));
            }
        }
        break;
    }
    Ok(listed)
}
