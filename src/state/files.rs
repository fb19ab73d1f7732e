//! The few things that state does with a disk, so that tests can do them worse.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A folder of files that grow at their end.
///
/// What `append` wrote is on the disk only after `sync`; a crash may leave any part of it.
pub trait Files: Send {
    /// Names, in any order.
    fn list(&mut self) -> io::Result<Vec<String>>;

    /// Reads from an offset into the buffer, as much as there is; 0 at the end.
    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    fn len(&mut self, name: &str) -> io::Result<u64>;

    /// Writes at the end of a file, which is made when it is not there.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Puts a file's bytes, and the name of one that was made, on the disk.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Cuts a file; on the disk when it returns.
    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()>;

    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// A real folder.
pub struct DirFiles {
    folder: PathBuf,
    /// The files that were written last stay open: a segment and the appended rows.
    open: Vec<(String, File)>,
    /// Only looked at: another process has it.
    is_foreign: bool,
}

const OPEN_MAX: usize = 3;

impl DirFiles {
    /// Makes the folder where it is not there.
    pub fn new(folder: &Path) -> io::Result<DirFiles> {
        fs::create_dir_all(folder)?;
        Ok(DirFiles { folder: folder.to_path_buf(), open: Vec::new(), is_foreign: false })
    }

    /// A folder that another process has: nothing is made, and nothing should be written.
    pub fn beside(folder: &Path) -> DirFiles {
        DirFiles { folder: folder.to_path_buf(), open: Vec::new(), is_foreign: true }
    }

    fn open(&mut self, name: &str) -> io::Result<&mut File> {
        if let Some(at) = self.open.iter().position(|(open, _)| open == name) {
            return Ok(&mut self.open[at].1);
        }
        let mut options = OpenOptions::new();
        options.read(true);
        if !self.is_foreign {
            options.create(true).append(true);
        }
        let file = options.open(self.folder.join(name))?;
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push((name.to_owned(), file));
        let last = self.open.len() - 1;
        Ok(&mut self.open[last].1)
    }

    /// A name in a folder is on the disk when the folder is.
    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

impl Files for DirFiles {
    fn list(&mut self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.folder)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = File::open(self.folder.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn len(&mut self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.folder.join(name))?.len())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.open(name)?.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.open(name)?.sync_data()?;
        self.sync_folder()
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        let file = self.open(name)?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.retain(|(open, _)| open != name);
        fs::remove_file(self.folder.join(name))?;
        self.sync_folder()
    }
}
