//! dbt's objects: `config`, `adapter` and `exceptions`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::builtins::{fail, none};
use super::macros::dispatch;
use super::relation::{Relation, column_list, quoted};
use super::scope::{Phase, Scope, Talk};
use super::value::{Arguments, from_json, list, text_dict, to_json};

/// An object of dbt's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    Config,
    Adapter,
    Exceptions,
}

pub struct ThingObject {
    pub thing: Thing,
    pub scope: Arc<Scope>,
}

impl fmt::Debug for ThingObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{:?}>", self.thing)
    }
}

impl Object for ThingObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        // Behaviour flags of the adapter: all at dbt's defaults, which is off.
        let is_behavior = self.thing == Thing::Adapter && key.as_str() == Some("behavior");
        is_behavior
            .then(|| text_dict([("enable_truthy_nulls_equals_macro", text_dict([("no_warn", Value::from(false))]))]))
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        match self.thing {
            Thing::Config => set_config(&self.scope, &Arguments::of(args)),
            _ => fail(format!("{:?} is not callable", self.thing)),
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        match self.thing {
            Thing::Config => config_method(&self.scope, method, &args),
            Thing::Adapter => adapter_method(&self.scope, method, &args),
            Thing::Exceptions => exceptions_method(&self.scope, method, &args),
        }
    }
}

fn set_config(scope: &Arc<Scope>, args: &Arguments) -> Result<Value, Error> {
    let mut given = args.named.iter().map(|(key, value)| (key.clone(), to_json(value))).collect::<Vec<_>>();
    match args.positional.as_slice() {
        [] => {}
        [map] if args.named.is_empty() && map.kind() == ValueKind::Map => {
            given = super::value::pairs_of(map)?.iter().map(|(key, value)| (key.to_string(), to_json(value))).collect();
        }
        _ => return fail("Invalid inline model config"),
    }
    if scope.phase == Phase::Parse {
        for (key, value) in given {
            let key = if matches!(key.as_str(), "pre_hook" | "post_hook") { key.replace('_', "-") } else { key };
            scope.record().config.push((key, value));
        }
    }
    Ok(Value::from(""))
}

fn config_method(scope: &Arc<Scope>, method: &str, args: &Arguments) -> Result<Value, Error> {
    let known = |key: &str| {
        let hook = if matches!(key, "pre_hook" | "post_hook") { key.replace('_', "-") } else { key.to_string() };
        scope.node.config.get(&hook).filter(|value| !value.is_null()).map(from_json)
    };
    match method {
        // While parsing, the configuration is not known yet; dbt answers with nothing.
        "get" | "require" if scope.phase == Phase::Parse => {
            Ok(args.get(1, "default").unwrap_or_else(|| Value::from("")))
        }
        "get" => Ok(known(&args.text(0, "name")?).unwrap_or_else(|| args.get(1, "default").unwrap_or_else(none))),
        "require" => {
            let name = args.text(0, "name")?;
            let node = format!("{} {} ({})", scope.node.resource_type, scope.node.name, scope.node.file);
            known(&name).map_or_else(
                || {
                    fail(format!(
                        "Model '{}' does not define a required config parameter '{name}'.\nin {node}",
                        scope.node.unique_id
                    ))
                },
                Ok,
            )
        }
        "meta_get" | "meta_require" => {
            let name = args.text(0, "name")?;
            let meta = scope.node.config.get("meta").and_then(|meta| meta.get(&name)).map(from_json);
            Ok(meta.unwrap_or_else(|| args.get(1, "default").unwrap_or_else(none)))
        }
        "persist_relation_docs" | "persist_column_docs" => {
            let key = if method == "persist_relation_docs" { "relation" } else { "columns" };
            Ok(Value::from(
                scope
                    .node
                    .config
                    .get("persist_docs")
                    .and_then(|docs| docs.get(key))
                    .and_then(Json::as_bool)
                    .unwrap_or(false),
            ))
        }
        "set" => set_config(
            scope,
            &Arguments { positional: vec![], named: vec![(args.text(0, "name")?, args.require(1, "value")?)] },
        ),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn adapter_method(scope: &Arc<Scope>, method: &str, args: &Arguments) -> Result<Value, Error> {
    match method {
        "dispatch" => {
            let namespace = args.get(1, "macro_namespace").filter(|namespace| !namespace.is_none());
            if namespace.as_ref().is_some_and(|namespace| namespace.as_str().is_none()) {
                return fail("The macro_namespace argument to adapter.dispatch must be a string");
            }
            dispatch(scope, &args.text(0, "macro_name")?, namespace.as_ref().and_then(Value::as_str))
        }
        "type" => Ok(Value::from("postgres")),
        "quote" => Ok(Value::from(quoted(&args.text(0, "identifier")?))),
        "quote_as_configured" => Ok(Value::from(quoted(&args.text(0, "identifier")?))),
        "quote_seed_column" => {
            let column = args.text(0, "column")?;
            let quote = args.get(1, "quote_config").is_some_and(|quote| !quote.is_none() && !quote.is_true());
            Ok(Value::from(if quote { column } else { quoted(&column) }))
        }
        "get_columns_in_relation" if scope.phase == Phase::Parse => Ok(list([])),
        "get_columns_in_relation" => columns_in_relation(scope, &args.require(0, "relation")?),
        "get_missing_columns" if scope.phase == Phase::Parse => Ok(list([])),
        "get_relation" | "load_relation" => {
            let relation =
                match args.get(0, "relation").and_then(|value| value.downcast_object_ref::<Relation>().cloned()) {
                    Some(relation) => relation,
                    None => Relation::create(args),
                };
            let known = scope.refs.as_ref().is_some_and(|refs| refs.by_relation.contains_key(&relation.text()));
            Ok(if known { Value::from_object(relation) } else { none() })
        }
        "build_catalog_relation" => Ok(none()),
        "check_schema_exists" => Ok(Value::from(true)),
        _ if scope.phase == Phase::Parse => Ok(none()),
        _ => fail(format!("adapter.{method}() needs a database; livemart compiles a project without one")),
    }
}

/// How a template fails that asks for columns of which nothing is known yet.
pub const COLUMNS_UNKNOWN: &str = "are not known while compiling";

fn columns_in_relation(scope: &Arc<Scope>, relation: &Value) -> Result<Value, Error> {
    let text = relation.to_string();
    let refs = scope.refs.as_ref();
    let unique_id = refs.and_then(|refs| refs.by_relation.get(&text));
    let columns = unique_id.and_then(|id| {
        scope.introspect.columns(id).or_else(|| refs.and_then(|refs| refs.declared_columns.get(id)).cloned())
    });
    match columns {
        Some(columns) => Ok(column_list(columns)),
        None => fail(format!(
            "the columns of {text} {COLUMNS_UNKNOWN}; declare them with `data_type` in a property file, or name them in the SQL"
        )),
    }
}

fn exceptions_method(scope: &Arc<Scope>, method: &str, args: &Arguments) -> Result<Value, Error> {
    match method {
        "raise_compiler_error"
        | "raise_not_implemented"
        | "raise_parsing_error"
        | "raise_fail_fast_error"
        | "raise_dataclass_not_dict"
        | "raise_invalid_property_yml_version"
        | "raise_contract_error"
        | "missing_config"
        | "column_type_missing" => {
            fail(args.get(0, "msg").map_or_else(|| method.to_string(), |message| message.to_string()))
        }
        "warn" | "warn_snapshot_timestamp_data_types" => {
            scope.world.say(Talk::Warning(args.text(0, "msg")?));
            Ok(Value::from(""))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
