//! How each source table is to be read: the settings after inheritance, templates and types have been settled.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::format::scalar::Encoding;
use super::registry::RegistrySettings;
use super::{Envelope, SourceError, TableIndex, TableSpec};

/// One source table and where its records are.
#[derive(Clone, Debug)]
pub struct TableSource {
    pub table: TableIndex,
    pub spec: TableSpec,
    /// The dbt source's name: `raw_data`.
    pub source: String,
    /// The table's name as records spell it: dbt's `identifier`, else its name.
    pub identifier: String,
    /// Every table that the dbt source declares, and there are several, names this same place: it is read once, under the source's
    /// name, and each record says whose it is.
    pub is_shared: bool,
    pub connector: Connector,
    pub format: Format,
    /// Encodings of columns whose JSON leaves a choice, by column name (`created_at: ms`, `payload: hex`).
    pub encodings: BTreeMap<String, Encoding>,
    /// Where Avro's schemas are.
    pub registry: Option<RegistrySettings>,
    /// The topic of Debezium's transaction marks: no cut splits a transaction.
    pub transactions: Option<String>,
}

/// Where the records are; `{table}` has been replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Connector {
    File {
        /// A file, or a glob with `*`, `?` and `**`.
        path: PathBuf,
        /// For captured records: the topic that names this table; without it the topic's last dotted part does.
        topic: Option<String>,
    },
    Kafka {
        brokers: String,
        topic: String,
        /// Handed to librdkafka as they are.
        properties: BTreeMap<String, String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Json,
    Avro,
    Csv,
    Parquet,
}

/// Where to go on: (source, partition) to (position, mark). What is missing starts at its beginning.
pub type Positions = BTreeMap<(String, String), (u64, String)>;

/// Where a partition began when it was first read: Kafka's mark says it (`id@7`), a file begins at 0.
pub fn first_position(mark: &str) -> u64 {
    mark.rsplit_once('@').and_then(|(_, first)| first.parse().ok()).unwrap_or(0)
}

impl TableSource {
    pub fn topic(&self) -> Option<&str> {
        match &self.connector {
            Connector::File { topic, .. } => topic.as_deref(),
            Connector::Kafka { topic, .. } => Some(topic),
        }
    }

    /// Refuses combinations that cannot work, naming the table.
    pub fn check(&self) -> Result<(), SourceError> {
        let name = &self.spec.name;
        if self.spec.envelope == Envelope::Upsert && self.spec.key.is_none() {
            return Err(SourceError::new(format!("source table {name} has the envelope upsert but no key"))
                .with_hint("give it one in livemart.yml (key: [id]) or a primary key constraint in sources.yml"));
        }
        if self.format == Format::Csv && self.spec.envelope == Envelope::Debezium {
            return Err(SourceError::new(format!("source table {name}: CSV cannot carry the envelope debezium"))
                .with_hint("set envelope: append, or upsert with a key"));
        }
        if self.format == Format::Csv && matches!(self.connector, Connector::Kafka { .. }) {
            return Err(SourceError::new(format!("source table {name}: format csv is for files"))
                .with_hint("set format: json for the Kafka topic"));
        }
        if self.format == Format::Parquet {
            let refused = match (&self.connector, self.spec.envelope) {
                (Connector::Kafka { .. }, _) => Some("format parquet is for files"),
                (_, Envelope::Debezium) => Some("Parquet cannot carry the envelope debezium"),
                _ if self.is_shared => Some("a Parquet file holds one table"),
                _ => None,
            };
            if let Some(reason) = refused {
                return Err(SourceError::new(format!("source table {name}: {reason}")).with_hint(
                    "use connector: file with a path for each table, and envelope: append, or upsert with a key",
                ));
            }
        }
        if self.format == Format::Csv && self.is_shared {
            return Err(SourceError::new(format!("source table {name}: a CSV file holds one table"))
                .with_hint("put {table} into the path, or give each table its own"));
        }
        if self.transactions.is_some()
            && (self.spec.envelope != Envelope::Debezium || !matches!(self.connector, Connector::Kafka { .. }))
        {
            return Err(SourceError::new(format!(
                "source table {name}: transactions: debezium is for Debezium's topics"
            ))
            .with_hint("leave it out for this table, or set connector: kafka and envelope: debezium"));
        }
        if self.format == Format::Avro && self.registry.is_none() {
            return Err(SourceError::new(format!(
                "source table {name} is Avro, and there is no registry for its schemas"
            ))
            .with_hint("set schema_registry: http://… beside the format (or the path of a file of schemas)"));
        }
        if let Some(column) =
            self.encodings.keys().find(|wanted| !self.spec.columns.iter().any(|has| has.name == **wanted))
        {
            return Err(SourceError::new(format!(
                "source table {name} has an encoding for the unknown column \"{column}\""
            ))
            .with_hint("name a column that sources.yml declares"));
        }
        Ok(())
    }
}

impl SourceError {
    pub fn new(message: impl Into<String>) -> SourceError {
        SourceError { message: message.into(), hint: None, cause: None }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> SourceError {
        self.hint = Some(hint.into());
        self
    }

    pub fn with_cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SourceError {
        self.cause = Some(cause.into());
        self
    }
}
