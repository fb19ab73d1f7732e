//! `warn_if` and `error_if`: what follows a number of failures in a condition of SQL.

use std::sync::Arc;

use row::Datum;

use crate::plan::rewrite::{RewriteOptions, optimize};
use crate::plan::{self, Plan, PlanError, RelationId};

/// Whether `failures <condition>` is true, as PostgreSQL decides it: `!= 0`, `> 10`, `between 5 and 9`.
pub fn condition_holds(condition: &str, failures: i64) -> Result<bool, PlanError> {
    if condition.trim() == "!= 0" {
        return Ok(failures != 0);
    }
    let sql = format!("select {failures} {condition} as holds");
    let bound = plan::bind(&sql, &|_| None)?;
    let plans = optimize(vec![(RelationId("condition".into()), bound.plan)], &RewriteOptions::default());
    let first = plans.first().map(|(_, plan)| Arc::clone(plan));
    match first.as_deref() {
        Some(Plan::Constant { rows, .. }) if rows.len() == 1 => match rows[0].0.iter().next() {
            Some(Datum::Bool(holds)) => Ok(holds),
            Some(Datum::Null) => Ok(false),
            _ => Err(PlanError::new(format!("\"{condition}\" is no condition on the number of failures"))
                .with_hint("write what follows the number: != 0, > 10")),
        },
        _ => Err(PlanError::new(format!("\"{condition}\" is no condition on the number of failures"))
            .with_hint("write what follows the number: != 0, > 10")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_sql_after_the_number() {
        for (condition, failures, holds) in [
            ("!= 0", 0, false),
            ("!=0", 3, true),
            (">10", 10, false),
            (">= 10", 10, true),
            ("between 5 and 9", 7, true),
            ("between 5 and 9", 10, false),
            ("> 2 and 1 = 1", 3, true),
            ("= 1 or false", 2, false),
        ] {
            assert_eq!(condition_holds(condition, failures), Ok(holds), "{failures} {condition}");
        }
        for wrong in ["many", "+ 1", "> 'x'"] {
            assert!(condition_holds(wrong, 1).is_err(), "{wrong}");
        }
    }
}
