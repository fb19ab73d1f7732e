//! The probes: queries whose answers PostgreSQL gave, over small random tables (`tests/probes`).
//!
//! ```text
//!   tables.sql, rows_N.txt ─┐
//!   shapes.sql, more.sql, … ─┴─ bind ─> plan ──────────> interpret ─┬─> equal to answers_N.txt
//!                                 └──> optimized plan ─> interpret ─┘
//! ```
//!
//! Where a query is written in another warehouse's words (QUALIFY), the answer is PostgreSQL's to the same query in its own.
//!
//! `UPDATE_GOLDEN=1` rewrites the golden plans and the list of refusals; the answers are PostgreSQL's and stay.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use eval::{Arena, Expr};
use row::{Datum, NumericTypmod, OwnedDatum, Row, ScalarType};

use super::clock::ClockReading;
use super::rewrite::{RewriteOptions, optimize};
use super::{BoundModel, Column, Plan, PlanError, RelationId, RelationType, bind, bind_query};
use crate::testkit::interpret::{Inputs, Multiset, Outcome, by_value, interpret};
use crate::time::Moment;

const DATASETS: [u32; 3] = [1, 2, 3];
/// The field's query shapes, the binder's own corners, random queries, single values, windows, random aggregates, and what the census left open.
const GROUPS: [&str; 7] = ["shapes", "more", "random", "values", "windows", "aggregates", "census"];

/// Probes with names that PostgreSQL does not know and other warehouses do: we answer them, and nothing says what it would.
const OTHER_WAREHOUSES: [&str; 2] = ["datediff_redshift", "median_fn"];

pub(super) fn tests_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn read(name: &str) -> String {
    let path = tests_folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares a text with a golden file, or rewrites the file.
pub(super) fn check_golden(name: &str, text: &str) {
    let path = tests_folder().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a golden file is in a folder")).expect("the folder is made");
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let golden = read(name);
    for (number, (expected, found)) in golden.lines().zip(text.lines()).enumerate() {
        assert_eq!(found, expected, "{name}, line {} (UPDATE_GOLDEN=1 rewrites it)", number + 1);
    }
    assert_eq!(text.lines().count(), golden.lines().count(), "{name} (UPDATE_GOLDEN=1 rewrites it)");
}

/// `--! name` heads each part of a file.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("--! ") {
            Some(name) => parts.push((name.trim().to_string(), String::new())),
            None => {
                if let Some((_, body)) = parts.last_mut() {
                    body.push_str(line);
                    body.push('\n');
                }
            }
        }
    }
    parts
}

fn type_named(name: &str) -> ScalarType {
    match name {
        "bigint" => ScalarType::Int64,
        "integer" => ScalarType::Int32,
        "text" => ScalarType::Text,
        "timestamp" => ScalarType::Timestamp,
        "jsonb" => ScalarType::Jsonb,
        "numeric(12,2)" => ScalarType::Numeric(Some(NumericTypmod { precision: 12, scale: 2 })),
        other => panic!("no type {other}"),
    }
}

/// The tables of `tables.sql`, with their primary keys.
pub(crate) fn tables() -> BTreeMap<String, RelationType> {
    let mut tables = BTreeMap::new();
    for line in read("probes/tables.sql").lines() {
        let Some(rest) = line.strip_prefix("create table ") else { continue };
        let (name, body) = rest.split_once('(').expect("a table has columns");
        let body = body.trim_end_matches(");");
        let (body, key) = match body.split_once(", primary key(") {
            Some((body, key)) => (body, key.trim_end_matches(')').split(',').map(str::to_string).collect()),
            None => (body, Vec::new()),
        };
        let mut key: Vec<String> = key;
        let mut columns = Vec::new();
        for column in body.replace("12,2", "12;2").split(',') {
            let (name, ty) = column.trim().split_once(' ').expect("a column has a type");
            let is_key = ty.ends_with(" primary key");
            if is_key {
                key.push(name.to_string());
            }
            let ty = type_named(&ty.trim_end_matches(" primary key").replace("12;2", "12,2"));
            let scale_max = if ty.is_numeric() { Some(2) } else { None };
            columns.push(Column { name: name.to_string(), ty, nullable: true, scale_max });
        }
        let mut positions = Vec::new();
        for name in &key {
            let position = columns.iter().position(|column| column.name == *name).expect("a key names columns");
            columns[position].nullable = false;
            positions.push(position);
        }
        let keys = if positions.is_empty() { Vec::new() } else { vec![positions] };
        tables.insert(name.to_string(), RelationType { columns, keys });
    }
    tables
}

fn relation(name: &str) -> RelationId {
    RelationId(Arc::from(format!("source.{name}")))
}

