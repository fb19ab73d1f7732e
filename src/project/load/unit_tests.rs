//! Unit tests: definitions are read and kept; running them is not the loader's business.

use serde_json::Value as Json;

use super::Loader;
use super::sql_nodes::fqn_of;
use crate::project::config;
use crate::project::error::Result;
use crate::project::node::{ResourceType, UnitTest};
use crate::project::properties::Entry;
use crate::project::yaml::Yaml;

impl Loader {
    pub(super) fn load_unit_tests(&mut self) -> Result<()> {
        let entries: Vec<(usize, Entry)> =
            self.entries.iter().filter(|(_, entry)| entry.section == "unit_tests").cloned().collect();
        for (package, entry) in entries {
            let package_name = self.packages[package].name.clone();
            let Some(model) = entry.text("model") else {
                return Err(
                    entry.error(format!("Invalid unit_tests config given in {}: 'model' is missing", entry.file))
                );
            };
            let mut folders: Vec<String> = entry.file.split('/').skip(1).map(String::from).collect();
            folders.pop();
            folders.push(model.clone());
            let fqn = fqn_of(&package_name, &folders, &entry.name);
            let mut config = self.base_config(package, ResourceType::UnitTest, &fqn, &entry.config(&["meta", "tags"]));
            self.finish_config(package, ResourceType::UnitTest, &fqn, &mut config);
            if config.get("enabled") == Some(&Json::Bool(false)) {
                continue;
            }
            let json = |key: &str| entry.yaml.get(key).map_or(Json::Null, Yaml::to_json);
            let unit_test = UnitTest {
                unique_id: format!("unit_test.{package_name}.{model}.{}", entry.name),
                package: package_name,
                name: entry.name.clone(),
                fqn,
                path: entry.file.split_once('/').map_or(entry.file.clone(), |(_, rest)| rest.to_string()),
                original_file_path: entry.file.clone(),
                line: entry.line(),
                description: entry.description(),
                given: json("given").as_array().cloned().unwrap_or_default(),
                expect: json("expect"),
                overrides: json("overrides"),
                tags: config::tags(&config),
                config,
                depends_on: Vec::new(),
                model,
            };
            self.unit_tests.insert(unit_test.unique_id.clone(), unit_test);
        }
        Ok(())
    }
}
