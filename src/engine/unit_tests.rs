//! Runs unit tests: the model's plan over the rows of its stand-ins, by the engine itself.
//!
//! ```text
//!   given rows ──cast to the input's types──> literal relations ─┐
//!   model's SQL over them ──bind, optimize───────────────────────┴─> rows ──the expected columns, as text──> equal, or a difference
//! ```
//!
//! 1. Types of an input are those of the node that it stands for, a column that is not given is NULL.
//! 2. Values are compared as PostgreSQL prints them, in any order: 6 and 6.0 differ, as in dbt.

use std::collections::BTreeMap;
use std::sync::Arc;

use eval::{Arena, Expr};
use row::{Datum, Numeric, OwnedDatum, Row, RowBuilder, ScalarType};
use serde_json::Value as Json;

use super::assemble::{AssembleError, Planner};
use super::deployment::{Deployment, ModelPlan};
use super::drive::EngineError;
use super::evaluate::evaluate;
use crate::plan::rewrite::{RewriteOptions, optimize};
use crate::plan::{self, BoundModel, Column, Inliner, Plan, RelationId, RelationType};
use crate::project::{Fixture, Given, Project, UnitTest, UnitTestCase};
use crate::render::error_columns;
use crate::time::Clock;

/// What a unit test found: the columns that it compares, and the rows of both sides, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pub columns: Vec<String>,
    pub expected: Vec<Vec<Option<String>>>,
    pub actual: Vec<Vec<Option<String>>>,
}

impl Comparison {
    pub fn is_equal(&self) -> bool {
        self.expected == self.actual
    }
}

/// Why a unit test could not be run.
#[derive(Debug, thiserror::Error)]
pub enum UnitTestError {
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{0}")]
    Rows(String),
}

/// Runs one unit test. What its inputs stand for, and all that these read, must have been compiled.
pub fn run_unit_test(
    project: &Project,
    test: &UnitTest,
    case: &UnitTestCase,
    clock: Clock,
) -> Result<Comparison, UnitTestError> {
    let failed = |message: String, hint: Option<String>| AssembleError {
        what: format!("Compilation Error in unit_test {} ({})", test.name, test.original_file_path),
        message,
        hint,
    };
    let mut planner = Planner::new(project);
    let mut inliner = Inliner::default();
    let mut inputs: Vec<(&Given, RelationId, RelationType)> = Vec::new();
    for (number, given) in case.given.iter().enumerate() {
        let stand_in = match &given.rows {
            Fixture::Sql(sql) => bound(sql, &|_| None).map_err(|error| failed(error.to_string(), error.hint))?,
            Fixture::Rows(rows) => {
                let typ = planner.type_of(&given.unique_id)?;
                let name = given.relation.last().map_or("", String::as_str);
                literal(rows, &typ.columns, &format!("'{name}'")).map_err(UnitTestError::Rows)?
            }
        };
        let relation = RelationId(format!("livemart.given.{number}").into());
        let typ = RelationType { columns: stand_in.columns.clone(), keys: Vec::new() };
        inliner.add(relation.clone(), stand_in.plan);
        inputs.push((given, relation, typ));
    }
    let resolve = |parts: &[String]| {
        let found = inputs.iter().find(|(given, ..)| given.relation.ends_with(parts));
        found.map(|(_, relation, typ)| (relation.clone(), typ.clone()))
    };
    let model = bound(&case.code, &resolve).map_err(|error| failed(error.to_string(), error.hint))?;
    let (columns, expected) = match &case.expect {
        Fixture::Sql(sql) => {
            let expected = bound(sql, &resolve).map_err(|error| failed(error.to_string(), error.hint))?;
            ((0..model.columns.len()).collect(), expected)
        }
        Fixture::Rows(rows) => {
            // The first row without NULLs says which columns are compared.
            let whole = rows.iter().position(|row| row.iter().all(|(_, value)| !value.is_null())).unwrap_or(0);
            let named: Vec<usize> = match rows.get(whole) {
                Some(row) => row.iter().filter_map(|(name, _)| place(&model.columns, name)).collect(),
                None => (0..model.columns.len()).collect(),
            };
            (named, literal(rows, &model.columns, "expected output").map_err(UnitTestError::Rows)?)
        }
    };
    let wanted: Vec<usize> = match &case.expect {
        Fixture::Rows(_) => columns.clone(),
        Fixture::Sql(_) => columns
            .iter()
            .map(|column| {
                let name = &model.columns[*column].name;
                place(&expected.columns, name).ok_or_else(|| failed(format!("column \"{name}\" does not exist"), None))
            })
            .collect::<Result<_, _>>()?,
    };
    let relation = |name: &str| RelationId(name.into());
    let plans =
        vec![(relation("actual"), inliner.plan(&model.plan)), (relation("expected"), inliner.plan(&expected.plan))];
    let plans = plan::inline(optimize(plans, &RewriteOptions::default()));
    let models = plans.into_iter().map(|(id, plan)| ModelPlan { id: id.0.to_string(), plan }).collect();
    let deployment = Deployment { instance: test.unique_id.clone(), models, ..Deployment::default() };
    let evaluated = evaluate(&deployment, None, clock, None)?;
    if let Some((error, _)) = evaluated.errors.first_key_value() {
        let error = error_columns(error.as_ref());
        return Err(UnitTestError::Rows(format!("{} in {}", error.reason, error.expression)));
    }
    Ok(Comparison {
        columns: columns.iter().map(|column| model.columns[*column].name.clone()).collect(),
        actual: texts(&evaluated.models[0], &columns, &model.columns),
        expected: texts(&evaluated.models[1], &wanted, &expected.columns),
    })
}