fn resolve(parts: &[String], tables: &BTreeMap<String, RelationType>) -> Option<(RelationId, RelationType)> {
    let [name] = parts else { return None };
    tables.get(name).map(|typ| (relation(name), typ.clone()))
}

/// Binds SQL as a model over the probes' tables.
pub(crate) fn bind_probe(sql: &str, tables: &BTreeMap<String, RelationType>) -> Result<BoundModel, PlanError> {
    bind(sql, &|parts| resolve(parts, tables))
}

/// Binds a probe, which may give two columns one name.
fn bind_any(sql: &str, tables: &BTreeMap<String, RelationType>) -> Result<BoundModel, PlanError> {
    bind_query(sql, &|parts| resolve(parts, tables))
}

/// A value from its text, by PostgreSQL's input rules.
fn value(text: &str, ty: &ScalarType) -> OwnedDatum {
    if text == "\\N" {
        return OwnedDatum::null();
    }
    let input = Expr::Literal { value: OwnedDatum::new(&Datum::Text(text)), ty: ScalarType::Unknown };
    let cast = Expr::Cast { input: Box::new(input), from: ScalarType::Unknown, to: ty.clone(), explicit: true };
    let arena = Arena::new();
    let datum = cast.eval(&[], &arena).unwrap_or_else(|error| panic!("{text:?} is no {ty}: {error}"));
    OwnedDatum::new(&datum)
}

/// A value as psql prints it.
fn text(value: &Datum<'_>, ty: &ScalarType) -> String {
    match value {
        Datum::Null => "\\N".to_string(),
        Datum::Bool(value) => if *value { "t" } else { "f" }.to_string(),
        Datum::Text(value) => value.to_string(),
        other => {
            let input = Expr::Literal { value: OwnedDatum::new(other), ty: ty.clone() };
            let cast = Expr::Cast { input: Box::new(input), from: ty.clone(), to: ScalarType::Text, explicit: true };
            let arena = Arena::new();
            let datum = cast.eval(&[], &arena).unwrap_or_else(|error| panic!("{other:?} has no text: {error}"));
            datum.unwrap_text().to_string()
        }
    }
}

pub(crate) fn rows(dataset: u32, tables: &BTreeMap<String, RelationType>) -> Inputs {
    let mut inputs = Inputs::new();
    let mut current = String::new();
    for line in read(&format!("probes/rows_{dataset}.txt")).lines() {
        if let Some(name) = line.strip_prefix("= ") {
            current = name.to_string();
            continue;
        }
        let values: Vec<OwnedDatum> =
            line.split('|').zip(&tables[&current].columns).map(|(text, column)| value(text, &column.ty)).collect();
        let row = Row::pack(values.iter().map(OwnedDatum::datum));
        *inputs.entry(relation(&current)).or_default().entry(row).or_default() += 1;
    }
    let moment = asked_at(dataset);
    for reading in ClockReading::ALL {
        inputs.insert(reading.relation(), Multiset::from([(moment.row(reading), 1)]));
    }
    inputs
}

/// When PostgreSQL was asked: a probe shows its now().
fn asked_at(dataset: u32) -> Moment {
    let answer = &answers(dataset)["shapes.current_date_stable"];
    let shown = match answer {
        Answer::Rows { rows, .. } => rows.first().and_then(|row| row.split('|').nth(2)),
        Answer::Error(error) => panic!("the probe of the clock fails: {error}"),
    };
    // Over no rows it shows nothing, and the clock is in no answer.
    let micros = row::calendar::parse_timestamptz(shown.unwrap_or("2026-11-21 07:00:00+00"), chrono_tz::Tz::UTC);
    Moment::new(micros.expect("a timestamp"), chrono_tz::Tz::UTC)
}

/// What PostgreSQL answered: its error, or columns and rows as text.
enum Answer {
    Error(String),
    Rows { columns: Vec<String>, rows: Vec<String> },
}

fn answers(dataset: u32) -> BTreeMap<String, Answer> {
    let mut answers = BTreeMap::new();
    for (name, body) in parts(&read(&format!("probes/answers_{dataset}.txt"))) {
        let mut lines = body.lines();
        let first = lines.next().unwrap_or_default();
        let answer = match first.strip_prefix("error ") {
            Some(error) => Answer::Error(error.to_string()),
            None => Answer::Rows {
                columns: first.trim_start_matches("columns ").split('|').map(str::to_string).collect(),
                rows: lines.map(|line| line[2..].to_string()).collect(),
            },
        };
        answers.insert(name, answer);
    }
    answers
}

fn printed(rows: &Multiset, columns: &[Column]) -> Vec<String> {
    let mut lines = Vec::new();
    for (row, count) in rows {
        assert!(*count > 0, "a result has no negative rows: {row:?}");
        let values: Vec<String> = row.iter().zip(columns).map(|(datum, column)| text(&datum, &column.ty)).collect();
        lines.extend(std::iter::repeat_n(values.join("|"), *count as usize));
    }
    lines.sort();
    lines
}

