//! The sources that a deployment reads: their columns and keys, the columns that tell an event's time, and where they are read.
//!
//! ```text
//!   sources.yml + livemart.yml (+ the schema that travels with the data) ──> type, key ──> planner
//!   columns that plans demand ──> TableSource {connector, format, envelope, columns in use}
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use row::ScalarType;

use super::assemble::AssembleError;
use crate::plan::sql::parse_type;
use crate::plan::{Column, RelationId, RelationType};
use crate::project::{self, Project, SourceTable};
use crate::source::discover;
use crate::source::{self, Connector, Envelope, Format, RegistrySettings, SourceColumn, TableSource};

/// The columns and key of a declared source table: types from `data_type`, else from the schema that its data has.
pub(super) fn source_type(project: &Project, table: &SourceTable) -> Result<RelationType, AssembleError> {
    let is_complete = !table.columns.is_empty() && table.columns.iter().all(|column| column.data_type.is_some());
    let found = if is_complete { None } else { travelled_types(project, table)? };
    let mut columns = Vec::new();
    for column in &table.columns {
        let name = folded(&column.name);
        let ty = match (&column.data_type, &found) {
            (Some(data_type), _) => parse_type(data_type).map_err(|error| {
                AssembleError::source(
                    table,
                    format!("column \"{}\": {error}", column.name),
                    "write a type as PostgreSQL names it: bigint, numeric(12,2), text, timestamp, date, boolean, jsonb, …",
                )
            })?,
            (None, found) => {
                let found = found.iter().flatten().find(|(found, _)| folded(found) == name);
                let reason = match found {
                    Some((_, Some(ty))) => {
                        columns.push(nullable(name, ty.clone()));
                        continue;
                    }
                    Some((_, None)) => "has no data_type, and its values have a type of which there is no like",
                    None => "has no data_type",
                };
                return Err(AssembleError::source(
                    table,
                    format!("column \"{}\" {reason}", column.name),
                    format!("write  - name: {}  with  data_type: text  (or what it is)", column.name),
                ));
            }
        };
        columns.push(nullable(name, ty));
    }
    if table.columns.is_empty() {
        let typed = found.into_iter().flatten().filter_map(|(name, ty)| Some(nullable(folded(&name), ty?)));
        columns.extend(typed);
    }
    if columns.is_empty() {
        return Err(AssembleError::source(
            table,
            "it declares no columns, so its types are not known",
            "list its columns with their data_type",
        ));
    }
    let mut keys = Vec::new();
    if let Some(key) = key_columns(project, table, &columns)? {
        for column in &key {
            columns[*column].nullable = false;
        }
        keys.push(key);
    }
    Ok(RelationType { columns, keys })
}

fn nullable(name: String, ty: ScalarType) -> Column {
    let scale_max = match &ty {
        ScalarType::Numeric(Some(typmod)) => u16::try_from(typmod.scale).ok(),
        _ => None,
    };
    Column { name, ty, nullable: true, scale_max }
}

/// (name, type) of the columns as the data's own schema has them, where the data has one.
fn travelled_types(
    project: &Project,
    table: &SourceTable,
) -> Result<Option<Vec<(String, Option<ScalarType>)>>, AssembleError> {
    let Some(settings) = project.target.sources.get(&table.unique_id) else { return Ok(None) };
    let place = match &settings.connector {
        project::Connector::File { path } => discover::Place::File(plain_path(path)),
        project::Connector::Kafka { topic, .. } => discover::Place::Topic(topic.clone()),
    };
    let found = match settings.format {
        project::Format::Avro => {
            let Some(registry_of) = &settings.schema_registry else { return Ok(None) };
            let subject = match (&registry_of.subject, &place) {
                (Some(subject), _) => subject.clone(),
                (None, discover::Place::Topic(topic)) => format!("{topic}-value"),
                (None, discover::Place::File(_)) => return Ok(None),
            };
            discover::avro(&registry(registry_of), &subject).map(Some)
        }
        project::Format::Json => match &place {
            discover::Place::File(path) => discover::json_file(path, &table.identifier),
            discover::Place::Topic(_) => return Ok(None),
        },
        project::Format::Parquet => match &place {
            discover::Place::File(path) => source::parquet::column_types(path).map(Some),
            discover::Place::Topic(_) => return Ok(None),
        },
        project::Format::Csv => return Ok(None),
    };
    found.map_err(|error| {
        let hint = error.hint.clone().unwrap_or_else(|| "write a data_type for each column in sources.yml".to_owned());
        AssembleError::source(table, error.message, hint)
    })
}

/// A declared name as PostgreSQL would fold it; dbt creates tables with unquoted names.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Positions of the key's columns: livemart.yml's, else the declared one; append-only tables have one only when livemart.yml says so.
fn key_columns(
    project: &Project,
    table: &SourceTable,
    columns: &[Column],
) -> Result<Option<Vec<usize>>, AssembleError> {
    let settings = project.target.sources.get(&table.unique_id);
    let configured = settings.and_then(|settings| settings.key.clone());
    let appends = settings.is_some_and(|settings| settings.envelope == project::EnvelopeKind::Append);
    let key = configured.or_else(|| if appends { None } else { table.declared_key.clone() });
    // `key: []` says that rows have none, whatever else the project says.
    let Some(key) = key.filter(|key| !key.is_empty()) else { return Ok(None) };
    let position = |name: &String| {
        columns.iter().position(|column| column.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            AssembleError::source(
                table,
                format!("its key names the column \"{name}\", which it does not declare"),
                "name declared columns in key: […] of livemart.yml",
            )
        })
    };
    key.iter().map(position).collect::<Result<Vec<usize>, _>>().map(Some)
}

