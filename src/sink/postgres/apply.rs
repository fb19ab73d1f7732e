//! Writes the net change of a table, and makes sure that it found what it changes.
//!
//! ```text
//!   one row or two:  a prepared statement per row                                            ┐ all sent at once with those
//!   some rows:       a prepared statement that takes each column as an array (`unnest`)      ┘ of the other tables
//!   many rows:       COPY to a temporary table ─> one DELETE and one UPDATE from it;  COPY of new rows straight into the table
//! ```
//!
//! 1. All ways leave the same table, and all count what they found.
//! 2. A key with a NULL is looked for by `is null`, which the index serves; a join would not find it, so such rows always go one
//!    by one.
//! 3. A row of a table without a key is found by the hash of the whole row (`whole_row`).

use row::{Datum, Row, ScalarType};

use super::batch::{Batch, compare, write_failure};
use super::relation;
use super::schema::{self, Access, target};
use super::session::{Job, Session};
use super::stage::{Stage, copy};
use super::value::{Bound, ColumnWriter, Parameter};
use super::whole_row;
use crate::sink::delta::{self, Copies, Keyed};
use crate::sink::names::{quoted, quoted_list};
use crate::sink::{SinkError, TableSpec};

/// From how many rows of one statement on which way is taken.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    pub arrays_from: usize,
    pub merges_from: usize,
    /// A COPY of new rows needs no staging table.
    pub copies_from: usize,
}

impl Ways {
    /// What does not fit arrays is merged where a statement per row becomes dearer.
    fn merges_from(&self, fits_arrays: bool) -> usize {
        const DEARER_ROW_BY_ROW_FROM: usize = 300;
        if fits_arrays { self.merges_from } else { self.merges_from.min(DEARER_ROW_BY_ROW_FROM) }
    }
}

/// Applies consolidated changes: many rows at once, few by adding to `batch`.
pub async fn apply<'a>(
    session: &mut Session,
    batch: &mut Batch<'a>,
    table: &'a TableSpec,
    access: Access,
    delta: &'a [(Row, i64)],
    ways: Ways,
) -> Result<(), SinkError> {
    match (&table.key, access) {
        (Some(key), Access::ByKey) => {
            let changes = delta::by_key(table, key, delta)?;
            apply_keyed(session, batch, table, key, changes, ways).await
        }
        _ => apply_copies(session, batch, table, delta::by_copies(delta), ways).await,
    }
}

async fn apply_keyed<'a>(
    session: &mut Session,
    batch: &mut Batch<'a>,
    table: &'a TableSpec,
    key: &[usize],
    changes: Keyed<'a>,
    ways: Ways,
) -> Result<(), SinkError> {
    let Keyed { inserts, updates, deletes } = changes;
    let has_null = |row: &&Row| {
        let datums: Vec<_> = row.iter().collect();
        key.iter().any(|column| datums[*column].is_null())
    };
    let (mut single_updates, updates): (Vec<&Row>, Vec<&Row>) = updates.into_iter().partition(has_null);
    let (mut single_deletes, deletes): (Vec<&Row>, Vec<&Row>) = deletes.into_iter().partition(has_null);
    let same_key = key.iter().map(|column| {
        let column = quoted(&table.columns[*column].name);
        format!("t.{column} = s.{column}")
    });
    let same_key = same_key.collect::<Vec<_>>().join(" and ");
    let set = table.columns.iter().map(|column| format!("{0} = s.{0}", quoted(&column.name)));
    let set = set.collect::<Vec<_>>().join(", ");
    let (name, into) = (relation(table), target(table));

    let fits = fits_arrays(table, 0..table.columns.len());
    if updates.len() + deletes.len() >= ways.merges_from(fits) {
        let failed = |cause| write_failure(&name, cause);
        let stage = Stage::create(session, table, "update").await.map_err(failed)?;
        let marked = deletes.iter().map(|row| (*row, 0)).chain(updates.iter().map(|row| (*row, 1)));
        stage.fill(session, table, marked).await.map_err(failed)?;
        let stage = &stage.name;
        let delete = format!("delete from {into} t using {stage} s where s.livemart_mark = 0 and {same_key}");
        let update = format!("update {into} t set {set} from {stage} s where s.livemart_mark = 1 and {same_key}");
        for (verb, sql, wanted) in [("delete", delete, deletes.len()), ("update", update, updates.len())] {
            if wanted > 0 {
                let found = session.client.execute(&sql, &[]).await.map_err(failed)?;
                compare(&name, verb, wanted as u64, found)?;
            }
        }
    } else {
        if deletes.len() >= ways.arrays_from && fits_arrays(table, key.iter().copied()) {
            let rows = Arrays::of(table, key.to_vec(), deletes.iter().copied())?;
            let sql = format!("delete from {into} t using {} where {same_key}", rows.from());
            batch.expect(table, "delete", deletes.len() as u64, [rows.job(sql)].into_iter());
        } else {
            single_deletes.extend(deletes);
        }
        if updates.len() >= ways.arrays_from && fits {
            let rows = Arrays::of(table, (0..table.columns.len()).collect(), updates.iter().copied())?;
            let sql = format!("update {into} t set {set} from {} where {same_key}", rows.from());
            batch.expect(table, "update", updates.len() as u64, [rows.job(sql)].into_iter());
        } else {
            single_updates.extend(updates);
        }
    }
    delete_one_by_one(batch, table, key, &single_deletes);
    update_one_by_one(batch, table, key, &single_updates);
    insert(session, batch, table, inserts.into_iter().map(|row| (row, 1)).collect(), ways).await
}

