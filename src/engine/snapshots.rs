//! From a snapshot's configuration to its plan.
//!
//! ```text
//!   compiled SQL ─bind─> query ──────select *, unique_key, updated_at──> input  ┐
//!   livemart.stored.<id> ────────────select *, unique_key──────────────> stored ┴─> Plan::Snapshot
//! ```
//!
//! A query that reads a source with that key row by row is told every version of its rows, with the source's time (`plan/versions.rs`).
//!
//! 1. Key, times and marks are expressions of SQL, as in dbt, and are bound as such.
//! 2. SQLite keeps numerics to fifteen digits: there a snapshot sees them so from the beginning, so that what is read back at the
//!    next start is what was written.

use std::sync::Arc;

use row::{Datum, OwnedDatum, Row, ScalarType};
use serde_json::Value as Json;

use super::assemble::AssembleError;
use crate::plan::rewrite::{RewriteOptions, optimize};
use crate::plan::snapshot::{Changed, HardDeletes, Sees, Snapshot, stored};
use crate::plan::versions::over_versions;
use crate::plan::{self, BoundModel, Column, Inliner, Plan, RelationId, RelationType};
use crate::project::{Node, SinkConfig};

const QUERY: &str = "livemart_snapshot_query";
const KEY: &str = "livemart_snapshot_key_";
const TIME: &str = "livemart_snapshot_time";

/// What a snapshot's configuration says, in dbt's words.
struct Settings {
    keys: Vec<String>,
    updated_at: Option<String>,
    check: Option<Check>,
    hard_deletes: HardDeletes,
    until_open: Option<String>,
    /// Names of the columns after the query's.
    names: Vec<String>,
}

enum Check {
    All,
    Columns(Vec<String>),
}

/// The plan of a snapshot over its bound query.
///
/// `direct` is the query over sources only; `is_whole` says whether a source keeps its rows.
pub(super) fn snapshot_plan(
    node: &Node,
    query: BoundModel,
    direct: &Arc<Plan>,
    is_whole: &dyn Fn(&RelationId) -> bool,
    sink: &SinkConfig,
) -> Result<BoundModel, AssembleError> {
    let failed = |message: String, hint: Option<String>| AssembleError::node(node, message, hint);
    let settings = Settings::of(node).map_err(|message| failed(message, None))?;
    let width = query.columns.len();
    if let Some(name) = settings.names.iter().find(|name| query.columns.iter().any(|column| column.name == **name)) {
        let hint = "give one of them another name: snapshot_meta_column_names renames the snapshot's".to_owned();
        return Err(failed(format!("the query has a column \"{name}\", which the snapshot adds itself"), Some(hint)));
    }
    let rounds = matches!(sink, SinkConfig::Sqlite { .. });
    let own = query.columns.iter().map(|column| selected(column, rounds));
    let mut wanted: Vec<String> = own.collect();
    let keys: Vec<String> = settings.keys.iter().enumerate().map(|(at, key)| format!("({key}) as {KEY}{at}")).collect();
    wanted.extend(keys.clone());
    wanted.extend(settings.updated_at.iter().map(|time| format!("({time}) as {TIME}")));
    let typ = RelationType { columns: query.columns.clone(), keys: Vec::new() };
    let input = select(&wanted, &typ).map_err(|error| failed(error.to_string(), error.hint))?;
    let from = match settings.updated_at {
        Some(_) => input.columns[width + keys.len()].ty.clone(),
        None => ScalarType::Timestamp,
    };
    let (until, until_open) = until(settings.until_open.as_deref(), &from)
        .map_err(|message| failed(format!("dbt_valid_to_current: {message}"), None))?;
    if !matches!(from, ScalarType::Timestamp | ScalarType::TimestampTz | ScalarType::Date) {
        let message = format!("updated_at is of type {}", eval::type_name(&from));
        return Err(failed(message, Some("name a column of type timestamp, timestamptz or date".to_owned())));
    }
    let changed = match &settings.check {
        None => Changed::Later,
        Some(Check::All) => Changed::Columns((0..width).collect()),
        Some(Check::Columns(names)) => {
            let place = |name: &String| {
                find(&query.columns, name)
                    .ok_or_else(|| failed(format!("check_cols: column \"{name}\" does not exist"), None))
            };
            Changed::Columns(names.iter().map(place).collect::<Result<_, _>>()?)
        }
    };
    let mut columns: Vec<Column> =
        input.columns[..width].iter().map(|column| Column { nullable: true, ..column.clone() }).collect();
    let types = [ScalarType::Text, from.clone(), from.clone(), until.clone(), ScalarType::Text];
    for (name, ty) in settings.names.iter().zip(types) {
        columns.push(Column { name: name.clone(), ty, nullable: true, scale_max: None });
    }
    let typ = RelationType { columns: columns.clone(), keys: Vec::new() };
    let mut wanted = vec!["*".to_owned()];
    wanted.extend(keys.clone());
    let held = select(&wanted, &typ).map_err(|error| failed(error.to_string(), error.hint))?;
    let key_types = input.columns[width..width + keys.len()].iter().map(|column| column.ty.clone());
    let each_version = over_versions(&over(&input.plan, direct.clone()), width..width + keys.len(), is_whole);
    let each_version = match wanted_versions(node)
        .map_err(|message| failed(message, Some("write all or cuts".to_owned())))?
    {
        Some(Sees::EachCut) => None,
        Some(Sees::EachVersion) if each_version.is_none() => {
            let hint = "select from a source with a key, without joins, filters or groups, and take its key for unique_key; or write cuts";
            return Err(failed("not every version of its rows can be told".to_owned(), Some(hint.to_owned())));
        }
        _ => each_version,
    };
    let snapshot = Snapshot {
        id: node.unique_id.clone(),
        width,
        keys: key_types.collect(),
        changed,
        tells_time: settings.updated_at.is_some(),
        from,
        until,
        until_open,
        hard_deletes: settings.hard_deletes,
        sees: if each_version.is_some() { Sees::EachVersion } else { Sees::EachCut },
    };
    let stored_rows = Arc::new(Plan::Get { relation: stored(&node.unique_id), typ: typ.clone() });
    let plan = Plan::Snapshot {
        input: each_version.unwrap_or_else(|| over(&input.plan, query.plan)),
        stored: over(&held.plan, stored_rows),
        snapshot: Arc::new(snapshot),
        typ,
    };
    Ok(BoundModel { plan: Arc::new(plan), columns, warnings: query.warnings })
}

