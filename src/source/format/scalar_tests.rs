use chrono_tz::UTC;

use super::*;
use crate::source::testing::scalar_type;

/// Reads JSON as a type, and prints it as PostgreSQL does; an error comes after "!".
fn text(ty: &str, encoding: Option<Encoding>, json: &str) -> String {
    let arena = Arena::new();
    let ty = scalar_type(ty);
    let reading = Reading { ty: ty.clone(), encoding, unit: Encoding::Micros };
    let value = Cursor::new(json).value().expect(json);
    match read(value, &reading, &arena) {
        Ok(Datum::Null) => "null".into(),
        Ok(datum) => {
            let mut text = String::new();
            datum.write_text(&ty, UTC, &mut text);
            text
        }
        Err(reason) => format!("! {reason}"),
    }
}

fn check(ty: &str, cases: &[(&str, &str)]) {
    for (json, expected) in cases {
        assert_eq!(text(ty, None, json), *expected, "{ty} from {json}");
    }
}

#[test]
fn null_is_null_in_every_type() {
    for ty in [
        "integer",
        "numeric",
        "text",
        "boolean",
        "date",
        "timestamp",
        "interval",
        "bytea",
        "uuid",
        "jsonb",
        "integer[]",
    ] {
        check(ty, &[("null", "null")]);
    }
}

#[test]
fn integers() {
    check("smallint", &[("32767", "32767"), ("32768", "! 32768 is out of range for type smallint"), ("\"-7\"", "-7")]);
    check(
        "integer",
        &[("1.0", "1"), ("1e3", "1000"), ("1.5", "! 1.5 is no integer"), ("true", "! true is no integer")],
    );
    check(
        "bigint",
        &[
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "! \"9223372036854775808\" is out of range for type bigint"),
        ],
    );
    check(
        "bigint",
        &[("\"\"", "! \"\" is no bigint"), ("\"NaN\"", "! \"NaN\" is no bigint"), ("{}", "! an object is no bigint")],
    );
}

#[test]
fn floats() {
    check(
        "double",
        &[("3", "3"), ("\"NaN\"", "NaN"), ("\"-Infinity\"", "-Infinity"), ("1e400", "! 1e400 is no double precision")],
    );
    check(
        "real",
        &[("3.14", "3.14"), ("\"1e-3\"", "0.001"), ("\"inf\"", "! \"inf\" is no real"), ("1e39", "! 1e39 is no real")],
    );
}