fn delete_one_by_one<'a>(batch: &mut Batch<'a>, table: &'a TableSpec, key: &[usize], rows: &[&'a Row]) {
    let jobs = rows.iter().map(|row| {
        let datums: Vec<_> = row.iter().collect();
        let mut values = Vec::with_capacity(key.len());
        let at_key = at_key(table, key, &datums, |column| {
            values.push(bound(table, column, &datums));
            values.len()
        });
        Job { sql: format!("delete from {} where {at_key}", target(table)), values }
    });
    batch.expect(table, "delete", rows.len() as u64, jobs);
}

fn update_one_by_one<'a>(batch: &mut Batch<'a>, table: &'a TableSpec, key: &[usize], rows: &[&'a Row]) {
    let set =
        table.columns.iter().enumerate().map(|(column, spec)| format!("{} = ${}", quoted(&spec.name), column + 1));
    let set = set.collect::<Vec<_>>().join(", ");
    let jobs = rows.iter().map(|row| {
        let datums: Vec<_> = row.iter().collect();
        let at_key = at_key(table, key, &datums, |column| column + 1);
        let values = (0..datums.len()).map(|column| bound(table, column, &datums)).collect();
        Job { sql: format!("update {} set {set} where {at_key}", target(table)), values }
    });
    batch.expect(table, "update", rows.len() as u64, jobs);
}

async fn apply_copies<'a>(
    session: &mut Session,
    batch: &mut Batch<'a>,
    table: &'a TableSpec,
    changes: Copies<'a>,
    ways: Ways,
) -> Result<(), SinkError> {
    let name = relation(table);
    let failed = |cause| write_failure(&name, cause);
    let (wanted, width) = (changes.deleted(), table.columns.len());
    let deletes = &changes.deletes;
    if !deletes.is_empty() {
        schema::create_row_index(session, table).await.map_err(failed)?;
    }
    let fits = fits_arrays(table, 0..width);
    if deletes.len() >= ways.merges_from(fits) {
        let stage = Stage::create(session, table, "delete").await.map_err(failed)?;
        let marked = deletes.iter().map(|(row, copies)| (*row, *copies as i64));
        stage.fill(session, table, marked).await.map_err(failed)?;
        let sql = whole_row::delete_sql(table, &format!("{} s", stage.name));
        let deleted = session.client.execute(&sql, &[]).await.map_err(failed)?;
        compare(&name, "delete", wanted, deleted)?;
    } else if deletes.len() >= ways.arrays_from && fits {
        let mut rows = Arrays::of(table, (0..width).collect(), deletes.iter().map(|(row, _)| *row))?;
        rows.mark(deletes.iter().map(|(_, copies)| *copies as i64))?;
        let sql = whole_row::delete_sql(table, &rows.from());
        batch.expect(table, "delete", wanted, [rows.job(sql)].into_iter());
    } else {
        let jobs = deletes.iter().map(|(row, copies)| whole_row::delete_copies(table, width, row, *copies));
        batch.expect(table, "delete", wanted, jobs);
    }
    insert(session, batch, table, changes.inserts, ways).await
}

