//! From the tables of a target to the readers that serve them.
//!
//! ```text
//!   TableSource … ──check──> grouped by place ──> one file reader per path, one Kafka reader per cluster and properties
//! ```
//!
//! Tables that share a file are read by one reader when the dbt source says so for all of them (`is_shared`); otherwise each table
//! has its own reader and its own position. Tables of one Kafka cluster share one client.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::FileReader;
use super::kafka::{KafkaReader, TopicTables};
use super::parquet::ParquetReader;
use super::settings::{Connector, Format, Positions, TableSource};
use super::{Reader, SourceError, TableIndex, Until};

/// A reader and what is known about it once it is open.
pub struct OpenReader {
    pub reader: Box<dyn Reader>,
    /// Each (source, partition) that it reads now; new ones may come while it follows.
    pub partitions: Vec<(Arc<str>, Arc<str>)>,
    /// Its tables, and whether records of one table may come in several partitions: what a `Resolver` wants to know.
    pub tables: Vec<(TableIndex, bool)>,
}

impl std::fmt::Debug for OpenReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenReader").field("partitions", &self.partitions).field("tables", &self.tables).finish()
    }
}

/// Opens readers for all tables, from the given positions, or refuses with the first table, file, broker or topic that cannot be
/// read.
pub fn open_readers(tables: Vec<TableSource>, from: &Positions, until: Until) -> Result<Vec<OpenReader>, SourceError> {
    let mut files: BTreeMap<(String, Connector), Vec<TableSource>> = BTreeMap::new();
    let mut clusters: BTreeMap<Cluster, Vec<TableSource>> = BTreeMap::new();
    for table in tables {
        table.check()?;
        match &table.connector {
            Connector::File { path, .. } => {
                let name = file_source(&table);
                let place = Connector::File { path: path.clone(), topic: None };
                files.entry((name, place)).or_default().push(table);
            }
            Connector::Kafka { brokers, properties, .. } => {
                clusters.entry(Cluster::new(brokers, properties, &table)).or_default().push(table);
            }
        }
    }
    let mut readers = Vec::new();
    for ((name, place), tables) in files {
        let Connector::File { path, .. } = place else { continue };
        readers.push(match tables.iter().any(|table| table.format == Format::Parquet) {
            true => ParquetReader::open(&name, &path, tables, from, until)?,
            false => FileReader::open(&name, &path, tables, from, until)?,
        });
    }
    for (Cluster { brokers, properties, marks }, tables) in clusters {
        let marks = marks.map(|(source, topic)| {
            let tables = tables.first().cloned().into_iter().collect();
            TopicTables { source: format!("{source}{MARKS}"), topic, tables, is_matched: false }
        });
        readers.push(KafkaReader::open(&brokers, &properties, topics(tables), marks, from, until)?);
    }
    Ok(readers)
}

/// What `progress` calls the source of each table.
pub fn source_names(tables: &[TableSource]) -> BTreeMap<TableIndex, String> {
    let mut names = BTreeMap::new();
    let mut clusters: BTreeMap<Cluster, Vec<TableSource>> = BTreeMap::new();
    for table in tables {
        match &table.connector {
            Connector::File { .. } => {
                names.insert(table.table, file_source(table));
            }
            Connector::Kafka { brokers, properties, .. } => {
                clusters.entry(Cluster::new(brokers, properties, table)).or_default().push(table.clone());
            }
        }
    }
    for topic in clusters.into_values().flat_map(topics) {
        names.extend(topic.tables.iter().map(|table| (table.table, topic.source.clone())));
    }
    names
}

/// What `progress` calls the topic of a source's transactions: the source's name and this.
const MARKS: &str = "/transactions";

/// Whether `source` is the topic of transactions of one of the tables' sources; tables go by `source.table`.
pub fn is_marks_of<'t>(source: &str, mut tables: impl Iterator<Item = &'t str>) -> bool {
    let Some(of) = source.strip_suffix(MARKS) else { return false };
    tables.any(|table| table.split_once('.').is_some_and(|(name, _)| name == of))
}

/// What one reader serves.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cluster {
    brokers: String,
    properties: BTreeMap<String, String>,
    /// The dbt source whose transactions are kept whole, and their topic.
    marks: Option<(String, String)>,
}

impl Cluster {
    fn new(brokers: &str, properties: &BTreeMap<String, String>, table: &TableSource) -> Cluster {
        let marks = table.transactions.clone().map(|topic| (table.source.clone(), topic));
        Cluster { brokers: brokers.to_owned(), properties: properties.clone(), marks }
    }
}

fn file_source(table: &TableSource) -> String {
    if table.is_shared { table.source.clone() } else { table.spec.name.clone() }
}

/// Tables by topic. A topic of one table goes by the table's name; a topic of several by the dbt source's, and by source and topic
/// where the source has more such topics.
fn topics(tables: Vec<TableSource>) -> Vec<TopicTables> {
    let mut by_topic: BTreeMap<String, Vec<TableSource>> = BTreeMap::new();
    for table in tables {
        if let Connector::Kafka { topic, .. } = &table.connector {
            by_topic.entry(topic.clone()).or_default().push(table);
        }
    }
    let mut shared_topics: BTreeMap<String, usize> = BTreeMap::new();
    for tables in by_topic.values().filter(|tables| is_shared(tables)) {
        *shared_topics.entry(tables[0].source.clone()).or_default() += 1;
    }
    let name = |topic: &str, tables: &[TableSource]| match (is_shared(tables), &tables[0].source) {
        (false, _) => tables[0].spec.name.clone(),
        (true, source) if shared_topics.get(source) == Some(&1) => source.clone(),
        (true, source) => format!("{source}/{topic}"),
    };
    by_topic
        .into_iter()
        .map(|(topic, tables)| TopicTables { source: name(&topic, &tables), topic, tables, is_matched: false })
        .collect()
}

fn is_shared(tables: &[TableSource]) -> bool {
    tables.len() > 1 || tables.iter().any(|table| table.is_shared)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
