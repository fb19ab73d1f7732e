//! Hooks, rendered for a deploy: of each published model, and those of `dbt_project.yml`.

use serde_json::{Value as Json, json};

use super::instance::VerbError;
use crate::engine::Deployment;
use crate::project::{Project, SinkConfig};
use crate::sink::{Hook, RunHooks};

/// Renders all hooks into the deployment. The sink runs those of models that are new to it.
pub fn render(project: &Project, deployment: &mut Deployment) -> Result<(), VerbError> {
    for published in &mut deployment.published {
        let model = &published.table.model;
        published.table.properties.pre_hooks = of_model(project, model, "pre-hook")?;
        published.table.properties.post_hooks = of_model(project, model, "post-hook")?;
    }
    let mut schemas: Vec<&str> = deployment.published.iter().map(|published| published.table.schema.as_str()).collect();
    schemas.sort_unstable();
    schemas.dedup();
    let database = project.target_fact("database").and_then(Json::as_str).unwrap_or_default();
    let database_schemas: Vec<Json> = schemas.iter().map(|schema| json!([database, schema])).collect();
    let models: Vec<&str> = deployment.published.iter().map(|published| published.table.model.as_str()).collect();
    let results: Vec<Json> = models
        .iter()
        .filter_map(|model| project.nodes.get(*model))
        .map(|node| {
            json!({"node": node.to_json(), "unique_id": node.unique_id, "status": "success", "message": null, "failures": null})
        })
        .collect();
    let known =
        [("schemas", json!(schemas)), ("database_schemas", json!(database_schemas)), ("results", json!(results))];
    // dbt's order: packages by name, then the project itself.
    let mut packages: Vec<_> = project.packages.iter().collect();
    packages.sort_by_key(|package| (package.name == project.name, package.name.clone()));
    let mut run_hooks = RunHooks::default();
    for package in packages {
        for (which, texts, hooks) in [
            ("on-run-start", &package.on_run_start, &mut run_hooks.start),
            ("on-run-end", &package.on_run_end, &mut run_hooks.end),
        ] {
            for (at, text) in texts.iter().enumerate() {
                let name = format!("{which} {} of {}", at + 1, package.name);
                let known = if which == "on-run-end" { known.as_slice() } else { &[] };
                let sql = project.render_run_hook(&package.name, &name, text, known)?;
                let (sql, transaction) = taken_apart(sql);
                hooks.extend(hook(project, name, sql, transaction));
            }
        }
    }
    deployment.run_hooks = run_hooks;
    Ok(())
}

fn of_model(project: &Project, model: &str, which: &str) -> Result<Vec<Hook>, VerbError> {
    let mut hooks = Vec::new();
    for (at, (sql, transaction)) in project.hooks(model, which).into_iter().enumerate() {
        let name = format!("{which} {} of {model}", at + 1);
        let sql = project.render_hook(model, &name, &sql)?;
        hooks.extend(hook(project, name, sql, transaction));
    }
    Ok(hooks)
}

/// A hook may be a JSON text of a map: `{"sql": "…", "transaction": false}`.
fn taken_apart(text: String) -> (String, bool) {
    let Ok(Json::Object(map)) = serde_json::from_str::<Json>(&text) else { return (text, true) };
    let sql = map.get("sql").and_then(Json::as_str).unwrap_or_default();
    (sql.to_owned(), map.get("transaction").and_then(Json::as_bool).unwrap_or(true))
}

/// None when rendering left nothing to run.
fn hook(project: &Project, name: String, sql: String, transaction: bool) -> Option<Hook> {
    let sql = match project.target.sink {
        SinkConfig::Sqlite { .. } => without_schemas(project, sql),
        SinkConfig::Postgres { .. } => sql,
    };
    (!sql.trim().is_empty()).then_some(Hook { name, sql, transaction })
}

/// SQLite has no schemas: `this` and `ref` are there the table's name alone.
fn without_schemas(project: &Project, mut sql: String) -> String {
    for node in project.nodes.values() {
        if let Some(relation) = node.relation_name.as_ref().filter(|relation| sql.contains(relation.as_str())) {
            sql = sql.replace(relation.as_str(), &format!("\"{}\"", node.alias.replace('"', "\"\"")));
        }
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::taken_apart;

    #[test]
    fn a_hook_may_be_a_text_of_a_map() {
        let taken = |text: &str| taken_apart(text.to_owned());
        assert_eq!(taken("analyze t"), ("analyze t".to_owned(), true));
        assert_eq!(taken(r#"{"sql": "vacuum t", "transaction": false}"#), ("vacuum t".to_owned(), false));
        assert_eq!(taken(r#" {"sql": "select 1"} "#), ("select 1".to_owned(), true));
        assert_eq!(taken("{broken"), ("{broken".to_owned(), true), "PostgreSQL says what is wrong with it");
    }
}
