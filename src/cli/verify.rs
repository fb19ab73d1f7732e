//! `livemart verify`: every published table computed again from the sources, in one batch, and compared with what it holds.
//!
//! ```text
//!   sink ──one transaction──> positions, clock, rows ─┐
//!   sources ──up to those positions, one epoch──> rows ─┴─> equal, or the rows that are missing and those too many
//! ```
//!
//! 1. Nothing is owned and nothing is written: it runs beside a live `serve`.
//! 2. Nothing that was kept between cuts takes part: neither the state nor the dataflow of the owner.
//! 3. A snapshot depends on when it was taken, not on the sources alone: it is not compared.

use std::collections::BTreeMap;
use std::time::Instant;

use row::{Datum, Diff, Row, RowBuilder};

use super::args::{Args, VerifyArgs};
use super::instance::{self, VerbError};
use super::keep::{compile, deployed_models, seconds_since};
use super::preview::table;
use super::run::nothing_to_do;
use super::show::texts;
use super::talk::Speaker;
use super::{parse, refuse};
use crate::engine::{Wanted, assemble, evaluate};
use crate::plan::Column;
use crate::project::{Project, ResourceType, Selection, SinkConfig};
use crate::time::WallTime;

/// Differing rows shown of a table, of each kind.
const ROWS_SHOWN: usize = 5;

/// A table whose rows are not those of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// dbt's unique id of the model.
    pub model: String,
    /// Rows that the batch has and the table has not, with their numbers.
    pub missing: Vec<(Row, Diff)>,
    /// Rows that the table has and the batch has not, with their numbers.
    pub surplus: Vec<(Row, Diff)>,
    columns: Vec<Column>,
}

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The cut that was looked at.
    pub seq: u64,
    pub tables: usize,
    pub rows: i64,
    /// Records of the sources that were read again.
    pub records: u64,
    pub differences: Vec<Difference>,
}

/// Exit code 0 when all tables are equal, 1 when one is not or cannot be compared, 2 when the project cannot be read.
pub fn run(args: &Args, verify: &VerifyArgs, speaker: &Speaker) -> i32 {
    let started = Instant::now();
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    let selection = match verify.select.selection(&[ResourceType::Model]) {
        Ok(selection) => selection,
        Err(error) => return refuse(speaker, &error.into()),
    };
    match verified(&mut project, &selection) {
        Ok(Some(verified)) => {
            print(&project, &verified);
            speaker.info(&format!(
                "Compared {} tables with {} rows at cut {} with a batch over {} records, in {:.2}s: {} differ",
                verified.tables,
                verified.rows,
                verified.seq,
                verified.records,
                seconds_since(started),
                verified.differences.len()
            ));
            i32::from(!verified.differences.is_empty())
        }
        Ok(None) => {
            nothing_to_do::<()>(speaker);
            0
        }
        Err(error) => refuse(speaker, &error),
    }
}

