//! `Relation`, `Column` and `api`: what `ref`, `source` and `this` are in a template.
//!
//! A relation prints as its quoted parts, `"db"."schema"."name"`; an ephemeral model's prints as the CTE that will hold it.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::value::{Arguments, list, text_dict};

/// A table, a view or a CTE, by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Relation {
    /// Database, schema, identifier.
    pub path: [Option<String>; 3],
    pub include: [bool; 3],
    pub quote: [bool; 3],
    /// `table`, `view`, `cte`, …
    pub kind: Option<String>,
}

impl Relation {
    pub fn new(database: &str, schema: &str, identifier: &str) -> Relation {
        let path = [database, schema, identifier].map(|part| Some(part.to_string()));
        Relation { path, include: [true; 3], quote: [true; 3], kind: None }
    }

    /// The CTE that stands for an ephemeral model.
    pub fn cte(name: &str) -> Relation {
        let identifier = Some(format!("__dbt__cte__{name}"));
        Relation {
            path: [None, None, identifier],
            include: [false, false, true],
            quote: [false; 3],
            kind: Some("cte".into()),
        }
    }

    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        for at in 0..3 {
            if let Some(part) = self.path[at].as_deref().filter(|_| self.include[at]) {
                parts.push(if self.quote[at] { quoted(part) } else { part.to_string() });
            }
        }
        parts.join(".")
    }

    fn with_flags(&self, args: &Arguments, change: fn(&mut Relation) -> &mut [bool; 3]) -> Relation {
        let mut relation = self.clone();
        for (at, name) in ["database", "schema", "identifier"].into_iter().enumerate() {
            if let Some(value) = args.get(at, name) {
                change(&mut relation)[at] = value.is_true();
            }
        }
        relation
    }

    fn with_path(&self, parts: &[(&str, Value)]) -> Relation {
        let mut relation = self.clone();
        for (name, value) in parts {
            let at = ["database", "schema", "identifier"].iter().position(|known| known == name);
            let text = (!value.is_none() && !value.is_undefined()).then(|| value.to_string());
            match (at, *name) {
                (Some(at), _) => {
                    relation.include[at] = relation.include[at] || text.is_some();
                    relation.path[at] = text;
                }
                (None, "type") => relation.kind = text,
                _ => {}
            }
        }
        relation
    }

    /// `api.Relation.create(...)`.
    pub fn create(args: &Arguments) -> Relation {
        let parts: Vec<(&str, Value)> = ["database", "schema", "identifier", "type"]
            .into_iter()
            .enumerate()
            .filter_map(|(at, name)| args.get(at, name).map(|value| (name, value)))
            .collect();
        let empty = Relation { path: [None, None, None], include: [true; 3], quote: [true; 3], kind: None };
        empty.with_path(&parts)
    }
}

/// An identifier in double quotes.
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

fn optional(text: &Option<String>) -> Value {
    text.as_deref().map_or_else(|| Value::from(()), Value::from)
}

impl Object for Relation {
    // Macro libraries tell a relation by its being a mapping with this metadata.
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["database", "schema", "identifier", "type", "metadata"])
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn custom_cmp(self: &Arc<Self>, other: &minijinja::value::DynObject) -> Option<std::cmp::Ordering> {
        Some(self.text().cmp(&other.downcast_ref::<Relation>()?.text()))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let is_kind = |kind: &str| Value::from(self.kind.as_deref() == Some(kind));
        let flags = |flags: &[bool; 3]| {
            text_dict(["database", "schema", "identifier"].into_iter().zip(flags.iter().map(|flag| Value::from(*flag))))
        };
        Some(match key.as_str()? {
            "database" => optional(&self.path[0]),
            "schema" => optional(&self.path[1]),
            "identifier" | "name" | "table" => optional(&self.path[2]),
            "type" => optional(&self.kind),
            "is_table" => is_kind("table"),
            "is_view" => is_kind("view"),
            "is_cte" => is_kind("cte"),
            "is_materialized_view" => is_kind("materialized_view"),
            "metadata" => text_dict([("type", Value::from("PostgresRelation"))]),
            "path" => text_dict(["database", "schema", "identifier"].into_iter().zip(self.path.iter().map(optional))),
            "include_policy" => flags(&self.include),
            "quote_policy" => flags(&self.quote),
            _ => return None,
        })
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        let relation = match method {
            "get" => {
                let found = args.get(0, "key").and_then(|key| self.get_value(&key));
                return Ok(found.unwrap_or_else(|| args.get(1, "default").unwrap_or_else(|| Value::from(()))));
            }
            "render" => return Ok(Value::from(self.text())),
            "include" => self.with_flags(&args, |relation| &mut relation.include),
            "quote" => self.with_flags(&args, |relation| &mut relation.quote),
            "without_identifier" => {
                let mut relation = (**self).clone();
                relation.include[2] = false;
                relation
            }
            "replace_path" => {
                self.with_path(&args.named.iter().map(|(k, v)| (k.as_str(), v.clone())).collect::<Vec<_>>())
            }
            "incorporate" => {
                let mut parts = Vec::new();
                if let Some(path) = args.named("path") {
                    for name in ["database", "schema", "identifier"] {
                        parts.extend(
                            path.get_attr(name).ok().filter(|part| !part.is_undefined()).map(|part| (name, part)),
                        );
                    }
                }
                parts.extend(args.named("type").map(|kind| ("type", kind.clone())));
                self.with_path(&parts)
            }
            "information_schema" => {
                let mut relation = (**self).clone();
                relation.path[1] = Some("INFORMATION_SCHEMA".into());
                relation.path[2] = args.get(0, "view_name").map(|view| view.to_string());
                relation.quote = [true, false, false];
                relation
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        Ok(Value::from_object(relation))
    }
}

/// A column, as `adapter.get_columns_in_relation` gives it.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub dtype: String,
}

