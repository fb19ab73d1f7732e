//! The flags that choose nodes, and the selection that they come to.

use clap::Args as ClapArgs;

use crate::project::{Indirect, ProjectError, ResourceType, Selection};

/// Which nodes.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Select {
    /// Nodes to take: names, folders, tag:x, +m, m+, a,b …
    #[arg(short, long, num_args = 1.., value_name = "SELECTION")]
    pub select: Vec<String>,
    /// The same, as dbt used to call it
    #[arg(short, long, num_args = 1.., value_name = "SELECTION", conflicts_with = "select")]
    pub models: Vec<String>,
    /// Nodes to leave out
    #[arg(long, num_args = 1.., value_name = "SELECTION")]
    pub exclude: Vec<String>,
    /// A selector of selectors.yml
    #[arg(long, value_name = "NAME")]
    pub selector: Option<String>,
    /// Types of nodes to take: model, test, seed, …
    #[arg(long = "resource-type", visible_alias = "resource-types", num_args = 1.., value_name = "TYPE")]
    pub resource_type: Vec<String>,
    #[arg(long = "exclude-resource-type", visible_alias = "exclude-resource-types", num_args = 1.., value_name = "TYPE")]
    pub exclude_resource_type: Vec<String>,
    /// Which tests come along with the selected nodes
    #[arg(long, value_name = "MODE", value_parser = ["eager", "cautious", "buildable", "empty"], default_value = "eager")]
    pub indirect_selection: String,
}

impl Select {
    /// The selection; types default to these.
    pub fn selection(&self, default_types: &[ResourceType]) -> Result<Selection, ProjectError> {
        let types = |names: &[String]| -> Result<Vec<ResourceType>, ProjectError> {
            let mut found = Vec::new();
            for name in names {
                match (name.as_str(), ResourceType::named(name)) {
                    (_, Some(ty)) => found.push(ty),
                    ("default", None) => found.extend_from_slice(default_types),
                    ("all", None) => found.extend(default_types.iter().copied().chain([ResourceType::Analysis])),
                    _ => {
                        return Err(ProjectError::runtime(format!("'{name}' is not a resource type"))
                            .hint("types are: model, test, unit_test, seed, snapshot, source, exposure, analysis"));
                    }
                }
            }
            Ok(found)
        };
        let wanted = types(&self.resource_type)?;
        Ok(Selection {
            select: self.select.iter().chain(&self.models).cloned().collect(),
            exclude: self.exclude.clone(),
            selector: self.selector.clone(),
            resource_types: if wanted.is_empty() { default_types.to_vec() } else { wanted },
            exclude_resource_types: types(&self.exclude_resource_type)?,
            indirect: Indirect::named(&self.indirect_selection).unwrap_or_default(),
            include_empty: false,
        })
    }
}
