//! Writes the net change of a table, and makes sure that it found what it changes.
//!
//! ```text
//!   few rows:   one prepared statement per row, all sent at once with those of the other tables
//!   many rows:  COPY to a temporary table ─> one DELETE and one UPDATE from it;  COPY of new rows straight into the table
//! ```
//!
//! 1. Both ways leave the same table, and both count what they found.
//! 2. A key with a NULL is looked for by `is null`, which the index serves; a join would not find it, so such rows always go one
//!    by one.
//! 3. A row of a table without a key is found by the hash of the whole row, then compared column by column, NULL equal to NULL.

use bytes::Bytes;
use futures_util::pin_mut;
use row::{Datum, Row, ScalarType};
use tokio_postgres::Error;
use tokio_postgres::binary_copy::BinaryCopyInWriter;

use super::schema::{self, Access, column_type, target};
use super::session::{Job, Session, number};
use super::value::{Bound, wire_type};
use super::{failure, relation};
use crate::sink::delta::{self, Copies, Keyed};
use crate::sink::names::{hash, quoted, quoted_list};
use crate::sink::{SinkError, TableSpec};

/// A COPY pays from a tenth of the rows on from which a merge pays: it needs no staging table.
const COPY_GAIN: usize = 10;

/// Statements of several tables that go to the server together, and what their row counts must add up to.
#[derive(Default)]
pub struct Batch<'a> {
    jobs: Vec<(Job<'a>, Option<usize>)>,
    expectations: Vec<Expectation>,
}

struct Expectation {
    relation: String,
    verb: &'static str,
    wanted: u64,
}

impl<'a> Batch<'a> {
    /// Adds statements that need no count.
    pub fn extend(&mut self, jobs: impl Iterator<Item = Job<'a>>) {
        self.jobs.extend(jobs.map(|job| (job, None)));
    }

    fn expect(&mut self, table: &TableSpec, verb: &'static str, wanted: u64, jobs: impl Iterator<Item = Job<'a>>) {
        let expectation = self.expectations.len();
        self.expectations.push(Expectation { relation: relation(table), verb, wanted });
        self.jobs.extend(jobs.map(|job| (job, Some(expectation))));
    }

    /// Sends everything and compares the counts.
    pub async fn send(self, session: &mut Session) -> Result<(), SinkError> {
        let (jobs, expectations): (Vec<_>, Vec<_>) = self.jobs.into_iter().unzip();
        let counts = session.pipeline(&jobs).await.map_err(|(index, cause)| match expectations[index] {
            Some(expectation) => write_failure(&self.expectations[expectation].relation, cause),
            None => failure("could not write the bookkeeping tables", cause),
        })?;
        let mut found = vec![0; self.expectations.len()];
        for (count, expectation) in counts.into_iter().zip(expectations) {
            if let Some(expectation) = expectation {
                found[expectation] += count;
            }
        }
        for (expectation, found) in self.expectations.iter().zip(found) {
            compare(&expectation.relation, expectation.verb, expectation.wanted, found)?;
        }
        Ok(())
    }
}

/// Applies consolidated changes: many rows at once, few by adding to `batch`. `many` is the number of rows that are many.
pub async fn apply<'a>(
    session: &mut Session,
    batch: &mut Batch<'a>,
    table: &'a TableSpec,
    access: Access,
    delta: &'a [(Row, i64)],
    many: usize,
) -> Result<(), SinkError> {
    match (&table.key, access) {
        (Some(key), Access::ByKey) => {
            let changes = delta::by_key(table, key, delta)?;
            apply_keyed(session, batch, table, key, changes, many).await
        }
        _ => apply_copies(session, batch, table, delta::by_copies(delta), many).await,
    }
}

