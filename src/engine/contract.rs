//! Enforced contracts: the columns that a model declares are those that its query gives.
//!
//! 1. The order of columns does not matter, as in dbt; nor do lengths and precisions, which PostgreSQL's driver does not tell apart.
//! 2. The table of differences is dbt's.

use std::collections::BTreeMap;

use row::ScalarType;
use serde_json::Value as Json;

use super::assemble::AssembleError;
use crate::plan::Column;
use crate::plan::sql::parse_type;
use crate::project::Node;

/// Refuses a model whose contract is enforced and whose columns are others.
pub(super) fn check_contract(node: &Node, columns: &[Column]) -> Result<(), AssembleError> {
    let is_enforced =
        node.config.get("contract").and_then(|contract| contract.get("enforced")) == Some(&Json::Bool(true));
    if !is_enforced {
        return Ok(());
    }
    let failed = |message: String, hint: Option<&str>| AssembleError::node(node, message, hint.map(str::to_owned));
    let mut declared: BTreeMap<String, ScalarType> = BTreeMap::new();
    for column in &node.columns {
        let Some(data_type) = &column.data_type else {
            let message = format!(
                "Constraints must be defined in a `yml` schema configuration file like `schema.yml`.\n  \
                 Only the SQL table materialization is supported for constraints. `data_type` values must be defined for all \
                 columns and NOT be null or blank. Column \"{}\" has none.",
                column.name
            );
            return Err(failed(message, Some("write its data_type, or do not enforce the contract")));
        };
        let ty = parse_type(data_type).map_err(|error| failed(format!("column \"{}\": {error}", column.name), None))?;
        let name = if column.quote == Some(true) { column.name.clone() } else { column.name.to_lowercase() };
        declared.insert(name, ty);
    }
    if declared.is_empty() {
        let message = "an enforced contract needs the model's columns in a property file".to_owned();
        return Err(failed(message, Some("list them with their data_type, or do not enforce the contract")));
    }
    let given: BTreeMap<String, ScalarType> =
        columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect();
    let lines = differences(&given, &declared);
    if lines.is_empty() {
        return Ok(());
    }
    let message = format!(
        "This model has an enforced contract that failed.\n  Please ensure the name, data_type, and number of columns in your \
         contract match the columns in your model's definition.\n\n{}",
        table(&lines)
    );
    Err(failed(message, None))
}

type Line = [String; 4];

fn differences(given: &BTreeMap<String, ScalarType>, declared: &BTreeMap<String, ScalarType>) -> Vec<Line> {
    let mut names: Vec<&String> = given.keys().chain(declared.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let line = |name: &String| -> Option<Line> {
        let (definition, contract) = (given.get(name).map(driver_name), declared.get(name).map(driver_name));
        let reason = match (&definition, &contract) {
            (Some(definition), Some(contract)) if definition == contract => return None,
            (Some(_), Some(_)) => "data type mismatch",
            (Some(_), None) => "missing in contract",
            (None, _) => "missing in definition",
        };
        Some([name.clone(), definition.unwrap_or_default(), contract.unwrap_or_default(), reason.to_owned()])
    };
    names.into_iter().filter_map(line).collect()
}

/// What PostgreSQL's driver calls a type, by which dbt compares.
fn driver_name(ty: &ScalarType) -> String {
    match ty {
        ScalarType::Int16 | ScalarType::Int32 => "INTEGER",
        ScalarType::Int64 => "LONGINTEGER",
        ScalarType::Float32 | ScalarType::Float64 => "FLOAT",
        ScalarType::Numeric(_) => "DECIMAL",
        ScalarType::Text | ScalarType::Varchar(_) | ScalarType::Char(_) | ScalarType::Unknown => "STRING",
        ScalarType::Timestamp => "DATETIME",
        ScalarType::TimestampTz => "DATETIMETZ",
        ScalarType::Bytes => "BINARY",
        other => return other.to_string().to_uppercase(),
    }
    .to_owned()
}

fn table(lines: &[Line]) -> String {
    let head: Line = ["column_name", "definition_type", "contract_type", "mismatch_reason"].map(str::to_owned);
    let width = |column: usize| {
        let cells = lines.iter().chain([&head]).map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    let row = |line: &Line| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$} "));
        format!("  |{}|", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = format!("  |{}|", widths.map(|width| format!(" {} ", "-".repeat(width))).join("|"));
    [row(&head), rule].into_iter().chain(lines.iter().map(row)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(columns: &[(&str, &str)]) -> BTreeMap<String, ScalarType> {
        columns.iter().map(|(name, ty)| ((*name).to_owned(), parse_type(ty).expect("a type"))).collect()
    }

    #[test]
    fn names_and_kinds_of_types_are_compared() {
        let given = types(&[("id", "integer"), ("name", "text"), ("price", "numeric(12,2)"), ("late", "boolean")]);
        let same = types(&[("late", "bool"), ("name", "varchar(20)"), ("id", "int4"), ("price", "numeric")]);
        assert!(differences(&given, &same).is_empty());
        let other = types(&[("id", "bigint"), ("name", "text"), ("price", "float8"), ("day", "date")]);
        let shown = table(&differences(&given, &other));
        let expected = "  | column_name | definition_type | contract_type | mismatch_reason       |
  | ----------- | --------------- | ------------- | --------------------- |
  | day         |                 | DATE          | missing in definition |
  | id          | INTEGER         | LONGINTEGER   | data type mismatch    |
  | late        | BOOLEAN         |               | missing in contract   |
  | price       | DECIMAL         | FLOAT         | data type mismatch    |";
        assert_eq!(shown, expected);
    }
}
