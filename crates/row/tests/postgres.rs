//! Replays what a PostgreSQL answered: `data/*.tsv`, made by `data/generate.py`.
//!
//! Each line is an operation, its arguments and the answer as text; an answer `ERROR: …` is an error message.

use std::cmp::Ordering;

use chrono_tz::Tz;
use row::calendar::{self, CalendarError, DateUnit, Interval};
use row::{Datum, FloatError, Numeric, NumericError, NumericTypmod, Row, ScalarType, float_text};

#[test]
fn numerics_answer_as_postgres() {
    replay(include_str!("data/numeric.tsv"));
}

#[test]
fn floats_answer_as_postgres() {
    replay(include_str!("data/float.tsv"));
}

#[test]
fn dates_and_intervals_answer_as_postgres() {
    replay(include_str!("data/calendar.tsv"));
}

#[test]
fn arrays_and_bytes_print_as_postgres() {
    replay(include_str!("data/text.tsv"));
}

/// Answers that we know to be other than PostgreSQL's, each with its reason.
const ACCEPTED: &[(&str, &str)] =
    &[("294276-12-31 00:00:00\tUTC", "timestamps count from 1970, not from 2000, and end 30 years earlier")];

fn replay(cases: &str) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in cases.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        let (Some((expected, call)), true) = (parts.split_last(), parts.len() >= 3) else {
            panic!("not a case: {line:?}");
        };
        count += 1;
        let answer = match answer(call[0], &call[1..]) {
            Ok(answer) => answer,
            Err(error) => format!("ERROR: {error}"),
        };
        let accepted = ACCEPTED.iter().any(|(text, _)| *text == call[1..].join("\t"));
        if answer != *expected && !accepted {
            wrong.push(format!("{}: expected {} but got {}", call.join(" | "), cut(expected), cut(&answer)));
        }
    }
    assert!(count > 10, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

#[derive(Debug)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<NumericError> for Failure {
    fn from(error: NumericError) -> Failure {
        Failure(error.to_string())
    }
}

impl From<CalendarError> for Failure {
    fn from(error: CalendarError) -> Failure {
        Failure(error.to_string())
    }
}

impl From<FloatError> for Failure {
    fn from(error: FloatError) -> Failure {
        Failure(error.to_string())
    }
}