/// `meta: {livemart: {versions: …}}`; without it every version is seen where that can be.
fn wanted_versions(node: &Node) -> Result<Option<Sees>, String> {
    match node.meta().get("livemart").and_then(|livemart| livemart.get("versions")) {
        None => Ok(None),
        Some(Json::String(word)) if word == "all" => Ok(Some(Sees::EachVersion)),
        Some(Json::String(word)) if word == "cuts" => Ok(Some(Sees::EachCut)),
        Some(other) => Err(format!("meta.livemart.versions: {other} is not known")),
    }
}

/// A column of the query, as the sink will hold it.
fn selected(column: &Column, rounds: bool) -> String {
    let name = format!("\"{}\"", column.name.replace('"', "\"\""));
    let is_short = |ty: &ScalarType| match ty {
        ScalarType::Numeric(Some(typmod)) => typmod.precision <= 15,
        ty => !matches!(ty, ScalarType::Numeric(None)),
    };
    if rounds && !is_short(&column.ty) {
        return format!("{name}::double precision::{} as {name}", column.ty);
    }
    name
}

/// Binds a SELECT of these over a relation of that type.
fn select(wanted: &[String], typ: &RelationType) -> Result<BoundModel, plan::PlanError> {
    let sql = format!("select {} from {QUERY}", wanted.join(", "));
    let is_query = |parts: &[String]| parts.len() == 1 && parts[0] == QUERY;
    plan::bind(&sql, &|parts| is_query(parts).then(|| (RelationId(QUERY.into()), typ.clone())))
}

/// The plan with `query` in place of the relation that it was bound over.
fn over(plan: &Arc<Plan>, query: Arc<Plan>) -> Arc<Plan> {
    let mut inliner = Inliner::default();
    let query = inliner.plan(&query);
    inliner.add(RelationId(QUERY.into()), query);
    inliner.plan(plan)
}