async fn insert<'a>(
    session: &mut Session,
    batch: &mut Batch<'a>,
    table: &'a TableSpec,
    rows: Vec<(&'a Row, u64)>,
    ways: Ways,
) -> Result<(), SinkError> {
    let wanted: u64 = rows.iter().map(|(_, copies)| copies).sum();
    let columns = quoted_list(table.columns.iter().map(|column| column.name.as_str()));
    let each = rows.iter().flat_map(|(row, copies)| std::iter::repeat_n(*row, *copies as usize));
    if wanted >= ways.copies_from as u64 {
        let into = format!("{} ({columns})", target(table));
        let copied = copy(session, &into, table, each.map(|row| (row, None))).await;
        return compare(
            &relation(table),
            "insert",
            wanted,
            copied.map_err(|cause| write_failure(&relation(table), cause))?,
        );
    }
    if wanted >= ways.arrays_from as u64 && fits_arrays(table, 0..table.columns.len()) {
        let rows = Arrays::of(table, (0..table.columns.len()).collect(), each)?;
        let sql = format!("insert into {} ({columns}) select s.* from {}", target(table), rows.from());
        batch.expect(table, "insert", wanted, [rows.job(sql)].into_iter());
    } else {
        batch.expect(table, "insert", wanted, rows.iter().flat_map(|(row, copies)| insert_copies(table, row, *copies)));
    }
    Ok(())
}

pub fn insert_copies<'a>(table: &'a TableSpec, row: &'a Row, copies: u64) -> impl Iterator<Item = Job<'a>> + use<'a> {
    let parameters: Vec<_> = (1..=table.columns.len()).map(|parameter| format!("${parameter}")).collect();
    let columns = quoted_list(table.columns.iter().map(|column| column.name.as_str()));
    let sql = format!("insert into {} ({columns}) values ({})", target(table), parameters.join(", "));
    (0..copies).map(move |_| Job { sql: sql.clone(), values: bind(table, row) })
}

/// Some columns of some rows, each column one array.
struct Arrays<'a> {
    names: Vec<String>,
    parameters: Vec<Parameter<'a>>,
}

/// An array of arrays would be one array of two dimensions, which `unnest` takes apart to the last element.
fn fits_arrays(table: &TableSpec, mut columns: impl Iterator<Item = usize>) -> bool {
    !columns.any(|column| matches!(table.columns[column].ty, ScalarType::Array(_)))
}

impl<'a> Arrays<'a> {
    fn of(
        table: &'a TableSpec,
        columns: Vec<usize>,
        rows: impl Iterator<Item = &'a Row>,
    ) -> Result<Arrays<'a>, SinkError> {
        let mut writers: Vec<_> = columns.iter().map(|column| ColumnWriter::new(&table.columns[*column].ty)).collect();
        for row in rows {
            let datums: Vec<Datum<'_>> = row.iter().collect();
            for (writer, column) in writers.iter_mut().zip(&columns) {
                writer.push(&datums[*column]).map_err(|cause| SinkError::Refused {
                    message: format!(
                        "could not write column {} of table {}",
                        table.columns[*column].name,
                        relation(table)
                    ),
                    hint: None,
                    cause: Some(cause),
                })?;
            }
        }
        let names = columns.iter().map(|column| quoted(&table.columns[*column].name)).collect();
        Ok(Arrays { names, parameters: writers.into_iter().map(ColumnWriter::finish).collect() })
    }

    /// Adds a number to each row.
    fn mark(&mut self, marks: impl Iterator<Item = i64>) -> Result<(), SinkError> {
        let mut writer = ColumnWriter::new(&ScalarType::Int64);
        for mark in marks {
            writer.push(&Datum::Int(mark)).map_err(|cause| SinkError::Refused {
                message: "could not write how many copies of a row go".into(),
                hint: None,
                cause: Some(cause),
            })?;
        }
        self.names.push("livemart_mark".into());
        self.parameters.push(writer.finish());
        Ok(())
    }

    /// The rows as a relation `s`.
    fn from(&self) -> String {
        let places: Vec<_> = (1..=self.names.len()).map(|place| format!("${place}")).collect();
        format!("unnest({}) as s({})", places.join(", "), self.names.join(", "))
    }

    fn job(self, sql: String) -> Job<'a> {
        Job { sql, values: self.parameters }
    }
}

/// The condition on the key of one row; `place` gives the parameter that holds a column.
fn at_key(table: &TableSpec, key: &[usize], datums: &[Datum<'_>], mut place: impl FnMut(usize) -> usize) -> String {
    let terms = key.iter().map(|column| {
        let name = quoted(&table.columns[*column].name);
        if datums[*column].is_null() { format!("{name} is null") } else { format!("{name} = ${}", place(*column)) }
    });
    terms.collect::<Vec<_>>().join(" and ")
}

pub fn bind<'a>(table: &'a TableSpec, row: &'a Row) -> Vec<Parameter<'a>> {
    row.iter().zip(&table.columns).map(|(datum, column)| Parameter::One(Bound { datum, ty: &column.ty })).collect()
}

fn bound<'a>(table: &'a TableSpec, column: usize, datums: &[Datum<'a>]) -> Parameter<'a> {
    Parameter::One(Bound { datum: datums[column].clone(), ty: &table.columns[column].ty })
}