async fn apply_keyed<'a>(
    session: &mut Session,
    batch: &mut Batch<'a>,
    table: &'a TableSpec,
    key: &[usize],
    changes: Keyed<'a>,
    many: usize,
) -> Result<(), SinkError> {
    let Keyed { inserts, mut updates, mut deletes } = changes;
    let name = relation(table);
    let failed = |cause| write_failure(&name, cause);
    if updates.len() + deletes.len() >= many {
        let has_null = |row: &&Row| {
            let datums: Vec<_> = row.iter().collect();
            key.iter().any(|column| datums[*column].is_null())
        };
        let (null_updates, staged_updates) = updates.into_iter().partition(has_null);
        let (null_deletes, staged_deletes): (_, Vec<&Row>) = deletes.into_iter().partition(has_null);
        (updates, deletes) = (null_updates, null_deletes);
        let staged_updates: Vec<&Row> = staged_updates;
        let stage = Stage::create(session, table, "update").await.map_err(failed)?;
        let marked = staged_deletes.iter().map(|row| (*row, 0)).chain(staged_updates.iter().map(|row| (*row, 1)));
        stage.fill(session, table, marked).await.map_err(failed)?;
        let same_key = key.iter().map(|column| {
            let column = quoted(&table.columns[*column].name);
            format!("t.{column} = s.{column}")
        });
        let same_key = same_key.collect::<Vec<_>>().join(" and ");
        let set = table.columns.iter().map(|column| format!("{0} = s.{0}", quoted(&column.name)));
        let set = set.collect::<Vec<_>>().join(", ");
        let (target, stage) = (target(table), &stage.name);
        let deleted = session
            .client
            .execute(&format!("delete from {target} t using {stage} s where s.livemart_mark = 0 and {same_key}"), &[])
            .await
            .map_err(failed)?;
        compare(&name, "delete", staged_deletes.len() as u64, deleted)?;
        let updated = session
            .client
            .execute(
                &format!("update {target} t set {set} from {stage} s where s.livemart_mark = 1 and {same_key}"),
                &[],
            )
            .await
            .map_err(failed)?;
        compare(&name, "update", staged_updates.len() as u64, updated)?;
    }

    batch.expect(
        table,
        "delete",
        deletes.len() as u64,
        deletes.iter().map(|row| {
            let datums: Vec<_> = row.iter().collect();
            let mut values = Vec::with_capacity(key.len());
            let at_key = at_key(table, key, &datums, |column| {
                values.push(bound(table, column, &datums));
                values.len()
            });
            Job { sql: format!("delete from {} where {at_key}", target(table)), values }
        }),
    );
    let set =
        table.columns.iter().enumerate().map(|(column, spec)| format!("{} = ${}", quoted(&spec.name), column + 1));
    let set = set.collect::<Vec<_>>().join(", ");
    batch.expect(
        table,
        "update",
        updates.len() as u64,
        updates.iter().map(|row| {
            let datums: Vec<_> = row.iter().collect();
            let at_key = at_key(table, key, &datums, |column| column + 1);
            let values = (0..datums.len()).map(|column| bound(table, column, &datums)).collect();
            Job { sql: format!("update {} set {set} where {at_key}", target(table)), values }
        }),
    );
    insert(session, batch, table, inserts.into_iter().map(|row| (row, 1)).collect(), many).await
}

async fn apply_copies<'a>(
    session: &mut Session,
    batch: &mut Batch<'a>,
    table: &'a TableSpec,
    changes: Copies<'a>,
    many: usize,
) -> Result<(), SinkError> {
    let name = relation(table);
    let failed = |cause| write_failure(&name, cause);
    let wanted = changes.deleted();
    if !changes.deletes.is_empty() {
        schema::create_row_index(session, table).await.map_err(failed)?;
    }
    if changes.deletes.len() >= many {
        let stage = Stage::create(session, table, "delete").await.map_err(failed)?;
        stage
            .fill(session, table, changes.deletes.iter().map(|(row, copies)| (*row, *copies as i64)))
            .await
            .map_err(failed)?;
        let (target, stage, width) = (target(table), &stage.name, table.columns.len());
        let same = (0..width).map(|column| {
            format!("{} is not distinct from {}", comparable(table, column, "t."), comparable(table, column, "s."))
        });
        let same = same.collect::<Vec<_>>().join(" and ");
        let (here, there) = (row_hash(table, width, "t."), row_hash(table, width, "s."));
        // A lookup per staged row, never a join: without statistics on the hash the planner would read the whole table.
        let sql = format!(
            "delete from {target} where ctid = any (array(
                 select found.place from {stage} s cross join lateral (
                     select t.ctid as place from {target} t where {here} = {there} and {same} limit s.livemart_mark
                 ) found))"
        );
        let deleted = session.client.execute(&sql, &[]).await.map_err(failed)?;
        compare(&name, "delete", wanted, deleted)?;
    } else {
        let width = table.columns.len();
        let jobs = changes.deletes.iter().map(|(row, copies)| delete_copies(table, width, row, *copies));
        batch.expect(table, "delete", wanted, jobs);
    }
    insert(session, batch, table, changes.inserts, many).await
}

