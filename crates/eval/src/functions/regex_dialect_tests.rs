use super::{Flags, compile, similar, translate};

fn error(pattern: &str) -> String {
    compile(pattern, Flags::NONE).map(|regex| regex.to_string()).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_matched_in_linear_time_is_refused() {
    assert_eq!(error(r"(a)\1"), "invalid regular expression: back references are not maintained");
    assert_eq!(error("a(?=b)"), "invalid regular expression: look-ahead and look-behind are not maintained");
    assert_eq!(error("(?<!a)b"), "invalid regular expression: look-ahead and look-behind are not maintained");
}

#[test]
fn characters_that_only_the_crate_finds_special_are_escaped() {
    let check = |pattern: &str, text: &str| assert!(compile(pattern, Flags::NONE).unwrap().is_match(text), "{pattern}");
    check("^[[]$", "[");
    check("^[]]$", "]");
    check("^[^]]$", "[");
    check("^[a&&b]+$", "a&b");
    check("^[a~~b]+$", "a~b");
    check("^[+--]$", ",");
    check("^[a-]$", "-");
    check(r"^[\w.-]+$", "é_1.-");
    check("^a{,3}$", "a{,3}");
    check("^<a>$", "<a>");
    check(r"^\<a\>$", "<a>");
    check("^[[:alpha:][:digit:]]+$", "ß7");
    check("^[[.-.]x]$", "-");
    check("a#b", "a#b");
}

#[test]
fn flags_change_newlines_case_and_layout() {
    let is_match =
        |pattern: &str, flags: &str, text: &str| compile(pattern, Flags::parse(flags).unwrap()).unwrap().is_match(text);
    assert!(is_match("a.b", "", "a\nb"));
    assert!(!is_match("a.b", "n", "a\nb"));
    assert!(!is_match("a[^x]b", "n", "a\nb"));
    assert!(is_match("^b", "n", "a\nb"));
    assert!(!is_match("^b", "p", "a\nb"));
    assert!(is_match("^b", "w", "a\nb"));
    assert!(is_match("A B", "ix", "ab"));
    assert!(is_match("a b # comment", "x", "ab"));
    assert!(is_match("a.b", "q", "xa.b"));
    assert!(!is_match("a.b", "q", "axb"));
    assert_eq!(Flags::parse("z").err().unwrap().to_string(), "invalid regular expression option: \"z\"");
}

#[test]
fn similar_to_matches_the_whole_text() {
    let is_match = |pattern: &str, text: &str| similar(pattern, Some('\\')).unwrap().is_match(text);
    assert!(is_match("a|bc", "bc"));
    assert!(!is_match("a|bc", "abc"));
    assert!(is_match("%.c", "ab.c"));
    assert!(!is_match("%.c", "abxc"));
    assert!(is_match(r"a\%", "a%"));
    assert!(is_match("[$^]", "$"));
}

#[test]
fn translation_never_panics_on_broken_patterns() {
    for pattern in
        ["", "\\", "[", "[[", "[[:", "[[:alpha", "(", ")", "(?", "a{", "a{2", "a{2,", "[\\", "\\x", "\\c", "[[.a"]
    {
        let _ = translate(pattern, Flags::NONE);
    }
}

#[test]
fn alternatives_are_ordered_so_that_the_first_match_is_the_longest() {
    let check = |pattern: &str, expected: &str| assert_eq!(translate(pattern, Flags::NONE).unwrap(), expected);
    check("st|street", "street|st");
    check("a|ab|abc", "abc|ab|a");
    check(r"inc\.?|incorporated", r"incorporated|inc\.?");
    check("x(?:b|ba)+", "x(?:ba|b)+");
    check("(st|street)x", "(street|st)x");
    // Widths that overlap, brackets that count, short matches that are asked for.
    check("a[bc]*|abc", "a[bc]*|abc");
    check("a|(a)b", "a|(a)b");
    check("a+?|ab", "a+?|ab");
}
