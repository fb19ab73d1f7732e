//! What the partitions said last about a key, packed into the value of a `PackedMap`.
//!
//! ```text
//!   one partition (nearly always)   0 or 1 │ partition, sequence, offset │ row …          0: the key was deleted there
//!   several                         n ≥ 2  │ n times: 0 or 1, partition, sequence, offset, row with its length
//!   table with one partition        255    │ row …                                                    later words replace it
//! ```

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use super::varint::{self, Bytes};

/// What orders versions of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    pub sequence: i64,
    pub partition: u32,
    pub offset: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    pub rank: Rank,
    /// `None`: deleted.
    pub row: Option<&'a [u8]>,
}

/// (source, partition) as met; a rank holds the index.
#[derive(Clone, Debug, Default)]
pub struct Partitions(pub Vec<(Arc<str>, Arc<str>)>);

impl Partitions {
    pub fn index(&mut self, source: &Arc<str>, partition: &Arc<str>) -> u32 {
        let known = self.0.iter().position(|(name, number)| name == source && number == partition);
        let index = known.unwrap_or_else(|| {
            self.0.push((source.clone(), partition.clone()));
            self.0.len() - 1
        });
        index as u32
    }

    /// By sequence, then partition (as a number where it is one, else as text), then offset.
    pub fn compare(&self, a: Rank, b: Rank) -> Ordering {
        let partition = |rank: Rank| {
            let (source, partition) = &self.0[rank.partition as usize];
            (partition.parse::<u64>().ok(), partition, source)
        };
        let by_partition = || match a.partition == b.partition {
            true => Ordering::Equal,
            false => partition(a).cmp(&partition(b)),
        };
        a.sequence.cmp(&b.sequence).then_with(by_partition).then_with(|| a.offset.cmp(&b.offset))
    }
}

/// A row without a rank: where a table has one partition nothing is ranked. Should another partition be added, all that it says is
/// newer.
pub const UNRANKED: u8 = u8::MAX;
const UNRANKED_RANK: Rank = Rank { sequence: i64::MIN, partition: 0, offset: 0 };
const VERSIONS_MAX: usize = UNRANKED as usize - 1;

/// At most one version of each partition.
#[derive(Clone, Debug, Default)]
pub struct Versions<'a>(pub SmallVec<[Version<'a>; 1]>);

impl<'a> Versions<'a> {
    /// None when the bytes are not what `pack` writes, or name a partition beyond `partitions`.
    pub fn unpack(value: &'a [u8], partitions: usize) -> Option<Versions<'a>> {
        let mut bytes = Bytes(value);
        let mut all = SmallVec::new();
        match bytes.byte()? {
            UNRANKED => all.push(Version { rank: UNRANKED_RANK, row: Some(bytes.0) }),
            head @ (0 | 1) => {
                let rank = rank(&mut bytes, partitions)?;
                all.push(Version { rank, row: (head == 1).then_some(bytes.0) });
            }
            count => {
                for _ in 0..count {
                    let has_row = bytes.byte()? == 1;
                    let rank = rank(&mut bytes, partitions)?;
                    let row = bytes.bytes()?;
                    all.push(Version { rank, row: has_row.then_some(row) });
                }
            }
        }
        Some(Versions(all))
    }

    pub fn pack(&self, value: &mut Vec<u8>) {
        value.clear();
        if let [version] = self.0[..] {
            value.push(u8::from(version.row.is_some()));
            push_rank(value, version.rank);
            value.extend_from_slice(version.row.unwrap_or_default());
            return;
        }
        value.push(self.0.len().min(VERSIONS_MAX) as u8);
        for version in self.0.iter().take(VERSIONS_MAX) {
            value.push(u8::from(version.row.is_some()));
            push_rank(value, version.rank);
            varint::push_bytes(value, version.row.unwrap_or_default());
        }
    }

    pub fn winner(&self, partitions: &Partitions) -> Option<&Version<'a>> {
        match &self.0[..] {
            [only] => Some(only),
            all => all.iter().max_by(|a, b| partitions.compare(a.rank, b.rank)),
        }
    }

    /// The row that a partition knows of the key; for its first word about the key, any other partition's.
    pub fn row_in(&self, partition: u32) -> Option<&'a [u8]> {
        match self.0.iter().find(|version| version.rank.partition == partition) {
            Some(version) => version.row,
            None => self.0.iter().find_map(|version| version.row),
        }
    }

    /// A partition's word replaces its earlier one. Of more than 254 partitions with a word about one key the least goes.
    pub fn put(&mut self, version: Version<'a>, partitions: &Partitions) {
        match self.0.iter_mut().find(|old| old.rank.partition == version.rank.partition) {
            Some(old) => *old = version,
            None => self.0.push(version),
        }
        if self.0.len() > VERSIONS_MAX {
            self.0.sort_by(|a, b| partitions.compare(b.rank, a.rank));
            self.0.pop();
        }
    }
}

fn push_rank(value: &mut Vec<u8>, rank: Rank) {
    varint::push(value, u64::from(rank.partition));
    varint::push_signed(value, rank.sequence);
    varint::push(value, rank.offset);
}

fn rank(bytes: &mut Bytes<'_>, partitions: usize) -> Option<Rank> {
    let partition = u32::try_from(bytes.number()?).ok().filter(|partition| (*partition as usize) < partitions)?;
    Some(Rank { partition, sequence: bytes.signed()?, offset: bytes.number()? })
}
