//! Looking at a database file that another process may own.
//!
//! Who asks for the file holds a lock on a second file beside it (`…-livemart.heir`): the owner sees that it is locked, and the
//! lock dies with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_TIMEOUT, bookkeeping, failure, ownership};
use crate::sink::{SinkError, SinkState, TestRow, Watch};

pub struct SqliteWatch {
    path: PathBuf,
    instance: String,
    /// Holds the lock of the request.
    request: Option<(PathBuf, File)>,
}

impl SqliteWatch {
    pub fn open(path: impl AsRef<Path>, instance: &str) -> SqliteWatch {
        SqliteWatch { path: path.as_ref().to_path_buf(), instance: instance.into(), request: None }
    }

    /// None where there is no file, or none of ours.
    fn connect(&self) -> Result<Option<Connection>, SinkError> {
        if !self.path.is_file() {
            return Ok(None);
        }
        let failed = |cause| failure(&format!("could not open {}", self.path.display()), cause);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let known: i64 = connection
            .query_row("select count(*) from sqlite_master where name = 'livemart_cut'", [], |row| row.get(0))
            .map_err(failed)?;
        Ok((known > 0).then_some(connection))
    }
}

impl Watch for SqliteWatch {
    fn owner(&mut self) -> Result<Option<String>, SinkError> {
        locked(&ownership::lock_path(&self.path)).map_err(|cause| unlookable(&self.path, cause))
    }

    fn state(&mut self) -> Result<Option<SinkState>, SinkError> {
        let Some(connection) = self.connect()? else { return Ok(None) };
        let failed = |cause| failure("could not read the livemart_ tables", cause);
        // All of it as of one cut.
        connection.execute_batch("begin").map_err(failed)?;
        Ok(Some(bookkeeping::read(&connection, &self.instance)?).filter(|state| state.cut.is_some()))
    }

    fn tests(&mut self) -> Result<Vec<TestRow>, SinkError> {
        let Some(connection) = self.connect()? else { return Ok(Vec::new()) };
        let rows = || -> rusqlite::Result<Vec<TestRow>> {
            let sql = "select test, model, severity, failures from livemart_tests where instance = ?1 order by 1";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([&self.instance], |row| {
                Ok(TestRow { test: row.get(0)?, model: row.get(1)?, severity: row.get(2)?, failures: row.get(3)? })
            })?;
            rows.collect()
        };
        rows().map_err(|cause| failure("could not read livemart_tests", cause))
    }

    fn ask(&mut self, heir: &str) -> Result<(), SinkError> {
        let path = heir_path(&self.path);
        let taken = || -> Result<Option<File>, std::io::Error> {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(cause)) => return Err(cause),
            }
            file.set_len(0)?;
            write!(file, "{heir}")?;
            Ok(Some(file))
        };
        match taken().map_err(|cause| unlookable(&self.path, cause))? {
            Some(file) => {
                self.request = Some((path, file));
                Ok(())
            }
            None => Err(SinkError::owned(format!("another process is taking {} over already", self.path.display()))),
        }
    }

    fn depose(&mut self) -> Result<(), SinkError> {
        let owner = self.owner()?.unwrap_or_else(|| "another process".to_owned());
        Err(SinkError::owned(format!(
            "{} is owned by {owner}, which does not answer; a stopped writer of a SQLite file cannot be shut out: end that process first",
            self.path.display()
        )))
    }
}

impl Drop for SqliteWatch {
    fn drop(&mut self) {
        if let Some((path, _file)) = self.request.take() {
            let _ = std::fs::remove_file(path); // still locked; a leftover is in nobody's way
        }
    }
}

fn heir_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-livemart.heir");
    PathBuf::from(name)
}

/// Who asks for the file. Where that cannot be told, nobody.
pub(super) fn heir(database: &Path) -> Option<String> {
    locked(&heir_path(database)).ok()?
}

/// What a file says that another process has locked.
fn locked(path: &Path) -> Result<Option<String>, std::io::Error> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.rewind()?;
            file.read_to_string(&mut text)?;
            let who = text.lines().collect::<Vec<_>>().join(", ");
            Ok(Some(if who.is_empty() { "another process".to_owned() } else { who }))
        }
        Err(TryLockError::Error(cause)) => Err(cause),
    }
}

fn unlookable(database: &Path, cause: std::io::Error) -> SinkError {
    SinkError::Refused {
        message: format!("cannot see who owns {}", database.display()),
        hint: Some("the folder must be readable and on a file system with locks".into()),
        cause: Some(Box::new(cause)),
    }
}
