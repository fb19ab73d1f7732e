//! Unit tests on the command line: run, and their differences shown as dbt shows them.
//!
//! ```text
//!   actual differs from expected:
//!
//!   @@ ,customer_id,amount
//!   →  ,1          ,10→12
//!   +++,2          ,5           a row that came and was not expected
//!   ---,3          ,7           a row that was expected and did not come
//! ```

use std::collections::BTreeSet;
use std::time::Instant;

use super::instance::{self, VerbError};
use super::keep::{compile, seconds_since};
use super::test;
use super::words::{Outcome, Status};
use crate::engine::{Comparison, Wanted, run_unit_test};
use crate::plan::clock::ClockNeeds;
use crate::project::{Project, UnitTestCase};
use crate::time::WallTime;

/// Runs one unit test; what went wrong is in its outcome.
pub fn run(project: &mut Project, id: &str) -> Outcome {
    let started = Instant::now();
    let compared = compared(project, id);
    let seconds = seconds_since(started);
    match compared {
        Ok(comparison) if comparison.is_equal() => test::outcome(id, Status::Pass, seconds),
        Ok(comparison) => Outcome {
            message: Some(format!("actual differs from expected:\n\n{}", difference(&comparison))),
            ..test::outcome(id, Status::Fail(1), seconds)
        },
        Err(error) => Outcome {
            message: Some([Some(error.message), error.hint].into_iter().flatten().collect::<Vec<_>>().join("\n  ")),
            ..test::outcome(id, Status::Error, seconds)
        },
    }
}

fn compared(project: &mut Project, id: &str) -> Result<Comparison, VerbError> {
    let Some(unit_test) = project.unit_tests.get(id).cloned() else {
        return Err(VerbError::new(format!("the project has no unit test {id}")));
    };
    let case: UnitTestCase = project.unit_test_case(&unit_test)?;
    // Types of the inputs come from the plans of what they stand for.
    let models: BTreeSet<String> = case.given.iter().map(|given| given.unique_id.clone()).collect();
    compile(project, &Wanted { models, ..Wanted::default() })?;
    let clock = instance::clock(project, None, ClockNeeds { now: true, ..ClockNeeds::default() }, WallTime::system())?;
    run_unit_test(project, &unit_test, &case, clock).map_err(|error| VerbError::new(error.to_string()))
}

type Cells = Vec<Option<String>>;

/// What of both sides has no equal on the other, as a table.
fn difference(comparison: &Comparison) -> String {
    let (mut missing, mut surplus) = (Vec::new(), comparison.actual.clone());
    for row in &comparison.expected {
        match surplus.iter().position(|other| other == row) {
            Some(at) => drop(surplus.remove(at)),
            None => missing.push(row.clone()),
        }
    }
    let mut head = vec!["@@".to_owned()];
    head.extend(comparison.columns.iter().cloned());
    let mut lines = vec![head];
    for row in surplus {
        match nearest(&row, &missing) {
            Some(at) => {
                let expected = missing.remove(at);
                let cell = |(old, new): (&Option<String>, &Option<String>)| match old == new {
                    true => shown(new),
                    false => format!("{}→{}", shown(old), shown(new)),
                };
                let cells = expected.iter().zip(&row).map(cell);
                lines.push(std::iter::once("→".to_owned()).chain(cells).collect());
            }
            None => lines.push(std::iter::once("+++".to_owned()).chain(row.iter().map(shown)).collect()),
        }
    }
    lines.extend(missing.iter().map(|row| std::iter::once("---".to_owned()).chain(row.iter().map(shown)).collect()));
    table(&lines)
}

/// The row that has most cells in common, at least one.
fn nearest(row: &Cells, others: &[Cells]) -> Option<usize> {
    let common = |other: &Cells| row.iter().zip(other).filter(|(a, b)| a == b).count();
    let best = others.iter().map(common).enumerate().max_by_key(|(at, common)| (*common, std::cmp::Reverse(*at)))?;
    (best.1 > 0 || row.len() == 1).then_some(best.0)
}

fn shown(cell: &Option<String>) -> String {
    cell.clone().unwrap_or_else(|| "NULL".to_owned())
}

fn table(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))));
        padded.collect::<Vec<_>>().join(",").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Cells {
        text.split(' ').map(|cell| Some(cell.to_owned()).filter(|cell| cell != "-")).collect()
    }

    #[test]
    fn rows_that_differ_are_shown_beside_each_other() {
        let comparison = Comparison {
            columns: vec!["id".to_owned(), "amount".to_owned()],
            expected: ["1 10", "3 7", "4 4"].map(cells).to_vec(),
            actual: ["1 12", "2 -", "4 4"].map(cells).to_vec(),
        };
        let expected = "@@ ,id,amount\n→  ,1 ,10→12\n+++,2 ,NULL\n---,3 ,7";
        assert_eq!(difference(&comparison), expected);
    }
}
