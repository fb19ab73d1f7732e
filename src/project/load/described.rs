//! What property files say of macros and groups: nothing that a model depends on, but manifests and documentation show it.

use std::collections::BTreeMap;

use serde_json::{Map as JsonMap, Value as Json};

use crate::project::properties::Entry;
use crate::project::settings::Settings;
use crate::project::yaml::Yaml;

/// Macros by unique id, groups by name.
#[derive(Clone, Debug, Default)]
pub struct Described {
    pub macros: BTreeMap<String, MacroProperties>,
    pub groups: BTreeMap<String, Group>,
}

/// A macro's entry of a property file.
#[derive(Clone, Debug, Default)]
pub struct MacroProperties {
    pub package: String,
    pub name: String,
    pub file: String,
    pub description: String,
    pub meta: JsonMap<String, Json>,
    pub docs: Option<Json>,
    /// (name, type, description) of each argument.
    pub arguments: Vec<(String, Option<String>, String)>,
}

/// Who owns models together.
#[derive(Clone, Debug)]
pub struct Group {
    pub package: String,
    pub name: String,
    pub file: String,
    pub description: Option<String>,
    pub owner: Json,
    pub meta: JsonMap<String, Json>,
}

pub(super) fn read(packages: &[Settings], entries: &[(usize, Entry)]) -> Described {
    let mut found = Described::default();
    for (package, entry) in entries {
        let package = packages[*package].name.clone();
        let config = entry.config(&["meta", "docs"]);
        let meta = config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default();
        match entry.section.as_str() {
            "macros" => {
                let properties = MacroProperties {
                    name: entry.name.clone(),
                    file: entry.file.clone(),
                    description: entry.description(),
                    docs: config.get("docs").cloned(),
                    arguments: arguments(entry),
                    meta,
                    package: package.clone(),
                };
                found.macros.insert(format!("macro.{package}.{}", entry.name), properties);
            }
            "groups" => {
                let group = Group {
                    name: entry.name.clone(),
                    file: entry.file.clone(),
                    description: entry.text("description"),
                    owner: entry.yaml.get("owner").map_or(Json::Null, Yaml::to_json),
                    meta,
                    package,
                };
                found.groups.insert(entry.name.clone(), group);
            }
            _ => {}
        }
    }
    found
}

fn arguments(entry: &Entry) -> Vec<(String, Option<String>, String)> {
    let listed = entry.yaml.get("arguments").and_then(Yaml::as_list).unwrap_or_default();
    let text = |item: &Yaml, key: &str| item.get(key).and_then(Yaml::scalar_text);
    listed
        .iter()
        .filter_map(|item| {
            Some((text(item, "name")?, text(item, "type"), text(item, "description").unwrap_or_default()))
        })
        .collect()
}
