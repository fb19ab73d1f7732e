//! Functions that give rows: generate_series, unnest, and the elements of a JSON array.
//!
//! ```text
//!   name, argument types ──resolve──> TableFunction, argument types, column types ──rows(arguments)──> packed rows or EvalError
//! ```
//!
//! 1. A NULL argument gives no rows.
//! 2. The rows come in the function's own order, which WITH ORDINALITY counts.
//! 3. A call gives at most `ROWS_MAX` rows; one that would give more fails, as it would otherwise never end.

use row::{Datum, Interval, Numeric, Row, RowBuilder, ScalarType};
use serde::{Deserialize, Serialize};

use crate::json::Json;
use crate::resolve::ResolveError;
use crate::types::type_name;
use crate::{Arena, EvalError, Expr, json, zone};

/// Rows of one call.
pub const ROWS_MAX: usize = 10_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TableFunction {
    /// From, to, and a step that is optional for numbers.
    GenerateSeries,
    /// The elements of one array.
    Unnest,
    JsonElements,
    /// As `JsonElements`: strings without their quotes, JSON's null as NULL.
    JsonElementsText,
    /// The keys of an object of json, as often as they are written.
    JsonKeys,
    /// The keys of an object of jsonb, in its own order.
    JsonbKeys,
}

/// A call over the columns of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableCall {
    pub function: TableFunction,
    pub args: Vec<Expr>,
}

/// What a name with arguments of these types means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableResolution {
    pub function: TableFunction,
    /// The type each argument must be cast to before the call.
    pub arg_types: Vec<ScalarType>,
    /// The type of its one column.
    pub returns: ScalarType,
    /// The column's name where the function itself names it; else it is called as the function or its alias is.
    pub column: Option<&'static str>,
}

/// Whether the name is that of a function that gives rows, maintained or not.
pub fn is_table_function(name: &str) -> bool {
    matches!(
        name,
        "generate_series"
            | "unnest"
            | "json_array_elements"
            | "jsonb_array_elements"
            | "json_array_elements_text"
            | "jsonb_array_elements_text"
            | "json_each"
            | "jsonb_each"
            | "json_each_text"
            | "jsonb_each_text"
            | "json_object_keys"
            | "jsonb_object_keys"
            | "json_to_recordset"
            | "jsonb_to_recordset"
            | "regexp_matches"
            | "regexp_split_to_table"
            | "string_to_table"
            | "generate_subscripts"
    )
}

/// Resolves `name(args)`; `name` in lower case.
pub fn resolve(name: &str, args: &[ScalarType]) -> Result<TableResolution, ResolveError> {
    let none = || {
        let types: Vec<String> = args.iter().map(type_name).collect();
        ResolveError::new(format!("function {name}({}) does not exist", types.join(", "))).with_hint(
            "No function matches the given name and argument types. You might need to add explicit type casts.",
        )
    };
    let resolution = |function, arg_types: Vec<ScalarType>, returns, column| {
        Ok(TableResolution { function, arg_types, returns, column })
    };
    match name {
        "generate_series" => {
            let series = series_type(args).ok_or_else(none)?;
            let step = if series.is_number() { series.clone() } else { ScalarType::Interval };
            let mut arg_types = vec![series.clone(), series.clone()];
            match args.len() {
                2 if series.is_number() => {}
                3 => arg_types.push(step),
                _ => return Err(none()),
            }
            resolution(TableFunction::GenerateSeries, arg_types, series, None)
        }
        "unnest" => match args {
            [ScalarType::Array(of)] => resolution(TableFunction::Unnest, args.to_vec(), (**of).clone(), None),
            _ => Err(none()),
        },
        "json_array_elements" | "jsonb_array_elements" | "json_array_elements_text" | "jsonb_array_elements_text" => {
            let json = if name.starts_with("jsonb") { ScalarType::Jsonb } else { ScalarType::Json };
            match args {
                [arg] if *arg == json || *arg == ScalarType::Unknown => {}
                _ => return Err(none()),
            }
            let (function, returns) = if name.ends_with("_text") {
                (TableFunction::JsonElementsText, ScalarType::Text)
            } else {
                (TableFunction::JsonElements, json.clone())
            };
            resolution(function, vec![json], returns, Some("value"))
        }
        "json_object_keys" | "jsonb_object_keys" => {
            let (function, json) = if name.starts_with("jsonb") {
                (TableFunction::JsonbKeys, ScalarType::Jsonb)
            } else {
                (TableFunction::JsonKeys, ScalarType::Json)
            };
            match args {
                [arg] if *arg == json || *arg == ScalarType::Unknown => {}
                _ => return Err(none()),
            }
            resolution(function, vec![json], ScalarType::Text, None)
        }
        _ => Err(ResolveError::new(format!("set-returning function {name}() is not supported"))
            .with_hint("generate_series, unnest and jsonb_array_elements are maintained")),
    }
}

