use row::{Datum, Row, ScalarType};

use super::*;
use crate::source::testing::{Sample, show};

/// Decodes JSONL lines for the tables of `sample` and compares what `show` makes of the changes.
fn check(sample: &Sample, lines: &[&str], expected: &[&str]) {
    assert_eq!(decode(sample, lines), expected);
}

fn decode(sample: &Sample, lines: &[&str]) -> Vec<String> {
    let mut decoder = Decoder::new(&sample.tables).expect("a decoder");
    let mut records = Vec::new();
    for (offset, line) in lines.iter().enumerate() {
        decoder.line(offset as u64, line.as_bytes(), &mut records).expect("decoded");
    }
    records.iter().map(|record| show(sample, record)).collect()
}

fn orders() -> Sample {
    Sample::new("orders *id:integer status:text amount:numeric(10,2)")
}

fn shop() -> Sample {
    Sample::new("orders *id:integer status:text amount:numeric(10,2)\ncustomers *id:integer name:text")
}

#[test]
fn a_bare_change_of_the_only_table() {
    check(
        &orders(),
        &[
            r#"{"op":"c","ts_ms":5,"before":null,"after":{"id":1,"status":"new","amount":"12.5"}}"#,
            r#"{"op":"u","ts_ms":6,"after":{"id":1,"amount":13,"status":null,"more":[1,{"a":"}"}]}}"#,
            r#"{"op":"d","ts_ms":7,"key":{"id":1},"before":{"id":1,"status":"","amount":"0"},"after":null}"#,
        ],
        &["0 @5000 upsert orders 1 = 1 new 12.50", "1 @6000 upsert orders 1 = 1 null 13.00", "2 @7000 delete orders 1"],
    );
}

#[test]
fn fields_are_found_in_whatever_order_and_however_they_are_written() {
    check(
        &orders(),
        &[
            r#"{"op":"c","after":{"id":1,"status":"new","amount":"1"}}"#,
            r#"{"after":{"amount":"2","id":2,"status":"new"},"op":"c"}"#,
            r#"{ "op" : "c" , "after" : { "id" : 3 , "status" : "new" , "amount" : "3" } }"#,
            r#"{"op":"c","after":{"id":4,"more":{"id":9},"status":"new","amount":"4"}}"#,
            r#"{"\u006fp":"c","after":{"\u0069d":5,"status":"n\u0065w","amount":"5"}}"#,
            r#"{"op":"c","after":{"id":6,"status":"new","amount":"6"}}"#,
            r#"{"op":"c","after":{"idle":0,"id":7,"stat":"x","status":"new","amount":"7"}}"#,
            r#"{"op":"c","after":{"id":8,"status":"new","amount":"8","id":"9"}}"#,
        ],
        &[
            "0 upsert orders 1 = 1 new 1.00",
            "1 upsert orders 2 = 2 new 2.00",
            "2 upsert orders 3 = 3 new 3.00",
            "3 upsert orders 4 = 4 new 4.00",
            "4 upsert orders 5 = 5 new 5.00",
            "5 upsert orders 6 = 6 new 6.00",
            "6 upsert orders 7 = 7 new 7.00",
            "7 upsert orders 9 = 9 new 8.00",
        ],
    );
}

#[test]
fn lines_of_several_tables_say_whose_they_are() {
    check(
        &shop(),
        &[
            r#"{"table":"orders","op":"c","after":{"id":1}}"#,
            r#"{"op":"c","after":{"id":2},"source":{"table":"customers","ts_ms":9,"lsn":4}}"#,
            r#"{"topic":"x.public.orders","key":null,"value":"{\"op\":\"d\",\"before\":{\"id\":3}}","timestamp":8}"#,
            r#"{"table":"refunds","op":"c","after":{"id":1}}"#,
            r#"{"op":"c","after":{"id":1}}"#,
        ],
        &[
            "0 upsert orders 1 = 1 null null",
            "1 @9000 #4 upsert customers 2 = 2 null",
            "2 @8000 delete orders 3",
            "4 malformed ?: the record names no table, neither by topic nor by source.table or table",
        ],
    );
}

