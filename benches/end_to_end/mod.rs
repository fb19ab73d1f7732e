//! The binary itself, from a file of lines to rows in SQLite.
//!
//! ```text
//!   run:    events.jsonl ──livemart run──> marts.db                          CPU and memory of the whole process
//!   serve:  a line appended ──livemart serve──> marts.db ──> a reader sees it     time of one change
//! ```
//!
//! The project is copied first, since its commands write beside it (`target/`, `logs/`, `.livemart/`).

mod restart;
mod run;
mod serve;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::{Connection, OpenFlags};

use super::mart::{Mart, MartRow, cents};
use super::measure::Failure;

pub use restart::restart;
pub use run::{RunCost, run};
pub use serve::serve;

#[derive(Debug, thiserror::Error)]
pub enum EndToEndError {
    #[error("could not prepare {}", path.display())]
    Prepare {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Child(#[from] Failure),
    #[error("could not read the mart in {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: rusqlite::Error,
    },
    #[error("the mart has a value that the bench does not know: {0}")]
    Value(String),
    #[error("livemart serve did not publish {what} within {seconds} s; see {}", log.display())]
    TooLate { what: String, seconds: u64, log: PathBuf },
}

/// A fresh folder with a copy of the project, where one process runs.
pub struct Place {
    binary: PathBuf,
    dir: PathBuf,
}

impl Place {
    /// Empties the folder.
    pub fn prepare(binary: &Path, project: &Path, dir: &Path) -> Result<Place, EndToEndError> {
        let failed = |cause| EndToEndError::Prepare { path: dir.to_path_buf(), cause };
        match fs::remove_dir_all(dir) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(failed(cause)),
            _ => {}
        }
        copy_tree(project, &dir.join("project")).map_err(failed)?;
        Ok(Place { binary: binary.to_path_buf(), dir: dir.to_path_buf() })
    }

    fn database(&self) -> PathBuf {
        self.dir.join("marts.db")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("stderr.log")
    }

    fn command(&self, verb: &str, target: &str, events: &Path) -> Command {
        let vars = serde_json::json!({"events": events, "database": self.database()});
        let mut command = Command::new(&self.binary);
        command.arg(verb).args(["--target", target, "--vars", &vars.to_string()]);
        command.arg("--project-dir").arg(self.dir.join("project")).current_dir(&self.dir);
        command
    }

    fn open(&self) -> Result<Connection, EndToEndError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(self.database(), flags).map_err(|cause| self.unreadable(cause))
    }

    fn unreadable(&self, cause: rusqlite::Error) -> EndToEndError {
        EndToEndError::Read { path: self.database(), cause }
    }

    /// The published mart.
    pub fn mart(&self) -> Result<Mart, EndToEndError> {
        let database = self.open()?;
        let read = || {
            let mut rows = database.prepare(
                "SELECT customer_id, first_name, last_name, email, total_orders,
                        CAST(total_order_value AS TEXT), CAST(total_payments AS TEXT), page_views FROM q1",
            )?;
            let mut rows = rows.query([])?;
            let mut mart = Vec::new();
            while let Some(row) = rows.next()? {
                let (order_value, payments): (String, String) = (row.get(5)?, row.get(6)?);
                let row = MartRow {
                    customer_id: row.get(0)?,
                    first_name: row.get(1)?,
                    last_name: row.get(2)?,
                    email: row.get(3)?,
                    total_orders: row.get(4)?,
                    total_order_cents: 0,
                    total_payment_cents: 0,
                    page_views: row.get(7)?,
                };
                mart.push((row, order_value, payments));
            }
            Ok(mart)
        };
        let with_money = |(row, order_value, payments): (MartRow, String, String)| {
            let money = |text: String| cents(&text).ok_or(EndToEndError::Value(text));
            Ok(MartRow { total_order_cents: money(order_value)?, total_payment_cents: money(payments)?, ..row })
        };
        read().map_err(|cause| self.unreadable(cause))?.into_iter().map(with_money).collect()
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}