/// PostgreSQL's rows as values, for results that may be printed in several ways.
fn parsed(lines: &[String], columns: &[Column]) -> Multiset {
    let mut rows = Multiset::new();
    for line in lines {
        let values: Vec<OwnedDatum> =
            line.split('|').zip(columns).map(|(text, column)| value(text, &column.ty)).collect();
        *rows.entry(Row::pack(values.iter().map(OwnedDatum::datum))).or_default() += 1;
    }
    rows
}

/// Queries whose order leaves rows equal that they tell apart: PostgreSQL decides as it likes, so each column is compared alone.
const LEAVES_TIES_OPEN: [&str; 1] = ["named_window"];

/// The values of each column, sorted.
fn by_column(lines: &[String]) -> Vec<Vec<&str>> {
    let width = lines.first().map_or(0, |line| line.split('|').count());
    let column = |index: usize| {
        let mut values: Vec<&str> = lines.iter().filter_map(|line| line.split('|').nth(index)).collect();
        values.sort_unstable();
        values
    };
    (0..width).map(column).collect()
}

/// What differs from PostgreSQL's answer, if anything.
fn difference(
    name: &str,
    model: &BoundModel,
    outcome: &Outcome,
    columns: &[String],
    rows: &[String],
) -> Option<String> {
    let described: Vec<String> = model.columns.iter().map(|column| format!("{}:{}", column.name, column.ty)).collect();
    // A range of fields narrows what an interval literal may hold, not its type.
    let plain = |column: &String| match column.split_once(":interval ") {
        Some((name, _)) => format!("{name}:interval"),
        None => column.clone(),
    };
    let columns: Vec<String> = columns.iter().map(plain).collect();
    if described != columns {
        return Some(format!("columns {described:?}, PostgreSQL has {columns:?}"));
    }
    if !outcome.errors.is_empty() {
        return Some(format!("errors {:?}", outcome.errors));
    }
    let found = printed(&outcome.rows, &model.columns);
    if found == rows || by_value(&outcome.rows) == by_value(&parsed(rows, &model.columns)) {
        return None;
    }
    if LEAVES_TIES_OPEN.contains(&name) && by_column(&found) == by_column(rows) {
        return None;
    }
    let missing: Vec<&String> = rows.iter().filter(|row| !found.contains(row)).take(4).collect();
    let extra: Vec<&String> = found.iter().filter(|row| !rows.contains(row)).take(4).collect();
    Some(format!("{} rows instead of {}; missing {missing:?}, too much {extra:?}", found.len(), rows.len()))
}

fn optimized(plan: &Arc<Plan>, options: &RewriteOptions) -> Arc<Plan> {
    let models = vec![(RelationId(Arc::from("model.probe")), Arc::clone(plan))];
    optimize(models, options).remove(0).1
}