/// The type that a series runs over, as PostgreSQL chooses it: of dates it makes timestamps with time zone.
fn series_type(args: &[ScalarType]) -> Option<ScalarType> {
    let ends = args.get(..2)?;
    let numbers = ends.iter().chain(args.get(2));
    let is = |wanted: &ScalarType| ends.iter().any(|ty| ty.base() == *wanted);
    if ends.iter().any(ScalarType::is_number) {
        let ty = match () {
            () if numbers.clone().any(|ty| ty.is_float()) => return None,
            () if numbers.clone().any(ScalarType::is_numeric) => ScalarType::NUMERIC,
            () if numbers.clone().any(|ty| *ty == ScalarType::Int64) => ScalarType::Int64,
            () => ScalarType::Int32,
        };
        let fits = |ty: &ScalarType| ty.is_number() || *ty == ScalarType::Unknown;
        return numbers.clone().all(fits).then_some(ty);
    }
    let fits = |ty: &ScalarType| {
        matches!(ty, ScalarType::Date | ScalarType::Timestamp | ScalarType::TimestampTz | ScalarType::Unknown)
    };
    let steps = matches!(args.get(2), Some(ScalarType::Interval | ScalarType::Unknown));
    if !ends.iter().all(fits) || !steps {
        return None;
    }
    if is(&ScalarType::TimestampTz) {
        Some(ScalarType::TimestampTz)
    } else if is(&ScalarType::Timestamp) {
        Some(ScalarType::Timestamp)
    } else {
        is(&ScalarType::Date).then_some(ScalarType::TimestampTz)
    }
}

impl TableCall {
    /// The rows for one input row.
    pub fn rows(&self, columns: &[Datum<'_>]) -> Result<Vec<Row>, EvalError> {
        let arena = Arena::new();
        let args = self.args.iter().map(|arg| arg.eval(columns, &arena)).collect::<Result<Vec<_>, _>>()?;
        self.function.rows(&args)
    }
}

impl TableFunction {
    pub fn name(self) -> &'static str {
        match self {
            TableFunction::GenerateSeries => "generate_series",
            TableFunction::Unnest => "unnest",
            TableFunction::JsonElements => "json_array_elements",
            TableFunction::JsonElementsText => "json_array_elements_text",
            TableFunction::JsonKeys => "json_object_keys",
            TableFunction::JsonbKeys => "jsonb_object_keys",
        }
    }

    /// Whether some arguments make it fail.
    pub fn is_fallible(self) -> bool {
        self != TableFunction::Unnest
    }

