//! `livemart show`: rows of a model, or of a query over the project, as the sources stand now. Nothing is published.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use row::{Datum, Row, SortDirection};
use serde_json::{Map as JsonMap, Value as Json, json};

use super::args::{Args, ShowArgs, TextOrJson};
use super::instance::{self, VerbError};
use super::keep::compile;
use super::preview::preview;
use super::run::nothing_to_do;
use super::talk::Speaker;
use super::{beside, parse, refuse};
use crate::engine::{Assembled, Wanted, assemble, assemble_query};
use crate::plan::{Column, shown_order};
use crate::project::{NoIntrospection, Node, Project, ResourceType};
use crate::time::WallTime;

/// Nodes that have rows.
const SHOWN_TYPES: [ResourceType; 3] = [ResourceType::Model, ResourceType::Seed, ResourceType::Snapshot];

/// Exit code 0 when the rows could be shown, 1 when not; 2 when the project or the query given with `--inline` cannot be read, as in dbt.
pub fn run(args: &Args, show: &ShowArgs, speaker: &Speaker) -> i32 {
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    match rows(show, args.common.quiet, speaker, &mut project) {
        Ok(()) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

fn rows(show: &ShowArgs, quiet: bool, speaker: &Speaker, project: &mut Project) -> Result<(), VerbError> {
    let instance = instance::instance_name(project);
    let mut inline_code = None;
    let mut assembled = match &show.inline {
        Some(sql) => {
            project.compile_all()?;
            let unreadable = |error: VerbError| VerbError { exit_code: 2, ..error };
            let compiled =
                project.compile_inline(sql, Arc::new(NoIntrospection)).map_err(|error| unreadable(error.into()))?;
            let assembled =
                assemble_query(project, &instance, &compiled.code).map_err(|error| unreadable(error.into()))?;
            inline_code = Some(compiled.code);
            assembled
        }
        None => {
            let selected = project.select(&show.select.selection(&SHOWN_TYPES)?)?;
            selected.warnings.iter().for_each(|warning| speaker.warn(warning));
            if selected.ids.is_empty() {
                nothing_to_do::<()>(speaker);
                return Ok(());
            }
            let models = selected.ids.into_iter().collect();
            let wanted = Wanted { models, without_tables: true, ..Wanted::default() };
            compile(project, &wanted)?;
            assemble(project, &instance, &wanted)?
        }
    };
    instance::read_versions(project, &mut assembled.deployment)?;
    let clock = instance::clock(project, None, assembled.deployment.clock_needs(), WallTime::system())?;
    let evaluated = beside::evaluate_beside(project, &mut assembled.deployment, None, clock)?;
    let Assembled { deployment, columns, .. } = &assembled;
    for (i, model) in deployment.models.iter().enumerate() {
        let node = project.nodes.get(&model.id);
        let code = node.map_or(inline_code.as_deref(), |node| node.compiled_code.as_deref());
        let names: Vec<String> = columns[i].iter().map(|column| column.name.clone()).collect();
        let order = code.map(|code| shown_order(code, &names)).unwrap_or_default();
        let rows = in_order(&evaluated.models[i], &order, show.limit);
        print(node, &columns[i], &rows, show, quiet);
    }
    if !evaluated.errors.is_empty() {
        let count: i64 = evaluated.errors.values().sum();
        speaker.warn(&format!("{count} rows are set aside because an expression failed on them"));
    }
    Ok(())
}

/// The rows as the query's ORDER BY has them, then by their values, so that the same rows are shown each time.
fn in_order<'a>(rows: &'a BTreeMap<Row, i64>, order: &[(usize, SortDirection)], limit: i64) -> Vec<&'a Row> {
    let mut rows: Vec<&Row> =
        rows.iter().flat_map(|(row, count)| std::iter::repeat_n(row, usize::try_from(*count).unwrap_or(0))).collect();
    rows.sort_by(|a, b| {
        let (a, b): (Vec<Datum<'_>>, Vec<Datum<'_>>) = (a.iter().collect(), b.iter().collect());
        let asked = order.iter().map(|(at, direction)| compare(&a[*at], &b[*at], *direction));
        let rest = a.iter().zip(&b).map(|(a, b)| compare(a, b, SortDirection::ASCENDING));
        asked.chain(rest).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    if let Ok(limit) = usize::try_from(limit) {
        rows.truncate(limit);
    }
    rows
}

fn compare(a: &Datum<'_>, b: &Datum<'_>, direction: SortDirection) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (false, false) if direction.descending => b.sql_cmp(a),
        (false, false) => a.sql_cmp(b),
        (true, false) if direction.nulls_first => Ordering::Less,
        (false, true) if direction.nulls_first => Ordering::Greater,
        (a, b) => a.cmp(&b),
    }
}

/// An inline query has no name. Who wants quiet gets the rows alone.
fn print(node: Option<&Node>, columns: &[Column], rows: &[&Row], show: &ShowArgs, quiet: bool) {
    let name = node.map(|node| match &node.version {
        Some(version) => format!("{}.v{version}", node.name),
        None => node.name.clone(),
    });
    match show.output {
        TextOrJson::Json => {
            let rows: Vec<Json> = rows.iter().map(|row| Json::Object(to_json(row, columns))).collect();
            let shown = match name {
                Some(name) => json!({"node": name, "show": rows}),
                None => json!({"show": rows}),
            };
            println!("{shown:#}");
        }
        TextOrJson::Text => {
            match name {
                _ if quiet => {}
                Some(name) => println!("Previewing node '{name}':"),
                None => println!("Previewing inline node:"),
            }
            print!("{}", preview(columns, rows));
        }
    }
}

/// The values of a row as PostgreSQL prints them; NULL is an empty cell, as in dbt.
pub fn texts(row: &Row, columns: &[Column]) -> Vec<String> {
    row.iter()
        .zip(columns)
        .map(|(datum, column)| {
            let mut text = String::new();
            datum.write_text(&column.ty, session_zone(), &mut text);
            text
        })
        .collect()
}

/// Where timestamps with time zone are shown.
fn session_zone() -> chrono_tz::Tz {
    row::calendar::parse_zone(eval::session_time_zone()).unwrap_or(chrono_tz::Tz::UTC)
}

fn to_json(row: &Row, columns: &[Column]) -> JsonMap<String, Json> {
    let value = |datum: Datum<'_>, column: &Column| match datum {
        Datum::Null => Json::Null,
        Datum::Bool(value) => Json::Bool(value),
        Datum::Int(value) => Json::from(value),
        other => {
            let mut text = String::new();
            other.write_text(&column.ty, session_zone(), &mut text);
            match text.parse::<f64>() {
                Ok(value) if column.ty.is_number() && value.is_finite() => Json::from(value),
                _ => Json::String(text),
            }
        }
    };
    row.iter().zip(columns).map(|(datum, column)| (column.name.clone(), value(datum, column))).collect()
}
