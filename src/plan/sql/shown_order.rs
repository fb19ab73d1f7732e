//! The order in which a query asks for its rows, as far as its columns say it.
//!
//! A table has no order, so that a plan drops an ORDER BY that cuts nothing; whoever shows rows to a person wants it.

use row::SortDirection;
use sqlparser::ast::{self, OrderByKind};

use super::{fold, parse, query};

/// Positions among `columns` with their directions, outermost first. A term that is no column of the result (an expression, a
/// column that is not selected) ends it: what is left out only decides between rows that are equal so far.
pub fn shown_order(sql: &str, columns: &[String]) -> Vec<(usize, SortDirection)> {
    let Ok(query) = parse::parse_query(sql) else { return Vec::new() };
    let Some(OrderByKind::Expressions(terms)) = query.order_by.as_ref().map(|order_by| &order_by.kind) else {
        return Vec::new();
    };
    let term = |term: &ast::OrderByExpr| {
        let position = match &term.expr {
            ast::Expr::Identifier(name) => named(columns, name),
            ast::Expr::CompoundIdentifier(parts) => parts.last().and_then(|name| named(columns, name)),
            other => query::ordinal(other, columns.len(), "ORDER BY").ok().flatten(),
        };
        position.zip(query::direction(term).ok())
    };
    terms.iter().map_while(term).collect()
}

/// The one column of that name.
fn named(columns: &[String], name: &ast::Ident) -> Option<usize> {
    let name = fold(name);
    let mut found = columns.iter().enumerate().filter(|(_, column)| **column == name);
    let (position, _) = found.next()?;
    found.next().is_none().then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &[(usize, bool)]) {
        let columns = ["id", "name", "n"].map(str::to_owned);
        let order: Vec<_> =
            shown_order(sql, &columns).iter().map(|(at, direction)| (*at, direction.descending)).collect();
        assert_eq!(order, expected, "{sql}");
    }

    #[test]
    fn columns_by_name_and_by_number_say_the_order() {
        check("select id, name, n from t order by name desc, t.id", &[(1, true), (0, false)]);
        check("with a as (select 1) select * from a order by 3 desc", &[(2, true)]);
        check("select id, name, 1 as n from t union all select 1, 'a', 2 order by \"Name\", id", &[]);
    }

    #[test]
    fn what_is_no_column_of_the_result_ends_it() {
        check("select id, name, n from t order by n, lower(name), id", &[(2, false)]);
        check("select id, name, n from t", &[]);
        check("select id, name, n from (select * from t order by id) t", &[]);
        check("no query at all", &[]);
    }
}
