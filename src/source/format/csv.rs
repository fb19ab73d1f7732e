//! Comma-separated values as PostgreSQL's COPY … CSV HEADER writes them.
//!
//! ```text
//!   id,name,note          first record: the columns' names
//!   1,ada,"said ""hi"""   a quoted field may hold commas, quotes (doubled) and line ends
//!   2,,""                 nothing between commas is NULL, "" is the empty text
//! ```

use super::json::{RawText, Value};
use bumpalo::Bump as Arena;

/// The length of the first record of `bytes` with its line end, or `None` if the end is not there yet.
pub fn record_len(bytes: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Calls `visit` with each field of one record (without its line end), in order.
pub fn fields<'a>(record: &'a str, arena: &'a Arena, mut visit: impl FnMut(Value<'a>)) -> Result<(), String> {
    let mut rest = record;
    loop {
        let (value, after) = match rest.strip_prefix('"') {
            Some(inside) => quoted(inside, arena)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let field = &rest[..end];
                let value = if field.is_empty() { Value::Null } else { Value::Text(RawText::plain(field)) };
                (value, &rest[end..])
            }
        };
        visit(value);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(()),
            None => return Err("text after the closing quote of a field".into()),
        }
    }
}

/// A field after its opening quote, and what follows its closing one.
fn quoted<'a>(inside: &'a str, arena: &'a Arena) -> Result<(Value<'a>, &'a str), String> {
    let bytes = inside.as_bytes();
    let (mut at, mut doubled) = (0, false);
    loop {
        match bytes.get(at) {
            Some(b'"') if bytes.get(at + 1) == Some(&b'"') => {
                doubled = true;
                at += 2;
            }
            Some(b'"') => break,
            Some(_) => at += 1,
            None => return Err("a quoted field without an end".into()),
        }
    }
    let text = &inside[..at];
    let text: &'a str = if doubled { arena.alloc_str(&text.replace("\"\"", "\"")) } else { text };
    Ok((Value::Text(RawText::plain(text)), &inside[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expected: &[Option<&str>]) {
        let arena = Arena::new();
        let mut found = Vec::new();
        fields(record, &arena, |value| {
            found.push(match value {
                Value::Text(text) => Some(text.raw.to_string()),
                _ => None,
            });
        })
        .expect(record);
        let expected: Vec<_> = expected.iter().map(|field| field.map(str::to_string)).collect();
        assert_eq!(found, expected, "{record}");
    }

    #[test]
    fn nothing_is_null_and_quotes_are_the_empty_text() {
        check("1,ada,\"said \"\"hi\"\", twice\"", &[Some("1"), Some("ada"), Some("said \"hi\", twice")]);
        check("2,,\"\"", &[Some("2"), None, Some("")]);
        check("", &[None]);
        check(",", &[None, None]);
        check("\"two\nlines\",x", &[Some("two\nlines"), Some("x")]);
    }

    #[test]
    fn broken_quotes_are_errors() {
        let arena = Arena::new();
        assert!(fields("\"a", &arena, |_| {}).is_err());
        assert!(fields("\"a\"b", &arena, |_| {}).is_err());
    }

    #[test]
    fn a_record_ends_at_a_line_end_outside_of_quotes() {
        assert_eq!(record_len(b"a,b\nc"), Some(4));
        assert_eq!(record_len(b"a,\"b\nc\"\n"), Some(8));
        assert_eq!(record_len(b"a,\"b\nc"), None);
        assert_eq!(record_len(b""), None);
    }
}
