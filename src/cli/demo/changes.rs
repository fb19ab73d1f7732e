//! What a step of the story has moved: the published tables before and after.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::story::{Shown, TRAP};
use super::{database_error, query};
use crate::cli::instance::VerbError;

/// Names of changed tables in a summary.
const NAMES_MAX: usize = 12;

type Rows = Vec<Vec<String>>;

/// The published tables at one cut.
pub struct Published {
    tables: BTreeMap<String, (Vec<String>, Rows)>,
    /// Failing rows by test.
    tests: BTreeMap<String, i64>,
}

impl Published {
    pub fn read(database: &Path) -> Result<Published, VerbError> {
        let connection = Connection::open(database).map_err(database_error)?;
        let mut names = connection.prepare("select relation from livemart_models").map_err(database_error)?;
        let names = names.query_map([], |row| row.get::<_, String>(0)).map_err(database_error)?;
        let mut tables = BTreeMap::new();
        for name in names {
            let name = name.map_err(database_error)?;
            let sql = format!("select * from \"{}\"", name.replace('"', "\"\""));
            tables.insert(name, query(database, &sql)?);
        }
        let mut tests = connection.prepare("select test, failures from livemart_tests").map_err(database_error)?;
        let tests = tests.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(database_error)?;
        let tests = tests.collect::<Result<_, _>>().map_err(database_error)?;
        Ok(Published { tables, tests })
    }

    /// Which tables have changed, and how much.
    pub fn summary(&self, after: &Published) -> String {
        let mut changed = Vec::new();
        let (mut came, mut went) = (0, 0);
        for (name, (_, rows)) in &after.tables {
            let net = net(self.tables.get(name).map_or(&[][..], |(_, rows)| rows), rows);
            if !net.is_empty() {
                came += net.values().filter(|count| **count > 0).sum::<i64>();
                went -= net.values().filter(|count| **count < 0).sum::<i64>();
                changed.push(name.as_str());
            }
        }
        let more = match changed.len().saturating_sub(NAMES_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names = changed[..changed.len().min(NAMES_MAX)].join(", ");
        format!("{} of {} tables, +{came} -{went} rows ({names}{more})", changed.len(), after.tables.len())
    }

    /// What went (-) and what came (+) in some columns of a table, rows that start alike beside each
    /// other, and how many there are in all.
    pub fn changes(&self, after: &Published, shown: &Shown) -> Result<(Vec<String>, Rows, usize), VerbError> {
        let missing = || VerbError::new(format!("{} is not published", shown.table));
        let (head, new) = after.tables.get(shown.table).ok_or_else(missing)?;
        let old = self.tables.get(shown.table).map_or(&[][..], |(_, rows)| rows);
        let wanted: Vec<&str> = shown.columns.split(", ").collect();
        let place = |name: &&str| head.iter().position(|column| column == name);
        let places = wanted.iter().map(|name| place(name).ok_or_else(missing)).collect::<Result<Vec<_>, _>>()?;
        let project = |rows: &[Vec<String>]| -> Rows {
            rows.iter().map(|row| places.iter().map(|place| row[*place].clone()).collect()).collect()
        };
        let net = net(&project(old), &project(new));
        let total = net.len();
        let mut rows: Rows = Vec::new();
        for (row, count) in net {
            let sign = if count > 0 { "+" } else { "-" };
            rows.push([sign.to_owned()].into_iter().chain(row).collect());
        }
        rows.sort_by(|a, b| (a.get(1), &b[0]).cmp(&(b.get(1), &a[0])));
        // The story's customer has the greatest number.
        let rows = rows.split_off(total.saturating_sub(shown.rows));
        let head = [" ".to_owned()].into_iter().chain(wanted.iter().map(|name| (*name).to_owned())).collect();
        Ok((head, rows, total))
    }

    /// Tests whose count has moved.
    pub fn verdicts(&self, after: &Published) -> Vec<String> {
        let mut lines = Vec::new();
        for (test, failures) in &after.tests {
            let before = self.tests.get(test).copied().unwrap_or(0);
            if before != *failures {
                let why =
                    if test.ends_with(TRAP) { ": a customer without an order has no count of orders" } else { "" };
                lines.push(format!("test {test}: {before} failing rows before, {failures} now{why}"));
            }
        }
        lines
    }
}

/// Rows that came (above nought) and went.
fn net(old: &[Vec<String>], new: &[Vec<String>]) -> BTreeMap<Vec<String>, i64> {
    let mut net: BTreeMap<Vec<String>, i64> = BTreeMap::new();
    old.iter().for_each(|row| *net.entry(row.clone()).or_default() -= 1);
    new.iter().for_each(|row| *net.entry(row.clone()).or_default() += 1);
    net.retain(|_, count| *count != 0);
    net
}
