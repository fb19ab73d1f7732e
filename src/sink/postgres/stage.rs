//! Many rows at once: COPY in PostgreSQL's binary format, into a table or beside it.

use bytes::Bytes;
use futures_util::pin_mut;
use row::{Datum, Row, ScalarType};
use tokio_postgres::Error;
use tokio_postgres::binary_copy::BinaryCopyInWriter;

use super::schema::{column_type, target};
use super::session::Session;
use super::value::{Bound, wire_type};
use crate::sink::TableSpec;
use crate::sink::names::{hash, quoted};

/// A temporary table with the columns of a table and a mark: what is to be done with the row, or how often. It lives as long as
/// the session, so that large cuts do not fill the catalogue with dead rows, and is empty outside a transaction.
pub struct Stage {
    pub name: String,
}

impl Stage {
    pub async fn create(session: &Session, table: &TableSpec, purpose: &str) -> Result<Stage, Error> {
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

    pub async fn fill<'a>(
        &self,
        session: &Session,
        table: &TableSpec,
        rows: impl Iterator<Item = (&'a Row, i64)>,
    ) -> Result<(), Error> {
        copy(session, &self.name, table, rows.map(|(row, mark)| (row, Some(mark)))).await.map(|_| ())
    }
}

/// COPYs rows, each followed by its mark if it has one. Gives their number.
pub async fn copy<'a>(
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
        let mark = mark.map(|mark| Bound { datum: Datum::Int(mark), ty: &ScalarType::Int64 });
        let values: Vec<_> = columns.chain(mark).collect();
        writer.as_mut().write_raw(&values).await?;
    }
    writer.finish().await
}