/// Position of the column that livemart.yml names as the events' time.
fn event_time_column(
    table: &SourceTable,
    settings: &project::SourceSettings,
    typ: &RelationType,
) -> Result<Option<usize>, AssembleError> {
    let Some(name) = &settings.event_time else { return Ok(None) };
    let found = typ.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let is_time = |column: usize| {
        matches!(typ.columns[column].ty, ScalarType::Date | ScalarType::Timestamp | ScalarType::TimestampTz)
    };
    match found {
        Some(column) if is_time(column) => Ok(Some(column)),
        found => Err(AssembleError::source(
            table,
            match found {
                Some(column) => format!("its event_time \"{name}\" is of type {}", typ.columns[column].ty),
                None => format!("its event_time names the column \"{name}\", which it does not declare"),
            },
            "name a declared column of type timestamp, timestamptz or date",
        )),
    }
}

/// By index of the source: the columns that tell an event's time.
pub(super) fn event_times(
    project: &Project,
    sources: &[TableSource],
    types: &BTreeMap<String, RelationType>,
) -> Result<BTreeMap<usize, usize>, AssembleError> {
    let mut columns = BTreeMap::new();
    for source in sources {
        let table = &project.sources[&*source.spec.relation.0];
        let Some(settings) = project.target.sources.get(&table.unique_id) else { continue };
        if let Some(column) = event_time_column(table, settings, &types[&table.unique_id])? {
            columns.insert(source.table, column);
        }
    }
    Ok(columns)
}

/// Where the demanded sources are read.
pub(super) fn sources(
    project: &Project,
    demanded: &BTreeMap<RelationId, BTreeSet<usize>>,
    types: &BTreeMap<String, RelationType>,
) -> Result<Vec<TableSource>, AssembleError> {
    let mut sources = Vec::new();
    for (index, (relation, columns)) in demanded.iter().enumerate() {
        let table = &project.sources[&*relation.0];
        let typ = &types[&table.unique_id];
        let Some(settings) = project.target.sources.get(&table.unique_id) else {
            return Err(AssembleError::source(
                table,
                format!("target '{}' does not say where it is read", project.target.name),
                format!("add  {}: {{connector: file, path: …}}  to sources in livemart.yml", table.source_name),
            ));
        };
        let event_time = event_time_column(table, settings, typ)?;
        let spec = source::TableSpec {
            relation: relation.clone(),
            name: format!("{}.{}", table.source_name, table.name),
            columns: (typ.columns.iter())
                .map(|column| SourceColumn { name: column.name.clone(), ty: column.ty.clone() })
                .collect(),
            demanded: (0..typ.columns.len())
                .map(|column| columns.contains(&column) || Some(column) == event_time)
                .collect(),
            keeps_all: false,
            key: typ.keys.first().cloned(),
            envelope: match settings.envelope {
                project::EnvelopeKind::Debezium => Envelope::Debezium,
                project::EnvelopeKind::Upsert => Envelope::Upsert,
                project::EnvelopeKind::Append => Envelope::Append,
            },
        };
        let format = match settings.format {
            project::Format::Json => Format::Json,
            project::Format::Csv => Format::Csv,
            project::Format::Avro => Format::Avro,
            project::Format::Parquet => Format::Parquet,
        };
        let connector = match &settings.connector {
            project::Connector::File { path } => Connector::File { path: plain_path(path), topic: None },
            project::Connector::Kafka { brokers, topic, properties, .. } => {
                Connector::Kafka { brokers: brokers.clone(), topic: topic.clone(), properties: properties.clone() }
            }
        };
        sources.push(TableSource {
            table: index,
            spec,
            source: table.source_name.clone(),
            identifier: table.identifier.clone(),
            is_shared: is_shared(project, table),
            connector,
            format,
            encodings: BTreeMap::new(),
            registry: settings.schema_registry.as_ref().map(registry),
            transactions: match &settings.connector {
                project::Connector::Kafka { transactions, .. } => transactions.clone(),
                project::Connector::File { .. } => None,
            },
        });
    }
    Ok(sources)
}

fn registry(settings: &project::RegistryConfig) -> RegistrySettings {
    RegistrySettings {
        url: settings.url.clone(),
        user_info: settings.user_info.clone(),
        ca: settings.ca.clone(),
        certificate: settings.certificate.clone(),
        private_key: settings.private_key.clone(),
    }
}

/// A path without `.` and `..`: positions are kept under it, however the project's folder was spelled.
fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Whether all tables of a source name one file: it is then read once.
fn is_shared(project: &Project, table: &SourceTable) -> bool {
    let place = |other: &SourceTable| -> Option<PathBuf> {
        match &project.target.sources.get(&other.unique_id)?.connector {
            project::Connector::File { path } => Some(path.clone()),
            project::Connector::Kafka { .. } => None,
        }
    };
    let Some(own) = place(table) else { return false };
    let siblings: Vec<&SourceTable> =
        project.sources.values().filter(|other| other.source_name == table.source_name).collect();
    siblings.len() > 1 && siblings.iter().all(|other| place(other).as_ref() == Some(&own))
}