/// Compares the selected tables; None when the selection has no published table.
pub fn verified(project: &mut Project, selection: &Selection) -> Result<Option<Verified>, VerbError> {
    let selected = project.select(selection)?;
    let Some(state) = instance::published_state(project)? else {
        let (place, name) = (instance::sink_place(project), instance::instance_name(project));
        return Err(VerbError::new(format!("{place} has no published cut of {name}"))
            .with_hint("publish one first: livemart run"));
    };
    let deployed = deployed_models(&state);
    let is_model = |id: &String| project.resource_type(id) == Some(ResourceType::Model);
    let models = selected.ids.into_iter().filter(|id| deployed.contains_key(id) && is_model(id)).collect();
    let wanted = Wanted { models, without_tables: true, ..Wanted::default() };
    if wanted.models.is_empty() {
        return Ok(None);
    }
    compile(project, &wanted)?;
    let mut assembled = assemble(project, &instance::instance_name(project), &wanted)?;
    let deployment = &assembled.deployment;
    for model in &deployment.published {
        if deployed.get(&model.table.model) != Some(&model.table.fingerprint) {
            let message =
                format!("{} is not what was published: its SQL or what it reads has changed", model.table.model);
            return Err(VerbError::new(message).with_hint("publish it first: livemart run"));
        }
    }
    let published = deployment.published.iter().map(|model| &model.table);
    let tables: Vec<_> = published.chain(deployment.stored.iter().map(|snapshot| &snapshot.table)).collect();
    let (state, mut held) = instance::read_tables(project, &tables)?;
    // What a model reads of a snapshot are its versions as they are published.
    let versions = held.split_off(deployment.published.len());
    for (snapshot, versions) in assembled.deployment.stored.iter_mut().zip(versions) {
        snapshot.versions = versions;
    }
    let deployment = &assembled.deployment;
    let cut = state.cut.as_ref();
    let clock = instance::clock(project, cut.map(|cut| cut.clock), deployment.clock_needs(), WallTime::system())?;
    let evaluated = evaluate(deployment, Some(&state.progress), clock, None)?;
    let mut verified = Verified {
        seq: cut.map_or(0, |cut| cut.seq),
        tables: deployment.published.len(),
        records: evaluated.records,
        ..Verified::default()
    };
    let rounds = matches!(project.target.sink, SinkConfig::Sqlite { .. });
    for (model, held) in deployment.published.iter().zip(held) {
        verified.rows += held.iter().map(|(_, copies)| copies).sum::<i64>();
        let mut net: BTreeMap<Row, Diff> = BTreeMap::new();
        let batch = evaluated.models[model.model].iter();
        batch.for_each(|(row, count)| *net.entry(comparable(row, rounds)).or_default() += count);
        held.iter().for_each(|(row, copies)| *net.entry(comparable(row, rounds)).or_default() -= copies);
        let (missing, surplus): (Vec<_>, Vec<_>) =
            net.into_iter().filter(|(_, count)| *count != 0).partition(|(_, count)| *count > 0);
        if missing.is_empty() && surplus.is_empty() {
            continue;
        }
        let surplus = surplus.into_iter().map(|(row, count)| (row, -count)).collect();
        let columns = assembled.columns[model.model].clone();
        verified.differences.push(Difference { model: model.table.model.clone(), missing, surplus, columns });
    }
    Ok(Some(verified))
}

/// The form by which rows are compared: numerics by value; in SQLite, which keeps 15 digits of those with a fraction, by these.
fn comparable(row: &Row, rounds: bool) -> Row {
    let mut builder = RowBuilder::default();
    row.iter().for_each(|datum| push_comparable(&mut builder, datum, rounds));
    builder.finish()
}

fn push_comparable(builder: &mut RowBuilder, datum: Datum<'_>, rounds: bool) {
    match datum.normalized() {
        Datum::Numeric(value) if rounds && !is_integer(&value) => {
            builder.push(&Datum::Numeric(row::Numeric::from_f64(value.to_f64())).normalized());
        }
        Datum::Array(elements) => {
            let mut inside = RowBuilder::default();
            elements.iter().for_each(|element| push_comparable(&mut inside, element, rounds));
            builder.push(&Datum::Array(inside.as_ref()));
        }
        other => builder.push(&other),
    }
}

fn is_integer(value: &row::Numeric) -> bool {
    value.small_parts().is_some_and(|(mantissa, scale)| scale == 0 && i64::try_from(mantissa).is_ok())
}

fn print(project: &Project, verified: &Verified) {
    for difference in &verified.differences {
        let count = |rows: &[(Row, Diff)]| rows.iter().map(|(_, count)| count).sum::<i64>();
        let name = project.nodes.get(&difference.model).map_or(difference.model.as_str(), |node| &node.name);
        println!("{name}: {} rows are missing, {} too many", count(&difference.missing), count(&difference.surplus));
        let head: Vec<String> =
            [" ".to_owned()].into_iter().chain(difference.columns.iter().map(|column| column.name.clone())).collect();
        let signed = |sign: &'static str, rows: &[(Row, Diff)]| -> Vec<Vec<String>> {
            let shown = rows.iter().take(ROWS_SHOWN);
            shown
                .map(|(row, _)| [sign.to_owned()].into_iter().chain(texts(row, &difference.columns)).collect())
                .collect()
        };
        let rows = [signed("-", &difference.missing), signed("+", &difference.surplus)].concat();
        println!("{}", table(&head, &rows));
    }
}
