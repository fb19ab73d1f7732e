//! Seeds' rows: the CSV as dbt reads it.
//!
//! 1. An empty cell is NULL; a quoted empty cell is, too, as in dbt.
//! 2. Types come from `column_types`; what is not named there is guessed by the caller from the texts.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::error::{ProjectError, Result};
use super::files;
use super::node::ResourceType;
use super::{Node, Project};
use serde_json::Value as Json;

/// A seed's columns and cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedTable {
    pub columns: Vec<SeedColumn>,
    pub rows: Vec<Vec<Option<String>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedColumn {
    pub name: String,
    /// From `column_types`, as written.
    pub data_type: Option<String>,
}

impl Project {
    /// Reads a seed's file.
    pub fn read_seed(&self, node: &Node) -> Result<SeedTable> {
        debug_assert_eq!(node.resource_type, ResourceType::Seed);
        let root = self.package_root(&node.package).unwrap_or(&self.root);
        let text = files::read(&root.join(&node.original_file_path), &node.original_file_path)?;
        let delimiter = delimiter(node);
        let wrong = |line: usize, message: String| {
            ProjectError::compilation(message)
                .in_object(node.title())
                .in_file(node.original_file_path.clone())
                .at_line(line)
        };
        let mut records = parse_csv(&text, delimiter)
            .map_err(|line| wrong(line, "a quoted cell is never closed".into()))?
            .into_iter();
        let Some((_, header)) = records.next() else { return Err(wrong(1, "the seed has no header line".into())) };
        let columns = columns(node, header);
        let mut rows = Vec::new();
        for (line, record) in records {
            if record.len() > columns.len() {
                return Err(wrong(
                    line,
                    format!("the line has {} cells, the header has {}", record.len(), columns.len()),
                ));
            }
            let mut row: Vec<Option<String>> =
                record.into_iter().map(|cell| (!cell.is_empty()).then_some(cell)).collect();
            row.resize(columns.len(), None);
            rows.push(row);
        }
        Ok(SeedTable { columns, rows })
    }
}

/// The columns of a seed, from the first line of its file alone.
pub(super) fn read_header(root: &Path, node: &Node) -> Result<Vec<SeedColumn>> {
    let unreadable = |error| ProjectError::runtime(format!("could not read {}: {error}", node.original_file_path));
    let file = std::fs::File::open(root.join(&node.original_file_path)).map_err(unreadable)?;
    let mut line = String::new();
    BufReader::new(file).read_line(&mut line).map_err(unreadable)?;
    let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
    let header = parse_csv(line, delimiter(node)).ok().and_then(|records| records.into_iter().next());
    Ok(columns(node, header.map_or_else(Vec::new, |(_, header)| header)))
}

fn delimiter(node: &Node) -> char {
    node.config_text("delimiter").and_then(|text| text.chars().next()).unwrap_or(',')
}

fn columns(node: &Node, header: Vec<String>) -> Vec<SeedColumn> {
    let types = node.config.get("column_types").and_then(Json::as_object);
    let column = |name: String| {
        let name = name.trim().to_string();
        let data_type = types.and_then(|types| types.get(&name)).and_then(Json::as_str).map(String::from);
        SeedColumn { name, data_type }
    };
    header.into_iter().map(column).collect()
}

/// Records with their first lines. An unclosed quote is an error with its line.
fn parse_csv(text: &str, delimiter: char) -> std::result::Result<Vec<(usize, Vec<String>)>, usize> {
    let mut records = Vec::new();
    let mut record: Vec<String> = Vec::new();
    let mut cell = String::new();
    let (mut line, mut first_line) = (1, 1);
    let mut quoted_since: Option<usize> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        match (quoted_since, c) {
            (Some(_), '"') if chars.peek() == Some(&'"') => {
                cell.push('"');
                chars.next();
            }
            (Some(_), '"') => quoted_since = None,
            (Some(_), c) => cell.push(c),
            (None, '"') if cell.is_empty() => quoted_since = Some(line),
            (None, '\r') if chars.peek() == Some(&'\n') => {}
            (None, '\n') => {
                record.push(std::mem::take(&mut cell));
                push_record(&mut records, first_line, &mut record);
                first_line = line;
            }
            (None, c) if c == delimiter => record.push(std::mem::take(&mut cell)),
            (None, c) => cell.push(c),
        }
    }
    if let Some(line) = quoted_since {
        return Err(line);
    }
    if !cell.is_empty() || !record.is_empty() {
        record.push(cell);
        push_record(&mut records, first_line, &mut record);
    }
    Ok(records)
}

/// Empty lines are no records.
fn push_record(records: &mut Vec<(usize, Vec<String>)>, line: usize, record: &mut Vec<String>) {
    let record = std::mem::take(record);
    if record.len() > 1 || record.first().is_some_and(|cell| !cell.is_empty()) {
        records.push((line, record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_may_be_quoted_and_lines_empty() {
        let records = parse_csv("a,b\n\n1,\"x, \"\"y\"\"\nz\"\r\n2,\n", ',').expect("CSV");
        let cells: Vec<Vec<&str>> =
            records.iter().map(|(_, record)| record.iter().map(String::as_str).collect()).collect();
        assert_eq!(cells, [vec!["a", "b"], vec!["1", "x, \"y\"\nz"], vec!["2", ""]]);
        assert_eq!(records.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 5]);
    }

    #[test]
    fn an_open_quote_is_an_error_with_its_line() {
        assert_eq!(parse_csv("a\n\"b\nc", ','), Err(2));
    }
}