#[test]
fn what_nobody_declared_is_counted() {
    let sample = shop();
    let mut decoder = Decoder::new(&sample.tables).expect("a decoder");
    for line in [r#"{"table":"refunds"}"#, r#"{"topic":"a.b.refunds2","value":null}"#, r#"{"table":"refunds"}"#] {
        decoder.line(0, line.as_bytes(), &mut Vec::new()).expect("decoded");
    }
    let skipped: Vec<_> = decoder.skipped().iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(skipped, [("a.b.refunds2", 1), ("refunds", 2)]);
}

#[test]
fn a_value_that_does_not_fit_names_its_column_and_keeps_the_key() {
    check(
        &orders(),
        &[
            r#"{"op":"c","after":{"id":7,"amount":"BBo="}}"#,
            r#"{"op":"c","after":{"id":7,"amount":"12345678901"}}"#,
            r#"{"op":"c","after":{"id":"seven"}}"#,
            r#"{"op":"c","after":{"status":"new"}}"#,
            r#"{"op":"x","after":{"id":7}}"#,
            r#"{"op":"c","after":{"id":7}"#,
            r#"{"status":"new"}"#,
        ],
        &[
            "0 malformed orders 7 amount: \"BBo=\" is no number: it looks like Debezium's precise mode, whose scale travels only in a schema; set decimal.handling.mode=string",
            "1 malformed orders 7 amount: numeric field overflow: A field with precision 10, scale 2 must round to an absolute value less than 10^8.",
            "2 malformed orders ? id: \"seven\" is no integer",
            "3 malformed orders ? id: the key column has no value",
            "4 malformed orders ?: unknown op \"x\"",
            "5 malformed orders ?: not JSON: no comma or closing brace at byte 26",
            "6 malformed orders ?: no \"op\": the value is no Debezium change; a plain row wants envelope: upsert or append",
        ],
    );
}

