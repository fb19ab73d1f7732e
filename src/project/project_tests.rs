//! The project `tests/it/data/dbt_features` against what dbt 1.11 makes of it (`expected.json`, written by `expect.py`).

use std::path::PathBuf;

use serde_json::json;

use super::*;

fn features() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/dbt_features")
}

fn load() -> Project {
    Project::load(ProjectOptions::new(features())).unwrap_or_else(|error| panic!("{error}"))
}

fn expected() -> Json {
    let text = std::fs::read_to_string(features().join("expected.json")).expect("expected.json");
    serde_json::from_str(&text).expect("JSON")
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Collects differences, so that one run shows them all.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, what: &str, ours: &Json, dbts: &Json) {
        if ours != dbts {
            self.0.push(format!("{what}\n  ours: {ours}\n  dbt:  {dbts}"));
        }
    }

    fn done(self) {
        assert!(self.0.is_empty(), "{} differences\n{}", self.0.len(), self.0.join("\n"));
    }
}

fn ids<'a>(map: impl Iterator<Item = &'a String>) -> Json {
    map.cloned().collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>().into()
}

fn sorted(items: &[String]) -> Json {
    let mut items = items.to_vec();
    items.sort();
    items.into()
}

#[test]
fn nodes_are_those_of_dbt() {
    let (project, expected) = (load(), expected());
    let mut differences = Differences::default();
    let nodes = expected["nodes"].as_object().expect("nodes");
    differences.compare("ids", &ids(project.nodes.keys()), &ids(nodes.keys()));
    for (id, dbts) in nodes {
        let Some(node) = project.nodes.get(id) else { continue };
        let columns: serde_json::Map<String, Json> = node
            .columns
            .iter()
            .map(|c| (c.name.clone(), json!({"description": c.description, "data_type": c.data_type, "tags": c.tags})))
            .collect();
        let test = node.test.clone().unwrap_or_default();
        for (key, ours) in [
            ("name", json!(node.name)),
            ("alias", json!(node.alias)),
            ("schema", json!(node.schema)),
            ("database", json!(node.database)),
            ("fqn", json!(node.fqn)),
            ("path", json!(node.path)),
            ("original_file_path", json!(node.original_file_path)),
            ("relation_name", json!(node.relation_name)),
            ("tags", json!(node.tags)),
            ("description", json!(node.description)),
            ("depends_on", sorted(&node.depends_on)),
            ("columns", Json::Object(columns)),
            ("column_name", json!(test.column_name)),
            ("attached_node", json!(test.attached_node)),
        ] {
            differences.compare(&format!("{id} {key}"), &ours, &dbts[key]);
        }
        for (key, value) in dbts["config"].as_object().expect("config") {
            differences.compare(&format!("{id} config.{key}"), node.config.get(key).unwrap_or(&Json::Null), value);
        }
    }
    differences.done();
}

#[test]
fn compiled_text_is_that_of_dbt() {
    let (mut project, expected) = (load(), expected());
    project.compile_all().unwrap_or_else(|error| panic!("{error}"));
    let mut differences = Differences::default();
    for (id, dbts) in expected["nodes"].as_object().expect("nodes") {
        let ours = project.nodes.get(id).and_then(|node| node.compiled_code.as_deref()).map(words);
        // A semicolon at the end is dropped; dbt keeps it and the database refuses it.
        let dbts = dbts["compiled"].as_str().map(|text| text.trim_end_matches(';').trim_end().to_string());
        if dbts.is_some() {
            differences.compare(id, &json!(ours), &json!(dbts));
        }
    }
    differences.done();
}

#[test]
fn sources_exposures_and_unit_tests_are_those_of_dbt() {
    let (project, expected) = (load(), expected());
    let mut differences = Differences::default();
    differences.compare("sources", &ids(project.sources.keys()), &ids(expected["sources"].as_object().expect("sources").keys()));
    for (id, source) in &project.sources {
        let ours = json!({
            "fqn": source.fqn, "schema": source.schema, "database": source.database, "identifier": source.identifier,
            "relation_name": source.relation_name, "tags": source.tags, "description": source.description,
            "source_description": source.source_description, "loaded_at_field": source.loaded_at_field, "meta": source.config["meta"],
        });
        differences.compare(id, &ours, &expected["sources"][id]);
    }
    for (id, exposure) in &project.exposures {
        differences.compare(id, &json!({"fqn": exposure.fqn, "depends_on": sorted(&exposure.depends_on)}), &expected["exposures"][id]);
    }
    for (id, test) in &project.unit_tests {
        differences.compare(id, &json!({"fqn": test.fqn, "depends_on": sorted(&test.depends_on)}), &expected["unit_tests"][id]);
    }
    differences.compare("disabled", &ids(project.disabled.keys()), &expected["disabled"]);
    differences.done();
}

#[test]
fn selections_are_those_of_dbt() {
    let (project, expected) = (load(), expected());
    let mut differences = Differences::default();
    let texts = |json: &Json| json.as_array().into_iter().flatten().filter_map(|t| t.as_str().map(String::from)).collect::<Vec<_>>();
    for case in expected["ls"].as_array().expect("ls") {
        let selection = Selection {
            select: texts(&case["select"]),
            exclude: texts(&case["exclude"]),
            indirect: case["indirect"].as_str().and_then(Indirect::named).unwrap_or_default(),
            include_empty: true,
            ..Selection::default()
        };
        let selected = project.select(&selection).unwrap_or_else(|error| panic!("{case}: {error}"));
        let mut names: Vec<String> = selected.ids.iter().map(|id| project.selector_name(id)).collect();
        names.sort();
        let what = format!("{} --exclude {} {}", case["select"], case["exclude"], case["indirect"]);
        differences.compare(&what, &json!(names), &case["selectors"]);
        assert!(!names.is_empty() || !selected.warnings.is_empty(), "{what}: nothing selected, nothing said");
    }
    differences.done();
}
