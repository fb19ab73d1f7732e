//! What PostgreSQL calls a column that was given no name.

use sqlparser::ast::{self, Expr, SelectItem, SetExpr};

use super::{fold, types};

/// The name of an unnamed select item.
pub(super) fn output_name(expr: &Expr) -> String {
    named(expr).map_or_else(|| "?column?".to_string(), |(name, _)| name)
}

/// The name and whether it is a strong one: a cast over a weak name is called by its type.
fn named(expr: &Expr) -> Option<(String, bool)> {
    let strong = |name: &str| Some((name.to_string(), true));
    match expr {
        Expr::Identifier(ident) => Some((fold(ident), true)),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| (fold(ident), true)),
        Expr::CompoundFieldAccess { root, .. } => named(root),
        Expr::Nested(inner) => named(inner),
        Expr::Collate { expr, .. } => named(expr),
        Expr::Function(function) => {
            function.name.0.last().and_then(|part| part.as_ident()).map(|ident| (fold(ident), true))
        }
        Expr::Cast { expr, data_type, .. } => match named(expr) {
            Some((name, true)) => Some((name, true)),
            _ => weak_type(data_type),
        },
        Expr::TypedString(typed) => weak_type(&typed.data_type),
        Expr::Interval(_) => Some(("interval".to_string(), false)),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(named) {
            Some((name, true)) => Some((name, true)),
            _ => Some(("case".to_string(), false)),
        },
        Expr::Exists { .. } => strong("exists"),
        Expr::Subquery(query) => subquery_name(&query.body),
        Expr::Extract { .. } => strong("extract"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { shorthand, .. } => strong(if *shorthand { "substr" } else { "substring" }),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::Array(_) => strong("array"),
        _ => None,
    }
}

fn weak_type(ty: &ast::DataType) -> Option<(String, bool)> {
    types::scalar_type(ty).ok().map(|ty| (types::internal_name(&ty).to_string(), false))
}

/// A scalar subquery is called as its one column is.
fn subquery_name(body: &SetExpr) -> Option<(String, bool)> {
    match body {
        SetExpr::Select(select) => match select.projection.first() {
            Some(SelectItem::UnnamedExpr(expr)) => named(expr),
            Some(SelectItem::ExprWithAlias { alias, .. }) => Some((fold(alias), true)),
            _ => None,
        },
        SetExpr::Query(query) => subquery_name(&query.body),
        SetExpr::SetOperation { left, .. } => subquery_name(left),
        _ => None,
    }
}