async fn insert<'a>(
    session: &mut Session,
    batch: &mut Batch<'a>,
    table: &'a TableSpec,
    rows: Vec<(&'a Row, u64)>,
    many: usize,
) -> Result<(), SinkError> {
    let wanted: u64 = rows.iter().map(|(_, copies)| copies).sum();
    if wanted < (many / COPY_GAIN).max(1) as u64 {
        batch.expect(table, "insert", wanted, rows.iter().flat_map(|(row, copies)| insert_copies(table, row, *copies)));
        return Ok(());
    }
    let columns = quoted_list(table.columns.iter().map(|column| column.name.as_str()));
    let copies = rows.iter().flat_map(|(row, copies)| std::iter::repeat_n((*row, None), *copies as usize));
    let copied = copy(session, &format!("{} ({columns})", target(table)), table, copies).await;
    compare(&relation(table), "insert", wanted, copied.map_err(|cause| write_failure(&relation(table), cause))?)
}

/// Deletes up to `copies` of the rows whose first `identity` columns are `row`.
pub fn delete_copies<'a>(table: &'a TableSpec, identity: usize, row: &'a Row, copies: u64) -> Job<'a> {
    let parameter = |column: usize| match &table.columns[column].ty {
        // PostgreSQL compares jsonb by value and json not at all: both are compared as they are printed.
        ScalarType::Json | ScalarType::Jsonb => format!("${}::text", column + 1),
        ScalarType::Array(of) if **of == ScalarType::Json => format!("${}::text", column + 1),
        _ => format!("${}", column + 1),
    };
    let same = (0..identity)
        .map(|column| format!("{} is not distinct from {}", comparable(table, column, ""), parameter(column)));
    let same = same.collect::<Vec<_>>().join(" and ");
    let hashed = hash_columns(table, identity).map(|column| match table.columns[column].ty {
        ScalarType::Json => format!("${}::text", column + 1),
        _ => format!("${}", column + 1),
    });
    let target = target(table);
    let sql = format!(
        "delete from {target} where ctid = any (array(
             select ctid from {target} where {} = hash_record_extended(row({}), 0) and {same} limit ${}))",
        row_hash(table, identity, ""),
        or_true(hashed.collect()),
        identity + 1
    );
    let mut values = bind(table, row);
    values.push(number(i64::try_from(copies).unwrap_or(i64::MAX)));
    Job { sql, values }
}

pub fn insert_copies<'a>(table: &'a TableSpec, row: &'a Row, copies: u64) -> impl Iterator<Item = Job<'a>> + use<'a> {
    let parameters: Vec<_> = (1..=table.columns.len()).map(|parameter| format!("${parameter}")).collect();
    let columns = quoted_list(table.columns.iter().map(|column| column.name.as_str()));
    let sql = format!("insert into {} ({columns}) values ({})", target(table), parameters.join(", "));
    (0..copies).map(move |_| Job { sql: sql.clone(), values: bind(table, row) })
}

/// The index that `delete_copies` looks into: eight bytes per row, however wide the row is.
pub fn row_index_sql(table: &TableSpec, identity: usize) -> String {
    format!(
        "create index if not exists {} on {} (({}))",
        schema::row_index(table),
        target(table),
        row_hash(table, identity, "")
    )
}

fn row_hash(table: &TableSpec, identity: usize, prefix: &str) -> String {
    let columns = hash_columns(table, identity).map(|column| {
        let spec = &table.columns[column];
        let cast = if spec.ty == ScalarType::Json { "::text" } else { "" };
        format!("{prefix}{}{cast}", quoted(&spec.name))
    });
    format!("hash_record_extended(row({}), 0)", or_true(columns.collect()))
}

/// Columns that take part in the hash. An array of json has no hash, and its print is not immutable to PostgreSQL.
fn hash_columns(table: &TableSpec, identity: usize) -> impl Iterator<Item = usize> {
    (0..identity).filter(|column| match &table.columns[*column].ty {
        ScalarType::Array(of) => **of != ScalarType::Json,
        _ => true,
    })
}

fn or_true(columns: Vec<String>) -> String {
    if columns.is_empty() { "true".into() } else { columns.join(", ") }
}