#[test]
fn a_broken_value_still_has_the_key_of_its_message() {
    check(
        &orders(),
        &[r#"{"topic":"orders","key":"{\"id\":7}","value":"{\"op\":\"c\",\"after\":","timestamp":3}"#],
        &["0 @3000 malformed orders 7: not JSON: the end at byte 18"],
    );
}

#[test]
fn the_record_in_an_error_is_cut_between_characters() {
    let sample = orders();
    let line = format!(r#"{{"op":"c","after":{{"id":true,"status":"{}"}}}}"#, "é".repeat(4000));
    let mut records = Vec::new();
    Decoder::new(&sample.tables).expect("a decoder").line(0, line.as_bytes(), &mut records).expect("decoded");
    let Change::Malformed(malformed) = &records[0].change else { panic!("{records:?}") };
    let record = &malformed.record;
    assert!(record.len() <= envelope::RECORD_BYTES_MAX + "…".len() && record.ends_with("é…"));
}

#[test]
fn bytes_that_are_no_text_are_set_aside() {
    let sample = orders();
    let mut records = Vec::new();
    Decoder::new(&sample.tables).expect("a decoder").line(0, b"{\"op\":\"\xFF\"}", &mut records).expect("decoded");
    assert_eq!(show(&sample, &records[0]), "0 malformed orders ?: the line is not UTF-8");
}

#[test]
fn blank_lines_tombstones_heartbeats_and_messages_are_nothing() {
    check(
        &orders(),
        &[
            "",
            "  ",
            r#"{"topic":"orders","key":"{\"id\":1}","value":null}"#,
            r#"{"ts_ms":5}"#,
            r#"{"status":"BEGIN","id":"7:8","ts_ms":5}"#,
            r#"{"op":"m","ts_ms":5,"message":{"prefix":"x"}}"#,
        ],
        &[],
    );
}

#[test]
fn a_table_without_a_key_is_a_multiset() {
    check(
        &Sample::new("clicks page:text"),
        &[
            r#"{"op":"c","after":{"page":"/"}}"#,
            r#"{"op":"r","after":{"page":"/"}}"#,
            r#"{"op":"u","before":{"page":"/"},"after":{"page":"/a"}}"#,
            r#"{"op":"d","before":{"page":"/a"},"after":null}"#,
            r#"{"op":"t","before":null,"after":null}"#,
            r#"{"op":"u","before":null,"after":{"page":"/a"}}"#,
        ],
        &[
            "0 insert clicks /",
            "1 insert clicks /",
            "2 remove clicks /",
            "2 insert clicks /a",
            "3 remove clicks /a",
            "4 truncate clicks",
            "5 malformed clicks ?: \"before\" is null; a table without a key needs REPLICA IDENTITY FULL, or give it a key",
        ],
    );
}

#[test]
fn an_unchanged_large_value_is_kept_from_the_row_before() {
    let line = r#"{"topic":"docs","key":"{\"id\":9}","value":"{\"op\":\"c\",\"after\":{\"id\":9,\"title\":\"t\",\"body\":\"__debezium_unavailable_value\"}}","headers":[["x","y"],["__debezium.oldkey","{\"id\":1}"]]}"#;
    let sample = Sample::new("docs *id:integer title:text body:text");
    check(&sample, &[line], &["0 patch docs 9 = 9 t null kept [2] from 1"]);
}

#[test]
fn plain_rows_are_upserted_and_deleted_by_a_null_value() {
    let sample = Sample::new("orders(upsert) *id:integer status:text at:timestamp");
    check(
        &sample,
        &[
            r#"{"topic":"orders","key":"{\"id\":1}","value":"{\"status\":\"new\",\"at\":1700000000000}","timestamp":4}"#,
            r#"{"topic":"orders","key":"2","value":"{\"status\":\"new\",\"__deleted\":\"false\",\"__lsn\":7,\"__source_ts_ms\":3}"}"#,
            r#"{"topic":"orders","key":"{\"id\":1}","value":null}"#,
            r#"{"topic":"orders","key":"{\"id\":2}","value":"null"}"#,
            r#"{"topic":"orders","key":null,"value":"{\"id\":2,\"__deleted\":\"true\"}"}"#,
            r#"{"topic":"orders","key":null,"value":null}"#,
            r#"{"id":3,"status":"bare","at":"2024-03-01 12:00:00"}"#,
        ],
        &[
            "0 @4000 upsert orders 1 = 1 new 2023-11-14 22:13:20",
            "1 @3000 #7 upsert orders 2 = 2 new null",
            "2 delete orders 1",
            "3 delete orders 2",
            "4 delete orders 2",
            "5 malformed orders ?: a null value whose message key does not hold the table's key",
            "6 upsert orders 3 = 3 bare 2024-03-01 12:00:00",
        ],
    );
}

#[test]
fn appended_rows_with_a_key_are_upserts_and_without_one_inserts() {
    let lines = [r#"{"id":1,"page":"/"}"#, r#"{"id":1,"page":"/"}"#];
    check(
        &Sample::new("clicks(append) *id:integer page:text"),
        &lines,
        &["0 upsert clicks 1 = 1 /", "1 upsert clicks 1 = 1 /"],
    );
    check(&Sample::new("clicks(append) id:integer page:text"), &lines, &["0 insert clicks 1 /", "1 insert clicks 1 /"]);
}

#[test]
fn columns_named_like_routing_are_data_in_a_file_of_one_table() {
    let sample = Sample::new("seats(append) table:text topic:text value:integer source:json");
    check(
        &sample,
        &[r#"{"table":"T1","topic":"food","value":3,"source":{"table":"x"}}"#],
        &[r#"0 insert seats T1 food 3 {"table":"x"}"#],
    );
}

#[test]
fn columns_that_nobody_reads_are_not_decoded() {
    let mut sample = orders();
    sample.tables[0].spec.demanded = vec![false, true, false];
    check(
        &sample,
        &[r#"{"op":"c","after":{"id":1,"status":"new","amount":{"broken":true}}}"#],
        &["0 upsert orders 1 = 1 new null"],
    );
}

#[test]
fn a_schema_that_travels_along_says_scales_and_units() {
    let sample = Sample::new("t *id:integer amount:numeric at:timestamp seen:timestamp");
    let column = |name: &str, kind: &str, more: &str| format!(r#"{{"type":"{kind}","field":"{name}"{more}}}"#);
    let schema = |scale: &str| {
        let columns = [
            column("id", "int32", ""),
            column(
                "amount",
                "bytes",
                &format!(r#","name":"org.apache.kafka.connect.data.Decimal","parameters":{{"scale":"{scale}"}}"#),
            ),
            column("at", "int64", r#","name":"io.debezium.time.Timestamp""#),
            column("seen", "int64", r#","name":"io.debezium.time.NanoTimestamp""#),
        ];
        format!(
            r#"{{"type":"struct","fields":[{{"type":"struct","field":"after","fields":[{}]}}]}}"#,
            columns.join(",")
        )
    };
    let line = |scale: &str, id: i32| {
        let after = format!(r#"{{"id":{id},"amount":"BBo=","at":1000,"seen":2000000000}}"#);
        format!(r#"{{"schema":{},"payload":{{"op":"c","after":{after}}}}}"#, schema(scale))
    };
    let plain = r#"{"op":"c","after":{"id":4,"amount":"1","at":1000000,"seen":2000000}}"#.to_string();
    let lines = [line("2", 1), line("1", 2), line("2", 3), plain, line("1", 5)];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let at = "1970-01-01 00:00:01 1970-01-01 00:00:02";
    check(
        &sample,
        &lines,
        &[
            &format!("0 upsert t 1 = 1 10.50 {at}"),
            &format!("1 upsert t 2 = 2 105.0 {at}"),
            &format!("2 upsert t 3 = 3 10.50 {at}"),
            &format!("3 upsert t 4 = 4 1 {at}"),
            &format!("4 upsert t 5 = 5 105.0 {at}"),
        ],
    );
}

#[test]
fn more_schemas_than_are_remembered() {
    let sample = Sample::new("t *id:integer amount:numeric");
    let line = |scale: usize| {
        let column = format!(
            r#"{{"type":"bytes","field":"amount","name":"org.apache.kafka.connect.data.Decimal","parameters":{{"scale":"{scale}"}}}}"#
        );
        let schema =
            format!(r#"{{"type":"struct","fields":[{{"type":"struct","field":"after","fields":[{column}]}}]}}"#);
        format!(r#"{{"schema":{schema},"payload":{{"op":"c","after":{{"id":1,"amount":"AQ=="}}}}}}"#)
    };
    let mut decoder = Decoder::new(&sample.tables).expect("a decoder");
    for scale in (0..SCHEMAS_MAX * 2 + 1).chain([0, SCHEMAS_MAX * 2, 1]) {
        let mut records = Vec::new();
        decoder.line(0, line(scale).as_bytes(), &mut records).expect("decoded");
        let Change::Upsert { row, .. } = &records[0].change else { panic!("{records:?}") };
        let Some(Datum::Numeric(value)) = row.iter().nth(1) else { panic!("{row:?}") };
        assert_eq!(value.small_parts(), Some((1, scale as u16)));
    }
}

#[test]
fn keys_are_compared_by_value() {
    let sample = Sample::new("rates(upsert) *rate:numeric name:text");
    let mut records = Vec::new();
    let mut decoder = Decoder::new(&sample.tables).expect("a decoder");
    decoder.line(0, br#"{"rate":"1.0","name":"a"}"#, &mut records).expect("decoded");
    decoder.line(1, br#"{"rate":1.00,"name":"b"}"#, &mut records).expect("decoded");
    let keys: Vec<&Row> = records
        .iter()
        .map(|record| match &record.change {
            Change::Upsert { key, .. } => key,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn csv_rows_by_the_names_in_the_header() {
    let sample = Sample::new("orders(upsert) *id:integer status:text amount:numeric(10,2)");
    let mut decoder = Decoder::new(&sample.tables).expect("a decoder");
    decoder.csv_header(b"amount,extra,id,status").expect("a header");
    let mut records = Vec::new();
    for (offset, record) in ["12.5,x,1,new", ",,2,\"\"", "1,2,3", "1,2,x,y", "\"1"].iter().enumerate() {
        decoder.csv_record(offset as u64, record.as_bytes(), &mut records);
    }
    let shown: Vec<String> = records.iter().map(|record| show(&sample, record)).collect();
    assert_eq!(
        shown,
        [
            "0 upsert orders 1 = 1 new 12.50",
            "1 upsert orders 2 = 2  null",
            "2 malformed orders ?: 3 fields where the header has 4",
            "3 malformed orders ? id: \"x\" is no integer",
            "4 malformed orders ?: a quoted field without an end",
        ]
    );
    assert!(decoder.csv_header(b"id,status").expect_err("amount is missing").contains("amount"));
}

fn any_types() -> Sample {
    let types = [
        "smallint",
        "integer",
        "bigint",
        "numeric(12,2)",
        "real",
        "double precision",
        "boolean",
        "text",
        "character varying(5)",
        "character(3)",
        "jsonb",
        "uuid",
        "bytea",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "interval",
        "integer[]",
        "text[]",
    ];
    let columns: Vec<String> = types.iter().enumerate().map(|(at, ty)| format!("c{at}:{ty}")).collect();
    Sample::new(&format!(
        "t *id:integer {}",
        columns
            .join(" ")
            .replace("double precision", "double")
            .replace("character varying(5)", "varchar(5)")
            .replace("character(3)", "char(3)")
    ))
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_changes_and_never_a_panic(bytes: Vec<u8>) {
        let sample = any_types();
        let mut decoder = Decoder::new(&sample.tables).expect("a decoder");
        let mut records = Vec::new();
        decoder.line(0, &bytes, &mut records).expect("decoded");
        let message = Message { topic: Some("t"), key: Some(&bytes), value: Some(&bytes), timestamp_ms: Some(i64::MAX), header: &|_| None };
        decoder.message(1, &message, &mut records).expect("decoded");
        if decoder.csv_header(&bytes).is_ok() {
            decoder.csv_record(2, &bytes, &mut records);
        }
    }

    #[test]
    fn any_json_value_in_any_column_gives_a_change(column in 0usize..20, value in "\\PC{0,12}|-?[0-9]{1,25}(\\.[0-9]{1,9})?(e-?[0-9]{1,3})?|\"[-+0-9:T .ZPYMDHS]{0,30}\"|\\[[0-9,\"nul]{0,12}\\]|\\{\"scale\":-?[0-9]{1,5},\"value\":\"[A-Za-z+/]{0,12}\"\\}") {
        let sample = any_types();
        let line = format!(r#"{{"op":"c","after":{{"id":1,"c{column}":{value}}}}}"#);
        let mut records = Vec::new();
        Decoder::new(&sample.tables).expect("a decoder").line(0, line.as_bytes(), &mut records).expect("decoded");
        proptest::prop_assert_eq!(records.len(), 1);
        if serde_json::from_str::<serde_json::Value>(&line).is_ok() {
            let has_key = match &records[0].change {
                Change::Upsert { .. } | Change::Patch(_) => true,
                Change::Malformed(malformed) => malformed.key.is_some(),
                _ => false,
            };
            proptest::prop_assert!(has_key, "{} {:?}", line, records);
        }
    }
}

/// Prints what a line costs; run it with `--release -- --nocapture --ignored` for a number that means something.
#[test]
fn microseconds_per_line() {
    let sample = Sample::new(
        "orders *order_id:bigint customer_id:bigint status:text order_date:timestamp amount:numeric(12,2) note:text",
    );
    let lines: Vec<String> = (0..2000)
        .map(|id| {
            let row = format!(
                r#"{{"order_id":{id},"customer_id":{},"status":"completed","order_date":"2024-03-01 12:00:00","amount":"{}.25","note":null}}"#,
                id * 7,
                id % 1000
            );
            format!(r#"{{"table":"orders","op":"u","ts_ms":1709294400000,"key":{{"order_id":{id}}},"before":null,"after":{row}}}"#)
        })
        .collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let mut decoder = Decoder::new(&sample.tables).expect("a decoder");
    let mut best = f64::MAX;
    let mut rows = 0;
    for _ in 0..5 {
        let mut records = Vec::with_capacity(lines.len());
        let started = std::time::Instant::now();
        for (offset, line) in lines.iter().enumerate() {
            decoder.line(offset as u64, line.as_bytes(), &mut records).expect("decoded");
        }
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / lines.len() as f64);
        rows = records.iter().filter(|record| matches!(record.change, Change::Upsert { .. })).count();
    }
    println!("{best:.3} µs per line of {} bytes", bytes / lines.len());
    assert_eq!(rows, lines.len());
}

/// Keeps the list of types that the samples know in step with the reader.
#[test]
fn samples_know_every_type() {
    assert_eq!(any_types().tables[0].spec.columns[20].ty, ScalarType::Array(Box::new(ScalarType::Text)));
}
