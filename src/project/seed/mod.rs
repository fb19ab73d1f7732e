//! Seeds' rows: the CSV as dbt reads it.
//!
//! ```text
//!   file ──csv──> cells ──guess──> for each column a type, and cells as PostgreSQL's input of that type reads them
//! ```
//!
//! 1. A cell that is empty or says `null` is NULL, quoted or not.
//! 2. Types come from `column_types`; what is not named there is guessed from all cells of the column, as dbt guesses on PostgreSQL.
//! 3. A line with too few cells is filled with NULLs, also an empty line.

mod csv;
mod guess;

use std::path::Path;

use serde_json::Value as Json;

use super::error::{ProjectError, Result};
use super::files;
use super::node::ResourceType;
use super::{Node, Project};

/// A seed's columns and cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedTable {
    pub columns: Vec<SeedColumn>,
    pub rows: Vec<Vec<Option<String>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedColumn {
    pub name: String,
    /// As `column_types` has it, else as guessed: a type in PostgreSQL's words.
    pub data_type: String,
}

impl Project {
    /// Reads a seed's file.
    pub fn read_seed(&self, node: &Node) -> Result<SeedTable> {
        debug_assert_eq!(node.resource_type, ResourceType::Seed);
        let root = self.package_root(&node.package).unwrap_or(&self.root);
        read(root, node)
    }
}

/// The cells of a CSV text with commas, record by record.
pub(super) fn csv_records(text: &str) -> Vec<Vec<String>> {
    csv::records(text, ',').into_iter().map(|record| record.cells).collect()
}

/// The seed's table; its file lies below `root`.
pub(super) fn read(root: &Path, node: &Node) -> Result<SeedTable> {
    let text = files::read(&root.join(&node.original_file_path), &node.original_file_path)?;
    let wrong = |line: usize, message: String| {
        let error = ProjectError::compilation(message).in_object(node.title());
        error.in_file(node.original_file_path.clone()).at_line(line)
    };
    let mut records = csv::records(&text, delimiter(node).map_err(|message| wrong(1, message))?).into_iter();
    let header = records.next().map(|record| record.cells).unwrap_or_default();
    if header.is_empty() {
        return Err(wrong(1, "the seed has no header line".into()));
    }
    let names = column_names(header);
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for record in records {
        if record.cells.len() > names.len() {
            let counts = format!("{} values, but the header has {} columns", record.cells.len(), names.len());
            return Err(wrong(record.line, format!("the line has {counts}")));
        }
        let mut row: Vec<Option<String>> = record.cells.into_iter().map(Some).collect();
        row.resize(names.len(), None);
        rows.push(row);
    }
    let types = node.config.get("column_types").and_then(Json::as_object);
    let keeps_case = node.config.get("quote_columns").and_then(Json::as_bool).unwrap_or(true);
    let mut columns = Vec::new();
    for (at, name) in names.into_iter().enumerate() {
        let given = types.and_then(|types| types.get(&name)).and_then(Json::as_str);
        let data_type = match given {
            Some(given) => {
                rows.iter_mut().for_each(|row| row[at] = row[at].take().and_then(guess::text));
                given.to_string()
            }
            None => guess::settle(&mut rows, at).to_string(),
        };
        columns.push(SeedColumn { name: if keeps_case { name } else { name.to_lowercase() }, data_type });
    }
    Ok(SeedTable { columns, rows })
}

/// Python's reader takes one character, and so does this one.
fn delimiter(node: &Node) -> std::result::Result<char, String> {
    let text = node.config_text("delimiter").unwrap_or(",");
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(delimiter), None) => Ok(delimiter),
        _ => Err(format!("delimiter must be one character, not {text:?}")),
    }
}

/// Names by which the columns are known: one without a name has its letter, a second one of a name a number.
fn column_names(header: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in header.into_iter().enumerate() {
        let name = if name.is_empty() { letter(at) } else { name };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
        names.push(free.unwrap_or(name));
    }
    names
}

/// a, b, …, z, aa, bb, …
fn letter(at: usize) -> String {
    let letter = char::from(b'a' + (at % 26) as u8);
    std::iter::repeat_n(letter, at / 26 + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_without_a_name_have_their_letters_and_twins_have_numbers() {
        let header = ["a", "", "A", "a", "", "a_2"].map(String::from).to_vec();
        assert_eq!(column_names(header), ["a", "b", "A", "a_2", "e", "a_2_2"]);
        assert_eq!(letter(27), "bb");
    }
}
