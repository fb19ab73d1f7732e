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

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::mart::{Answer, Answers, Columns, Query};
use super::measure::Failure;

pub use restart::restart;
pub use run::{RunCost, run};
pub use serve::{rest, serve};

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

    fn command(&self, verb: &str, target: &str, events: &Path, queries: &[Query]) -> Command {
        let vars = serde_json::json!({"events": events, "database": self.database()});
        let mut command = Command::new(&self.binary);
        command.arg(verb).args(["--target", target, "--vars", &vars.to_string()]);
        for query in queries {
            command.args(["--select", query.name()]);
        }
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

    /// The published tables of these queries.
    pub fn answers(&self, queries: &[Query]) -> Result<Answers, EndToEndError> {
        let database = self.open()?;
        let answer = |query: &Query| Ok((*query, self.answer(&database, *query)?));
        queries.iter().map(answer).collect()
    }

    fn answer(&self, database: &Connection, query: Query) -> Result<Answer, EndToEndError> {
        let read = || {
            let mut rows = database.prepare(&format!("SELECT * FROM {}", query.name()))?;
            let columns = rows.column_count();
            let mut rows = rows.query([])?;
            let mut table: Vec<Columns> = Vec::new();
            while let Some(row) = rows.next()? {
                table.push((0..columns).map(|at| Ok(text(row.get_ref(at)?))).collect::<rusqlite::Result<_>>()?);
            }
            Ok(table)
        };
        let row = |columns: Columns| query.row(&columns).ok_or_else(|| EndToEndError::Value(format!("{columns:?}")));
        read().map_err(|cause| self.unreadable(cause))?.into_iter().map(row).collect()
    }
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value.to_string()),
        // Money that SQLite keeps as a double shows at most a cent here.
        ValueRef::Real(value) => Some(value.to_string()),
        ValueRef::Text(text) | ValueRef::Blob(text) => Some(String::from_utf8_lossy(text).into_owned()),
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
