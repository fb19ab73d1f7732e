//! A seed as a relation of literal rows: its cells become values of its columns' types.

use std::sync::Arc;

use eval::{Arena, Expr};
use row::{Datum, OwnedDatum, RowBuilder, ScalarType};

use super::assemble::AssembleError;
use crate::plan::sql::parse_type;
use crate::plan::{Column, Plan, RelationType};
use crate::project::{Node, Project};

/// The plan of a seed. A cell that is no value of its column's type is refused, with its row.
pub(super) fn seed_plan(project: &Project, node: &Node) -> Result<(Arc<Plan>, RelationType), AssembleError> {
    let failed = |message: String, hint: Option<&str>| AssembleError::node(node, message, hint.map(str::to_owned));
    let table = project.read_seed(node).map_err(|error| AssembleError {
        what: error.to_string(),
        message: String::new(),
        hint: error.hint,
    })?;
    let mut columns = Vec::new();
    for column in &table.columns {
        let ty = parse_type(&column.data_type).map_err(|error| {
            failed(format!("column \"{}\": {error}", column.name), Some("correct it in column_types"))
        })?;
        let scale_max = match &ty {
            ScalarType::Numeric(Some(typmod)) => u16::try_from(typmod.scale).ok(),
            _ => None,
        };
        columns.push(Column { name: column.name.clone(), ty, nullable: true, scale_max });
    }
    let mut rows = Vec::with_capacity(table.rows.len());
    let mut builder = RowBuilder::default();
    for (number, cells) in table.rows.iter().enumerate() {
        for (cell, column) in cells.iter().zip(&columns) {
            let Some(text) = cell else {
                builder.push(&Datum::Null);
                continue;
            };
            let value = typed(text, &column.ty).map_err(|reason| {
                let message = format!("row {}, column \"{}\": {reason}", number + 1, column.name);
                failed(message, Some("correct the file, or give the column another type in column_types"))
            })?;
            builder.push(&value.datum());
        }
        rows.push((builder.finish(), 1));
    }
    let typ = RelationType { columns, keys: Vec::new() };
    Ok((Arc::new(Plan::Constant { rows, typ: typ.clone() }), typ))
}

/// A text read as PostgreSQL reads an insert's literal of that type.
fn typed(text: &str, ty: &ScalarType) -> Result<OwnedDatum, String> {
    let literal = Expr::Literal { value: OwnedDatum::new(&Datum::Text(text)), ty: ScalarType::Text };
    let cast = Expr::Cast { input: Box::new(literal), from: ScalarType::Text, to: ty.clone(), explicit: false };
    let arena = Arena::new();
    let value = cast.eval(&[], &arena).map_err(|error| error.to_string())?;
    Ok(OwnedDatum::new(&value))
}

#[cfg(test)]
#[path = "seeds_tests.rs"]
mod tests;
