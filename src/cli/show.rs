//! `livemart show`: rows of a model, or of a query over the project, as the sources stand now. Nothing is published.

use std::collections::BTreeMap;

use row::{Datum, Row};
use serde_json::{Map as JsonMap, Value as Json, json};

use super::args::{Args, ShowArgs, TextOrJson};
use super::instance::{self, VerbError};
use super::keep::compile;
use super::run::nothing_to_do;
use super::talk::Speaker;
use super::{beside, parse, refuse};
use crate::engine::{Assembled, Wanted, assemble, assemble_query};
use crate::plan::Column;
use crate::project::{Project, ResourceType};
use crate::time::WallTime;

/// Nodes that have rows.
const SHOWN_TYPES: [ResourceType; 3] = [ResourceType::Model, ResourceType::Seed, ResourceType::Snapshot];

/// Widest text of a cell, in characters; dbt cuts with an ellipsis, too.
const CELL_CHARS_MAX: usize = 40;

/// Exit code 0 when the rows could be shown, 1 when not, 2 when the project cannot be read.
pub fn run(args: &Args, show: &ShowArgs, speaker: &Speaker) -> i32 {
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    match rows(show, speaker, &mut project) {
        Ok(()) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

fn rows(show: &ShowArgs, speaker: &Speaker, project: &mut Project) -> Result<(), VerbError> {
    let instance = instance::instance_name(project);
    let mut assembled = match &show.inline {
        Some(sql) => {
            project.compile_all()?;
            let compiled = project.compile_inline(sql, std::sync::Arc::new(crate::project::NoIntrospection))?;
            assemble_query(project, &instance, &compiled.code)?
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
        let name = project.nodes.get(&model.id).map_or("inline query", |node| &node.name);
        print(name, &columns[i], &evaluated.models[i], show);
    }
    if !evaluated.errors.is_empty() {
        let count: i64 = evaluated.errors.values().sum();
        speaker.warn(&format!("{count} rows are set aside because an expression failed on them"));
    }
    Ok(())
}

fn print(name: &str, columns: &[Column], rows: &BTreeMap<Row, i64>, show: &ShowArgs) {
    let mut rows: Vec<&Row> =
        rows.iter().flat_map(|(row, count)| std::iter::repeat_n(row, usize::try_from(*count).unwrap_or(0))).collect();
    rows.sort_by(|a, b| {
        let orders = a.iter().zip(b.iter()).map(|(a, b)| a.sql_cmp(&b));
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    if let Ok(limit) = usize::try_from(show.limit) {
        rows.truncate(limit);
    }
    match show.output {
        TextOrJson::Json => {
            let rows: Vec<Json> = rows.iter().map(|row| Json::Object(to_json(row, columns))).collect();
            println!("{}", json!({"node": name, "show": rows}));
        }
        TextOrJson::Text => {
            println!("Previewing node '{name}':");
            let head: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
            let cells: Vec<Vec<String>> = rows.iter().map(|row| texts(row, columns)).collect();
            print!("{}", table(&head, &cells));
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
            match column.ty.is_number() {
                true => serde_json::from_str(&text).unwrap_or(Json::String(text)),
                false => Json::String(text),
            }
        }
    };
    row.iter().zip(columns).map(|(datum, column)| (column.name.clone(), value(datum, column))).collect()
}

/// A table as dbt prints it: `| a | b |`, long cells cut.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let cut = |text: &String| match text.char_indices().nth(CELL_CHARS_MAX) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.clone(),
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cut).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = line(head);
    text.push_str(&line(&rule));
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}
