//! Over the project `tests/it/data/dbt_features`. What dbt makes of artifacts is compared in `tests/oracle/manifest.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::freshness::{Verdict, threshold, verdict};
use super::*;
use crate::project::ProjectOptions;
use crate::sink::{CutRow, Published, TestRow};

fn features() -> Project {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/dbt_features");
    let mut project = Project::load(ProjectOptions::new(folder)).unwrap_or_else(|error| panic!("{error}"));
    project.compile_all().unwrap_or_else(|error| panic!("{error}"));
    project
}

fn manifest_of(project: &Project) -> Json {
    manifest::manifest(project, &BTreeSet::new(), 0)
}

#[test]
fn a_manifest_names_every_node_on_both_ends_of_its_edges() {
    let project = features();
    let manifest = manifest_of(&project);
    let parents = manifest["parent_map"].as_object().expect("a map");
    let children = manifest["child_map"].as_object().expect("a map");
    assert_eq!(parents.keys().collect::<BTreeSet<_>>(), children.keys().collect::<BTreeSet<_>>());
    for (id, above) in parents {
        for parent in above.as_array().expect("a list") {
            let below = children[parent.as_str().expect("an id")].as_array().expect("a list");
            assert!(below.contains(&id.as_str().into()), "{parent} does not know {id}");
        }
    }
    let models = manifest["nodes"].as_object().expect("nodes").values().filter(|node| node["resource_type"] == "model");
    assert!(models.clone().count() > 5);
    assert!(models.clone().all(|model| model["compiled_code"].is_string()), "a manifest has compiled code");
    assert_eq!(manifest["metadata"]["dbt_schema_version"], "https://schemas.getdbt.com/dbt/manifest/v12.json");
}

#[test]
fn a_project_is_unmodified_against_its_own_manifest() {
    let project = features();
    let states = state::compare(&project, &manifest_of(&project));
    assert!(states["modified"].is_empty() && states["new"].is_empty(), "{:?}", states["modified"]);
    assert_eq!(states["old"], states["unmodified"]);
}

#[test]
fn what_changed_since_a_manifest_was_kept_is_found_by_its_part() {
    let project = features();
    let mut old = manifest_of(&project);
    let nodes = old["nodes"].as_object_mut().expect("nodes");
    nodes["model.features.stg_orders"]["raw_code"] = "select 1".into();
    nodes["model.features.stg_customers"]["unrendered_config"]["materialized"] = "incremental".into();
    nodes.remove("model.features.revenue");
    let states = state::compare(&project, &old);
    let has = |state: &str, id: &str| states[state].contains(id);
    assert!(has("modified.body", "model.features.stg_orders") && !has("modified.configs", "model.features.stg_orders"));
    assert!(
        has("modified.configs", "model.features.stg_customers")
            && !has("modified.body", "model.features.stg_customers")
    );
    assert!(has("new", "model.features.revenue") && has("modified", "model.features.revenue"));
    let modified: Vec<&String> = states["modified"].iter().filter(|id| id.starts_with("model.")).collect();
    assert_eq!(modified.len(), 3, "{modified:?}");
}

#[test]
fn a_page_takes_no_markup_from_the_project() {
    let mut project = features();
    let id = "model.features.stg_orders";
    project.nodes.get_mut(id).expect("a model").description = "</script><script>alert(1)</script><!-- x".into();
    let published = Published {
        cut: CutRow { seq: 7, ..CutRow::default() },
        rows: BTreeMap::from([(id.to_string(), 42)]),
        tests: vec![TestRow { test: "t".into(), model: "m".into(), severity: "error".into(), failures: 3 }],
        errors: 0,
    };
    let html = page::page(&project, &BTreeMap::new(), Some(&published), 0);
    assert_eq!(html.matches("</script>").count(), 2, "the page's own two");
    assert!(!html.contains("<!--") && html.contains("<\\/script>"));
    let data = html.split("type=\"application/json\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let data: Json = serde_json::from_str(data.expect("data")).expect("JSON");
    assert_eq!((&data["live"]["rows"][id], &data["live"]["tests"]["t"]["failures"]), (&json!(42), &json!(3)));
    assert_eq!(data["members"][id]["description"], "</script><script>alert(1)</script><!-- x");
}

#[test]
fn a_table_is_stale_beyond_its_threshold_and_not_at_it() {
    let mut project = features();
    let source = project.sources.values_mut().next().expect("a source");
    source.freshness =
        json!({"warn_after": {"count": 2, "period": "hour"}, "error_after": {"count": 1, "period": "day"}});
    assert_eq!((threshold(source, "warn_after"), threshold(source, "error_after")), (Some(7200.0), Some(86400.0)));
    assert_eq!(verdict(source, 7200.0), Verdict::Pass);
    assert_eq!(verdict(source, 7200.1), Verdict::Warn);
    assert_eq!(verdict(source, 86400.1), Verdict::Error);
    source.freshness = Json::Null;
    assert_eq!(verdict(source, 1e12), Verdict::Pass);
}

#[test]
fn an_artifact_appears_whole() {
    let folder = std::env::temp_dir().join(format!("livemart-artifact-{}", std::process::id()));
    let path = folder.join("deep/run_results.json");
    write_whole(&path, b"one").expect("written");
    write_whole(&path, b"two").expect("written over");
    assert_eq!(std::fs::read(&path).expect("a file"), b"two");
    assert_eq!(std::fs::read_dir(folder.join("deep")).expect("a folder").count(), 1, "nothing is left beside it");
    std::fs::remove_dir_all(folder).expect("it is ours");
}
