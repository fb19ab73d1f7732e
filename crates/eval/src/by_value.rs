//! Values that are kept as text and compared as what they mean: `jsonb`.
//!
//! Rows are compared by their bytes, in which `1` and `1.0` differ. Where a `jsonb` is compared, its key stands in for it
//! (`functions/json_key`), and bytes are compared.

use row::ScalarType;

use crate::functions::json_key::{OF_ARRAY, OF_VALUE};
use crate::{Expr, FunctionId, functions};

/// Whether values of the type are compared by keys, not by their bytes.
pub fn has_key(ty: &ScalarType) -> bool {
    key_type(ty).is_some()
}

/// The type of the keys of such values.
pub fn key_type(ty: &ScalarType) -> Option<ScalarType> {
    match ty {
        ScalarType::Jsonb => Some(ScalarType::Bytes),
        ScalarType::Array(of) if **of == ScalarType::Jsonb => Some(ScalarType::Array(Box::new(ScalarType::Bytes))),
        _ => None,
    }
}

/// What an expression of a type is compared by: its key where it has one, else itself.
pub fn key(expr: Expr, ty: &ScalarType) -> Expr {
    match key_type(ty) {
        Some(key_type) => {
            let name = if *ty == ScalarType::Jsonb { OF_VALUE } else { OF_ARRAY };
            Expr::Call { function: FunctionId(functions::named(name)[0]), args: vec![expr], ty: key_type }
        }
        None => expr,
    }
}
