use super::*;
use crate::{Numeric, Row};

fn check(datum: Datum<'_>, ty: ScalarType, expected: &str) {
    let mut out = String::new();
    datum.write_text(&ty, Tz::UTC, &mut out);
    assert_eq!(out, expected);
}

#[test]
fn every_type_prints_as_postgres_prints_it() {
    check(Datum::Null, ScalarType::Text, "");
    check(Datum::Int(-7), ScalarType::Int64, "-7");
    check(Datum::Numeric(Numeric::from_parts(-5, 2)), ScalarType::NUMERIC, "-0.05");
    check(Datum::Float64(1e20), ScalarType::Float64, "1e+20");
    check(Datum::Bytes(&[0, 0xFF]), ScalarType::Bytes, "\\x00ff");
    check(Datum::Date(20_148), ScalarType::Date, "2025-03-01");
    check(Datum::Time(3_723_500_000), ScalarType::Time, "01:02:03.5");
}

#[test]
fn a_timestamp_with_zone_is_shown_in_the_session_zone() {
    let mut out = String::new();
    Datum::TimestampTz(1_740_837_906_000_000).write_text(&ScalarType::TimestampTz, Tz::Asia__Kolkata, &mut out);
    assert_eq!(out, "2025-03-01 19:35:06+05:30");
}

#[test]
fn only_a_cast_writes_booleans_in_full() {
    check(Datum::Bool(true), ScalarType::Bool, "t");
    let mut out = String::new();
    Datum::Bool(false).write_cast_text(&ScalarType::Bool, Tz::UTC, &mut out);
    assert_eq!(out, "false");
}

#[test]
fn array_elements_are_quoted_where_they_could_be_misread() {
    let texts = ["a", "b c", "", "NULL", "q\"b\\", "x,y", "{z}"].map(Datum::Text);
    let row = Row::pack(texts.into_iter().chain([Datum::Null]));
    let ty = ScalarType::Array(Box::new(ScalarType::Text));
    check(Datum::Array(row.as_ref()), ty.clone(), "{a,\"b c\",\"\",\"NULL\",\"q\\\"b\\\\\",\"x,y\",\"{z}\",NULL}");
    check(Datum::Array(Row::default().as_ref()), ty, "{}");
}
