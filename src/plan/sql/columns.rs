//! Column numbers of one statement.
//!
//! While a statement is bound, every column that some relation gives has a number of its own, wherever it is read: an
//! expression over an outer query's column is the same `Expr::Column` as one over its own. Positions come in `lower`.

use row::ScalarType;

use crate::plan::Column;

/// The number of a column within one statement. It stands in `Expr::Column` until `lower` turns it into a position.
pub(super) type ColumnId = usize;

/// What is known of each column, by number.
#[derive(Default)]
pub(super) struct Columns {
    infos: Vec<Column>,
    types: Vec<ScalarType>,
}

impl Columns {
    pub fn add(&mut self, column: Column) -> ColumnId {
        self.types.push(column.ty.clone());
        self.infos.push(column);
        self.infos.len() - 1
    }

    pub fn get(&self, id: ColumnId) -> &Column {
        &self.infos[id]
    }

    /// Types by number, as `Expr::ty` wants them.
    pub fn types(&self) -> &[ScalarType] {
        &self.types
    }

    /// An outer join above makes the column nullable.
    pub fn set_nullable(&mut self, id: ColumnId) {
        self.infos[id].nullable = true;
    }
}
