//! How a node's configuration is put together.
//!
//! ```text
//!   defaults ◄ dbt_project.yml, folder by folder ◄ property file's `config:` ◄ config() in the file ◄ (for packages) the root project
//! ```
//!
//! 1. `tags` and hooks add up, `meta`, `grants` and `column_types` merge by key, everything else is replaced.
//! 2. In the trees of dbt_project.yml a key with `+` is configuration; one without is, unless it holds a map: then it is a folder.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::node::ResourceType;

type Config = JsonMap<String, Json>;

/// dbt's defaults for a kind of node, in the order of its manifest.
pub fn defaults(resource_type: ResourceType) -> Config {
    let common = json!({
        "enabled": true, "alias": null, "schema": null, "database": null, "tags": [], "meta": {}, "group": null,
        "static_analysis": null,
    });
    let table = json!({
        "incremental_strategy": null, "batch_size": null, "lookback": 1, "begin": null, "persist_docs": {}, "post-hook": [],
        "pre-hook": [], "quoting": {}, "column_types": {}, "full_refresh": null, "unique_key": null, "on_schema_change": "ignore",
        "on_configuration_change": "apply", "grants": {}, "packages": [], "docs": {"show": true, "node_color": null},
        "contract": {"enforced": false, "alias_types": true}, "event_time": null, "concurrent_batches": null,
    });
    let own = match resource_type {
        ResourceType::Model => json!({"materialized": "view", "access": "protected", "freshness": null}),
        ResourceType::Seed => json!({"materialized": "seed", "delimiter": ",", "quote_columns": null}),
        ResourceType::Snapshot => json!({
            "materialized": "snapshot", "strategy": null, "target_schema": null, "target_database": null, "updated_at": null,
            "check_cols": null, "hard_deletes": null, "dbt_valid_to_current": null,
            "snapshot_meta_column_names": {"dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null,
                "dbt_is_deleted": null},
        }),
        ResourceType::Test => json!({
            "schema": "dbt_test__audit", "materialized": "test", "severity": "ERROR", "store_failures": null,
            "store_failures_as": null, "where": null, "limit": null, "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0",
        }),
        ResourceType::Source => {
            return merged(
                json!({"enabled": true, "event_time": null, "freshness": null, "loaded_at_field": null,
                "loaded_at_query": null, "meta": {}, "tags": [], "static_analysis": null}),
                json!({}),
            );
        }
        ResourceType::Exposure => return merged(json!({"enabled": true, "meta": {}, "tags": []}), json!({})),
        ResourceType::UnitTest => {
            return merged(json!({"enabled": true, "meta": {}, "tags": [], "static_analysis": null}), json!({}));
        }
        ResourceType::Analysis | ResourceType::Operation => json!({"materialized": "view"}),
    };
    if resource_type == ResourceType::Test { merged(common, own) } else { merged(merged(common, table).into(), own) }
}

fn merged(base: Json, own: Json) -> Config {
    let mut config = base.as_object().cloned().unwrap_or_default();
    config.extend(own.as_object().cloned().unwrap_or_default());
    config
}

/// Adds a layer on top. Hooks may be written with a hyphen or an underscore.
pub fn merge(config: &mut Config, layer: &Config) {
    for (key, value) in layer {
        let key = match key.as_str() {
            "pre_hook" => "pre-hook",
            "post_hook" => "post-hook",
            "dbname" => "database",
            key => key,
        };
        let old = config.get(key).cloned().unwrap_or(Json::Null);
        config.insert(key.to_string(), combine(key, &old, value));
    }
}

fn combine(key: &str, old: &Json, new: &Json) -> Json {
    match key {
        "tags" | "packages" => {
            let mut items = listed(old);
            items.extend(listed(new));
            Json::Array(items)
        }
        "pre-hook" | "post-hook" => {
            let mut hooks = listed(old);
            hooks.extend(listed(new).into_iter().map(hook));
            Json::Array(hooks)
        }
        "meta" | "persist_docs" | "quoting" | "column_types" | "docs" | "contract" | "snapshot_meta_column_names" => {
            match (old.as_object(), new.as_object()) {
                (Some(old), Some(new)) => {
                    let mut map = old.clone();
                    map.extend(new.clone());
                    Json::Object(map)
                }
                _ => new.clone(),
            }
        }
        "grants" => grants(old, new),
        _ => new.clone(),
    }
}

