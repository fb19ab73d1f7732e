use super::key;

/// In PostgreSQL's order; values in one line are equal.
const IN_ORDER: &[&[&str]] = &[
    &["[]"],
    &["null"],
    &["\"\""],
    &["\"10\""],
    &["\"9\""],
    &["-1", "-1.0"],
    &["0", "0.00"],
    &["0.5"],
    &["9"],
    &["10", "10.000"],
    &["false"],
    &["true"],
    &["[null]"],
    &["[1]", "[1.0]"],
    &["[[]]"],
    &["[[1]]"],
    &["[{}]"],
    &["[0, 1]"],
    &["[1, \"a\\u0001\"]"],
    &["[1, 2]"],
    &["[1, 1, 1]"],
    &["{}"],
    &["{\"b\": 1}", "{\"b\": 1.0}"],
    &["{\"b\": [1]}"],
    &["{\"b\": {}}"],
    &["{\"aa\": 1, \"b\": 2}"],
];

#[test]
fn keys_are_equal_and_ordered_as_the_values_are() {
    let mut all: Vec<(usize, Vec<u8>, String)> = Vec::new();
    for (place, equals) in IN_ORDER.iter().enumerate() {
        for text in *equals {
            let canonical = crate::json::canonical(text).unwrap();
            all.push((place, key(&canonical).to_vec(), canonical));
        }
    }
    for (place, bytes, text) in &all {
        for (other_place, other, other_text) in &all {
            assert_eq!(place.cmp(other_place), bytes.cmp(other), "{text} against {other_text}");
            let begins = bytes != other && other.starts_with(bytes);
            assert!(!begins, "the key of {text} begins that of {other_text}");
        }
    }
}
