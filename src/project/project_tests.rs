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
    differences.compare(
        "sources",
        &ids(project.sources.keys()),
        &ids(expected["sources"].as_object().expect("sources").keys()),
    );
    for (id, source) in &project.sources {
        let ours = json!({
            "fqn": source.fqn, "schema": source.schema, "database": source.database, "identifier": source.identifier,
            "relation_name": source.relation_name, "tags": source.tags, "description": source.description,
            "source_description": source.source_description, "loaded_at_field": source.loaded_at_field, "meta": source.config["meta"],
        });
        differences.compare(id, &ours, &expected["sources"][id]);
    }
    for (id, exposure) in &project.exposures {
        differences.compare(
            id,
            &json!({"fqn": exposure.fqn, "depends_on": sorted(&exposure.depends_on)}),
            &expected["exposures"][id],
        );
    }
    for (id, test) in &project.unit_tests {
        differences.compare(
            id,
            &json!({"fqn": test.fqn, "depends_on": sorted(&test.depends_on)}),
            &expected["unit_tests"][id],
        );
    }
    differences.compare("disabled", &ids(project.disabled.keys()), &expected["disabled"]);
    differences.done();
}

#[test]
fn selections_are_those_of_dbt() {
    let (project, expected) = (load(), expected());
    let mut differences = Differences::default();
    let texts = |json: &Json| {
        json.as_array().into_iter().flatten().filter_map(|t| t.as_str().map(String::from)).collect::<Vec<_>>()
    };
    for case in expected["ls"].as_array().expect("ls") {
        let selection = Selection {
            select: texts(&case["select"]),
            exclude: texts(&case["exclude"]),
            indirect: case["indirect"].as_str().and_then(Indirect::named).unwrap_or_default(),
            include_empty: true,
            resource_types: LISTED_TYPES.to_vec(),
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

#[test]
fn relations_of_compiled_text_lead_back_to_their_nodes() {
    let project = load();
    let find = |text: &str| {
        let parts: Vec<String> = text.split('.').map(String::from).collect();
        project.relation(&parts).map(String::from)
    };
    assert_eq!(find("shop.main_staging.stg_orders_v").as_deref(), Some("model.features.stg_orders"));
    assert_eq!(find("main_staging.stg_orders_v").as_deref(), Some("model.features.stg_orders"));
    assert_eq!(find("MAIN_STAGING.STG_ORDERS_V").as_deref(), Some("model.features.stg_orders"));
    assert_eq!(find("shop.raw_data.Orders").as_deref(), Some("source.features.raw.orders"));
    assert_eq!((find("other.raw_data.Orders"), find("raw_data.nope"), find("stg_orders_v")), (None, None, None));
}

/// A project of a few files in a folder of its own.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, files: &[(&str, &str)]) -> Files {
        let root = std::env::temp_dir().join(format!("livemart-project-{}-{name}", std::process::id()));
        let project = Files(root);
        project.write("dbt_project.yml", "name: shop\nversion: '1'\n");
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        std::fs::write(path, text).expect("written");
    }

    fn load(&self) -> Result<Project> {
        Project::load(ProjectOptions::new(&self.0))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn check_error(
    name: &str,
    files: &[(&str, &str)],
    first_line: &str,
    message: &str,
    line: Option<usize>,
) -> ProjectError {
    let files = Files::new(name, files);
    let error = files.load().and_then(|mut project| project.compile_all()).expect_err(name);
    let text = error.to_string();
    assert!(text.starts_with(first_line), "{text}");
    assert!(text.contains(message), "{text}");
    assert_eq!(error.line, line, "{text}");
    error
}

#[test]
fn a_missing_ref_names_the_model_and_the_node() {
    let message = "Model 'model.shop.b' (models/b.sql) depends on a node named 'stg_order' which was not found";
    let files = [("models/stg_orders.sql", "select 1"), ("models/b.sql", "select * from {{ ref('stg_order') }}")];
    let error = check_error("missing", &files, "Compilation Error", message, None);
    assert_eq!(error.hint.as_deref(), Some("did you mean 'stg_orders'?"));
    let disabled =
        [("models/a.sql", "{{ config(enabled=false) }}select 1"), ("models/b.sql", "select * from {{ ref('a') }}")];
    check_error("disabled", &disabled, "Compilation Error", "depends on a node named 'a' which is disabled", None);
    let source = [("models/b.sql", "select * from {{ source('raw', 'x') }}")];
    check_error("source", &source, "Compilation Error", "depends on a source named 'raw.x' which was not found", None);
}

#[test]
fn a_cycle_is_named() {
    let files = [("models/a.sql", "select * from {{ ref('b') }}"), ("models/b.sql", "select * from {{ ref('a') }}")];
    check_error(
        "cycle",
        &files,
        "Runtime Error",
        "Found a cycle: model.shop.a --> model.shop.b --> model.shop.a",
        None,
    );
}

#[test]
fn two_models_of_one_name_are_refused() {
    let files = [("models/x/a.sql", "select 1"), ("models/y/a.sql", "select 2")];
    check_error("twice", &files, "Compilation Error", "dbt found two models with the name \"a\".", None);
    let places = [("models/a.sql", "select 1"), ("models/b.sql", "{{ config(alias='a') }}select 2")];
    check_error(
        "place",
        &places,
        "Compilation Error",
        "dbt found two resources with the database representation \"shop.main.a\".",
        None,
    );
}

#[test]
fn template_errors_name_model_file_and_line() {
    let undefined = [("models/a.sql", "\n\nselect\n  {{ nope(1) }}")];
    check_error(
        "undefined",
        &undefined,
        "Compilation Error in model a (models/a.sql)",
        "'nope' is undefined.",
        Some(4),
    );
    let syntax = [("models/a.sql", "select 1\n{% if x %}")];
    check_error("syntax", &syntax, "Compilation Error in model a (models/a.sql)", "unexpected end of input", Some(2));
    let macros = [
        ("macros/m.sql", "{% macro m() %}\n{{ exceptions.raise_compiler_error('no') }}\n{% endmacro %}"),
        ("models/a.sql", "{{ m() }}"),
    ];
    check_error(
        "macro",
        &macros,
        "Compilation Error in model a (models/a.sql)",
        "> in macro m (macros/m.sql:2)",
        Some(1),
    );
    let required = [("models/a.sql", "\n{{ var('x') }}")];
    check_error(
        "var",
        &required,
        "Compilation Error in model a (models/a.sql)",
        "Required var 'x' not found in config:\n  Vars supplied to a = {}",
        Some(2),
    );
}

#[test]
fn what_cannot_be_kept_is_refused_by_name() {
    check_error(
        "python",
        &[("models/p.py", "def model(dbt, session): pass")],
        "Compilation Error in model p (models/p.py)",
        "Python models cannot be maintained",
        None,
    );
    let custom = [("models/a.sql", "{{ config(materialized='my_kind') }}select 1")];
    check_error(
        "custom",
        &custom,
        "Compilation Error in model a (models/a.sql)",
        "the materialization 'my_kind' is not known",
        None,
    );
    let test = [("models/a.sql", "select 1"), ("models/s.yml", "models: [{name: a, tests: [no_such_test]}]")];
    check_error(
        "test",
        &test,
        "Compilation Error in test no_such_test_a_ (models/s.yml)",
        "'test_no_such_test' is undefined",
        Some(1),
    );
}

#[test]
fn a_test_of_a_missing_model_is_a_note() {
    let files = Files::new(
        "orphan",
        &[
            ("models/a.sql", "select 1;"),
            ("models/s.yml", "models: [{name: b, columns: [{name: x, tests: [unique]}]}]"),
        ],
    );
    let project = files.load().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(project.nodes.len(), 1);
    let notes = format!("{}\n{}", project.notes.join("\n"), project.warnings.join("\n"));
    assert!(
        notes.contains(
            "Did not find matching node for patch with name 'b' in the 'models' section of file 'models/s.yml'"
        ),
        "{notes}"
    );
    assert!(notes.contains("depends on a node named 'b' which was not found"), "{notes}");
    assert!(notes.contains("model a (models/a.sql): the semicolon at the end is ignored"), "{notes}");
}

#[test]
fn a_project_needs_no_profile_and_no_livemart_file() {
    let files = Files::new(
        "plain",
        &[("models/a.sql", "\u{feff}select 1 as x;\n"), ("models/b.sql", "select * from {{ ref('a') }}")],
    );
    let mut project = files.load().unwrap_or_else(|error| panic!("{error}"));
    project.compile_all().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(project.nodes["model.shop.a"].compiled_code.as_deref(), Some("select 1 as x"));
    assert_eq!(project.nodes["model.shop.b"].compiled_code.as_deref(), Some("select * from \"shop\".\"main\".\"a\""));
    assert_eq!(project.target.name, "default");
    assert!(
        matches!(&project.target.sink, SinkConfig::Sqlite { path } if path.ends_with(".livemart/default/marts.db"))
    );
}

#[test]
fn the_targets_schema_comes_from_livemart_yml_or_the_profile() {
    let livemart =
        "targets:\n  dev: {}\n  prod:\n    sink: {type: postgres, url: 'postgresql://u@h/marts_db', schema: marts}\n";
    let profiles = "shop: {target: dev, outputs: {dev: {type: duckdb, schema: mine}, prod: {type: postgres, host: h, user: u, dbname: d, schema: s}}}";
    let files =
        Files::new("target", &[("livemart.yml", livemart), ("profiles.yml", profiles), ("models/a.sql", "select 1")]);
    files.write("dbt_project.yml", "name: shop\nprofile: shop\n");
    let load = |target: Option<&str>| {
        let options = ProjectOptions { target: target.map(String::from), ..ProjectOptions::new(&files.0) };
        Project::load(options).unwrap_or_else(|error| panic!("{error}")).nodes["model.shop.a"].relation_name.clone()
    };
    assert_eq!(load(None).as_deref(), Some("\"shop\".\"mine\".\"a\""));
    assert_eq!(load(Some("prod")).as_deref(), Some("\"marts_db\".\"marts\".\"a\""));
    let options = ProjectOptions { target: Some("pord".into()), ..ProjectOptions::new(&files.0) };
    let error = Project::load(options).err().expect("an unknown target");
    assert_eq!(error.hint.as_deref(), Some("did you mean 'prod'?"));
}

#[test]
fn selectors_have_names() {
    let selectors = "selectors:\n  - name: nightly\n    definition:\n      union:\n        - method: tag\n          value: n\n          children: true\n        - exclude: [{method: fqn, value: c}]\n  - {name: all_but, definition: {method: selector, value: nightly}}\n";
    let files = Files::new(
        "selectors",
        &[
            ("selectors.yml", selectors),
            ("models/a.sql", "{{ config(tags='n') }}select 1"),
            ("models/b.sql", "select * from {{ ref('a') }}"),
            ("models/c.sql", "select * from {{ ref('b') }}"),
        ],
    );
    let project = files.load().unwrap_or_else(|error| panic!("{error}"));
    let selection = Selection { selector: Some("all_but".into()), ..Selection::default() };
    assert_eq!(project.select(&selection).expect("selected").ids, ["model.shop.a", "model.shop.b"]);
    let wrong = Selection { select: vec!["colour:red".into()], ..Selection::default() };
    assert!(
        project.select(&wrong).expect_err("no such method").message.contains("'colour' is not a valid method name")
    );
}

#[test]
fn columns_can_be_asked_of_the_caller() {
    struct Plans;
    impl Introspect for Plans {
        fn columns(&self, unique_id: &str) -> Option<Vec<(String, String)>> {
            (unique_id == "model.shop.a").then(|| vec![("x".into(), "integer".into()), ("y".into(), "text".into())])
        }
    }
    let star = "select {% for c in adapter.get_columns_in_relation(ref('a')) %}{{ c.quoted }}{{ ', ' if not loop.last }}{% endfor %} from {{ ref('a') }}";
    let files = Files::new("columns", &[("models/a.sql", "select 1 as x, 'y' as y"), ("models/b.sql", star)]);
    let project = files.load().unwrap_or_else(|error| panic!("{error}"));
    let compiled = project.compiled("model.shop.b", Arc::new(Plans)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(compiled.code, "select \"x\", \"y\" from \"shop\".\"main\".\"a\"");
    let error = project.compiled("model.shop.b", Arc::new(NoIntrospection)).expect_err("nobody knows");
    assert!(error.message.contains("the columns of \"shop\".\"main\".\"a\" are not known while compiling"), "{error}");
}

#[test]
fn a_spine_of_a_package_asks_no_database_and_what_the_package_needs_lies_beside_it() {
    let spine = "{% macro date_spine(datepart, start_date, end_date) %}\
                 {{ return(adapter.dispatch('date_spine', 'dbt_utils')(datepart, start_date, end_date)) }}{% endmacro %}\
                 {% macro default__date_spine(datepart, start_date, end_date) %}{{ run_query('select 1') }}{% endmacro %}";
    let days = "{{ dbt_utils.date_spine('day', \"'2025-01-01'\", 'current_date') }}";
    let files = Files::new(
        "spine",
        &[
            ("packages.yml", "packages: [{package: dbt-labs/dbt_utils, version: 1.3.0}]"),
            ("dbt_packages/dbt_utils/dbt_project.yml", "{name: dbt_utils, version: '1.0', macro-paths: [macros]}"),
            // Of these dbt has installed none: they are not the project's own.
            (
                "dbt_packages/dbt_utils/packages.yml",
                "packages: [{package: a/b, version: 1.0.0}, {package: c/d, version: 1.0.0}]",
            ),
            ("dbt_packages/dbt_utils/macros/spine.sql", spine),
            ("models/days.sql", days),
        ],
    );
    let project = files.load().unwrap_or_else(|error| panic!("{error}"));
    let compiled =
        project.compiled("model.shop.days", Arc::new(NoIntrospection)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        words(&compiled.code),
        "select ( timestamp '2025-01-01' + ((interval '1 day') * (spine.generated_number)) ) as date_day \
         from generate_series(0, cast( ((current_date)::date - (timestamp '2025-01-01')::date) as integer) - 1) as spine(generated_number) \
         where ( timestamp '2025-01-01' + ((interval '1 day') * (spine.generated_number)) ) <= current_date"
    );
}

#[test]
fn a_star_is_the_columns_of_a_models_own_sql() {
    let star = "select {% for c in adapter.get_columns_in_relation(ref('b')) %}{{ c.quoted }}{{ ', ' if not loop.last }}{% endfor %} from {{ ref('b') }}";
    let files = Files::new(
        "star",
        &[
            ("models/z_first.sql", "select 1 as x, 'y' as y"),
            ("models/b.sql", "select *, x + 1 as next from {{ ref('z_first') }}"),
            ("models/a.sql", star),
        ],
    );
    let mut project = files.load().unwrap_or_else(|error| panic!("{error}"));
    project.introspect = Arc::new(crate::engine::BoundColumns::default());
    let code = project.compile("model.shop.a").unwrap_or_else(|error| panic!("{error}")).compiled_code.clone();
    assert_eq!(code.as_deref(), Some("select \"x\", \"y\", \"next\" from \"shop\".\"main\".\"b\""));
}