#[test]
fn every_probe_that_plans_answers_as_postgresql() {
    let tables = tables();
    let mut failures = Vec::new();
    for dataset in DATASETS {
        let inputs = rows(dataset, &tables);
        let answers = answers(dataset);
        for group in GROUPS {
            for (name, sql) in parts(&read(&format!("probes/{group}.sql"))) {
                let bound = bind_any(&sql, &tables);
                match (&answers[&format!("{group}.{name}")], bound) {
                    (Answer::Error(_), Err(_)) => {}
                    (Answer::Error(_), Ok(_)) if OTHER_WAREHOUSES.contains(&name.as_str()) => {}
                    (Answer::Error(error), Ok(model)) => {
                        let outcome = interpret(&model.plan, &inputs);
                        if outcome.errors.keys().ne([error]) {
                            failures.push(format!("{name}: {outcome:?}, PostgreSQL says {error}"));
                        }
                    }
                    // What is refused is listed by name in another test.
                    (Answer::Rows { .. }, Err(_)) => {}
                    (Answer::Rows { columns, rows }, Ok(model)) => {
                        // As it was bound, a comma join is a product: affordable over the small tables only.
                        if dataset < 3 {
                            let plain = interpret(&model.plan, &inputs);
                            if let Some(difference) = difference(&name, &model, &plain, columns, rows) {
                                failures.push(format!("{name} over rows {dataset}: {difference}"));
                            }
                        }
                        let rewritten = interpret(&optimized(&model.plan, &RewriteOptions::ALL), &inputs);
                        if let Some(difference) = difference(&name, &model, &rewritten, columns, rows) {
                            failures.push(format!("{name} rewritten, over rows {dataset}: {difference}"));
                        }
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_list_of_refused_probes_is_as_written() {
    let tables = tables();
    let mut text = String::new();
    for group in GROUPS {
        let probes = parts(&read(&format!("probes/{group}.sql")));
        let mut refused = String::new();
        let mut planned = 0;
        for (name, sql) in &probes {
            match bind_any(sql, &tables) {
                Ok(_) => planned += 1,
                Err(error) => {
                    let _ = writeln!(refused, "{name}: {error}");
                    if let Some(hint) = error.hint {
                        let _ = writeln!(refused, "    {hint}");
                    }
                }
            }
        }
        println!("{group}: {planned} of {} probes plan", probes.len());
        let _ = writeln!(text, "= {group}: {planned} of {} plan\n{refused}", probes.len());
    }
    check_golden("plans/refused.txt", &text);
}

#[test]
fn golden_plans_of_the_probes_are_as_written() {
    let tables = tables();
    for group in GROUPS {
        let mut text = String::new();
        for (name, sql) in parts(&read(&format!("probes/{group}.sql"))) {
            if let Ok(model) = bind_any(&sql, &tables) {
                let _ = writeln!(text, "--! {name}");
                text.push_str(&optimized(&model.plan, &RewriteOptions::ALL).describe());
            }
        }
        check_golden(&format!("plans/{group}.txt"), &text);
    }
}

#[test]
fn each_rule_alone_keeps_the_rows() {
    let one = |set: &dyn Fn(&mut RewriteOptions)| {
        let mut options = RewriteOptions::NONE;
        set(&mut options);
        let mut others = RewriteOptions::ALL;
        // The same rule missing from all the others.
        let mut flipped = RewriteOptions::NONE;
        set(&mut flipped);
        others.fold &= !flipped.fold;
        others.fuse &= !flipped.fuse;
        others.pushdown &= !flipped.pushdown;
        others.outer_join &= !flipped.outer_join;
        others.anti_join &= !flipped.anti_join;
        others.first_rows &= !flipped.first_rows;
        others.windows &= !flipped.windows;
        others.distinct &= !flipped.distinct;
        others.demand &= !flipped.demand;
        others.null_keys &= !flipped.null_keys;
        others.intern &= !flipped.intern;
        [options, others]
    };
    let variants: Vec<RewriteOptions> = [
        one(&|options| options.fold = true),
        one(&|options| options.fuse = true),
        one(&|options| options.pushdown = true),
        one(&|options| options.outer_join = true),
        one(&|options| options.anti_join = true),
        one(&|options| options.or_join = true),
        one(&|options| options.first_rows = true),
        one(&|options| options.windows = true),
        one(&|options| options.distinct = true),
        one(&|options| options.demand = true),
        one(&|options| options.null_keys = true),
        one(&|options| options.intern = true),
    ]
    .concat();
    let tables = tables();
    let inputs = rows(2, &tables);
    for group in GROUPS {
        for (name, sql) in parts(&read(&format!("probes/{group}.sql"))) {
            let Ok(model) = bind_any(&sql, &tables) else { continue };
            let plain = by_value(&interpret(&model.plan, &inputs).rows);
            // Most rules leave most plans alone: a plan that was answered already is not answered again.
            let mut answered = HashSet::from([Arc::clone(&model.plan)]);
            for options in &variants {
                let plan = optimized(&model.plan, options);
                if !answered.insert(Arc::clone(&plan)) {
                    continue;
                }
                let rewritten = interpret(&plan, &inputs);
                assert_eq!(by_value(&rewritten.rows), plain, "{name} with {options:?}\n{}", plan.describe());
            }
        }
    }
}

#[test]
fn keys_that_a_plan_claims_hold_in_its_rows() {
    let tables = tables();
    let inputs = rows(3, &tables);
    let mut claimed = 0;
    for group in GROUPS {
        for (name, sql) in parts(&read(&format!("probes/{group}.sql"))) {
            let Ok(model) = bind_any(&sql, &tables) else { continue };
            let plan = optimized(&model.plan, &RewriteOptions::ALL);
            let typ = plan.typ();
            let rows = by_value(&interpret(&plan, &inputs).rows);
            for key in &typ.keys {
                claimed += 1;
                let mut seen = BTreeSet::new();
                for (row, count) in &rows {
                    let datums: Vec<Datum<'_>> = row.iter().collect();
                    let unique = seen.insert(Row::pack(key.iter().map(|column| datums[*column].clone())));
                    assert!(unique && *count == 1, "{name}: key {key:?} is not unique\n{}", plan.describe());
                }
            }
            for row in rows.keys() {
                for (datum, column) in row.iter().zip(&typ.columns) {
                    assert!(
                        column.nullable || !datum.is_null(),
                        "{name}: {} is NULL\n{}",
                        column.name,
                        plan.describe()
                    );
                }
            }
        }
    }
    assert!(claimed > 50, "only {claimed} keys were claimed");
}
