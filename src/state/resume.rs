//! What a start makes of the folder, the sink's positions and the sources.
//!
//! ```text
//!                        state T ──silently──> sink S ──published──>        T ≤ S: the rule
//!   sink S (restored) ──────────> state T ──published──>                    T > S: tables are corrected to T, row by row
//!   beginning ────silently──────────────> sink S ──published──>             no state of the source: it is read again
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::StateError;
use super::dictionary::{Dictionary, StoredTable, Unfit};
use super::files::{DirFiles, Files};
use super::log::{Log, Mark, Piece, Stored};
use crate::sink::SinkState;
use crate::source::journal::{next_appended, next_entry};
use crate::source::open::is_marks_of;
use crate::source::versions::Partitions;
use crate::source::{Positions, Resolver, TableIndex, TableSource, first_position, source_names};

/// A folder that this process has to itself.
pub struct StateFolder {
    files: Box<dyn Files>,
    path: PathBuf,
    instance: String,
    /// Holds the lock until the process ends or the value goes.
    lock: Option<File>,
    pub stored: Option<Stored>,
    /// Sources whose rows are not taken: their tables have changed, or somebody wants them anew.
    dropped: BTreeSet<String>,
}

const LOCK: &str = "lock";

impl StateFolder {
    /// Takes the folder; another process that has it is named.
    pub fn open(path: &Path, instance: &str) -> Result<StateFolder, StateError> {
        let io = |verb, cause| StateError::Io { verb, path: path.to_path_buf(), cause };
        let files = DirFiles::new(path).map_err(|cause| io("make", cause))?;
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&lock_path);
        let mut lock = lock.map_err(|cause| StateError::Io { verb: "open", path: lock_path, cause })?;
        // SAFETY: the call takes a descriptor that is open and keeps nothing.
        if unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            let mut owner = String::new();
            let owner =
                lock.read_to_string(&mut owner).ok().map(|_| owner.trim().to_owned()).filter(|it| !it.is_empty());
            return Err(StateError::Locked { folder: path.to_path_buf(), owner });
        }
        // Only for messages: what counts is the lock.
        let noted =
            lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "process {}", std::process::id()));
        noted.map_err(|cause| io("write to", cause))?;
        let mut folder = StateFolder::over(Box::new(files), path, instance);
        folder.lock = Some(lock);
        Ok(folder)
    }

    /// A folder of other files, which nobody else can have.
    pub fn over(files: Box<dyn Files>, path: &Path, instance: &str) -> StateFolder {
        let (path, instance) = (path.to_path_buf(), instance.to_owned());
        StateFolder { files, path, instance, lock: None, stored: None, dropped: BTreeSet::new() }
    }

    /// Looks at what is there.
    pub fn look(&mut self) -> Result<(), StateError> {
        self.stored = Log::look(&mut *self.files, &self.path, &self.instance)?;
        Ok(())
    }

    /// What a folder holds, without having it: another process may be writing, so this is for telling early what will be wrong.
    pub fn peek(path: &Path, instance: &str) -> Option<Stored> {
        StateFolder::beside(path, instance)?.stored
    }

    /// A folder that another process may be writing, to be read: what was looked at stays as it is until a sweep removes it, which
    /// is then an error of reading. None where there is nothing that counts.
    pub fn beside(path: &Path, instance: &str) -> Option<StateFolder> {
        if !fs::exists(path).unwrap_or(false) {
            return None;
        }
        let mut folder = StateFolder::over(Box::new(DirFiles::beside(path)), path, instance);
        folder.look().ok()?;
        folder.stored.is_some().then_some(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Nothing of what is there is taken; it goes with the first frame.
    pub fn begin_anew(&mut self) {
        self.stored = None;
    }

    /// Nothing of these sources is taken.
    pub fn drop_sources(&mut self, sources: impl IntoIterator<Item = String>) {
        self.dropped.extend(sources);
    }

    /// Fills the resolver, and gives the writing end.
    pub fn load(
        mut self,
        tables: &[StoredTable],
        resolver: &mut Resolver,
        appended: &mut dyn FnMut(TableIndex, row::Row),
    ) -> Result<Loaded, StateError> {
        let (now, raw_bytes) = self.read(tables, resolver, appended)?;
        resolver.keep_journal();
        self.go_on(now, raw_bytes)
    }

    /// Gives the writing end of a folder whose rows a resolver has, which has read on to just where the folder's mark is.
    pub fn succeed(self, tables: &[StoredTable], live_bytes: u64) -> Result<Loaded, StateError> {
        let last = self.stored.as_ref().map(|stored| stored.dictionary.tables.as_slice()).unwrap_or_default();
        let known = |table: &StoredTable| last.iter().find(|it| it.name == table.name).map_or(0, |it| it.appended_from);
        let now = tables.iter().map(|table| StoredTable { appended_from: known(table), ..table.clone() }).collect();
        self.go_on(now, live_bytes)
    }

    fn go_on(self, tables: Vec<StoredTable>, raw_bytes: u64) -> Result<Loaded, StateError> {
        let dictionary = Dictionary { instance: self.instance, tables, begins_sweep: false };
        let log = Log::go_on(self.files, &self.path, self.stored.as_ref(), dictionary)?;
        Ok(Loaded { log, raw_bytes, lock: self.lock })
    }

    /// Fills the resolver without taking the folder over. `appended` gets the rows of append-only tables, which the resolver does
    /// not keep. Damage found only now is an error: the folder was whole when it was looked at. Gives the tables as a dictionary
    /// goes on naming them, and how much there was.
    pub fn read(
        &mut self,
        tables: &[StoredTable],
        resolver: &mut Resolver,
        appended: &mut dyn FnMut(TableIndex, row::Row),
    ) -> Result<(Vec<StoredTable>, u64), StateError> {
        let mut raw_bytes = 0;
        let mut now = tables.to_vec();
        if let Some(stored) = &self.stored {
            let names = stored.mark.partitions.iter().map(|(source, partition, _)| (source.clone(), partition.clone()));
            resolver.restore_partitions(Partitions(names.collect()));
            let bad = |_| "an entry cannot be read".to_owned();
            let last = &stored.dictionary;
            let mut places: Vec<Option<TableIndex>> = Vec::new();
            let mut unread = vec![false; now.len()];
            let mut from = vec![0; now.len()];
            for (place, table) in now.iter().enumerate() {
                from[place] = last.tables.iter().find(|it| it.name == table.name).map_or(0, |it| it.appended_from);
            }
            // What the last process did not read is not what its mark speaks of.
            let is_known = |table: &&StoredTable| last.tables.iter().any(|it| it.name == table.name);
            let unknown = now.iter().filter(|table| !is_known(table)).map(|table| table.source.clone());
            let dropped: BTreeSet<String> = self.dropped.iter().cloned().chain(unknown).collect();
            Log::read(&mut *self.files, &self.path, stored, &mut |piece| {
                match piece {
                    Piece::Tables(dictionary) => {
                        places = fitting(dictionary, &now, &dropped);
                        for (stored, place) in dictionary.tables.iter().zip(&places) {
                            if let Some(place) = place {
                                unread[*place] |= stored.demands_less_than(&now[*place]);
                            }
                        }
                    }
                    Piece::Entries(mut entries) => {
                        raw_bytes += entries.0.len() as u64;
                        while let Some(entry) = next_entry(&mut entries) {
                            resolver.apply(entry.ok_or("an entry cannot be read")?, &places).map_err(bad)?;
                        }
                    }
                    Piece::Appended(mut rows, at) => {
                        while let Some(row) = next_appended(&mut rows) {
                            let (table, row) = row.ok_or("an appended row cannot be read")?;
                            let place = places.get(table).copied().flatten().filter(|place| at >= from[*place]);
                            if let Some(place) = place
                                && let Some(row) = resolver.restore_appended(place, row, unread[place])
                            {
                                appended(place, row);
                            }
                        }
                    }
                }
                Ok(())
            })?;
            let appended_end = stored.appended_end();
            for (place, table) in now.iter_mut().enumerate() {
                table.appended_from = if dropped.contains(&table.source) { appended_end } else { from[place] };
            }
            resolver.keep_journal();
            if unread.contains(&true) {
                resolver.set_unread_aside();
            }
            for (place, table) in now.iter().enumerate() {
                if dropped.contains(&table.source) {
                    resolver.forget(place);
                }
            }
        }
        Ok((now, raw_bytes))
    }
}

/// The writing end of a folder whose rows are in the resolver.
pub struct Loaded {
    pub log: Log,
    /// Entries that are stored, unpacked.
    pub raw_bytes: u64,
    /// To be held for as long as the log.
    pub lock: Option<File>,
}

fn fitting(dictionary: &Dictionary, now: &[StoredTable], dropped: &BTreeSet<String>) -> Vec<Option<TableIndex>> {
    let (places, _) = dictionary.fit(now);
    let is_taken = |place: &usize| !dropped.contains(&now[*place].source);
    places.into_iter().map(|place| place.filter(is_taken)).collect()
}

/// The tables as a dictionary names them.
pub fn stored_tables(sources: &[TableSource]) -> Vec<StoredTable> {
    let names = source_names(sources);
    sources.iter().map(|table| StoredTable::new(&table.spec, &names[&table.table])).collect()
}

/// Where a start begins.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    /// Where readers begin: at the state, or where the sink first began with a partition that the state does not know.
    pub from: Positions,
    /// Partitions that are read from their beginning although the sink has been published from them.
    pub rebuilt: Positions,
    /// The state has what the sink has not: the sink was restored, or is new.
    pub is_ahead: bool,
    /// Sources whose stored rows do not fit.
    pub unfit: Vec<Unfit>,
}

