//! `profiles.yml`: where dbt keeps a project's targets.
//!
//! Looked for in `--profiles-dir`, `DBT_PROFILES_DIR`, the project's folder, the current folder and `~/.dbt`, in this order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ProjectError, Result};
use super::files;
use super::jinja::scope::Scope;
use super::jinja::value::to_json;
use super::jinja::{has_jinja, render_value};
use super::render::failed;
use super::settings::from_json;
use super::yaml::{self, Map, Value, Yaml};

pub const FILE: &str = "profiles.yml";

/// A profile, unrendered, and the file it stands in.
#[derive(Clone, Debug)]
pub struct Profile {
    pub path: PathBuf,
    pub name: String,
    /// The profile's own `target:`, rendered.
    pub default_target: Option<String>,
    outputs: Map,
}

/// Where to look.
pub struct Places<'a> {
    pub profiles_dir: Option<&'a Path>,
    pub env_dir: Option<&'a Path>,
    pub project_dir: &'a Path,
    pub current_dir: &'a Path,
    pub home: Option<&'a Path>,
}

/// The profile of that name in the first file found; nothing where there is no file.
///
/// A file without the profile is an error only if it was named by an option or the environment.
pub fn find(places: &Places<'_>, name: &str, scope: &Arc<Scope>) -> Result<Option<Profile>> {
    let named = places.profiles_dir.or(places.env_dir);
    let implied = [
        Some(places.project_dir.to_path_buf()),
        Some(places.current_dir.to_path_buf()),
        places.home.map(|home| home.join(".dbt")),
    ];
    let folders: Vec<PathBuf> = match named {
        Some(folder) => vec![folder.to_path_buf()],
        None => implied.into_iter().flatten().collect(),
    };
    let Some(path) = folders.iter().map(|folder| folder.join(FILE)).find(|path| path.is_file()) else {
        return match named {
            Some(folder) => Err(ProjectError::runtime(format!("Could not find profiles.yml in {}", folder.display()))
                .hint("name the folder that holds profiles.yml, or leave --profiles-dir away")),
            None => Ok(None),
        };
    };
    let shown = path.display().to_string();
    let root = yaml::parse(&files::read(&path, &shown)?, &shown)?;
    let Some(profile) = root.get(name) else {
        let known: Vec<String> =
            root.as_map().map_or_else(Vec::new, |map| map.iter().filter_map(|(key, _)| key.scalar_text()).collect());
        if named.is_none() && !path.starts_with(places.project_dir) {
            return Ok(None);
        }
        let mut error = ProjectError::runtime(format!("Could not find profile named '{name}'")).in_file(shown);
        error = match files::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint(format!("the file has: {}", known.join(", "))),
        };
        return Err(error);
    };
    let default_target = match profile.get("target") {
        Some(target) => render(target, &shown, scope)?.scalar_text(),
        None => None,
    };
    let outputs = profile.get("outputs").and_then(Yaml::as_map).cloned().unwrap_or_default();
    Ok(Some(Profile { path, name: name.to_string(), default_target, outputs }))
}

impl Profile {
    /// The output of that name, rendered.
    pub fn output(&self, target: &str, scope: &Arc<Scope>) -> Result<Option<Yaml>> {
        let shown = self.path.display().to_string();
        self.outputs.get(target).map(|output| render(output, &shown, scope)).transpose()
    }

    pub fn targets(&self) -> Vec<String> {
        self.outputs.iter().filter_map(|(key, _)| key.scalar_text()).collect()
    }
}

/// Renders every text below a value. A password that is no Jinja stays as it is.
pub fn render(yaml: &Yaml, file: &str, scope: &Arc<Scope>) -> Result<Yaml> {
    let value = match &yaml.value {
        Value::Text(text) if has_jinja(text) => {
            let value = render_value(scope, text, file)
                .map_err(|failure| failed(failure, text).in_file(file).at_line(yaml.line))?;
            from_json(&to_json(&value), yaml.line).value
        }
        Value::List(list) => Value::List(list.iter().map(|item| render(item, file, scope)).collect::<Result<_>>()?),
        Value::Map(map) => {
            let mut rendered = Map::default();
            for (key, item) in map.iter() {
                let is_password = matches!(key.as_str(), Some("password" | "pass"));
                let item = match render(item, file, scope) {
                    Err(_) if is_password => item.clone(),
                    result => result?,
                };
                rendered.insert(key.clone(), item);
            }
            Value::Map(rendered)
        }
        other => other.clone(),
    };
    Ok(Yaml { value, line: yaml.line })
}
