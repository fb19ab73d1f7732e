//! What a template may see: the project as a whole, and the node it belongs to.
//!
//! ```text
//!   World (one per project)  ◄── Scope (one per node and pass) ◄── Names (one per macro call: its arguments)
//! ```
//!
//! 1. The first pass (`Phase::Parse`) knows no other node: it only records what the template asks for.
//! 2. The second pass (`Phase::Compile`) answers `ref` and `source` from the finished graph.
//! 3. No template reads the network, a database or the wall clock.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::{Environment, Value};
use serde_json::{Map as JsonMap, Value as Json};

use super::macros::MacroTable;
use super::moment::Moment;
use super::relation::Relation;
use super::rewrite::{self, Rewritten};
use super::segments::Syntax;
use super::{filters, methods};

/// Answers that a template can only get from outside the project: the columns of a relation, the result of a query.
pub trait Introspect: Send + Sync {
    /// Name and type of each column, in order, where they are known.
    fn columns(&self, unique_id: &str) -> Option<Vec<(String, String)>>;

    /// Runs a query while compiling: rows of (column, value).
    fn query(&self, sql: &str) -> Result<Table, String> {
        let _ = sql;
        Err("livemart compiles without a database".into())
    }

    /// Told of every relation (database, schema, name) whose columns are declared with their types.
    fn declared(&self, unique_id: &str, relation: &[String; 3], columns: &[(String, String)]) {
        let _ = (unique_id, relation, columns);
    }

    /// Told of every node (database, schema, name) as soon as it is SQL.
    fn compiled(&self, unique_id: &str, relation: &[String; 3], sql: &str) {
        let _ = (unique_id, relation, sql);
    }
}

/// The result of a query at compile time.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Json>>,
}

/// Knows nothing: columns then come from property files alone.
pub struct NoIntrospection;

impl Introspect for NoIntrospection {
    fn columns(&self, _: &str) -> Option<Vec<(String, String)>> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Property files, project files and `livemart.yml`: no node.
    Yaml,
    Parse,
    Compile,
}

/// What every template of a project shares.
pub struct World {
    pub env: Environment<'static>,
    pub macros: MacroTable,
    pub project_name: String,
    /// `dispatch:` of dbt_project.yml: where to look for the macros of a namespace.
    pub dispatch: BTreeMap<String, Vec<String>>,
    pub packages: Vec<String>,
    /// The template's `target`.
    pub target: JsonMap<String, Json>,
    pub vars: Vars,
    pub env_vars: BTreeMap<String, String>,
    pub flags: JsonMap<String, Json>,
    pub invocation_id: String,
    /// Microseconds since 1970 UTC.
    pub started_at: i64,
    /// Docs blocks by package and name.
    pub docs: BTreeMap<(String, String), String>,
    /// Where each docs block stands: below its folder, and below the project.
    pub doc_files: BTreeMap<(String, String), (String, String)>,
    templates: Templates,
    talk: Mutex<Vec<Talk>>,
}

/// Something a template said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Talk {
    /// `log(…, info=true)` and `print(…)`: for the user.
    Info(String),
    /// `log(…)`: for the log file.
    Debug(String),
    /// `exceptions.warn(…)`.
    Warning(String),
}

/// Variables of the command line, of the project and of its packages.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    pub cli: JsonMap<String, Json>,
    /// Each package's `vars:`, global ones and those under a package's name.
    pub of_package: BTreeMap<String, JsonMap<String, Json>>,
}

impl Vars {
    /// The value for a node of `package`: command line, then the root project's, then the package's own.
    pub fn get(&self, name: &str, root: &str, package: &str) -> Option<&Json> {
        if let Some(value) = self.cli.get(name) {
            return Some(value);
        }
        [root, package].into_iter().filter_map(|owner| self.of_package.get(owner)).find_map(|vars| {
            let scoped = vars.get(package).and_then(Json::as_object).and_then(|scoped| scoped.get(name));
            scoped.or_else(|| vars.get(name))
        })
    }