fn bound(sql: &str, resolve: &plan::ResolveRelation<'_>) -> Result<BoundModel, plan::PlanError> {
    plan::bind(sql, resolve)
}

/// Names in fixtures are found whatever their case.
fn place(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name.to_lowercase() == name.to_lowercase())
}

/// Rows of a fixture as a literal relation with those columns.
fn literal(rows: &[Vec<(String, Json)>], columns: &[Column], what: &str) -> Result<BoundModel, String> {
    let mut packed = Vec::new();
    for row in rows {
        let mut values: Vec<OwnedDatum> = vec![OwnedDatum::new(&Datum::Null); columns.len()];
        for (name, value) in row {
            let Some(at) = place(columns, name) else {
                let known: Vec<String> = columns.iter().map(|column| format!("'{}'", column.name)).collect();
                let name = name.to_lowercase();
                return Err(format!(
                    "Invalid column name: '{name}' in unit test fixture for {what}.\nAccepted columns for {what} are: [{}]",
                    known.join(", ")
                ));
            };
            let column = &columns[at];
            values[at] = typed(value, &column.ty).map_err(|reason| format!("column \"{}\": {reason}", column.name))?;
        }
        let mut builder = RowBuilder::default();
        values.iter().for_each(|value| builder.push(&value.datum()));
        packed.push((builder.finish(), 1));
    }
    let columns: Vec<Column> =
        columns.iter().map(|column| Column { nullable: true, ty: unbounded(&column.ty), ..column.clone() }).collect();
    let typ = RelationType { columns: columns.clone(), keys: Vec::new() };
    Ok(BoundModel { plan: Arc::new(Plan::Constant { rows: packed, typ }), columns, warnings: Vec::new() })
}

/// A text that is too long for its column stays whole, as dbt leaves it.
fn unbounded(ty: &ScalarType) -> ScalarType {
    match ty {
        ScalarType::Varchar(_) => ScalarType::Varchar(None),
        other => other.clone(),
    }
}

/// `cast(value as type)`
fn typed(value: &Json, ty: &ScalarType) -> Result<OwnedDatum, String> {
    let (literal, from) = match value {
        Json::Null => return Ok(OwnedDatum::new(&Datum::Null)),
        Json::Bool(value) => (OwnedDatum::new(&Datum::Bool(*value)), ScalarType::Bool),
        Json::Number(number) => {
            let numeric = Numeric::parse(&number.to_string()).map_err(|_| format!("{number} is no number"))?;
            (OwnedDatum::new(&Datum::Numeric(numeric)), ScalarType::Numeric(None))
        }
        Json::String(text) => (OwnedDatum::new(&Datum::Text(text)), ScalarType::Text),
        Json::Array(_) | Json::Object(_) => (OwnedDatum::new(&Datum::Text(&value.to_string())), ScalarType::Text),
    };
    let literal = Expr::Literal { value: literal, ty: from.clone() };
    let cast = Expr::Cast { input: Box::new(literal), from, to: unbounded(ty), explicit: true };
    let arena = Arena::new();
    let value = cast.eval(&[], &arena).map_err(|error| error.to_string())?;
    Ok(OwnedDatum::new(&value))
}

/// Rows as PostgreSQL prints them, sorted.
fn texts(rows: &BTreeMap<Row, i64>, columns: &[usize], types: &[Column]) -> Vec<Vec<Option<String>>> {
    let zone = row::calendar::parse_zone(eval::session_time_zone()).unwrap_or(chrono_tz::Tz::UTC);
    let mut shown = Vec::new();
    for (row, count) in rows {
        let datums: Vec<Datum<'_>> = row.iter().collect();
        let text = |column: &usize| {
            let mut text = String::new();
            datums[*column].write_text(&types[*column].ty, zone, &mut text);
            (!datums[*column].is_null()).then_some(text)
        };
        let texts: Vec<Option<String>> = columns.iter().map(text).collect();
        shown.extend(std::iter::repeat_n(texts, usize::try_from(*count).unwrap_or(0)));
    }
    shown.sort();
    shown
}
