//! Identifiers as SQL wants them.

/// A quoted identifier: right for any name, reserved or not.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL's literal, whatever the server thinks of backslashes.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A name as people write it: bare where SQL allows that, else quoted. `models.relation` and messages use it.
pub(super) fn shown(name: &str) -> String {
    let mut characters = name.chars();
    let starts_well = characters.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_');
    if starts_well && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        name.to_string()
    } else {
        quoted(name)
    }
}

/// Quoted names, with a comma between.
pub(super) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// `prefix` + `table`, cut to PostgreSQL's 63 bytes; a cut name ends in a hash of the whole, so two tables never share it.
pub(super) fn index_name(prefix: &str, table: &str) -> String {
    const BYTES_MAX: usize = 63;
    let name = format!("{prefix}{table}");
    if name.len() <= BYTES_MAX {
        return name;
    }
    let mut end = BYTES_MAX - 17;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{:016x}", &name[..end], hash(&name))
}

/// FNV-1a: the same in every build, since names that hold it are found again by later versions.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_quotes_stays_one_identifier() {
        assert_eq!(quoted("a\"; drop table b"), "\"a\"\"; drop table b\"");
        assert_eq!(quoted_list(["a", "B"]), "\"a\", \"B\"");
    }

    #[test]
    fn a_literal_holds_any_text() {
        assert_eq!(literal("it's a \\ b"), "E'it''s a \\\\ b'");
    }

    #[test]
    fn only_names_that_need_quotes_are_shown_with_them() {
        assert_eq!(shown("fct_orders"), "fct_orders");
        assert_eq!(shown("Orders"), "\"Orders\"");
        assert_eq!(shown("a.b"), "\"a.b\"");
    }

    #[test]
    fn long_names_get_different_index_names() {
        let (a, b) = (format!("{}a", "x".repeat(60)), format!("{}b", "x".repeat(60)));
        let (a, b) = (index_name("livemart_key_", &a), index_name("livemart_key_", &b));
        assert_ne!(a, b);
        assert!(a.len() <= 63 && b.len() <= 63);
        assert!(index_name("livemart_key_", &"ä".repeat(40)).len() <= 63);
    }
}
