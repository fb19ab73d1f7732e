//! The scalar probes: one expression a line, with PostgreSQL's type and value (`tests/probes/scalars`).
//!
//! ```text
//!   expression ──parse, bind──> plan of one row ──interpret──> type and text ──> equal to PostgreSQL's
//!        └──────────────────────> the same behind a column ────────────────────> the same again, not folded
//! ```
//!
//! 1. Where PostgreSQL has a value, we have the same one or refuse the expression by name.
//! 2. Where PostgreSQL has an error, so have we; which probes are refused or worded differently is a golden file.

use std::fmt::Write;

use row::{Datum, ScalarType};

use super::bind_query;
use super::probe_tests::{check_golden, tests_folder};
use crate::testkit::interpret::{Inputs, interpret};

/// An expression, its type, its value; or the word ERROR and the message.
struct Probe {
    sql: String,
    ty: String,
    value: String,
}

fn probes(name: &str) -> Vec<Probe> {
    let path = tests_folder().join("probes/scalars").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("--"));
    lines
        .map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
            [sql, ty, value] => Probe { sql: sql.to_string(), ty: ty.to_string(), value: value.to_string() },
            _ => panic!("{}: three fields are wanted: {line}", path.display()),
        })
        .collect()
}

fn files() -> Vec<String> {
    let folder = tests_folder().join("probes/scalars");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a file of the folder").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What an expression came to.
#[derive(Debug, PartialEq)]
enum Answer {
    Value { ty: String, value: String },
    RowError(String),
    Refused { message: String, hint: Option<String> },
}

fn shown(value: &Datum<'_>, ty: &ScalarType) -> String {
    if value.is_null() {
        return "\\N".to_string();
    }
    let mut text = String::new();
    value.write_text(ty, row::calendar::parse_zone("UTC").expect("UTC is a zone"), &mut text);
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn answer(query: &str) -> Answer {
    let model = match bind_query(query, &|_| None) {
        Ok(model) => model,
        Err(error) => return Answer::Refused { message: error.message, hint: error.hint },
    };
    let outcome = interpret(&model.plan, &Inputs::new());
    if let Some(error) = outcome.errors.keys().next() {
        return Answer::RowError(error.clone());
    }
    let (row, count) = outcome.rows.iter().next().unwrap_or_else(|| panic!("no row from {query}"));
    assert_eq!((outcome.rows.len(), *count), (1, 1), "{query}");
    let ty = &model.columns[0].ty;
    let datum = row.iter().next().expect("a row has its column");
    if datum.is_null() && !model.columns[0].nullable {
        return Answer::Value { ty: ty.to_string(), value: "NULL, and the plan says that it cannot be".to_string() };
    }
    if let (Datum::Numeric(number), Some(scale_max)) = (&datum, model.columns[0].scale_max)
        && number.scale() > scale_max
    {
        let value = format!("{number}, and the plan promises {scale_max} digits after the point");
        return Answer::Value { ty: ty.to_string(), value };
    }
    Answer::Value { ty: ty.to_string(), value: shown(&datum, ty) }
}

#[test]
fn every_scalar_probe_is_postgresql_s_value_or_refused() {
    let (mut count, mut wrong, mut listed) = (0, Vec::new(), String::new());
    for file in files() {
        let mut section = String::new();
        for Probe { sql, ty, value } in probes(&file) {
            count += 1;
            let expected = Answer::Value { ty: ty.clone(), value: value.clone() };
            // The second form keeps the expression from being folded while planning.
            for query in [format!("select {sql}"), format!("select {sql} from (values (1), (2)) v(n) where n = 1")] {
                match answer(&query) {
                    Answer::Value { .. } if ty == "ERROR" => {
                        wrong.push(format!("{file}: {sql}\n    has a value, PostgreSQL says {value}"));
                    }
                    found @ Answer::Value { .. } if found != expected => {
                        wrong.push(format!("{file}: {sql}\n    {found:?}, PostgreSQL has {ty} {value}"));
                    }
                    Answer::Value { .. } => {}
                    Answer::RowError(message) if ty == "ERROR" && message == value => {}
                    Answer::RowError(message) if ty != "ERROR" => {
                        wrong.push(format!("{file}: {sql}\n    fails with {message}, PostgreSQL has {ty} {value}"));
                    }
                    Answer::Refused { message, .. } if ty == "ERROR" && message == value => {}
                    Answer::RowError(message) => {
                        let _ = writeln!(section, "{sql}\n    {message}\n    PostgreSQL: {value}");
                    }
                    Answer::Refused { message, hint } => {
                        let _ = writeln!(section, "{sql}\n    {message}");
                        if let Some(hint) = hint {
                            let _ = writeln!(section, "    {hint}");
                        }
                        if ty == "ERROR" {
                            let _ = writeln!(section, "    PostgreSQL: {value}");
                        }
                    }
                }
                if !wrong.is_empty() && wrong.len() > 1 && wrong[wrong.len() - 1] == wrong[wrong.len() - 2] {
                    wrong.pop();
                }
                // A refusal is listed once.
                if bind_query(&query, &|_| None).is_err() {
                    break;
                }
            }
        }
        let _ = write!(listed, "= {file}\n{section}");
    }
    if std::env::var_os("LISTED").is_some() {
        println!("{listed}");
    }
    assert!(wrong.is_empty(), "{} of {count} probes differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 1_000, "the probe files are gone: only {count} found");
    check_golden("plans/refused_scalars.txt", &listed);
}
