use super::*;

fn check(text: &str, json: &str) {
    let expected: serde_json::Value = serde_json::from_str(json).expect("the expectation is JSON");
    assert_eq!(parse(text, "test.yml").expect("valid YAML").to_json(), expected, "{text}");
}

#[test]
fn plain_scalars_read_as_pyyaml_reads_them() {
    check("[yes, No, on, OFF, true, y, n]", r#"[true, false, true, false, true, "y", "n"]"#);
    check("[010, 0o10, 0x1F, 0b11, 1_000, 08, -7, +7]", r#"[8, "0o10", 31, 3, 1000, "08", -7, 7]"#);
    check("[1.5, 1e3, 1.5e3, 1.5e+3, .5, 1., 1.2.3]", r#"[1.5, "1e3", "1.5e3", 1500.0, 0.5, 1.0, "1.2.3"]"#);
    check("[~, null, Null, '', \"~\"]", r#"[null, null, null, "", "~"]"#);
    check("[1:30, 2020-01-01, 2020-01-01 10:00:00]", r#"[90, "2020-01-01", "2020-01-01 10:00:00"]"#);
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    check("a: 1\nb: 2\na: 3\n", r#"{"a": 3, "b": 2}"#);
}

#[test]
fn merged_keys_give_way_to_the_maps_own() {
    check("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\n", r#"{"base": {"x": 1, "y": 2}, "use": {"x": 1, "y": 3}}"#);
    check(
        "a: &a {x: 1}\nb: &b {x: 2, z: 2}\nuse:\n  <<: [*a, *b]\n",
        r#"{"a": {"x": 1}, "b": {"x": 2, "z": 2}, "use": {"x": 1, "z": 2}}"#,
    );
}

#[test]
fn a_file_may_begin_with_a_byte_order_mark() {
    check("\u{feff}name: shop\n", r#"{"name": "shop"}"#);
}

#[test]
fn values_know_their_lines() {
    let yaml = parse("a: 1\nb:\n  - x: y\n", "test.yml").expect("valid");
    let x = yaml.get("b").and_then(|b| b.as_list()).and_then(|list| list[0].get("x")).expect("present");
    assert_eq!(x.line, 3);
}

#[test]
fn a_syntax_error_names_file_and_line() {
    let error = parse("a: [1, 2\nb: 3\n", "models/schema.yml").expect_err("unclosed list");
    assert_eq!(error.file.as_deref(), Some("models/schema.yml"));
    assert!(error.line.is_some(), "{error:?}");
}

#[test]
fn an_unquoted_template_gets_a_hint_about_quotes() {
    let error = parse("a: {{ var('x') }}\n", "dbt_project.yml").expect_err("a map as key");
    assert!(error.hint.is_some(), "{error:?}");
}

#[test]
fn dumped_yaml_reads_back_the_same() {
    let value = serde_json::json!({"a": [1, {"b": "x: y", "c": []}], "d": {"e": null, "f": "yes"}});
    assert_eq!(parse(&dump(&value), "dump").expect("valid").to_json(), value, "{}", dump(&value));
}