/// Compares what is stored with what is published. Of `anew` nothing is taken.
pub fn resume(
    stored: Option<&Stored>,
    tables: &[StoredTable],
    published: &SinkState,
    anew: &BTreeSet<String>,
) -> Resume {
    let mut resume = Resume::default();
    let mark = stored.map_or_else(Mark::default, |stored| stored.mark.clone());
    if let Some(stored) = stored {
        resume.unfit = stored.dictionary.fit(tables).1;
    }
    let is_read = |source: &str| {
        let is_marks = is_marks_of(source, tables.iter().map(|table| &*table.name));
        (is_marks || tables.iter().any(|table| table.source == source)) && !anew.contains(source)
    };
    let is_fit = |source: &str| !resume.unfit.iter().any(|unfit| unfit.source == source);
    let kept = mark.partitions.iter().filter(|(source, _, _)| is_read(source) && is_fit(source));
    let kept =
        kept.filter_map(|(source, partition, at)| Some(((source.to_string(), partition.to_string()), at.clone()?)));
    resume.from = kept.collect();
    let published: BTreeMap<(String, String), (u64, String)> = published
        .progress
        .iter()
        .filter(|row| is_read(&row.source))
        .map(|row| ((row.source.clone(), row.partition.clone()), (row.position, row.mark.clone())))
        .collect();
    for (place, (position, _)) in &resume.from {
        resume.is_ahead |= published.get(place).is_none_or(|(there, _)| there < position) && *position > 0;
    }
    for (place, (position, mark)) in &published {
        if *position > 0 && !resume.from.contains_key(place) {
            resume.rebuilt.insert(place.clone(), (first_position(mark), mark.clone()));
        }
    }
    resume.from.extend(resume.rebuilt.clone());
    resume
}