impl Column {
    /// dbt's portable names of types, as PostgreSQL calls them.
    pub fn translate_type(name: &str) -> String {
        if name.eq_ignore_ascii_case("string") { "TEXT".into() } else { name.to_string() }
    }

    fn base(&self) -> String {
        self.dtype.split('(').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    fn is_one_of(&self, names: &[&str]) -> bool {
        names.contains(&self.base().as_str())
    }

    fn size(&self, at: usize) -> Value {
        let inner = self.dtype.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
        inner
            .split(',')
            .nth(at)
            .and_then(|part| part.trim().parse::<i64>().ok())
            .map_or_else(|| Value::from(()), Value::from)
    }
}

const STRINGS: &[&str] = &["text", "character varying", "character", "varchar"];
const FLOATS: &[&str] = &["real", "float4", "float", "double precision", "float8"];
const INTEGERS: &[&str] = &[
    "smallint",
    "integer",
    "bigint",
    "smallserial",
    "serial",
    "bigserial",
    "int2",
    "int4",
    "int8",
    "serial2",
    "serial4",
    "serial8",
];
const NUMERICS: &[&str] = &["numeric", "decimal"];

impl Object for Column {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Column {} ({})>", self.name, self.dtype)
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "name" | "column" => Value::from(self.name.as_str()),
            "dtype" => Value::from(self.base()),
            "data_type" => Value::from(self.dtype.as_str()),
            "quoted" => Value::from(quoted(&self.name)),
            "char_size" if self.is_one_of(STRINGS) => self.size(0),
            "numeric_precision" if self.is_one_of(NUMERICS) => self.size(0),
            "numeric_scale" if self.is_one_of(NUMERICS) => self.size(1),
            "char_size" | "numeric_precision" | "numeric_scale" => Value::from(()),
            _ => return None,
        })
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        Ok(match method {
            "is_string" => Value::from(self.is_one_of(STRINGS)),
            "is_float" => Value::from(self.is_one_of(FLOATS)),
            "is_integer" => Value::from(self.is_one_of(INTEGERS)),
            "is_numeric" => Value::from(self.is_one_of(NUMERICS)),
            "is_number" => Value::from(self.is_one_of(FLOATS) || self.is_one_of(INTEGERS) || self.is_one_of(NUMERICS)),
            "string_size" => {
                let size = self.size(0);
                if size.is_none() { Value::from(256) } else { size }
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }
}

/// `api`, `api.Relation` and `api.Column`.
#[derive(Debug)]
pub enum Api {
    Root,
    Relation,
    Column,
}

impl Object for Api {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (&**self, key.as_str()?) {
            (Api::Root, "Relation") => Some(Value::from_object(Api::Relation)),
            (Api::Root, "Column") => Some(Value::from_object(Api::Column)),
            (Api::Relation, "Table") => Some(Value::from("table")),
            (Api::Relation, "View") => Some(Value::from("view")),
            (Api::Relation, "CTE") => Some(Value::from("cte")),
            (Api::Relation, "MaterializedView") => Some(Value::from("materialized_view")),
            _ => None,
        }
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        match &**self {
            Api::Column => {
                let size = args.get(2, "char_size").filter(|size| !size.is_none());
                let dtype = args.get(1, "dtype").map(|dtype| dtype.to_string()).unwrap_or_default();
                let dtype = size.map_or(dtype.clone(), |size| format!("{dtype}({size})"));
                Ok(Value::from_object(Column { name: args.text(0, "column")?, dtype }))
            }
            _ => Ok(Value::from_object(Relation::create(&args))),
        }
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let parsed = Arguments::of(args);
        match (&**self, method) {
            (Api::Root, "Relation") => Arc::new(Api::Relation).call(state, args),
            (Api::Root, "Column") => Arc::new(Api::Column).call(state, args),
            (Api::Relation, "create") => Ok(Value::from_object(Relation::create(&parsed))),
            (Api::Relation, "add_ephemeral_prefix") => {
                Ok(Value::from(format!("__dbt__cte__{}", parsed.text(0, "name")?)))
            }
            (Api::Column, "create") => Arc::new(Api::Column).call(state, args),
            (Api::Column, "translate_type") => Ok(Value::from(Column::translate_type(&parsed.text(0, "dtype")?))),
            (Api::Column, "string_type") => Ok(Value::from(format!("character varying({})", parsed.text(0, "size")?))),
            (Api::Column, "numeric_type") => {
                let (dtype, precision) = (parsed.text(0, "dtype")?, parsed.get(1, "precision"));
                Ok(Value::from(match (precision, parsed.get(2, "scale")) {
                    (Some(precision), Some(scale)) if !precision.is_none() && !scale.is_none() => {
                        format!("{dtype}({precision},{scale})")
                    }
                    _ => dtype,
                }))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Columns as the list that a template walks over.
pub fn column_list(columns: impl IntoIterator<Item = (String, String)>) -> Value {
    list(columns.into_iter().map(|(name, dtype)| Value::from_object(Column { name, dtype })))
}
