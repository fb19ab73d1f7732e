//! How a template's names are resolved: arguments, the node's own things, macros, then what dbt provides.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

use super::builtins::{Builtin, BuiltinObject};
use super::macros::{INTERNAL_PACKAGE, MacroObject, Namespace};
use super::scope::{Phase, Scope};
use super::things::{Thing, ThingObject};
use super::value::{from_json, text_dict};
use super::{modules, relation};

/// The context of one rendering.
pub struct Names {
    pub scope: Arc<Scope>,
    /// Package of the macro that is rendered, or of the node.
    pub package: String,
    pub locals: Vec<(String, Value)>,
}

impl Names {
    pub fn of(scope: &Arc<Scope>) -> Names {
        Names { scope: Arc::clone(scope), package: scope.node.package.clone(), locals: Vec::new() }
    }

    fn find(&self, name: &str) -> Option<Value> {
        if let Some((_, value)) = self.locals.iter().find(|(local, _)| local == name) {
            return Some(value.clone());
        }
        if let Some((_, value)) = self.scope.extra.iter().find(|(extra, _)| extra == name) {
            return Some(value.clone());
        }
        self.macro_named(name).or_else(|| self.of_node(name)).or_else(|| self.of_project(name))
    }

    fn macro_named(&self, name: &str) -> Option<Value> {
        if self.scope.phase == Phase::Yaml {
            return None;
        }
        let world = &self.scope.world;
        let macros = &world.macros;
        let definition = macros
            .find(name, &self.scope.node.package, &world.project_name)
            .or_else(|| macros.in_package(&self.package, name));
        if let Some(definition) = definition {
            return Some(Value::from_object(MacroObject {
                definition: Arc::clone(definition),
                scope: Arc::clone(&self.scope),
            }));
        }
        let is_package = macros.has_package(name) || world.packages.iter().any(|package| package == name);
        is_package.then(|| Value::from_object(Namespace { package: name.to_string(), scope: Arc::clone(&self.scope) }))
    }

    fn of_node(&self, name: &str) -> Option<Value> {
        let node = &self.scope.node;
        if self.scope.phase == Phase::Yaml {
            return None;
        }
        let part = |at: usize| {
            node.this.as_ref().and_then(|this| this.path[at].as_deref()).map_or_else(|| Value::from(()), Value::from)
        };
        Some(match name {
            "this" => node.this.clone().map_or_else(|| Value::from(()), Value::from_object),
            "database" => part(0),
            "schema" => part(1),
            "model" => from_json(&node.model),
            "graph" => from_json(self.scope.refs.as_ref().map_or(&serde_json::Value::Null, |refs| &refs.graph)),
            "pre_hooks" => from_json(node.config.get("pre-hook").unwrap_or(&serde_json::Value::Null)),
            "post_hooks" => from_json(node.config.get("post-hook").unwrap_or(&serde_json::Value::Null)),
            "config" => self.thing(Thing::Config),
            "adapter" => self.thing(Thing::Adapter),
            "exceptions" => self.thing(Thing::Exceptions),
            "api" => Value::from_object(relation::Api::Root),
            "execute" => Value::from(self.scope.phase == Phase::Compile),
            "dbt" => Value::from_object(Namespace { package: INTERNAL_PACKAGE.into(), scope: Arc::clone(&self.scope) }),
            "builtins" => text_dict([
                ("ref", self.builtin(Builtin::Ref)),
                ("source", self.builtin(Builtin::Source)),
                ("config", self.thing(Thing::Config)),
            ]),
            _ => return None,
        })
    }

    fn of_project(&self, name: &str) -> Option<Value> {
        let world = &self.scope.world;
        if let Some(builtin) = Builtin::named(name, self.scope.phase) {
            return Some(self.builtin(builtin));
        }
        Some(match name {
            "target" => from_json(&serde_json::Value::Object(world.target.clone())),
            "project_name" => Value::from(world.project_name.as_str()),
            "flags" => from_json(&serde_json::Value::Object(world.flags.clone())),
            "invocation_id" => Value::from(world.invocation_id.as_str()),
            "run_started_at" => Value::from_object(world.now()),
            "dbt_version" => Value::from(super::DBT_VERSION),
            "modules" => modules::root(world.now()),
            "exceptions" => self.thing(Thing::Exceptions),
            "dbt_metadata_envs" | "invocation_args_dict" => text_dict([]),
            "selected_resources" => super::value::list([]),
            "thread_id" => Value::from("Thread-1"),
            _ => return None,
        })
    }

    fn builtin(&self, builtin: Builtin) -> Value {
        Value::from_object(BuiltinObject { builtin, scope: Arc::clone(&self.scope) })
    }

    fn thing(&self, thing: Thing) -> Value {
        Value::from_object(ThingObject { thing, scope: Arc::clone(&self.scope) })
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<context of {}>", self.scope.node.name)
    }
}

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.find(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.locals.iter().map(|(name, _)| Value::from(name.as_str())).collect())
    }
}
