//! A disk in memory that forgets, tears and fills up, as disks do when they are asked at the wrong moment.
//!
//! ```text
//!   DiskFiles ──append──> written │ ──sync──> durable        crash: of what was written and not synced any prefix survives
//! ```
//!
//! 1. The same seed and the same calls give the same faults.
//! 2. After a crash every call fails until `restart`.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::state::Files;

/// A disk that outlives the processes that use it.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<String, Held>,
    /// Calls that change something, counted.
    calls: u64,
    crash_at: Option<Crash>,
    is_down: bool,
    /// Bytes that the disk takes; None: any.
    room: Option<u64>,
    seed: u64,
}

#[derive(Clone, Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// So many of them are on the disk; None: not even the name is.
    durable: Option<usize>,
}

/// The process dies at a call that changes something.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    /// Which call, counted from the last restart.
    pub call: u64,
    /// The call has done its work, or not.
    pub after: bool,
}

impl Disk {
    pub fn new(seed: u64) -> Disk {
        let disk = Disk::default();
        disk.inner().seed = seed;
        disk
    }

    /// The folder as one process sees it.
    pub fn files(&self) -> Box<dyn Files> {
        Box::new(DiskFiles(self.clone()))
    }

    /// Calls since the last restart.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    pub fn crash_at(&self, crash: Option<Crash>) {
        self.inner().crash_at = crash;
    }

    pub fn has_crashed(&self) -> bool {
        self.inner().is_down
    }

    /// The process is gone, whatever it was doing.
    pub fn crash(&self) {
        self.inner().is_down = true;
    }

    /// What was not synced is lost, or torn.
    pub fn restart(&self) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        let mut seed = inner.seed;
        inner.files.retain(|_, held| {
            let durable = held.durable.unwrap_or(0);
            let loose = held.bytes.len().saturating_sub(durable);
            let survive = (next(&mut seed) % (loose as u64 + 1)) as usize;
            held.bytes.truncate(durable + survive);
            // A byte of what was on its way may be wrong.
            if survive > 0 && next(&mut seed).is_multiple_of(3) {
                let at = durable + (next(&mut seed) % survive as u64) as usize;
                held.bytes[at] ^= 1 << (next(&mut seed) % 8);
            }
            let is_there = held.durable.is_some() || next(&mut seed).is_multiple_of(2);
            held.durable = Some(held.bytes.len());
            is_there
        });
        inner.seed = seed;
        inner.is_down = false;
        inner.calls = 0;
        inner.crash_at = None;
    }

    /// From now on the disk holds so many bytes.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.inner().room = bytes;
    }

    pub fn bytes(&self) -> u64 {
        self.inner().files.values().map(|held| held.bytes.len() as u64).sum()
    }

    pub fn names(&self) -> Vec<String> {
        self.inner().files.keys().cloned().collect()
    }

    /// Turns a bit of a file that is on the disk.
    pub fn damage(&self, name: &str, at: usize) {
        if let Some(byte) = self.inner().files.get_mut(name).and_then(|held| held.bytes.get_mut(at)) {
            *byte ^= 0x10;
        }
    }

    pub fn wipe(&self) {
        self.inner().files.clear();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call that changes something.
    fn change(&self, work: impl FnOnce(&mut Inner) -> io::Result<()>) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.is_down {
            return Err(gone());
        }
        inner.calls += 1;
        let crash = inner.crash_at.filter(|crash| crash.call == inner.calls);
        if crash.is_some_and(|crash| !crash.after) {
            inner.is_down = true;
            return Err(gone());
        }
        let done = work(&mut inner);
        if crash.is_some() {
            inner.is_down = true;
            return Err(gone());
        }
        done
    }
}

struct DiskFiles(Disk);

impl Files for DiskFiles {
    fn list(&mut self) -> io::Result<Vec<String>> {
        let inner = self.0.inner();
        if inner.is_down { Err(gone()) } else { Ok(inner.files.keys().cloned().collect()) }
    }

    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let inner = self.0.inner();
        if inner.is_down {
            return Err(gone());
        }
        let bytes = &inner.files.get(name).ok_or(io::ErrorKind::NotFound)?.bytes;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn len(&mut self, name: &str) -> io::Result<u64> {
        let inner = self.0.inner();
        if inner.is_down {
            return Err(gone());
        }
        Ok(inner.files.get(name).ok_or(io::ErrorKind::NotFound)?.bytes.len() as u64)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.change(|inner| {
            let used: u64 = inner.files.values().map(|held| held.bytes.len() as u64).sum();
            let left = inner.room.map_or(u64::MAX, |room| room.saturating_sub(used));
            let fits = (left.min(bytes.len() as u64)) as usize;
            let held = inner.files.entry(name.to_owned()).or_default();
            // A full disk takes what fits and then refuses.
            held.bytes.extend_from_slice(&bytes[..fits]);
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.0.change(|inner| {
            let held = inner.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
            held.durable = Some(held.bytes.len());
            Ok(())
        })
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.0.change(|inner| {
            let held = inner.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
            held.bytes.truncate(length as usize);
            held.durable = Some(held.bytes.len());
            Ok(())
        })
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.change(|inner| inner.files.remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into()))
    }
}

fn gone() -> io::Error {
    io::Error::other("the process is gone")
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}
