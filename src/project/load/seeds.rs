//! Seeds: CSV files that are tables.

use serde_json::Value as Json;

use super::Loader;
use super::sql_nodes::{fqn_of, sha256};
use crate::project::error::{ProjectError, Result};
use crate::project::files;
use crate::project::jinja::scope::Record;
use crate::project::node::{Lineage, Node, ResourceType};

impl Loader {
    pub(super) fn load_seeds(&mut self, package: usize) -> Result<()> {
        let settings = self.packages[package].clone();
        for found in files::find(&settings.root, &settings.seed_paths, &["csv"])? {
            let name = found.stem().to_string();
            let fqn = fqn_of(&settings.name, &found.folders(), &name);
            let patch = self.patch(package, &["seeds"], &name)?;
            let base = self.base_config(package, ResourceType::Seed, &fqn, &patch.config);
            let bytes = std::fs::read(&found.path).map_err(|error| {
                ProjectError::runtime(format!("could not read {}: {error}", found.original))
                    .in_file(found.original.clone())
            })?;
            let target = |key: &str| self.world.target.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
            let mut node = Node {
                unique_id: format!("seed.{}.{name}", settings.name),
                resource_type: ResourceType::Seed,
                package: settings.name.clone(),
                alias: name.clone(),
                name,
                version: None,
                is_latest_version: true,
                fqn,
                path: found.relative.clone(),
                original_file_path: found.original.clone(),
                patch_path: patch.file.as_ref().map(|file| format!("{}://{file}", settings.name)),
                line: 1,
                raw_code: String::new(),
                database: target("database"),
                schema: target("schema"),
                relation_name: None,
                config: base.clone(),
                tags: Vec::new(),
                description: patch.description,
                columns: patch.columns,
                constraints: Vec::new(),
                refs: Vec::new(),
                sources: Vec::new(),
                depends_on: Vec::new(),
                depends_on_macros: Vec::new(),
                test: None,
                checksum: sha256(&bytes),
                compiled_code: None,
                extra_ctes: Vec::new(),
                lineage: Lineage::default(),
            };
            self.settle(package, &mut node, base, &patch.config, Record::default())?;
            self.keep(node)?;
        }
        Ok(())
    }
}
