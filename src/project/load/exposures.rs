//! Exposures: what stands behind the marts.

use std::sync::Arc;

use serde_json::Value as Json;

use super::Loader;
use super::sql_nodes::{fqn_of, unique};
use crate::project::config;
use crate::project::error::Result;
use crate::project::jinja::render_value;
use crate::project::jinja::scope::{NodeFacts, Phase, Scope};
use crate::project::node::{Exposure, ResourceType};
use crate::project::properties::Entry;
use crate::project::render::failed;
use crate::project::settings::texts;

impl Loader {
    pub(super) fn load_exposures(&mut self) -> Result<()> {
        let entries: Vec<(usize, Entry)> =
            self.entries.iter().filter(|(_, entry)| entry.section == "exposures").cloned().collect();
        for (package, entry) in entries {
            let package_name = self.packages[package].name.clone();
            let fqn = fqn_of(&package_name, &entry.folders, &entry.name);
            let mut config = self.base_config(package, ResourceType::Exposure, &fqn, &entry.config(&["meta", "tags"]));
            self.finish_config(package, ResourceType::Exposure, &fqn, &mut config);
            if config.get("enabled") == Some(&Json::Bool(false)) {
                continue;
            }
            let unique_id = format!("exposure.{package_name}.{}", entry.name);
            let node = NodeFacts {
                unique_id: unique_id.clone(),
                name: entry.name.clone(),
                resource_type: "exposure".into(),
                package: package_name.clone(),
                file: entry.file.clone(),
                ..NodeFacts::default()
            };
            let scope = Arc::new(Scope::new(Arc::clone(&self.world), Phase::Parse, node));
            for call in entry.yaml.get("depends_on").map_or_else(Vec::new, texts) {
                let source = if call.contains("{{") { call.clone() } else { format!("{{{{ {call} }}}}") };
                render_value(&scope, &source, &entry.file).map_err(|failure| failed(failure, &source))?;
            }
            let record = scope.record().clone();
            let exposure = Exposure {
                package: package_name,
                name: entry.name.clone(),
                fqn,
                path: entry.file.split_once('/').map_or(entry.file.clone(), |(_, rest)| rest.to_string()),
                original_file_path: entry.file.clone(),
                description: entry.description(),
                tags: config::tags(&config),
                refs: unique(record.refs),
                sources: unique(record.sources),
                depends_on: Vec::new(),
                config,
                raw: entry.yaml.to_json(),
                unique_id,
            };
            if self.exposures.contains_key(&exposure.unique_id) {
                return Err(entry.error(format!("dbt found two exposures with the name \"{}\".", exposure.name)));
            }
            self.exposures.insert(exposure.unique_id.clone(), exposure);
        }
        Ok(())
    }
}