    /// The rows for these arguments, which have the types that `resolve` asked for.
    pub fn rows(self, args: &[Datum<'_>]) -> Result<Vec<Row>, EvalError> {
        if args.iter().any(Datum::is_null) {
            return Ok(Vec::new());
        }
        match (self, args) {
            (TableFunction::GenerateSeries, args) => series(args),
            (TableFunction::Unnest, [Datum::Array(elements)]) => {
                Ok(elements.iter().map(|element| Row::pack([element])).collect())
            }
            (TableFunction::JsonElements, [Datum::Text(text)]) => {
                check_array(text)?;
                Ok(json::elements(text).map(|element| Row::pack([Datum::Text(element.trim())])).collect())
            }
            (TableFunction::JsonElementsText, [Datum::Text(text)]) => {
                check_array(text)?;
                Ok(json::elements(text).map(|element| json_text(element.trim())).collect())
            }
            (TableFunction::JsonKeys | TableFunction::JsonbKeys, [Datum::Text(text)]) => {
                match json::parse(text, "json")? {
                    Json::Object(members) => Ok(members.iter().map(|(key, _)| Row::pack([Datum::Text(key)])).collect()),
                    Json::Array(_) => Err(EvalError::new(format!("cannot call {} on an array", self.name()))),
                    _ => Err(EvalError::new(format!("cannot call {} on a scalar", self.name()))),
                }
            }
            (function, args) => panic!("{}({args:?}): the plan's types are wrong", function.name()),
        }
    }
}

/// The rows of several calls side by side: the shorter filled with NULLs, their number last where it is asked for, and a row of
/// NULLs for no rows at all where the input is to be kept.
pub fn side_by_side(results: &[Vec<Row>], ordinality: bool, keeps_input: bool) -> Vec<Row> {
    let length = results.iter().map(Vec::len).max().unwrap_or(0);
    let mut builder = RowBuilder::default();
    let mut rows = Vec::with_capacity(length);
    for index in 0..length {
        for result in results {
            match result.get(index) {
                Some(row) => builder.push_row(row.as_ref()),
                None => builder.push(&Datum::Null),
            }
        }
        if ordinality {
            builder.push(&Datum::Int(index as i64 + 1));
        }
        rows.push(builder.finish());
    }
    if rows.is_empty() && keeps_input {
        rows.push(Row::pack(std::iter::repeat_n(Datum::Null, results.len() + usize::from(ordinality))));
    }
    rows
}

fn check_array(text: &str) -> Result<(), EvalError> {
    match json::type_of(text) {
        "array" => Ok(()),
        "object" => Err(EvalError::new("cannot extract elements from an object")),
        _ => Err(EvalError::new("cannot extract elements from a scalar")),
    }
}

fn json_text(element: &str) -> Row {
    match element {
        "null" => Row::pack([Datum::Null]),
        quoted if quoted.starts_with('"') => Row::pack([Datum::Text(&json::unquoted(quoted))]),
        other => Row::pack([Datum::Text(other)]),
    }
}

fn series(args: &[Datum<'_>]) -> Result<Vec<Row>, EvalError> {
    match args {
        [Datum::Int(first), Datum::Int(last)] => integers(*first, *last, 1),
        [Datum::Int(first), Datum::Int(last), Datum::Int(step)] => integers(*first, *last, *step),
        [Datum::Numeric(first), Datum::Numeric(last)] => numerics(first, last, &Numeric::ONE),
        [Datum::Numeric(first), Datum::Numeric(last), Datum::Numeric(step)] => numerics(first, last, step),
        [Datum::Timestamp(first), Datum::Timestamp(last), Datum::Interval(step)] => {
            let next = |at| row::calendar::add_interval_timestamp(at, *step);
            instants(*first, *last, *step, next, Datum::Timestamp)
        }
        [Datum::TimestampTz(first), Datum::TimestampTz(last), Datum::Interval(step)] => {
            instants(*first, *last, *step, |at| zone::add_interval(at, *step), Datum::TimestampTz)
        }
        args => panic!("generate_series({args:?}): the plan's types are wrong"),
    }
}

fn zero_step() -> EvalError {
    EvalError::new("step size cannot equal zero")
}

fn push(rows: &mut Vec<Row>, datum: Datum<'_>) -> Result<(), EvalError> {
    if rows.len() >= ROWS_MAX {
        return Err(EvalError::new(format!("generate_series() gives more than {ROWS_MAX} rows")));
    }
    rows.push(Row::pack([datum]));
    Ok(())
}

fn integers(first: i64, last: i64, step: i64) -> Result<Vec<Row>, EvalError> {
    if step == 0 {
        return Err(zero_step());
    }
    let mut rows = Vec::new();
    let mut at = Some(first);
    while let Some(value) = at.filter(|at| if step > 0 { *at <= last } else { *at >= last }) {
        push(&mut rows, Datum::Int(value))?;
        at = value.checked_add(step);
    }
    Ok(rows)
}

fn numerics(first: &Numeric, last: &Numeric, step: &Numeric) -> Result<Vec<Row>, EvalError> {
    for (value, what) in [(first, "start value"), (last, "stop value"), (step, "step size")] {
        if value.is_nan() {
            return Err(EvalError::new(format!("{what} cannot be NaN")));
        }
        if value.is_infinite() {
            return Err(EvalError::new(format!("{what} cannot be infinity")));
        }
    }
    if step.is_zero() {
        return Err(zero_step());
    }
    let mut rows = Vec::new();
    let mut at = first.clone();
    while if step.is_negative() { at >= *last } else { at <= *last } {
        push(&mut rows, Datum::Numeric(at.clone()))?;
        at = at.add(step).map_err(EvalError::from_value)?;
    }
    Ok(rows)
}

fn instants(
    first: i64,
    last: i64,
    step: Interval,
    next: impl Fn(i64) -> Result<i64, row::CalendarError>,
    datum: impl Fn(i64) -> Datum<'static>,
) -> Result<Vec<Row>, EvalError> {
    let direction = step.comparison_micros();
    if direction == 0 {
        return Err(zero_step());
    }
    let mut rows = Vec::new();
    let mut at = first;
    while if direction > 0 { at <= last } else { at >= last } {
        push(&mut rows, datum(at))?;
        at = next(at).map_err(EvalError::from_value)?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(first: i64, last: i64, step: i64) -> Result<Vec<i64>, EvalError> {
        let rows = TableFunction::GenerateSeries.rows(&[Datum::Int(first), Datum::Int(last), Datum::Int(step)])?;
        Ok(rows.iter().filter_map(|row| row.iter().next()).map(|datum| datum.unwrap_int()).collect())
    }

    #[test]
    fn a_series_goes_up_or_down_and_ends_at_the_edge_of_its_type() {
        assert_eq!(ints(1, 7, 3), Ok(vec![1, 4, 7]));
        assert_eq!(ints(3, 1, -1), Ok(vec![3, 2, 1]));
        assert_eq!(ints(3, 1, 1), Ok(vec![]));
        assert_eq!(ints(i64::MAX - 1, i64::MAX, 1), Ok(vec![i64::MAX - 1, i64::MAX]));
        assert_eq!(ints(1, 2, 0), Err(zero_step()));
        assert!(ints(1, i64::MAX, 1).is_err());
    }

    #[test]
    fn months_are_added_one_by_one() {
        let day = |text: &str| row::calendar::parse_timestamp(text).expect("a timestamp");
        let month = Interval::new(1, 0, 0);
        let args = [Datum::Timestamp(day("2024-01-31")), Datum::Timestamp(day("2024-04-30")), Datum::Interval(month)];
        let rows = TableFunction::GenerateSeries.rows(&args).expect("rows");
        let expected = ["2024-01-31", "2024-02-29", "2024-03-29", "2024-04-29"]
            .map(|text| Row::pack([Datum::Timestamp(day(text))]));
        assert_eq!(rows, expected);
    }

    #[test]
    fn json_elements_are_json_or_text() {
        let args = [Datum::Text(r#"[1, "a", null, {"b": 2}]"#)];
        let texts = |rows: Vec<Row>| rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
        assert_eq!(TableFunction::JsonElements.rows(&args).map(texts).expect("rows").len(), 4);
        let as_text = TableFunction::JsonElementsText.rows(&args).expect("rows");
        assert_eq!(as_text[1], Row::pack([Datum::Text("a")]));
        assert_eq!(as_text[2], Row::pack([Datum::Null]));
        assert!(TableFunction::JsonElements.rows(&[Datum::Text("{}")]).is_err());
    }
}
