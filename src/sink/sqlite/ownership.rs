//! One owner per database file: an OS lock on a file beside it, which dies with its process.
//!
//! The lock is not taken on the database itself, because SQLite locks ranges of that file its own way. The file holds who the
//! owner is, for the one who is refused; it is removed at a clean close, and a stale one left by a crash does not matter, because
//! the lock counts and not the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sink::SinkError;

/// Attempts before a lock is believed to be an owner's, and the pause between them.
const LOOKERS_MAX: usize = 5;
const LOOK_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

#[derive(Debug)]
pub struct Ownership {
    path: PathBuf,
    /// Holds the lock for as long as it is open.
    file: File,
}

impl Ownership {
    /// Takes the file `database` for this process, or says who has it.
    pub fn take(database: &Path, instance: &str, owner: &str) -> Result<Ownership, SinkError> {
        let path = lock_path(database);
        let mut attempts = 0;
        let failed = |cause: std::io::Error| SinkError::Refused {
            message: format!("cannot lock {} by {}", database.display(), path.display()),
            hint: Some("the folder must be writable and on a file system with locks".into()),
            cause: Some(Box::new(cause)),
        };
        loop {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                // Who only looks has it for a moment.
                Err(TryLockError::WouldBlock) if attempts < LOOKERS_MAX => {
                    attempts += 1;
                    std::thread::sleep(LOOK_PAUSE);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Err(owned(database, &mut file)),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
            // The owner before may have removed the file between our open and our lock: then this lock guards nothing.
            let ours = file.metadata().map_err(failed)?.ino();
            if std::fs::metadata(&path).is_ok_and(|present| present.ino() == ours) {
                file.set_len(0).map_err(failed)?;
                write!(file, "pid {}\ninstance {instance}\nowner {owner}\n", std::process::id()).map_err(failed)?;
                return Ok(Ownership { path, file });
            }
        }
    }

    /// Gives the file back and leaves nothing behind. Must come after the database is closed.
    pub fn release(self) {
        // Removed while still locked, so that whoever opened it meanwhile sees that it is gone.
        if let Err(cause) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %cause, "could not remove the lock file");
        }
        drop(self.file);
    }
}

/// The lock file of a database.
pub fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-livemart.lock");
    PathBuf::from(name)
}

fn owned(database: &Path, file: &mut File) -> SinkError {
    let mut text = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let who = text.lines().collect::<Vec<_>>().join(", ");
    let who = if who.is_empty() { "another process".to_string() } else { who };
    SinkError::owned(format!("{} is owned by {who}", database.display()))
}