fn answer(operation: &str, arguments: &[&str]) -> Result<String, Failure> {
    let numeric = |at: usize| Numeric::parse(arguments[at]);
    let interval = |at: usize| calendar::parse_interval(arguments[at]);
    let timestamp = |at: usize| calendar::parse_timestamp(arguments[at]);
    let zone = || arguments[arguments.len() - 1].parse::<Tz>().expect("a zone name");
    let timestamptz = |at: usize| calendar::parse_timestamptz(arguments[at], zone());
    let integer = |at: usize| arguments[at].parse::<i32>().expect("an integer");
    let unit = |type_name: &'static str| DateUnit::parse(arguments[0], type_name);
    let show_interval = |interval: Interval| text(Datum::Interval(interval), ScalarType::Interval, Tz::UTC);
    let show_timestamp = |micros: i64| text(Datum::Timestamp(micros), ScalarType::Timestamp, Tz::UTC);
    let show_zoned = |micros: i64| text(Datum::TimestampTz(micros), ScalarType::TimestampTz, zone());
    let show_numeric = |value: Numeric| text(Datum::Numeric(value), ScalarType::NUMERIC, Tz::UTC);
    let show_field = |field: Option<Numeric>| field.map_or("NULL".to_string(), show_numeric);
    Ok(match operation {
        "add" => show_numeric(numeric(0)?.add(&numeric(1)?)?),
        "sub" => show_numeric(numeric(0)?.sub(&numeric(1)?)?),
        "mul" => show_numeric(numeric(0)?.mul(&numeric(1)?)?),
        "div" => show_numeric(numeric(0)?.div(&numeric(1)?)?),
        "rem" => show_numeric(numeric(0)?.rem(&numeric(1)?)?),
        "power" => show_numeric(numeric(0)?.power(&numeric(1)?)?),
        "log" => show_numeric(numeric(1)?.log(&numeric(0)?)?),
        "compare" => order(numeric(0)?.cmp(&numeric(1)?)),
        "round" => show_numeric(numeric(0)?.round(integer(1))?),
        "trunc" => show_numeric(numeric(0)?.trunc(integer(1))?),
        "ceil" => show_numeric(numeric(0)?.ceil()?),
        "floor" => show_numeric(numeric(0)?.floor()?),
        "neg" => show_numeric(numeric(0)?.neg()),
        "abs" => show_numeric(numeric(0)?.abs()),
        "sign" => show_numeric(numeric(0)?.sign()),
        "sqrt" => show_numeric(numeric(0)?.sqrt()?),
        "exp" => show_numeric(numeric(0)?.exp()?),
        "ln" => show_numeric(numeric(0)?.ln()?),
        "numeric" => show_numeric(numeric(0)?),
        "typmod" => {
            let typmod = NumericTypmod { precision: integer(1) as u16, scale: integer(2) as i16 };
            show_numeric(numeric(0)?.with_typmod(typmod)?)
        }
        "to_i64" => match numeric(0)? {
            value if value.is_nan() => return Err(Failure("cannot convert NaN to bigint".to_string())),
            value if value.is_infinite() => return Err(Failure("cannot convert infinity to bigint".to_string())),
            value => match value.to_i64_rounded() {
                Some(value) => value.to_string(),
                None => return Err(Failure("bigint out of range".to_string())),
            },
        },
        "from_f64" => show_numeric(Numeric::from_f64(float_text::parse_float8(arguments[0])?)),
        "from_f32" => show_numeric(Numeric::from_f32(float_text::parse_float4(arguments[0])?)),
        "to_f64" => text(Datum::Float64(numeric(0)?.to_f64()), ScalarType::Float64, Tz::UTC),
        "float8" => text(Datum::Float64(float_text::parse_float8(arguments[0])?), ScalarType::Float64, Tz::UTC),
        "float4" => text(Datum::Float32(float_text::parse_float4(arguments[0])?), ScalarType::Float32, Tz::UTC),
        "date" => text(Datum::Date(calendar::parse_date(arguments[0])?), ScalarType::Date, Tz::UTC),
        "time" => text(Datum::Time(calendar::parse_time(arguments[0])?), ScalarType::Time, Tz::UTC),
        "timestamp" => show_timestamp(timestamp(0)?),
        "timestamptz" => show_zoned(timestamptz(0)?),
        "interval" => show_interval(interval(0)?),
        "timestamp_plus" => show_timestamp(calendar::add_interval_timestamp(timestamp(0)?, interval(1)?)?),
        "timestamp_minus" => show_timestamp(calendar::sub_interval_timestamp(timestamp(0)?, interval(1)?)?),
        "timestamptz_plus" => show_zoned(calendar::add_interval_timestamptz(timestamptz(0)?, interval(1)?, zone())?),
        "timestamps_minus" => show_interval(calendar::sub_timestamps(timestamp(0)?, timestamp(1)?)?),
        "age" => show_interval(calendar::age(timestamp(0)?, timestamp(1)?)?),
        "interval_add" => show_interval(interval(0)?.add(interval(1)?)?),
        "interval_sub" => show_interval(interval(0)?.sub(interval(1)?)?),
        "interval_neg" => show_interval(interval(0)?.neg()?),
        "interval_mul" => show_interval(interval(0)?.mul(float_text::parse_float8(arguments[1])?)?),
        "interval_div" => show_interval(interval(0)?.div(float_text::parse_float8(arguments[1])?)?),
        "interval_compare" => order(interval(0)?.cmp(&interval(1)?)),
        "justify" => show_interval(interval(0)?.justify_interval()?),
        "justify_days" => show_interval(interval(0)?.justify_days()?),
        "justify_hours" => show_interval(interval(0)?.justify_hours()?),
        "trunc_timestamp" => show_timestamp(calendar::date_trunc(unit("timestamp without time zone")?, timestamp(1)?)?),
        "trunc_timestamptz" => {
            show_zoned(calendar::date_trunc_tz(unit("timestamp with time zone")?, timestamptz(1)?, zone())?)
        }
        "trunc_interval" => show_interval(calendar::date_trunc_interval(unit("interval")?, interval(1)?)?),
        "extract_date" => show_field(calendar::extract_date(unit("date")?, calendar::parse_date(arguments[1])?)?),
        "extract_time" => {
            show_numeric(calendar::extract_time(unit("time without time zone")?, calendar::parse_time(arguments[1])?)?)
        }
        "extract_timestamp" => {
            show_field(calendar::extract_timestamp(unit("timestamp without time zone")?, timestamp(1)?)?)
        }
        "extract_timestamptz" => {
            show_field(calendar::extract_timestamptz(unit("timestamp with time zone")?, timestamptz(1)?, zone())?)
        }
        "extract_interval" => show_numeric(calendar::extract_interval(unit("interval")?, interval(1)?)?),
        "in_zone" => show_timestamp(calendar::timestamp_in_zone(timestamptz(0)?, zone())?),
        "to_utc" => show_zoned(calendar::zone_to_utc(timestamp(0)?, zone())?),
        "text_array" => {
            let elements = Row::pack(arguments.iter().map(|element| Datum::Text(element)));
            text(Datum::Array(elements.as_ref()), ScalarType::Array(Box::new(ScalarType::Text)), Tz::UTC)
        }
        "bytes" => {
            let bytes = match arguments[0].strip_prefix("\\x") {
                Some(hex) => (0..hex.len()).step_by(2).map(|at| byte(&hex[at..at + 2])).collect(),
                None => arguments[0].as_bytes().to_vec(),
            };
            text(Datum::Bytes(&bytes), ScalarType::Bytes, Tz::UTC)
        }
        other => panic!("unknown operation {other:?}"),
    })
}

fn byte(hex: &str) -> u8 {
    u8::from_str_radix(hex, 16).expect("two hexadecimal digits")
}

/// Through a packed row, as every value travels.
fn text(datum: Datum<'_>, ty: ScalarType, zone: Tz) -> String {
    let row = Row::pack([datum]);
    let mut out = String::new();
    row.iter().next().expect("one column").write_text(&ty, zone, &mut out);
    out
}

fn order(ordering: Ordering) -> String {
    (ordering as i32).to_string()
}