/// Type of valid_to, and what it holds while a version is open.
fn until(open: Option<&str>, from: &ScalarType) -> Result<(ScalarType, OwnedDatum), String> {
    let Some(open) = open else { return Ok((from.clone(), OwnedDatum::new(&Datum::Null))) };
    let moment = Column { name: TIME.to_owned(), ty: from.clone(), nullable: true, scale_max: None };
    let typ = RelationType { columns: vec![moment], keys: Vec::new() };
    let wanted = [format!("coalesce(nullif({TIME}, {TIME}), ({open})) as until")];
    let bound = select(&wanted, &typ).map_err(|error| error.to_string())?;
    let ty = bound.columns[0].ty.clone();
    let nothing = Plan::Constant { rows: vec![(Row::pack([Datum::Null]), 1)], typ };
    let plan = over(&bound.plan, Arc::new(nothing));
    let plans = optimize(vec![(RelationId(QUERY.into()), plan)], &RewriteOptions::default());
    match plans.first().map(|(_, plan)| &**plan) {
        Some(Plan::Constant { rows, .. }) if rows.len() == 1 => {
            let value = rows[0].0.iter().next().map(|datum| OwnedDatum::new(&datum));
            Ok((ty, value.unwrap_or(OwnedDatum::new(&Datum::Null))))
        }
        _ => Err(format!("{open} is not a constant")),
    }
}

/// A column by its name, as SQL would find it.
fn find(columns: &[Column], name: &str) -> Option<usize> {
    let bare = name.trim();
    let name = match bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => bare.to_lowercase(),
    };
    columns.iter().position(|column| column.name == name)
}

impl Settings {
    /// Reads and checks the configuration, with dbt's refusals.
    fn of(node: &Node) -> Result<Settings, String> {
        let text = |key: &str| node.config_text(key).map(str::to_owned).filter(|text| !text.is_empty());
        let keys = texts(node.config.get("unique_key"));
        let (Some(strategy), false) = (text("strategy"), keys.is_empty()) else {
            return Err("Snapshots must be configured with a 'strategy' and 'unique_key'.".to_owned());
        };
        let check_cols = node.config.get("check_cols").filter(|cols| !cols.is_null());
        let check = match (strategy.as_str(), check_cols) {
            ("check", Some(Json::String(all))) if all == "all" => Some(Check::All),
            ("check", Some(Json::Array(names))) if !names.is_empty() => {
                Some(Check::Columns(texts(Some(&Json::Array(names.clone())))))
            }
            ("check", Some(Json::String(other))) => {
                return Err(format!("Invalid value for 'check_cols': {other}. Expected 'all' or a list of strings."));
            }
            ("check", _) => {
                return Err(
                    "A snapshot configured with the check strategy must specify a check_cols configuration.".to_owned()
                );
            }
            ("timestamp", None) if text("updated_at").is_some() => None,
            ("timestamp", None) => {
                return Err(
                    "A snapshot configured with the timestamp strategy must specify an updated_at configuration."
                        .to_owned(),
                );
            }
            ("timestamp", Some(_)) => return Err("A 'timestamp' snapshot should not have 'check_cols'".to_owned()),
            (other, _) => {
                return Err(format!("the snapshot strategy '{other}' is not maintained: use timestamp or check"));
            }
        };
        let hard_deletes = hard_deletes(node)?;
        let named = |key: &str| {
            let given = node.config.get("snapshot_meta_column_names").and_then(|names| names.get(key));
            given.and_then(Json::as_str).filter(|name| !name.is_empty()).unwrap_or(key).to_owned()
        };
        let mut names: Vec<String> =
            ["dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to"].map(named).to_vec();
        if hard_deletes == HardDeletes::NewRecord {
            names.push(named("dbt_is_deleted"));
        }
        // Unquoted in dbt's SQL, so PostgreSQL folds them.
        names.iter_mut().for_each(|name| *name = name.to_lowercase());
        let until_open = text("dbt_valid_to_current");
        Ok(Settings { keys, updated_at: text("updated_at"), check, hard_deletes, until_open, names })
    }
}

fn hard_deletes(node: &Node) -> Result<HardDeletes, String> {
    let legacy = node.config.get("invalidate_hard_deletes").filter(|value| !value.is_null());
    let own = node.config_text("hard_deletes");
    match (legacy, own) {
        (Some(_), Some(_)) => Err("You cannot set both the invalidate_hard_deletes and hard_deletes config \
                                   properties on the same snapshot."
            .to_owned()),
        (Some(Json::Bool(true)), None) | (None, Some("invalidate")) => Ok(HardDeletes::Invalidate),
        (None, Some("new_record")) => Ok(HardDeletes::NewRecord),
        (Some(_) | None, None) | (None, Some("ignore")) => Ok(HardDeletes::Ignore),
        (None, Some(_)) => Err("Invalid setting for property hard_deletes.".to_owned()),
    }
}

/// One text or several.
fn texts(value: Option<&Json>) -> Vec<String> {
    match value {
        Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        Some(Json::String(text)) if !text.is_empty() => vec![text.clone()],
        _ => Vec::new(),
    }
}
