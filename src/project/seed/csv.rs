//! CSV as Python's `csv` reads it, whose reader dbt uses.
//!
//! 1. A quote opens a quoted cell only at its beginning; what follows the closing quote is part of the cell.
//! 2. An empty line is a record without cells; a quoted cell that is never closed ends with the file.
//! 3. All line ends (also those inside quotes) read as `\n`.

/// A record and the line it begins on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub line: usize,
    pub cells: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    /// Nothing of the cell has been read.
    Start,
    Cell,
    Quoted,
    /// A quote inside a quoted cell: its end, unless another follows.
    Closed,
}

pub(super) fn records(text: &str, delimiter: char) -> Vec<Record> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut records = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut line, mut first_line) = (1, 1);
    let mut at = At::Start;
    let mut has_begun = false;
    for c in text.chars() {
        let begun_before = std::mem::replace(&mut has_begun, true);
        at = match (at, c) {
            (At::Quoted, '"') => At::Closed,
            (At::Quoted, c) => {
                cell.push(c);
                line += usize::from(c == '\n');
                At::Quoted
            }
            (At::Closed, '"') => {
                cell.push('"');
                At::Quoted
            }
            (_, '\n') => {
                if begun_before {
                    cells.push(std::mem::take(&mut cell));
                }
                records.push(Record { line: first_line, cells: std::mem::take(&mut cells) });
                line += 1;
                (first_line, has_begun) = (line, false);
                At::Start
            }
            (_, c) if c == delimiter => {
                cells.push(std::mem::take(&mut cell));
                At::Start
            }
            (At::Start, '"') => At::Quoted,
            (_, c) => {
                cell.push(c);
                At::Cell
            }
        };
    }
    if has_begun {
        cells.push(cell);
        records.push(Record { line: first_line, cells });
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(usize, &[&str])]) {
        let expected: Vec<Record> = expected
            .iter()
            .map(|(line, cells)| Record { line: *line, cells: cells.iter().map(ToString::to_string).collect() })
            .collect();
        assert_eq!(records(text, ','), expected, "{text:?}");
    }

    #[test]
    fn cells_may_be_quoted_and_lines_empty() {
        check(
            "a,b\n\n1,\"x, \"\"y\"\"\r\nz\"\r\n2,\n",
            &[(1, &["a", "b"]), (2, &[]), (3, &["1", "x, \"y\"\nz"]), (5, &["2", ""])],
        );
    }

    #[test]
    fn a_quote_inside_a_cell_is_a_character() {
        check("x\"y\"z,\"x\"y, \"q\"", &[(1, &["x\"y\"z", "xy", " \"q\""])]);
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_with_the_file() {
        check("a\n\"b\nc", &[(1, &["a"]), (2, &["b\nc"])]);
    }
}