fn comparable(table: &TableSpec, column: usize, prefix: &str) -> String {
    let spec = &table.columns[column];
    let cast = match &spec.ty {
        ScalarType::Json | ScalarType::Jsonb => "::text",
        ScalarType::Array(of) if **of == ScalarType::Json => "::text",
        _ => "",
    };
    format!("{prefix}{}{cast}", quoted(&spec.name))
}

/// The condition on the key of one row; `place` gives the parameter that holds a column.
fn at_key(table: &TableSpec, key: &[usize], datums: &[Datum<'_>], mut place: impl FnMut(usize) -> usize) -> String {
    let terms = key.iter().map(|column| {
        let name = quoted(&table.columns[*column].name);
        if datums[*column].is_null() { format!("{name} is null") } else { format!("{name} = ${}", place(*column)) }
    });
    terms.collect::<Vec<_>>().join(" and ")
}

fn bind<'a>(table: &'a TableSpec, row: &'a Row) -> Vec<Bound<'a>> {
    row.iter().zip(&table.columns).map(|(datum, column)| Bound { datum, ty: &column.ty }).collect()
}

fn bound<'a>(table: &'a TableSpec, column: usize, datums: &[Datum<'a>]) -> Bound<'a> {
    Bound { datum: datums[column].clone(), ty: &table.columns[column].ty }
}

/// A temporary table with the columns of a table and a mark: what is to be done with the row, or how often. It lives as long as
/// the session, so that large cuts do not fill the catalogue with dead rows, and is empty outside a transaction.
struct Stage {
    name: String,
}

impl Stage {
    async fn create(session: &Session, table: &TableSpec, purpose: &str) -> Result<Stage, Error> {
        let columns =
            table.columns.iter().map(|column| format!("{} {}", quoted(&column.name), column_type(&column.ty)));
        let columns = columns.collect::<Vec<_>>().join(", ");
        // The columns are part of the name: a table that was altered gets another stage.
        let whole = format!("{purpose} {} {columns}", target(table));
        let name = format!("pg_temp.livemart_{:016x}", hash(&whole));
        let sql = format!(
            "create temporary table if not exists {name} ({columns}, livemart_mark bigint) on commit delete rows"
        );
        session.client.batch_execute(&sql).await?;
        Ok(Stage { name })
    }

    async fn fill<'a>(
        &self,
        session: &Session,
        table: &TableSpec,
        rows: impl Iterator<Item = (&'a Row, i64)>,
    ) -> Result<(), Error> {
        copy(session, &self.name, table, rows.map(|(row, mark)| (row, Some(mark)))).await?;
        // Without statistics the planner would rather read the whole target than look its few rows up.
        session.client.batch_execute(&format!("analyze {}", self.name)).await
    }
}

/// COPYs rows, each followed by its mark if it has one. Gives their number.
async fn copy<'a>(
    session: &Session,
    into: &str,
    table: &TableSpec,
    rows: impl Iterator<Item = (&'a Row, Option<i64>)>,
) -> Result<u64, Error> {
    let mut rows = rows.peekable();
    let marked = rows.peek().is_some_and(|(_, mark)| mark.is_some());
    let mut types: Vec<_> = table.columns.iter().map(|column| wire_type(&column.ty)).collect();
    types.extend(marked.then(|| wire_type(&ScalarType::Int64)));
    let sink = session.client.copy_in::<_, Bytes>(&format!("copy {into} from stdin (format binary)")).await?;
    let writer = BinaryCopyInWriter::new(sink, &types);
    pin_mut!(writer);
    for (row, mark) in rows {
        let columns = row.iter().zip(&table.columns).map(|(datum, column)| Bound { datum, ty: &column.ty });
        let values: Vec<_> = columns.chain(mark.map(number)).collect();
        writer.as_mut().write_raw(&values).await?;
    }
    writer.finish().await
}

fn compare(relation: &str, verb: &str, wanted: u64, found: u64) -> Result<(), SinkError> {
    if wanted == found { Ok(()) } else { Err(SinkError::disturbed(relation, verb, wanted, found)) }
}

/// A row that is there although it must not be is somebody else's.
fn write_failure(relation: &str, cause: Error) -> SinkError {
    let duplicate = cause.code() == Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION);
    let mut error = failure(&format!("could not write table {relation}"), cause);
    if let (true, SinkError::Refused { hint, .. }) = (duplicate, &mut error) {
        *hint = Some(
            "another program wrote into it; stop that program and deploy with --adopt, which corrects the table by difference"
                .into(),
        );
    }
    error
}
