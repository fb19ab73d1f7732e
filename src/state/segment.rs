//! Frames in a file, each with its kind, length and checksum.
//!
//! ```text
//!   │ LMSTATE2 │ frame │ frame │ …        frame = length u32 │ checksum u32 │ kind u8 │ unpacked length u32 │ LZ4 block
//! ```
//!
//! The checksum is over everything behind it. A frame whose checksum is wrong, and all behind it, are not there.

use std::io;

use super::files::Files;

/// Raised when the format changes; another version is not read.
pub const MAGIC: &[u8; 8] = b"LMSTATE2";
const HEAD_BYTES: usize = 8;
const BLOCK_HEAD_BYTES: usize = 5;
/// No frame is longer: a length beyond it is damage.
const FRAME_BYTES_MAX: usize = 1 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of the segment, or of the appended rows that follow.
    Dictionary = 0,
    /// Entries that count only when a `Whole` or `SweepEnd` follows them.
    Part = 1,
    /// A mark, and the entries that lead to it.
    Whole = 2,
    /// The same, and a sweep ends here.
    SweepEnd = 3,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        [Kind::Dictionary, Kind::Part, Kind::Whole, Kind::SweepEnd].into_iter().find(|kind| *kind as u8 == byte)
    }

    /// What was written up to here holds.
    pub fn is_whole(self) -> bool {
        matches!(self, Kind::Whole | Kind::SweepEnd)
    }
}

/// The bytes of a frame.
pub fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(body);
    let mut bytes = Vec::with_capacity(HEAD_BYTES + BLOCK_HEAD_BYTES + block.len());
    let length = u32::try_from(BLOCK_HEAD_BYTES + block.len()).expect("a frame is below 1 GiB");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.push(kind as u8);
    bytes.extend_from_slice(&u32::try_from(body.len()).expect("a frame is below 1 GiB").to_le_bytes());
    bytes.extend_from_slice(&block);
    let checksum = crc32fast::hash(&bytes[HEAD_BYTES..]);
    bytes[4..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Reads the frames of a file, one after the other.
pub struct Frames {
    name: String,
    /// Where the next frame begins.
    pub at: u64,
    end: u64,
}

impl Frames {
    /// None when the file does not begin as a segment of this version does.
    pub fn open(files: &mut dyn Files, name: &str) -> io::Result<Option<Frames>> {
        let mut magic = [0; MAGIC.len()];
        let read = files.read(name, 0, &mut magic)?;
        let end = files.len(name)?;
        let is_ours = read == MAGIC.len() && magic == *MAGIC;
        Ok(is_ours.then(|| Frames { name: name.to_owned(), at: MAGIC.len() as u64, end }))
    }

    /// Stops reading at this length, as if the file ended there. False when it is shorter.
    pub fn end_at(&mut self, length: u64) -> bool {
        let reaches = self.end >= length;
        self.end = self.end.min(length);
        reaches
    }

    /// The next frame that is whole; None at the end, and at the first frame that is not.
    pub fn next(&mut self, files: &mut dyn Files) -> io::Result<Option<Frame>> {
        let mut head = [0; HEAD_BYTES];
        if self.at + HEAD_BYTES as u64 > self.end || files.read(&self.name, self.at, &mut head)? < HEAD_BYTES {
            return Ok(None);
        }
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let (length, checksum) = (word(0) as usize, word(4));
        let end = self.at + (HEAD_BYTES + length) as u64;
        if !(BLOCK_HEAD_BYTES..=FRAME_BYTES_MAX).contains(&length) || end > self.end {
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        let read = files.read(&self.name, self.at + HEAD_BYTES as u64, &mut bytes)?;
        if read < length || crc32fast::hash(&bytes) != checksum {
            return Ok(None);
        }
        let Some(kind) = Kind::of(bytes[0]) else { return Ok(None) };
        self.at = end;
        Ok(Some(Frame { kind, bytes }))
    }
}

/// A frame whose checksum is right.
pub struct Frame {
    pub kind: Kind,
    bytes: Vec<u8>,
}

impl Frame {
    /// None when the block is not what its head says.
    pub fn body(&self) -> Option<Vec<u8>> {
        let (head, block) = self.bytes.split_at(BLOCK_HEAD_BYTES);
        let unpacked = u32::from_le_bytes(head[1..].try_into().expect("four bytes")) as usize;
        if unpacked > FRAME_BYTES_MAX {
            return None;
        }
        lz4_flex::block::decompress(block, unpacked).ok()
    }
}
