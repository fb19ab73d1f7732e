//! Odd CSVs against what real `dbt seed` makes of them on PostgreSQL (`tests/seeds/seeds/*.expected.json`, written by `tests/oracle/seeds.py`).

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::*;
use crate::project::ProjectOptions;

/// Columns with their types and rows as texts, or an error.
fn loaded(project: &Project, node: &Node) -> Json {
    let (plan, typ) = match seed_plan(project, node) {
        Ok(planned) => planned,
        Err(error) => return json!({"error": format!("{error}")}),
    };
    let Plan::Constant { rows, .. } = &*plan else { panic!("a seed is literal rows") };
    let columns: Vec<Json> = typ.columns.iter().map(|column| json!([column.name, column.ty.to_string()])).collect();
    let text = |datum: &Datum<'_>, ty: &ScalarType| {
        let cast =
            Expr::Cast { input: Box::new(Expr::Column(0)), from: ty.clone(), to: ScalarType::Text, explicit: true };
        let arena = Arena::new();
        match cast.eval(std::slice::from_ref(datum), &arena).expect("any value is a text") {
            Datum::Text(text) => json!(text),
            _ => Json::Null,
        }
    };
    let rows: Vec<Json> = rows
        .iter()
        .map(|(row, _)| row.iter().zip(&typ.columns).map(|(datum, column)| text(&datum, &column.ty)).collect())
        .collect();
    json!({"columns": columns, "rows": rows})
}

#[test]
fn odd_seeds_are_read_as_dbt_reads_them() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    let project = Project::load(ProjectOptions::new(root.clone())).unwrap_or_else(|error| panic!("{error}"));
    let mut seen = 0;
    for node in project.nodes.values() {
        let path = root.join(format!("seeds/{}.expected.json", node.name));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let dbts: Json = serde_json::from_str(&text).expect("JSON");
        let ours = loaded(&project, node);
        match dbts.get("error") {
            Some(refused) => assert!(ours.get("error").is_some(), "{}: dbt says {refused}, we read {ours}", node.name),
            None => assert_eq!(ours, dbts, "{}", node.name),
        }
        seen += 1;
    }
    assert!(seen >= 15, "{seen} seeds");
}
