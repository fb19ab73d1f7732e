use super::*;

fn value(text: &str) -> Result<Value<'_>, JsonError> {
    let mut cursor = Cursor::new(text);
    let value = cursor.value()?;
    cursor.end().map(|()| value)
}

#[test]
fn values_are_slices() {
    assert_eq!(value(" null "), Ok(Value::Null));
    assert_eq!(value("true"), Ok(Value::Bool(true)));
    assert_eq!(value("-1.50e+3"), Ok(Value::Number("-1.50e+3")));
    assert_eq!(value("\"a\""), Ok(Value::Text(RawText::plain("a"))));
    assert_eq!(value(r#" {"a":{"b":"}"}} "#), Ok(Value::Object(r#"{"a":{"b":"}"}}"#)));
    assert_eq!(value(r#"[1,"\"]",[]]"#), Ok(Value::Array(r#"[1,"\"]",[]]"#)));
}

#[test]
fn what_is_no_value() {
    for text in
        ["", "nul", "tru", "-", "1.", "1e", "\"a", "\"\\", "{", "[1", "{\"a\":\"}", "\"a\nb\"", "1 2", "'a'", "{}}"]
    {
        assert!(value(text).is_err(), "{text}");
    }
}

#[test]
fn escapes_become_characters() {
    let text = |raw| RawText { raw, escaped: true }.to_cow().map(Cow::into_owned);
    assert_eq!(text(r#"\"\\\/\b\f\n\r\t"#).expect("escapes"), "\"\\/\u{8}\u{c}\n\r\t");
    assert_eq!(text(r"\u0041\u00e9\ud83d\ude00z").expect("escapes"), "Aé😀z");
    for raw in [r"\x", r"\u12", r"\ud83d", r"\ud83dx", r"\ud83d\u0041", r"\ude00", r"\u00g0"] {
        assert!(text(raw).is_err(), "{raw}");
    }
}

#[test]
fn fields_come_in_order_with_their_names_unescaped() {
    let mut found = Vec::new();
    let mut cursor = Cursor::new(r#"{ "a" : 1 , "b\n":[2,{"c":3}], "":null }"#);
    let read = cursor.object(|name, cursor| {
        found.push(format!("{name:?}={:?}", cursor.value()?));
        Ok(())
    });
    assert_eq!(read, Ok(()));
    assert_eq!(found, [r#""a"=Number("1")"#, r#""b\n"=Array("[2,{\"c\":3}]")"#, r#"""=Null"#]);
    for text in ["{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":1,}", "{a:1}", "[1]", "{\"a\":1"] {
        let read = Cursor::new(text).object(|_, cursor| cursor.value().map(|_| ()));
        assert!(read.is_err(), "{text}");
    }
}

#[test]
fn a_string_ends_at_its_quote_wherever_that_stands() {
    for before in 0..20 {
        for after in 0..20 {
            let (head, tail) = ("é".repeat(before % 3) + &"a".repeat(before), "b".repeat(after));
            let text = format!("\"{head}\"{tail}\"");
            let mut cursor = Cursor::new(&text);
            assert_eq!(cursor.value(), Ok(Value::Text(RawText::plain(&head))), "{text}");
            let escaped = format!("\"{head}\\\"{tail}\\\\\"");
            let raw = &escaped[1..escaped.len() - 1];
            assert_eq!(Cursor::new(&escaped).value(), Ok(Value::Text(RawText { raw, escaped: true })), "{escaped}");
            let broken = format!("\"{head}\u{1f}{tail}\"");
            assert!(Cursor::new(&broken).value().is_err(), "a control character: {broken:?}");
            let object = format!("{{\"{head}\":\"}}{tail}\"}}");
            assert_eq!(Cursor::new(&object).value(), Ok(Value::Object(&object)));
        }
    }
}

proptest::proptest! {
    #[test]
    fn what_serde_json_reads_we_read_alike(text in "\\PC{0,20}", number: f64, integer: i64) {
        let whole = serde_json::json!({"text": text, "number": number, "integer": integer, "list": [text, null, true]}).to_string();
        let mut fields = Vec::new();
        Cursor::new(&whole).object(|name, cursor| {
            fields.push((name.into_owned(), cursor.value()?));
            Ok(())
        }).expect("JSON");
        proptest::prop_assert_eq!(fields.len(), 4);
        for (name, value) in fields {
            match value {
                Value::Text(found) => proptest::prop_assert_eq!(found.to_cow().expect("text"), text.as_str()),
                Value::Number(found) if name == "integer" => proptest::prop_assert_eq!(found.parse::<i64>(), Ok(integer)),
                Value::Number(found) => proptest::prop_assert_eq!(found.parse::<f64>(), Ok(number)),
                Value::Array(found) => proptest::prop_assert!(is_valid(found)),
                other => proptest::prop_assert_eq!(other, Value::Null, "{} is no finite number", number),
            }
        }
    }

    #[test]
    fn any_text_gives_a_value_or_an_error(text in "[\\PC\"\\\\{}\\[\\],:0-9a-f]{0,30}") {
        let _ = value(&text);
        let _ = Cursor::new(&text).object(|_, cursor| cursor.value().map(|_| ()));
        let _ = Cursor::new(&text).array(|cursor| cursor.value().map(|_| ()));
        let _ = RawText { raw: &text, escaped: true }.to_cow();
    }
}