/// `+select: [...]` adds to the grantees, `select: [...]` replaces them.
fn grants(old: &Json, new: &Json) -> Json {
    let mut map = old.as_object().cloned().unwrap_or_default();
    for (privilege, grantees) in new.as_object().into_iter().flatten() {
        match privilege.strip_prefix('+') {
            Some(name) => {
                let mut all = map.get(name).map_or_else(Vec::new, listed);
                all.extend(listed(grantees));
                map.insert(name.to_string(), Json::Array(all));
            }
            None => {
                map.insert(privilege.clone(), Json::Array(listed(grantees)));
            }
        }
    }
    Json::Object(map)
}

/// A list stays one, null is none, anything else is the only item.
pub fn listed(value: &Json) -> Vec<Json> {
    match value {
        Json::Null => Vec::new(),
        Json::Array(items) => items.clone(),
        other => vec![other.clone()],
    }
}

fn hook(value: Json) -> Json {
    let mut hook = json!({"sql": "", "transaction": true, "index": null});
    match &value {
        Json::Object(map) => {
            for key in ["sql", "transaction", "index"] {
                if let Some(part) = map.get(key) {
                    hook[key] = part.clone();
                }
            }
        }
        Json::String(text) => {
            // A hook may also be a JSON text of the same map.
            match serde_json::from_str::<Json>(text) {
                Ok(Json::Object(map)) => return self::hook(Json::Object(map)),
                _ => hook["sql"] = value.clone(),
            }
        }
        other => hook["sql"] = other.clone(),
    }
    hook
}

/// Of `store_failures` and `store_failures_as` the second has the last word, and each follows from the other.
pub fn settle_store_failures(config: &mut Config) {
    match config.get("store_failures_as").and_then(Json::as_str) {
        Some(kind) => {
            let stores = kind != "ephemeral";
            config.insert("store_failures".into(), stores.into());
        }
        None => {
            let kind = config
                .get("store_failures")
                .and_then(Json::as_bool)
                .map(|stores| if stores { "table" } else { "ephemeral" });
            config.insert("store_failures_as".into(), kind.into());
        }
    }
}

/// The layers of a tree for a node, from the root of the tree to the node's own entry.
pub fn tree_layers(tree: Option<&Json>, fqn: &[String]) -> Vec<Config> {
    let mut layers = Vec::new();
    let mut level = tree.and_then(Json::as_object);
    let mut names = fqn.iter();
    while let Some(map) = level {
        let mut layer = Config::new();
        for (key, value) in map {
            if let Some(name) = key.strip_prefix('+') {
                layer.insert(name.trim().to_string(), value.clone());
            } else if !value.is_object() {
                layer.insert(key.clone(), value.clone());
            }
        }
        layers.push(layer);
        level = names.next().and_then(|name| map.get(name)).and_then(Json::as_object);
    }
    layers
}

/// Tags as a list without repetition, in the order of first mention.
pub fn tags(config: &Config) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in config.get("tags").map_or_else(Vec::new, listed) {
        let tag = tag.as_str().map_or_else(|| tag.to_string(), String::from);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: Json) -> Config {
        json.as_object().cloned().expect("an object")
    }

    #[test]
    fn tags_and_meta_add_up_and_the_rest_is_replaced() {
        let mut config = defaults(ResourceType::Model);
        merge(&mut config, &object(json!({"tags": "a", "meta": {"x": 1}, "materialized": "table", "pre_hook": "one"})));
        merge(
            &mut config,
            &object(json!({"tags": ["b"], "meta": {"y": 2}, "materialized": "incremental", "pre-hook": ["two"]})),
        );
        assert_eq!(config["tags"], json!(["a", "b"]));
        assert_eq!(config["meta"], json!({"x": 1, "y": 2}));
        assert_eq!(config["materialized"], json!("incremental"));
        assert_eq!(config["pre-hook"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_plus_tells_configuration_from_folders() {
        let tree = json!({"+materialized": "view", "shop": {"marts": {"+schema": "marts", "enabled": true, "finance": {"+tags": ["f"]}}}});
        let fqn: Vec<String> = ["shop", "marts", "finance", "m"].map(String::from).to_vec();
        let layers = tree_layers(Some(&tree), &fqn);
        assert_eq!(
            layers,
            [
                object(json!({"materialized": "view"})),
                object(json!({})),
                object(json!({"schema": "marts", "enabled": true})),
                object(json!({"tags": ["f"]})),
            ]
        );
    }

    #[test]
    fn grants_with_a_plus_add_to_those_before() {
        let mut config = Config::new();
        merge(&mut config, &object(json!({"grants": {"select": "a"}})));
        merge(&mut config, &object(json!({"grants": {"+select": ["b"], "insert": "c"}})));
        assert_eq!(config["grants"], json!({"select": ["a", "b"], "insert": ["c"]}));
    }
}