    /// Everything a node of `package` would see, for error messages.
    pub fn merged(&self, root: &str, package: &str) -> BTreeMap<String, Json> {
        let mut merged = BTreeMap::new();
        for owner in [package, root] {
            if let Some(vars) = self.of_package.get(owner) {
                let is_scope = |name: &str| self.of_package.contains_key(name);
                merged.extend(vars.iter().filter(|(name, _)| !is_scope(name)).map(|(k, v)| (k.clone(), v.clone())));
                if let Some(scoped) = vars.get(package).and_then(Json::as_object) {
                    merged.extend(scoped.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
            }
        }
        merged.extend(self.cli.iter().map(|(k, v)| (k.clone(), v.clone())));
        merged
    }
}

type Templates = Arc<Mutex<HashMap<String, Arc<Rewritten>>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fixed parts of a world; macros and docs are added while loading.
#[derive(Default)]
pub struct WorldParts {
    pub project_name: String,
    pub dispatch: BTreeMap<String, Vec<String>>,
    pub packages: Vec<String>,
    pub target: JsonMap<String, Json>,
    pub vars: Vars,
    pub env_vars: BTreeMap<String, String>,
    pub flags: JsonMap<String, Json>,
    pub invocation_id: String,
    pub started_at: i64,
}

impl World {
    pub fn new(parts: WorldParts) -> World {
        let templates = Templates::default();
        let mut env = Environment::new();
        // Only with debug information does an error of an undefined value say which name it was.
        env.set_debug(true);
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        env.set_syntax(keep_newlines());
        env.set_unknown_method_callback(methods::unknown_method);
        env.set_recursion_limit(400);
        filters::install(&mut env);
        let loader = Arc::clone(&templates);
        env.set_loader(move |name| Ok(lock(&loader).get(name).map(|rewritten| rewritten.text.clone())));
        World {
            env,
            macros: MacroTable::default(),
            project_name: parts.project_name,
            dispatch: parts.dispatch,
            packages: parts.packages,
            target: parts.target,
            vars: parts.vars,
            env_vars: parts.env_vars,
            flags: parts.flags,
            invocation_id: parts.invocation_id,
            started_at: parts.started_at,
            docs: BTreeMap::new(),
            doc_files: BTreeMap::new(),
            templates,
            talk: Mutex::new(Vec::new()),
        }
    }

    pub fn now(&self) -> Moment {
        Moment::from_micros(self.started_at)
    }

    pub fn say(&self, talk: Talk) {
        lock(&self.talk).push(talk);
    }

    /// What templates said since the last call.
    pub fn take_talk(&self) -> Vec<Talk> {
        std::mem::take(&mut *lock(&self.talk))
    }

    /// Registers a template's text and returns the name under which the environment finds it.
    pub fn register(&self, name: &str, source: &str) -> Result<String, Syntax> {
        let rewritten = rewrite::template(source)?;
        Ok(self.register_rewritten(name, rewritten))
    }

    pub fn register_rewritten(&self, name: &str, rewritten: Rewritten) -> String {
        let mut templates = lock(&self.templates);
        let mut key = name.to_string();
        let mut count = 1;
        loop {
            match templates.get(&key) {
                None => break,
                Some(known) if **known == rewritten => return key,
                Some(_) => {
                    count += 1;
                    key = format!("{name}#{count}");
                }
            }
        }
        templates.insert(key.clone(), Arc::new(rewritten));
        key
    }

    pub fn template(&self, name: &str) -> Option<Arc<Rewritten>> {
        lock(&self.templates).get(name).cloned()
    }
}

fn keep_newlines() -> minijinja::syntax::SyntaxConfig {
    minijinja::syntax::SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

/// What the second pass knows about a node that can be referred to.
#[derive(Clone, Debug)]
pub struct RefTarget {
    pub unique_id: String,
    pub package: String,
    pub name: String,
    pub version: Option<String>,
    pub is_latest_version: bool,
    pub is_ephemeral: bool,
    pub relation: Relation,
}

/// The finished graph as `ref` and `source` see it.
#[derive(Default)]
pub struct RefTable {
    pub nodes: HashMap<String, Vec<RefTarget>>,
    /// By (source name, table name).
    pub sources: HashMap<(String, String), Vec<RefTarget>>,
    /// Columns with a declared type, by unique id.
    pub declared_columns: HashMap<String, Vec<(String, String)>>,
    /// Unique ids by rendered relation.
    pub by_relation: HashMap<String, String>,
    /// The template's `graph`.
    pub graph: Json,
}

impl RefTable {
    /// dbt's order: the named package only, else the node's own, the root project, any.
    pub fn node(
        &self,
        package: Option<&str>,
        name: &str,
        version: Option<&str>,
        node_package: &str,
        root: &str,
    ) -> Option<&RefTarget> {
        pick(self.nodes.get(name)?, package, node_package, root, |target| match version {
            Some(version) => target.version.as_deref() == Some(version),
            None => target.is_latest_version,
        })
    }

    pub fn source(&self, source: &str, table: &str, node_package: &str, root: &str) -> Option<&RefTarget> {
        let found = self.sources.get(&(source.to_string(), table.to_string()))?;
        pick(found, None, node_package, root, |_| true)
    }
}

fn pick<'a>(
    targets: &'a [RefTarget],
    package: Option<&str>,
    node_package: &str,
    root: &str,
    fits: impl Fn(&RefTarget) -> bool,
) -> Option<&'a RefTarget> {
    let order: Vec<Option<&str>> = match package {
        Some(package) => vec![Some(package)],
        None => vec![Some(node_package), Some(root), None],
    };
    order
        .into_iter()
        .find_map(|wanted| targets.iter().find(|target| wanted.is_none_or(|p| target.package == p) && fits(target)))
}

/// One `ref` call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefArgs {
    pub package: Option<String>,
    pub name: String,
    pub version: Option<String>,
}

