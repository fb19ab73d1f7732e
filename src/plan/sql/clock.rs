//! `now()` and its kin: columns of the clock, which stands beside the rows of the SELECT that reads it.
//!
//! ```text
//!   FROM × clock ─> WHERE ─> GROUP BY, aggregates ─> × clock ─> HAVING, windows ─> × clock ─> QUALIFY, select list
//!          └─ read in WHERE, GROUP BY, aggregates       └─ read in HAVING, in windows     └─ read in the select list
//! ```
//!
//! 1. A SELECT that reads the clock nowhere has no clock beside it.
//! 2. Above a grouping the clock needs no group of its own: it is the same for all rows.
//! 3. The select list meets the clock as late as it can: groups are not gathered again because time passes.

use eval::Expr;
use row::ScalarType;

use super::columns::ColumnId;
use super::rel::Rel;
use super::scope::Clause;
use super::{Binder, Bound, unsupported};
use crate::plan::clock::ClockReading;
use crate::plan::{JoinKind, PlanError};

/// A reading of the clock in one SELECT.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockColumn {
    pub reading: ClockReading,
    pub place: Place,
    pub id: ColumnId,
}

/// Beside what a reading stands; what is read at one place can be read at the later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The rows of FROM.
    From,
    /// The groups, or those rows where there are none.
    Groups,
    /// What the select list is computed from.
    Last,
}

impl<'q> Binder<'q> {
    /// The value of a function of that name, if it tells the time; `args` is how many arguments it was given.
    pub(super) fn clock_function(&mut self, name: &str, args: usize) -> Result<Option<Bound>, PlanError> {
        let reading = match name {
            "now" | "current_timestamp" | "transaction_timestamp" | "statement_timestamp" => ClockReading::Now,
            "localtimestamp" | "localtime" | "getdate" | "sysdate" | "current_datetime" => ClockReading::Now,
            "current_date" => ClockReading::Date,
            "current_time" => {
                return Err(unsupported("current_time, a time with time zone,").with_hint("write localtime"));
            }
            _ => return Ok(None),
        };
        if args > 0 {
            return Err(unsupported(format!("{name} with a precision"))
                .with_hint("write date_trunc('second', now()), for example"));
        }
        let value = self.clock_value(reading, name)?;
        Ok(Some(match name {
            // Other warehouses' names, too, are of the local wall clock.
            "localtimestamp" | "getdate" | "sysdate" | "current_datetime" => {
                value.cast(&ScalarType::Timestamp, true)?
            }
            "localtime" => value.cast(&ScalarType::Timestamp, true)?.cast(&ScalarType::Time, true)?,
            _ => value,
        }))
    }

    /// `now()::date` is the day of the clock, and moves once a day.
    pub(super) fn day_of_now(&mut self, value: &Bound) -> Result<Option<Bound>, PlanError> {
        let mut moment = &value.expr;
        // Through `now()::timestamp`: its day is the same.
        while let Expr::Cast { input, to: ScalarType::Timestamp | ScalarType::TimestampTz, .. } = moment {
            moment = input;
        }
        let Expr::Column(id) = moment else { return Ok(None) };
        let of_now = |column: &ClockColumn| column.id == *id && column.reading == ClockReading::Now;
        if !self.scopes.last().is_some_and(|scope| scope.clock.iter().any(of_now)) {
            return Ok(None);
        }
        self.clock_value(ClockReading::Date, "current_date").map(Some)
    }

    fn clock_value(&mut self, reading: ClockReading, name: &str) -> Result<Bound, PlanError> {
        let Some(scope) = self.scopes.last() else {
            return Err(unsupported(format!("{name} outside of a SELECT")));
        };
        let place = match scope.clause {
            Clause::From | Clause::On | Clause::Where | Clause::GroupBy | Clause::Argument => Place::From,
            Clause::Having | Clause::WindowArgument | Clause::WindowDefinition => Place::Groups,
            Clause::Output | Clause::Qualify => Place::Last,
            Clause::Values | Clause::Limit => {
                return Err(unsupported(format!("{name} in {}", scope.clause.name()))
                    .with_hint("read it in the select list of a query of its own, and join that"));
            }
        };
        // What a group was written with is found again in the select list only under the same number.
        let known = scope.clock.iter().filter(|column| column.reading == reading && column.place <= place);
        let id = match known.min_by_key(|column| column.place).map(|column| column.id) {
            Some(id) => id,
            None => self.add_clock_column(reading, place),
        };
        Ok(self.column(id))
    }

    /// A new number for a reading, noted in the innermost scope.
    fn add_clock_column(&mut self, reading: ClockReading, place: Place) -> ColumnId {
        let id = self.columns.add(reading.column());
        if let Some(scope) = self.scopes.last_mut() {
            scope.clock.push(ClockColumn { reading, place, id });
        }
        id
    }
}

/// The relation with each of the readings of a place as one more column.
pub(super) fn beside_clock(rel: Rel, readings: &[ClockColumn], place: Place) -> Rel {
    readings.iter().filter(|column| column.place == place).fold(rel, |rel, column| {
        let relation = column.reading.relation();
        let clock = Rel::Get { relation, typ: column.reading.typ(), columns: vec![column.id] };
        match rel {
            Rel::Unit => clock,
            rel => Rel::Join { kind: JoinKind::Inner, left: Box::new(rel), right: Box::new(clock), on: Vec::new() },
        }
    })
}
