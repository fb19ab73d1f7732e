//! Indexes, comments and grants: brought from what they are to what the project says.
//!
//! 1. What the project does not speak of stays as people made it: comments, other indexes, grants without `grants:`.
//! 2. Only differences are written, so a start that changes nothing takes no lock.

use std::collections::BTreeSet;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::schema::target;
use super::session::Session;
use super::{failure, relation};
use crate::sink::names::{hash, literal, quoted};
use crate::sink::properties::IndexSpec;
use crate::sink::{SinkError, TableSpec};

/// What our own indexes of `indexes:` are called; others are never touched.
const INDEX: &str = "livemart_index_";

/// The statements that are missing, each with what it does.
pub async fn differences(session: &Session, table: &TableSpec) -> Result<Vec<Difference>, SinkError> {
    let failed = |cause| failure(&format!("could not look up the properties of table {}", relation(table)), cause);
    let mut differences = indexes(session, table).await.map_err(failed)?;
    differences.extend(comments(session, table).await.map_err(failed)?);
    differences.extend(grants(session, table).await.map_err(failed)?);
    Ok(differences)
}

#[derive(Debug)]
pub struct Difference {
    what: &'static str,
    sql: String,
}

impl Difference {
    pub async fn settle(&self, session: &Session, table: &TableSpec) -> Result<(), SinkError> {
        let settled = session.client.batch_execute(&self.sql).await;
        settled.map_err(|cause| self.failed(table, cause))
    }

    fn failed(&self, table: &TableSpec, cause: Error) -> SinkError {
        let missing = cause.code() == Some(&SqlState::UNDEFINED_OBJECT);
        let twice = cause.code() == Some(&SqlState::UNIQUE_VIOLATION);
        let mut error = failure(&format!("could not {} of table {}", self.what, relation(table)), cause);
        if let SinkError::Refused { hint, .. } = &mut error {
            *hint = match () {
                () if missing && self.what == "change the grants" => {
                    Some(format!("create the role, or correct grants: of {}", table.model))
                }
                () if twice => Some(format!("its rows are not unique: correct indexes: of {}", table.model)),
                () => Some(format!("correct the configuration of {}", table.model)),
            };
        }
        error
    }
}

async fn indexes(session: &Session, table: &TableSpec) -> Result<Vec<Difference>, Error> {
    let present = session
        .client
        .query(
            "select c.relname::text, exists (select from pg_constraint u where u.conindid = c.oid and u.contype = 'u')
             from pg_index i join pg_class c on c.oid = i.indexrelid
             where i.indrelid = to_regclass($1) and starts_with(c.relname::text, $2)",
            &[&target(table), &INDEX],
        )
        .await?;
    let what = "change an index";
    let wanted: Vec<(String, &IndexSpec)> =
        table.properties.indexes.iter().map(|index| (index_name(table, index), index)).collect();
    let mut differences = Vec::new();
    for row in &present {
        let (name, is_constraint): (String, bool) = (row.get(0), row.get(1));
        if !wanted.iter().any(|(wanted, _)| *wanted == name) {
            let sql = if is_constraint {
                format!("alter table {} drop constraint {}", target(table), quoted(&name))
            } else {
                format!("drop index {}.{}", quoted(&table.schema), quoted(&name))
            };
            differences.push(Difference { what, sql });
        }
    }
    let mut made: BTreeSet<String> = present.iter().map(|row| row.get(0)).collect();
    for (name, index) in wanted {
        if made.insert(name.clone()) {
            differences.push(Difference { what, sql: index_sql(table, index, &name) });
        }
    }
    Ok(differences)
}

fn index_name(table: &TableSpec, index: &IndexSpec) -> String {
    let whole = format!("{} {:?} {} {}", target(table), index.columns, index.unique, index.method);
    format!("{INDEX}{:016x}", hash(&whole))
}

/// A unique index of columns is checked at the end of the transaction: between, two rows may have exchanged their values.
fn index_sql(table: &TableSpec, index: &IndexSpec, name: &str) -> String {
    let (target, name) = (target(table), quoted(name));
    let is_column =
        |text: &String| table.columns.iter().any(|column| column.name == *text || quoted(&column.name) == *text);
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|text| if table.columns.iter().any(|column| column.name == *text) { quoted(text) } else { text.clone() })
        .collect();
    let columns = columns.join(", ");
    if index.unique && index.method == "btree" && index.columns.iter().all(is_column) {
        return format!("alter table {target} add constraint {name} unique ({columns}) deferrable initially deferred");
    }
    let unique = if index.unique { "unique " } else { "" };
    format!("create {unique}index {name} on {target} using {} ({columns})", index.method)
}

async fn comments(session: &Session, table: &TableSpec) -> Result<Vec<Difference>, Error> {
    let properties = &table.properties;
    if properties.comment.is_none() && properties.column_comments.is_empty() {
        return Ok(Vec::new());
    }
    let name = target(table);
    let present = session
        .client
        .query(
            "select a.attname::text, case when a.attnum = 0 then obj_description(a.oid, 'pg_class') else col_description(a.oid, a.attnum) end
             from (select attrelid as oid, attname, attnum from pg_attribute where attrelid = to_regclass($1) and attnum > 0
                   and not attisdropped union all select to_regclass($1), '', 0) a",
            &[&name],
        )
        .await?;
    let told = |column: &str| {
        let row = present.iter().find(|row| row.get::<_, &str>(0) == column);
        row.and_then(|row| row.get::<_, Option<String>>(1))
    };
    let what = "comment a part";
    let mut differences = Vec::new();
    if let Some(comment) = &properties.comment
        && told("").as_ref() != Some(comment)
    {
        differences.push(Difference { what, sql: format!("comment on table {name} is {}", literal(comment)) });
    }
    for (column, comment) in &properties.column_comments {
        let column = &table.columns[*column].name;
        if told(column).as_ref() != Some(comment) {
            let sql = format!("comment on column {name}.{} is {}", quoted(column), literal(comment));
            differences.push(Difference { what, sql });
        }
    }
    Ok(differences)
}

async fn grants(session: &Session, table: &TableSpec) -> Result<Vec<Difference>, Error> {
    let Some(wanted) = &table.properties.grants else { return Ok(Vec::new()) };
    let rows = session
        .client
        .query(
            "select lower(a.privilege_type), case when a.grantee = 0 then 'public' else pg_get_userbyid(a.grantee)::text end
             from pg_class c cross join lateral aclexplode(c.relacl) a
             where c.oid = to_regclass($1) and a.grantee <> c.relowner",
            &[&target(table)],
        )
        .await?;
    let present: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let wanted: BTreeSet<(String, String)> = wanted
        .iter()
        .flat_map(|(privilege, grantees)| grantees.iter().map(move |grantee| (privilege.to_lowercase(), role(grantee))))
        .collect();
    let what = "change the grants";
    let revoked = present.difference(&wanted).map(|(privilege, grantee)| Difference {
        what,
        sql: format!("revoke {privilege} on table {} from {}", target(table), shown_role(grantee)),
    });
    let granted = wanted.difference(&present).map(|(privilege, grantee)| Difference {
        what,
        sql: format!("grant {privilege} on table {} to {}", target(table), shown_role(grantee)),
    });
    Ok(revoked.chain(granted).collect())
}

/// A role's name as the catalogue has it: bare names are folded, as SQL folds them.
fn role(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => name.to_lowercase(),
        None => name.to_owned(),
    }
}

fn shown_role(name: &str) -> String {
    if name == "public" { name.to_owned() } else { quoted(name) }
}
