//! What a segment says about itself: whose it is, and which tables its entries speak of.

use crate::source::TableSpec;
use crate::source::varint::{self, Bytes};

/// The first frame of every segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// `project.target`.
    pub instance: String,
    /// By the number that journals use.
    pub tables: Vec<StoredTable>,
    /// The segment begins with a sweep (or with nothing): segments before it are not needed once that sweep has ended.
    pub begins_sweep: bool,
}

/// A source table as it was when a segment was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTable {
    /// `raw_data.orders`.
    pub name: String,
    /// What `progress` calls its source.
    pub source: String,
    /// Key, envelope, and names and types of the columns: rows of another layout are not understood.
    pub layout: String,
    /// Columns that some model read.
    pub demanded: Vec<bool>,
    /// Rows of an append-only table before this place among the appended ones are gone.
    pub appended_from: u64,
}

/// Why stored rows of a source are not those that the project wants now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    pub source: String,
    pub reason: String,
}

impl StoredTable {
    pub fn new(spec: &TableSpec, source: &str) -> StoredTable {
        let columns = spec.columns.iter().map(|column| format!("{} {}", column.name, column.ty));
        let columns = columns.collect::<Vec<_>>().join(", ");
        StoredTable {
            name: spec.name.clone(),
            source: source.to_owned(),
            layout: format!("{:?} key {:?} ({columns})", spec.envelope, spec.key),
            demanded: spec.demanded.clone(),
            appended_from: 0,
        }
    }

    /// A column is read now that was not read then.
    pub fn demands_less_than(&self, other: &StoredTable) -> bool {
        other.demanded.iter().zip(&self.demanded).any(|(now, then)| *now && !*then)
    }
}

impl Dictionary {
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.begins_sweep)];
        varint::push_bytes(&mut bytes, self.instance.as_bytes());
        varint::push(&mut bytes, self.tables.len() as u64);
        for table in &self.tables {
            for text in [&table.name, &table.source, &table.layout] {
                varint::push_bytes(&mut bytes, text.as_bytes());
            }
            let demanded: Vec<u8> = table.demanded.iter().map(|demanded| u8::from(*demanded)).collect();
            varint::push_bytes(&mut bytes, &demanded);
            varint::push(&mut bytes, table.appended_from);
        }
        bytes
    }

    pub fn unpack(bytes: &[u8]) -> Option<Dictionary> {
        let mut bytes = Bytes(bytes);
        let begins_sweep = bytes.byte()? == 1;
        let instance = bytes.text()?.to_owned();
        let count = bytes.index()?;
        let tables = (0..count).map(|_| {
            let mut text = || Some(bytes.text()?.to_owned());
            let (name, source, layout) = (text()?, text()?, text()?);
            let demanded = bytes.bytes()?.iter().map(|demanded| *demanded == 1).collect();
            Some(StoredTable { name, source, layout, demanded, appended_from: bytes.number()? })
        });
        Some(Dictionary { instance, tables: tables.collect::<Option<_>>()?, begins_sweep })
    }

    /// The place of each stored table in `now`, or the sources whose rows are not those that are wanted: a table of theirs is not
    /// stored, or has other columns, or is read from another place.
    pub fn fit(&self, now: &[StoredTable]) -> (Vec<Option<usize>>, Vec<Unfit>) {
        let mut unfit = Vec::new();
        for wanted in now {
            let reason = match self.tables.iter().find(|stored| stored.name == wanted.name) {
                // A source of which nothing is stored has simply not been read yet.
                None if !self.tables.iter().any(|stored| stored.source == wanted.source) => continue,
                None => format!("{} was not read before", wanted.name),
                Some(stored) if stored.source != wanted.source => {
                    format!("{} was read as {} and not as {}", wanted.name, stored.source, wanted.source)
                }
                Some(stored) if stored.layout != wanted.layout => {
                    format!("the columns or the key of {} have changed", wanted.name)
                }
                Some(_) => continue,
            };
            unfit.push(Unfit { source: wanted.source.clone(), reason });
        }
        let is_fit = |table: &StoredTable| !unfit.iter().any(|unfit| unfit.source == table.source);
        let place = |stored: &StoredTable| now.iter().position(|table| table.name == stored.name && is_fit(table));
        (self.tables.iter().map(place).collect(), unfit)
    }
}
