//! Functions of other warehouses whose meaning is clear, as expressions of PostgreSQL's.
//!
//! ```text
//!   dateadd(month, 2, x)      ─>  x + 2 * interval '1 month'
//!   datediff(week, a, b)      ─>  the Mondays between them
//!   iff(c, a, b), nvl2, decode─>  case
//!   safe_divide(a, b)         ─>  a / nullif(b, 0)
//! ```
//!
//! 1. A name that PostgreSQL has keeps PostgreSQL's meaning: only what would not exist comes here.
//! 2. Where two warehouses mean different things by one name, the name is refused, and the error says what to write.
//! 3. Nothing here is evaluated: a rewrite is a tree of functions, operators and casts of PostgreSQL.

use eval::Expr;
use row::{Datum, NumericTypmod, ScalarType};
use sqlparser::ast;

use super::coerce::{binary, function, unify};
use super::date_units::{DateUnit, date_unit, date_unit_of_sunday_weeks};
use super::literal::{int4, text, unknown};
use super::{Binder, Bound, time_pictures};
use crate::plan::PlanError;
use crate::plan::expr::{is_not_null, literal_null};

/// `number` without digits, as warehouses have it.
const WHOLE_NUMBER: ScalarType = ScalarType::Numeric(Some(NumericTypmod { precision: 38, scale: 0 }));