/// What a template asked for while it was rendered.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub refs: Vec<RefArgs>,
    pub sources: Vec<(String, String)>,
    pub config: Vec<(String, Json)>,
    /// Unique ids of the macros that the template called itself.
    pub macros: Vec<String>,
    /// Unique ids of the ephemeral models it reads, in order of first use.
    pub ephemerals: Vec<String>,
}

/// The node a template belongs to.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    pub unique_id: String,
    pub name: String,
    /// `model`, `test`, `snapshot`, …
    pub resource_type: String,
    pub package: String,
    pub file: String,
    pub this: Option<Relation>,
    pub config: JsonMap<String, Json>,
    /// The template's `model`.
    pub model: Json,
}

/// One rendering: a node in one pass.
pub struct Scope {
    pub world: Arc<World>,
    pub phase: Phase,
    pub node: NodeFacts,
    pub refs: Option<Arc<RefTable>>,
    pub introspect: Arc<dyn Introspect>,
    /// Further names, over all others: a generic test's arguments.
    pub extra: Vec<(String, Value)>,
    /// Over the project's variables and the environment's: a unit test's overrides.
    pub vars: JsonMap<String, Json>,
    pub env_vars: BTreeMap<String, String>,
    /// Whether `DBT_ENV_SECRET_…` may be read: only in profiles.yml, packages.yml and livemart.yml.
    pub may_read_secrets: bool,
    record: Mutex<Record>,
    results: Mutex<HashMap<String, Value>>,
    depth: AtomicUsize,
}

impl Scope {
    pub fn new(world: Arc<World>, phase: Phase, node: NodeFacts) -> Scope {
        Scope {
            world,
            phase,
            node,
            refs: None,
            introspect: Arc::new(NoIntrospection),
            extra: Vec::new(),
            vars: JsonMap::new(),
            env_vars: BTreeMap::new(),
            may_read_secrets: false,
            record: Mutex::default(),
            results: Mutex::default(),
            depth: AtomicUsize::new(0),
        }
    }

    /// The scope of a project file: no node, no macros of the node's.
    pub fn for_yaml(world: Arc<World>) -> Scope {
        let node = NodeFacts { package: world.project_name.clone(), ..NodeFacts::default() };
        Scope::new(world, Phase::Yaml, node)
    }

    pub fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    pub fn store_result(&self, name: &str, result: Value) {
        lock(&self.results).insert(name.to_string(), result);
    }

    pub fn load_result(&self, name: &str) -> Option<Value> {
        lock(&self.results).get(name).cloned()
    }

    /// Enters a macro; the depth before.
    pub fn enter(&self) -> usize {
        self.depth.fetch_add(1, Ordering::Relaxed)
    }

    pub fn leave(&self) {
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }
}
