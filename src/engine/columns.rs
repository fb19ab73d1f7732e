//! The columns of what a project makes, for templates that ask for them while compiling (`dbt_utils.star`).
//!
//! ```text
//!   declared columns ──┐
//!   compiled SQL ──────┴──bind──> names and types of a relation
//! ```
//!
//! 1. No database is asked: a model's columns are what its SQL gives.
//! 2. A relation of which nothing is known, or whose SQL cannot be bound, has no columns here; the template's error says so.
//! 3. Each relation is bound once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::sql::parse_type;
use crate::plan::{self, Column, RelationId, RelationType};
use crate::project::Introspect;

/// Answers from declared columns and from SQL that is compiled already.
#[derive(Debug, Default)]
pub struct BoundColumns {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Database, schema and name of each relation, lower case, with its unique id.
    relations: Vec<([String; 3], String)>,
    types: BTreeMap<String, RelationType>,
    sql: BTreeMap<String, String>,
}

impl BoundColumns {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn typ(&self, unique_id: &str) -> Option<RelationType> {
        let sql = {
            let known = self.known();
            if let Some(typ) = known.types.get(unique_id) {
                return Some(typ.clone());
            }
            known.sql.get(unique_id)?.clone()
        };
        let bound = plan::bind(&sql, &|parts| self.resolve(parts)).ok()?;
        let typ = RelationType { columns: bound.columns, keys: Vec::new() };
        self.known().types.insert(unique_id.to_owned(), typ.clone());
        Some(typ)
    }

    /// A name in SQL: with or without schema and database.
    fn resolve(&self, parts: &[String]) -> Option<(RelationId, RelationType)> {
        let fits = |relation: &[String; 3]| {
            parts.len() <= 3
                && parts.iter().rev().zip(relation.iter().rev()).all(|(part, known)| part.to_lowercase() == *known)
        };
        let id = self.known().relations.iter().find(|(relation, _)| fits(relation)).map(|(_, id)| id.clone())?;
        Some((RelationId(id.as_str().into()), self.typ(&id)?))
    }

    fn name(&self, unique_id: &str, relation: &[String; 3]) {
        let relation = relation.clone().map(|part| part.to_lowercase());
        let mut known = self.known();
        known.relations.retain(|(_, id)| id != unique_id);
        known.relations.push((relation, unique_id.to_owned()));
    }
}

impl Introspect for BoundColumns {
    fn columns(&self, unique_id: &str) -> Option<Vec<(String, String)>> {
        let typ = self.typ(unique_id)?;
        Some(typ.columns.into_iter().map(|column| (column.name, column.ty.to_string())).collect())
    }

    fn declared(&self, unique_id: &str, relation: &[String; 3], columns: &[(String, String)]) {
        let column = |(name, ty): &(String, String)| {
            let ty = parse_type(ty).ok()?;
            Some(Column { name: name.to_lowercase(), ty, nullable: true, scale_max: None })
        };
        let Some(columns) = columns.iter().map(column).collect::<Option<Vec<Column>>>() else { return };
        self.name(unique_id, relation);
        self.known().types.insert(unique_id.to_owned(), RelationType { columns, keys: Vec::new() });
    }

    fn compiled(&self, unique_id: &str, relation: &[String; 3], sql: &str) {
        self.name(unique_id, relation);
        let mut known = self.known();
        // What a model's SQL gives is truer than what its property file says.
        known.types.remove(unique_id);
        known.sql.insert(unique_id.to_owned(), sql.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(name: &str) -> [String; 3] {
        ["shop".to_owned(), "main".to_owned(), name.to_owned()]
    }

    #[test]
    fn columns_of_a_model_are_what_its_sql_gives() {
        let columns = BoundColumns::default();
        columns.declared(
            "source.o",
            &relation("orders"),
            &[("Id".into(), "bigint".into()), ("amount".into(), "numeric(12,2)".into())],
        );
        columns.compiled("model.b", &relation("b"), "select *, amount * 2 as twice from \"shop\".\"main\".\"a\"");
        assert_eq!(columns.columns("model.b"), None, "of a there is nothing known");
        columns.compiled("model.a", &relation("a"), "select id::integer as n, amount from main.orders");
        let told = columns.columns("model.b").expect("bound");
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["n", "amount", "twice"]);
        assert_eq!(told[0].1, "integer");
        columns.compiled("model.broken", &relation("broken"), "select nothing from nowhere");
        assert_eq!(columns.columns("model.broken"), None);
    }
}
