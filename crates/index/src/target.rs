//! What is looked for: a row, or the edge before or after all rows of a key.

use std::cmp::Ordering;

use row::RowRef;

/// A place in the order.
pub struct Target<'a> {
    key: &'a [u8],
    head: u64,
    edge: Edge<'a>,
}

enum Edge<'a> {
    Before,
    Row(RowRef<'a>),
    AfterRow(RowRef<'a>),
    After,
}

impl<'a> Target<'a> {
    pub fn row(key: &'a [u8], row: RowRef<'a>) -> Target<'a> {
        Target { key, head: head(key), edge: Edge::Row(row) }
    }

    /// After a row.
    pub fn after_row(key: &'a [u8], row: RowRef<'a>) -> Target<'a> {
        Target { key, head: head(key), edge: Edge::AfterRow(row) }
    }

    /// Before every entry of a key.
    pub fn before(key: &'a [u8]) -> Target<'a> {
        Target { key, head: head(key), edge: Edge::Before }
    }

    /// After every entry of a key.
    pub fn after(key: &'a [u8]) -> Target<'a> {
        Target { key, head: head(key), edge: Edge::After }
    }

    /// How an entry stands to this place.
    pub fn compare(&self, key: &[u8], row: RowRef<'_>) -> Ordering {
        key.cmp(self.key).then_with(|| match self.edge {
            Edge::Before => Ordering::Greater,
            Edge::Row(own) => compare_rows(row, own),
            Edge::AfterRow(own) if compare_rows(row, own).is_le() => Ordering::Less,
            Edge::AfterRow(_) => Ordering::Greater,
            Edge::After => Ordering::Less,
        })
    }

    /// As `compare`, with the first bytes of the entry's key at hand.
    #[inline]
    pub fn compare_with_head(&self, entry_head: u64, key: &[u8], row: RowRef<'_>) -> Ordering {
        // No key is a proper prefix of another, so heads that differ decide.
        entry_head.cmp(&self.head).then_with(|| self.compare(key, row))
    }
}

/// The first eight bytes of a key as a number.
#[inline]
pub fn head(key: &[u8]) -> u64 {
    if let Some(eight) = key.first_chunk::<8>() {
        return u64::from_be_bytes(*eight);
    }
    let mut bytes = [0; 8];
    bytes[..key.len()].copy_from_slice(key);
    u64::from_be_bytes(bytes)
}

/// By columns, ascending, as ORDER BY has them; equal columns of different form by bytes.
pub fn compare_rows(a: RowRef<'_>, b: RowRef<'_>) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    a.iter().zip(b.iter()).map(|(a, b)| a.sql_cmp(&b)).find(|order| order.is_ne()).unwrap_or_else(|| a.cmp(&b))
}