#[test]
fn numerics_never_pass_through_a_double() {
    check("numeric", &[("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827")]);
    check(
        "numeric",
        &[
            (r#"{"scale":2,"value":"A+c="}"#, "9.99"),
            (r#"{"scale":2}"#, "! an object is no numeric, unless it holds a scale and a base64 value"),
        ],
    );
    assert_eq!(text("numeric(12,2)", Some(Encoding::Decimal(2)), "\"BBo=\""), "10.50");
    assert_eq!(text("numeric(12,2)", Some(Encoding::Decimal(2)), "\"1.5\""), "! \"1.5\" is no base64 of a decimal");
}

#[test]
fn booleans() {
    check(
        "boolean",
        &[
            ("true", "t"),
            ("\"F\"", "f"),
            ("0", "f"),
            ("\"yes\"", "t"),
            ("2", "! 2 is no boolean"),
            ("[]", "! an array is no boolean"),
        ],
    );
}

#[test]
fn texts() {
    check("text", &[("\"a\\nb\"", "a\nb"), ("1.50", "1.50"), ("false", "false"), ("{\"a\": 1}", "{\"a\": 1}")]);
    check("text", &[("[1,]", "! invalid JSON inside the value")]);
    check("text", &[("\"\\u0000\"", "! the text holds the character U+0000, which PostgreSQL's text cannot")]);
    check("varchar(3)", &[("\"äöü\"", "äöü"), ("\"abcd\"", "! \"abcd\" is too long for character varying(3)")]);
    check("char(3)", &[("\"a\"", "a  "), ("\"abcd\"", "! \"abcd\" is too long for character(3)")]);
}

#[test]
fn json_in_a_string_or_as_it_is() {
    check(
        "json",
        &[("\"{\\\"a\\\":  1}\"", "{\"a\":  1}"), ("[1, 2]", "[1, 2]"), ("\"a\"", "! \"a\" is no JSON"), ("7", "7")],
    );
}

#[test]
fn jsonb_is_printed_one_way() {
    check("jsonb", &[(r#"{"bb":1.10,"a":[1,2],"a":{"c":null}}"#, r#"{"a": {"c": null}, "bb": 1.10}"#)]);
    check("jsonb", &[(r#""{\"z\":1,\"a\":\"x\"}""#, r#"{"a": "x", "z": 1}"#), ("\"{\"", "! \"{\" is no JSON")]);
}

#[test]
fn uuids_are_printed_one_way() {
    let plain = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    for json in [r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#, r#""{A0EEBC999C0B4EF8BB6D6BB9BD380A11}""#] {
        check("uuid", &[(json, plain)]);
    }
    check("uuid", &[("\"a0ee\"", "! \"a0ee\" is no uuid"), ("7", "! 7 is no uuid")]);
}

#[test]
fn bytes() {
    check("bytea", &[("\"3q2+7w==\"", "\\xdeadbeef"), (r#""\\xDEAD""#, "\\xdead"), ("\"\"", "\\x")]);
    check("bytea", &[("\"?\"", "! \"?\" is no bytea (base64, or hex after \\x)")]);
    assert_eq!(text("bytea", Some(Encoding::Hex), "\"deadbeef00ff\""), "\\xdeadbeef00ff");
}

#[test]
fn dates_and_times() {
    check(
        "date",
        &[
            ("20541", "2026-03-29"),
            ("\"2026-03-29Z\"", "2026-03-29"),
            ("-2147472692", "infinity"),
            ("99999999999", "! date out of range: day 99999999999"),
        ],
    );
    check(
        "time",
        &[("86400000000", "24:00:00"), ("\"13:14:15.5\"", "13:14:15.5"), ("86400000001", "! 86400000001 is no time")],
    );
    assert_eq!(text("time", Some(Encoding::Millis), "47655123"), "13:14:15.123");
}

#[test]
fn numbers_of_a_timestamp_have_the_unit_that_the_schema_or_the_settings_say() {
    check("timestamp", &[("1774747800123456", "2026-03-29 01:30:00.123456"), ("-1", "1969-12-31 23:59:59.999999")]);
    check("timestamp", &[("9223372036825200000", "infinity"), ("-9223372036832400000", "-infinity")]);
    check(
        "timestamp",
        &[
            ("-9223372036853775810", "! timestamp out of range: -9223372036853775810"),
            ("1.5", "! 1.5 is no timestamp without time zone"),
        ],
    );
    let at = |encoding, json| text("timestamptz", Some(encoding), json);
    assert_eq!(at(Encoding::Seconds, "1774747800"), "2026-03-29 01:30:00+00");
    assert_eq!(at(Encoding::Millis, "1774747800123"), "2026-03-29 01:30:00.123+00");
    assert_eq!(at(Encoding::Nanos, "1774747800123456789"), "2026-03-29 01:30:00.123456+00");
    assert_eq!(at(Encoding::Millis, "9223372036825200"), "infinity");
    check(
        "timestamptz",
        &[("\"2026-03-29T03:30:00+02:00\"", "2026-03-29 01:30:00+00"), ("\"-infinity\"", "-infinity")],
    );
}

#[test]
fn intervals_as_numbers_and_words() {
    check(
        "interval",
        &[("-86400000001", "-24:00:00.000001"), ("\"P1Y2M3DT4H5M6.789S\"", "1 year 2 mons 3 days 04:05:06.789")],
    );
    check(
        "interval",
        &[
            ("\"1 day 02:00:00\"", "1 day 02:00:00"),
            ("\"soon\"", "! \"soon\" is no interval (a number, or an ISO duration such as P1DT2H)"),
        ],
    );
}

#[test]
fn arrays_of_one_dimension() {
    check(
        "integer[]",
        &[
            ("[1,null,3]", "{1,NULL,3}"),
            ("[]", "{}"),
            ("[\"x\"]", "! \"x\" is no integer"),
            ("1", "! 1 is no integer[]"),
        ],
    );
    check("text[]", &[(r#"["a","b,c",null,""]"#, r#"{a,"b,c",NULL,""}"#)]);
    check("date[]", &[("[20454,\"2026-01-01\"]", "{2026-01-01,2026-01-01}")]);
}

#[test]
fn words_of_encodings() {
    assert_eq!(Encoding::parse("ms"), Some(Encoding::Millis));
    assert_eq!(Encoding::parse("decimal(2)"), Some(Encoding::Decimal(2)));
    for word in ["", "m", "decimal", "decimal(x)", "decimal(2"] {
        assert_eq!(Encoding::parse(word), None, "{word}");
    }
}