impl<'q> Binder<'q> {
    /// The call of another warehouse; `None` if the name is none of theirs with these arguments.
    pub(super) fn warehouse_call(&mut self, name: &str, args: &[&'q ast::Expr]) -> Result<Option<Bound>, PlanError> {
        if let Some(error) = ambiguous(name, args.len()) {
            return Err(error);
        }
        if let Some(bound) = self.date_call(name, args)? {
            return Ok(Some(bound));
        }
        let foreign = matches!(
            (name, args.len()),
            ("nvl2" | "iff", 3)
                | ("if", 2 | 3)
                | ("nvl" | "ifnull" | "isnull" | "safe_divide" | "div0" | "div0null" | "equal_null" | "split", 2)
                | ("zeroifnull" | "nullifzero" | "len" | "array_size" | "square", 1)
                | ("charindex" | "locate" | "instr" | "endswith" | "ends_with" | "startswith" | "contains", 2)
                | ("contains_substr" | "regexp_contains" | "regexp_extract" | "array_contains" | "sha2", 2)
                | ("to_varchar", 1 | 2)
                | ("to_char" | "to_date" | "to_number" | "to_timestamp", 1)
                | ("to_timestamp_ntz" | "to_double" | "to_boolean" | "parse_json" | "try_parse_json", 1)
                | ("to_decimal" | "to_numeric" | "try_to_number" | "try_to_decimal" | "try_to_numeric", 1..=3)
                | ("to_number", 3)
                | ("try_to_date" | "try_to_timestamp" | "try_to_timestamp_ntz" | "try_to_double" | "try_to_boolean", 1)
                | ("truncate", 2)
                | ("sha2_hex" | "md5_hex", 1 | 2)
                | ("json_value" | "json_extract_scalar" | "get_json_object" | "json_extract" | "json_query", 2)
        ) || name == "decode" && args.len() > 2;
        if !foreign {
            return Ok(None);
        }
        let mut bounds = Vec::with_capacity(args.len());
        for arg in args {
            bounds.push(self.expr(arg)?);
        }
        self.foreign(name, bounds)
    }

    fn foreign(&mut self, name: &str, mut args: Vec<Bound>) -> Result<Option<Bound>, PlanError> {
        // The arities were checked by the caller's table.
        let bound = match name {
            "nvl" | "ifnull" | "isnull" => self.coalesce(args)?,
            "nvl2" => {
                let (value, present, absent) = (take(&mut args), take(&mut args), take(&mut args));
                let is_present = Bound::boolean(is_not_null(value.expr));
                choose(vec![(is_present, present)], absent)?
            }
            "iff" | "if" => {
                let (condition, then) = (take(&mut args).into_condition("IF")?, take(&mut args));
                let otherwise = if args.is_empty() { null() } else { args.remove(0) };
                choose(vec![(condition, then)], otherwise)?
            }
            "decode" => self.decode(args)?,
            "zeroifnull" => self.coalesce(vec![take(&mut args), int4(0)])?,
            "nullifzero" => function("nullif", vec![take(&mut args), int4(0)])?,
            "equal_null" => {
                let (left, right) = (take(&mut args), take(&mut args));
                self.not_distinct(left, right)?
            }
            "safe_divide" => {
                let (dividend, divisor) = (take(&mut args), take(&mut args));
                // Two whole numbers give a fraction.
                let dividend = if dividend.ty.is_integer() && divisor.ty.is_integer() {
                    dividend.cast(&ScalarType::Float64, true)?
                } else {
                    dividend
                };
                binary("/", dividend, function("nullif", vec![divisor, int4(0)])?)?
            }
            "div0" | "div0null" => {
                let (dividend, divisor) = (take(&mut args), take(&mut args));
                let divisor = if name == "div0null" { self.coalesce(vec![divisor, int4(0)])? } else { divisor };
                let dividend =
                    if dividend.ty.is_integer() { dividend.cast(&ScalarType::NUMERIC, true)? } else { dividend };
                let quotient = binary("/", dividend, function("nullif", vec![divisor.clone(), int4(0)])?)?;
                choose(vec![(binary("=", divisor, int4(0))?, int4(0))], quotient)?
            }
            "len" => function("length", vec![take(&mut args)])?,
            "square" => function("power", vec![take(&mut args), int4(2)])?,
            "array_size" => function("cardinality", vec![take(&mut args)])?,
            "truncate" => function("trunc", args)?,
            "split" => function("string_to_array", args)?,
            "charindex" | "locate" => {
                let part = take(&mut args);
                function("strpos", vec![take(&mut args), part])?
            }
            "instr" => function("strpos", args)?,
            "startswith" => function("starts_with", args)?,
            "endswith" | "ends_with" => {
                let (value, end) = (take(&mut args), take(&mut args));
                let length = function("length", vec![end.clone()])?;
                binary("=", function("right", vec![value, length])?, end)?
            }
            "contains" => binary(">", function("strpos", args)?, int4(0))?,
            "contains_substr" => {
                let lower = [take(&mut args), take(&mut args)].into_iter().map(|side| function("lower", vec![side]));
                binary(">", function("strpos", lower.collect::<Result<_, _>>()?)?, int4(0))?
            }
            "regexp_contains" => {
                let value = take(&mut args);
                binary("~", value, take(&mut args))?
            }
            "regexp_extract" => function("substring", args)?,
            "array_contains" => {
                let (first, second) = (take(&mut args), take(&mut args));
                // Some have the array first and some the value: the types tell.
                let (value, array) =
                    if matches!(first.ty, ScalarType::Array(_)) { (second, first) } else { (first, second) };
                binary("= any", value, array)?
            }
            "md5_hex" => function("md5", args)?,
            "sha2" | "sha2_hex" => {
                let value = take(&mut args);
                let bits = if args.is_empty() { int4(256) } else { args.remove(0) };
                sha2(value, &bits)?
            }
            "to_varchar" | "to_char" => match args.len() {
                1 => take(&mut args).cast(&ScalarType::Text, true)?,
                _ => function("to_char", args)?,
            },
            "to_date" => take(&mut args).cast(&ScalarType::Date, true)?,
            // Of text only: a number counts seconds, as in PostgreSQL.
            "to_timestamp" => {
                let value = take(&mut args);
                match value.ty {
                    ScalarType::Text | ScalarType::Varchar(_) | ScalarType::Date | ScalarType::Timestamp => {
                        value.cast(&ScalarType::Timestamp, true)?
                    }
                    _ => function(name, vec![value])?,
                }
            }
            "to_timestamp_ntz" => take(&mut args).cast(&ScalarType::Timestamp, true)?,
            "to_double" => take(&mut args).cast(&ScalarType::Float64, true)?,
            "to_boolean" => take(&mut args).cast(&ScalarType::Bool, true)?,
            "to_number" | "to_decimal" | "to_numeric" => {
                let value = take(&mut args);
                value.cast(&digits(&args)?, true)?
            }
            "try_to_number" | "try_to_decimal" | "try_to_numeric" => {
                let value = take(&mut args);
                value.try_cast(&digits(&args)?)?
            }
            "try_to_date" => take(&mut args).try_cast(&ScalarType::Date)?,
            "try_to_timestamp" | "try_to_timestamp_ntz" => take(&mut args).try_cast(&ScalarType::Timestamp)?,
            "try_to_double" => take(&mut args).try_cast(&ScalarType::Float64)?,
            "try_to_boolean" => take(&mut args).try_cast(&ScalarType::Bool)?,
            "parse_json" => take(&mut args).cast(&ScalarType::Jsonb, true)?,
            "try_parse_json" => take(&mut args).try_cast(&ScalarType::Jsonb)?,
            "json_value" | "json_extract_scalar" | "get_json_object" => {
                json_at(name, "#>>", take(&mut args), take(&mut args))?
            }
            "json_extract" | "json_query" => json_at(name, "#>", take(&mut args), take(&mut args))?,
            _ => return Ok(None),
        };
        Ok(Some(bound))
    }

    /// `decode(x, a, first, b, second, otherwise)`, where NULL equals NULL.
    fn decode(&mut self, mut args: Vec<Bound>) -> Result<Bound, PlanError> {
        let value = args.remove(0);
        let otherwise = if args.len().is_multiple_of(2) { null() } else { args.pop().unwrap_or_else(null) };
        let mut branches = Vec::with_capacity(args.len() / 2);
        let mut rest = args.into_iter();
        while let (Some(wanted), Some(result)) = (rest.next(), rest.next()) {
            branches.push((self.not_distinct(value.clone(), wanted)?, result));
        }
        choose(branches, otherwise)
    }

    /// The calls that take a unit of time, or a part of a date.
    fn date_call(&mut self, name: &str, args: &[&'q ast::Expr]) -> Result<Option<Bound>, PlanError> {
        let bound = match (name, args) {
            ("dateadd" | "timestampadd", [unit, count, start]) => {
                let Some(unit) = date_unit(unit) else { return Err(no_unit(name, unit)) };
                let count = self.expr(count)?.cast(&ScalarType::Int32, true)?;
                let start = self.moment(start)?;
                shifted("+", start, count, unit)?
            }
            (
                "date_add" | "datetime_add" | "timestamp_add" | "date_sub" | "datetime_sub" | "timestamp_sub",
                [start, by],
            ) => {
                let op = if name.ends_with("sub") { "-" } else { "+" };
                let start = self.moment(start)?;
                match by {
                    ast::Expr::Interval(interval) => {
                        let whole_days = start.ty == ScalarType::Date
                            && interval.leading_field.as_ref().is_some_and(super::date_units::is_day_or_more);
                        let by = self.interval(interval)?;
                        keep_date(whole_days, binary(op, start, by)?)?
                    }
                    by => {
                        let by = self.expr(by)?;
                        if by.ty.is_integer() {
                            binary(op, start.cast(&ScalarType::Date, true)?, by)?
                        } else {
                            binary(op, start, by)?
                        }
                    }
                }
            }
            // Spark and MySQL: days, the end first.
            ("datediff", [end, start]) => {
                let (end, start) = (self.moment(end)?, self.moment(start)?);
                binary("-", end.cast(&ScalarType::Date, true)?, start.cast(&ScalarType::Date, true)?)?
            }
            ("datediff" | "date_diff", [unit, start, end])
                if name == "datediff" || is_text(unit) || date_unit(end).is_none() =>
            {
                let Some(unit) = date_unit(unit) else { return Err(no_unit(name, unit)) };
                let (start, end) = (self.moment(start)?, self.moment(end)?);
                boundaries(unit, start, end)?
            }
            ("date_diff" | "datetime_diff", [end, start, unit]) => {
                let Some(unit) = date_unit_of_sunday_weeks(unit) else { return Err(no_unit(name, unit)) };
                let (start, end) = (self.moment(start)?, self.moment(end)?);
                boundaries(unit, start, end)?
            }
            ("timestamp_diff", [end, start, unit]) => {
                let Some(unit) = date_unit(unit) else { return Err(no_unit(name, unit)) };
                let Some(seconds) = unit.seconds() else { return Err(no_unit(name, args[2])) };
                let (start, end) = (self.moment(start)?, self.moment(end)?);
                let between = binary("-", end.into_timestamp()?, start.into_timestamp()?)?;
                let elapsed = function("extract", vec![text("epoch"), between])?;
                let whole =
                    function("trunc", vec![binary("/", elapsed, unknown(seconds).cast(&ScalarType::NUMERIC, true)?)?])?;
                whole.cast(&ScalarType::Int64, true)?
            }
            // A bare unit behind the date, or before it. Where both could be units, the one that is a column is none.
            ("date_trunc" | "datetime_trunc" | "timestamp_trunc", [start, unit])
                if is_bare_unit(unit) && !is_text(start) && (!is_bare_unit(start) || self.is_column(start)) =>
            {
                let Some(unit) = date_unit_of_sunday_weeks(unit) else { return Ok(None) };
                truncated(unit, self.moment(start)?)?
            }
            ("date_trunc", [unit, start]) if is_bare_unit(unit) => {
                let Some(unit) = date_unit(unit) else { return Ok(None) };
                truncated(unit, self.moment(start)?)?
            }
            ("date_part" | "datepart", [unit, of]) if is_bare_unit(unit) => {
                let Some(unit) = date_unit(unit) else { return Ok(None) };
                let of = self.moment(of)?;
                function("date_part", vec![text(unit.field()), of])?
            }
            (part, [of]) if date_field(part).is_some() => {
                let field = date_field(part).unwrap_or_default();
                let of = self.moment(of)?;
                let value = function("extract", vec![text(field), of])?;
                let value = if field == "second" { function("trunc", vec![value])? } else { value };
                value.cast(&ScalarType::Int32, true)?
            }
            ("last_day", [of]) => last_day(DateUnit::Month, self.moment(of)?)?,
            ("last_day", [of, unit]) => {
                let Some(unit) = date_unit(unit) else { return Err(no_unit(name, unit)) };
                last_day(unit, self.moment(of)?)?
            }
            ("date_from_parts" | "datefromparts" | "date", [_, _, _]) => self.made("make_date", args)?,
            ("timestamp_from_parts" | "timestamp_ntz_from_parts" | "datetime", [_, _, _, _, _, _]) => {
                self.made("make_timestamp", args)?
            }
            ("time_from_parts" | "timefromparts", [_, _, _]) => self.made("make_time", args)?,
            ("datetime", [of]) => self.moment(of)?.cast(&ScalarType::Timestamp, true)?,
            ("unix_seconds", [of]) => epoch(self.moment(of)?, "1")?,
            ("unix_millis", [of]) => epoch(self.moment(of)?, "1000")?,
            ("unix_micros", [of]) => epoch(self.moment(of)?, "1000000")?,
            ("timestamp_seconds" | "timestamp_millis" | "timestamp_micros", [count]) => {
                let count = self.expr(count)?.cast(&ScalarType::Float64, true)?;
                let unit = match name {
                    "timestamp_seconds" => "1",
                    "timestamp_millis" => "1000",
                    _ => "1000000",
                };
                let unit = unknown(unit).cast(&ScalarType::Float64, true)?;
                function("to_timestamp", vec![binary("/", count, unit)?])?
            }
            ("convert_timezone", [from, to, of]) => {
                let (from, to) = (self.expr(from)?, self.expr(to)?);
                let of = self.moment(of)?.into_timestamp()?;
                function("timezone", vec![to, function("timezone", vec![from, of])?])?
            }
            ("from_utc_timestamp", [of, zone]) => {
                let (of, zone) = (self.moment(of)?.into_timestamp()?, self.expr(zone)?);
                function("timezone", vec![zone, function("timezone", vec![unknown("UTC"), of])?])?
            }
            ("to_utc_timestamp", [of, zone]) => {
                let (of, zone) = (self.moment(of)?.into_timestamp()?, self.expr(zone)?);
                function("timezone", vec![unknown("UTC"), function("timezone", vec![zone, of])?])?
            }
            ("format_date" | "format_datetime" | "format_timestamp", [picture, of]) => {
                let of = self.moment(of)?;
                function("to_char", vec![of, text(&time_pictures::of_percents(name, picture)?)])?
            }
            ("strftime", [one, other]) => {
                // Either order is seen: the picture is the literal with percent signs.
                let (picture, of) = if time_pictures::is_picture(one) { (one, other) } else { (other, one) };
                let of = self.moment(of)?;
                function("to_char", vec![of, text(&time_pictures::of_percents(name, picture)?)])?
            }
            ("parse_date", [picture, of]) => {
                let of = self.expr(of)?;
                function("to_date", vec![of, text(&time_pictures::of_percents(name, picture)?)])?
            }
            ("parse_datetime" | "parse_timestamp", [picture, of]) => {
                let of = self.expr(of)?;
                let parsed = function("to_timestamp", vec![of, text(&time_pictures::of_percents(name, picture)?)])?;
                let is_local = name == "parse_datetime";
                if is_local { parsed.cast(&ScalarType::Timestamp, true)? } else { parsed }
            }
            ("strptime", [of, picture]) => {
                let of = self.expr(of)?;
                function("to_timestamp", vec![of, text(&time_pictures::of_percents(name, picture)?)])?
                    .cast(&ScalarType::Timestamp, true)?
            }
            _ => return Ok(None),
        };
        Ok(Some(bound))
    }

    /// A date or a timestamp; a text is read as a timestamp.
    fn moment(&mut self, expr: &'q ast::Expr) -> Result<Bound, PlanError> {
        let bound = self.expr(expr)?;
        if bound.ty.is_string() { bound.cast(&ScalarType::Timestamp, true) } else { Ok(bound) }
    }

    fn made(&mut self, name: &str, args: &[&'q ast::Expr]) -> Result<Bound, PlanError> {
        let args = args.iter().map(|arg| self.expr(arg)).collect::<Result<Vec<_>, _>>()?;
        function(name, args)
    }

    /// Whether a bare word is the name of a column here, and so not of a unit.
    fn is_column(&mut self, expr: &'q ast::Expr) -> bool {
        match expr {
            ast::Expr::Identifier(ident) => self.named_column(ident).is_ok(),
            _ => false,
        }
    }
}

impl Bound {
    fn into_timestamp(self) -> Result<Bound, PlanError> {
        match self.ty {
            ScalarType::Date | ScalarType::Unknown => self.cast(&ScalarType::Timestamp, false),
            _ => Ok(self),
        }
    }
}

fn is_text(arg: &ast::Expr) -> bool {
    matches!(arg, ast::Expr::Value(value) if matches!(value.value, ast::Value::SingleQuotedString(_)))
}

/// A unit that is written as a word, or as a week with its first day.
fn is_bare_unit(arg: &ast::Expr) -> bool {
    !is_text(arg) && date_unit(arg).is_some()
}

/// Names that mean different things in different places.
fn ambiguous(name: &str, args: usize) -> Option<PlanError> {
    let (why, instead) = match (name, args) {
        ("dayofweek", 1) => (
            "counts from 0, from 1 or from Monday",
            "write extract(dow from x), where Sunday is 0, or isodow, where Monday is 1",
        ),
        ("monthname", 1) => {
            ("gives the whole name or three letters", "write to_char(x, 'Mon') or to_char(x, 'FMMonth')")
        }
        ("dayname", 1) => ("gives the whole name or three letters", "write to_char(x, 'Dy') or to_char(x, 'FMDay')"),
        ("add_months", 2) => (
            "keeps the last day of a month or not",
            "write x + n * interval '1 month', or (date_trunc('month', x) + (n + 1) * interval '1 month' - interval '1 day')::date for last days",
        ),
        ("months_between", 2) => {
            ("counts days of a month as 31sts", "write datediff(month, a, b) for months begun, or age(b, a)")
        }
        ("timestampdiff", 3) => (
            "counts whole units or boundaries",
            "write datediff(unit, a, b) for boundaries, or extract(epoch from (b - a)) / seconds",
        ),
        ("rlike", 2) => ("matches a part of the text or all of it", "write text ~ 'pattern', or text ~ '^(pattern)$'"),
        ("regexp_extract", 3) => (
            "takes a group or a position",
            "write (regexp_match(text, 'pattern'))[group], or regexp_substr(text, 'pattern', position)",
        ),
        ("convert_timezone", 2) => (
            "starts from UTC or from the session's zone",
            "write convert_timezone('UTC', 'zone', x), or x at time zone 'zone'",
        ),
        ("next_day", 2) => {
            ("takes names of days in several languages", "write date_trunc('week', x)::date + 7 for the Monday after")
        }
        ("week_of_year" | "yearofweek", 1) => {
            ("depends on a session's parameter", "write extract(week from x) or extract(isoyear from x)")
        }
        _ => return None,
    };
    Some(PlanError::new(format!("{name}() {why}, depending on the warehouse")).with_hint(instead))
}

fn no_unit(name: &str, unit: &ast::Expr) -> PlanError {
    PlanError::new(format!("{name}() does not know the unit {unit}"))
        .with_hint("units are year, quarter, month, week, day, hour, minute, second, millisecond, microsecond")
}

/// The field that a function of one date is named after.
fn date_field(name: &str) -> Option<&'static str> {
    Some(match name {
        "year" => "year",
        "quarter" => "quarter",
        "month" => "month",
        "week" | "weekofyear" | "weekiso" | "week_iso" => "week",
        "day" | "dayofmonth" => "day",
        "dayofyear" => "doy",
        "dayofweekiso" | "dayofweek_iso" | "isodow" => "isodow",
        "hour" => "hour",
        "minute" => "minute",
        "second" => "second",
        _ => return None,
    })
}

/// The next argument; the table of arities says that there is one.
fn take(args: &mut Vec<Bound>) -> Bound {
    if args.is_empty() { null() } else { args.remove(0) }
}

fn null() -> Bound {
    Bound::new(literal_null(ScalarType::Unknown), ScalarType::Unknown, true)
}

/// CASE over conditions that are bound already.
fn choose(branches: Vec<(Bound, Bound)>, otherwise: Bound) -> Result<Bound, PlanError> {
    let (conditions, mut results): (Vec<Bound>, Vec<Bound>) = branches.into_iter().unzip();
    results.push(otherwise);
    let (mut results, ty) = unify("CASE", results)?;
    let nullable = results.iter().any(|bound| bound.nullable);
    let scale_max = if ty.is_numeric() { super::coerce::joint_scale(&results) } else { None };
    let otherwise = results.pop().map_or_else(|| literal_null(ty.clone()), |bound| bound.expr);
    let branches =
        conditions.into_iter().zip(results).map(|(condition, result)| (condition.expr, result.expr)).collect();
    let expr = Expr::Case { branches, otherwise: Box::new(otherwise), ty: ty.clone() };
    Ok(Bound { expr, ty, nullable, scale_max })
}

/// The type that the digits behind a value ask for.
fn digits(args: &[Bound]) -> Result<ScalarType, PlanError> {
    let mut numbers = Vec::with_capacity(args.len());
    for arg in args {
        match &arg.expr {
            Expr::Literal { value, .. } if arg.ty.is_integer() => match value.datum() {
                Datum::Int(number) => numbers.push(number),
                _ => return Err(PlanError::new("the digits of a number must be known while planning")),
            },
            _ => {
                return Err(PlanError::new("the digits of a number must be known while planning")
                    .with_hint("write to_number(x, 12, 2), or to_number(text, 'picture')"));
            }
        }
    }
    let (precision, scale) = match numbers[..] {
        [] => return Ok(WHOLE_NUMBER),
        [precision] => (precision, 0),
        [precision, scale, ..] => (precision, scale),
    };
    match (u16::try_from(precision), i16::try_from(scale)) {
        (Ok(precision @ 1..=1000), Ok(scale)) if (0..=1000).contains(&scale) => {
            Ok(ScalarType::Numeric(Some(NumericTypmod { precision, scale })))
        }
        _ => Err(PlanError::new(format!("NUMERIC precision {precision} must be between 1 and 1000"))),
    }
}

fn sha2(value: Bound, bits: &Bound) -> Result<Bound, PlanError> {
    let length = match &bits.expr {
        Expr::Literal { value, .. } => match value.datum() {
            Datum::Int(length) => length,
            _ => -1,
        },
        _ => -1,
    };
    let hash = match length {
        0 | 256 => "sha256",
        224 => "sha224",
        384 => "sha384",
        512 => "sha512",
        _ => return Err(PlanError::new("sha2() takes 224, 256, 384 or 512 bits, known while planning")),
    };
    let bytes =
        if value.ty == ScalarType::Bytes { value } else { function("convert_to", vec![value, unknown("UTF8")])? };
    function("encode", vec![function(hash, vec![bytes])?, unknown("hex")])
}

/// `json_value(x, '$.a.b[0]')` is `x::jsonb #>> '{a,b,0}'`.
fn json_at(name: &str, op: &str, value: Bound, path: Bound) -> Result<Bound, PlanError> {
    let shown = match &path.expr {
        Expr::Literal { value, .. } => match value.datum() {
            Datum::Text(text) => text.to_string(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let Some(steps) = json_path(&shown) else {
        return Err(PlanError::new(format!("{name}() takes a path like '$.a.b[0]', known while planning"))
            .with_hint("write x::jsonb #>> '{a,b,0}'"));
    };
    let value = if matches!(value.ty, ScalarType::Json | ScalarType::Jsonb) {
        value
    } else {
        value.cast(&ScalarType::Jsonb, true)?
    };
    let steps = steps.iter().map(|step| text(step)).collect::<Vec<_>>();
    let path = if steps.is_empty() {
        unknown("{}").cast(&ScalarType::Array(Box::new(ScalarType::Text)), true)?
    } else {
        function("array", steps)?
    };
    let mut found = binary(op, value, path)?;
    found.nullable = true;
    Ok(found)
}

/// The steps of `$.a['b c'][0]`.
fn json_path(path: &str) -> Option<Vec<String>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            let step = tail[..end].trim_matches('"');
            if step.is_empty() || step.contains(['*', '?', '@']) {
                return None;
            }
            steps.push(step.to_string());
            rest = &tail[end..];
        } else {
            let (step, tail) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = step.strip_prefix('\'').and_then(|step| step.strip_suffix('\''));
            let step =
                quoted.or_else(|| step.strip_prefix('"').and_then(|step| step.strip_suffix('"'))).unwrap_or(step);
            if step.is_empty() || step == "*" {
                return None;
            }
            steps.push(step.to_string());
            rest = tail;
        }
    }
    Some(steps)
}

/// A date stays a date where only whole days are added.
fn keep_date(whole_days: bool, bound: Bound) -> Result<Bound, PlanError> {
    if whole_days { bound.cast(&ScalarType::Date, true) } else { Ok(bound) }
}

fn shifted(op: &str, start: Bound, count: Bound, unit: DateUnit) -> Result<Bound, PlanError> {
    let whole_days = start.ty == ScalarType::Date && unit.is_day_or_more();
    if whole_days && unit == DateUnit::Day {
        return binary(op, start, count);
    }
    let one = unknown(unit.interval()).cast(&ScalarType::Interval, true)?;
    keep_date(whole_days, binary(op, start, binary("*", count, one)?)?)
}

/// How many boundaries of the unit lie between two moments.
fn boundaries(unit: DateUnit, start: Bound, end: Bound) -> Result<Bound, PlanError> {
    let (start, end) = (start.into_timestamp()?, end.into_timestamp()?);
    let counted = match unit {
        DateUnit::Year | DateUnit::Quarter | DateUnit::Month => {
            let number = |of: Bound| -> Result<Bound, PlanError> {
                let year = function("extract", vec![text("year"), of.clone()])?;
                let (per_year, field) = match unit {
                    DateUnit::Year => return Ok(year),
                    DateUnit::Quarter => (4, "quarter"),
                    _ => (12, "month"),
                };
                binary("+", binary("*", year, int4(per_year))?, function("extract", vec![text(field), of])?)
            };
            binary("-", number(end)?, number(start)?)?
        }
        DateUnit::Week | DateUnit::SundayWeek => {
            let monday = |of: Bound| -> Result<Bound, PlanError> {
                let of = if unit == DateUnit::SundayWeek { shifted("+", of, int4(1), DateUnit::Day)? } else { of };
                function("date_trunc", vec![text("week"), of])?.cast(&ScalarType::Date, true)
            };
            binary("/", binary("-", monday(end)?, monday(start)?)?, int4(7))?
        }
        DateUnit::Day => binary("-", end.cast(&ScalarType::Date, true)?, start.cast(&ScalarType::Date, true)?)?,
        _ => {
            let cut = |of: Bound| function("date_trunc", vec![text(unit.field()), of]);
            let between = binary("-", cut(end)?, cut(start)?)?;
            let elapsed = function("extract", vec![text("epoch"), between])?;
            let seconds = unknown(unit.seconds().unwrap_or("1")).cast(&ScalarType::NUMERIC, true)?;
            binary("/", elapsed, seconds)?
        }
    };
    counted.cast(&ScalarType::Int64, true)
}

/// The start of the unit; of a date, a date.
fn truncated(unit: DateUnit, of: Bound) -> Result<Bound, PlanError> {
    let is_date = of.ty == ScalarType::Date;
    let of = of.into_timestamp()?;
    let cut = if unit == DateUnit::SundayWeek {
        let monday = function("date_trunc", vec![text("week"), shifted("+", of, int4(1), DateUnit::Day)?])?;
        shifted("-", monday, int4(1), DateUnit::Day)?
    } else {
        function("date_trunc", vec![text(unit.field()), of])?
    };
    keep_date(is_date, cut)
}

fn last_day(unit: DateUnit, of: Bound) -> Result<Bound, PlanError> {
    if !matches!(unit, DateUnit::Year | DateUnit::Quarter | DateUnit::Month | DateUnit::Week) {
        return Err(PlanError::new("last_day() knows the units year, quarter, month and week"));
    }
    let start = function("date_trunc", vec![text(unit.field()), of.into_timestamp()?])?;
    let one = unknown(unit.interval()).cast(&ScalarType::Interval, true)?;
    let next = binary("+", start, one)?.cast(&ScalarType::Date, true)?;
    binary("-", next, int4(1))
}

/// Units of this many parts of a second since 1970.
fn epoch(of: Bound, parts: &str) -> Result<Bound, PlanError> {
    let seconds = function("extract", vec![text("epoch"), of])?;
    let counted = binary("*", seconds, unknown(parts).cast(&ScalarType::NUMERIC, true)?)?;
    function("floor", vec![counted])?.cast(&ScalarType::Int64, true)
}
