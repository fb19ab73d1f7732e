//! Unit tests: from a definition to SQL over stand-ins.
//!
//! ```text
//!   model's SQL, rendered with the test's overrides ──refs, sources, this──> the relations of `given`, and no other
//! ```
//!
//! 1. An input that is not given is not known to the model, as in dbt.
//! 2. An ephemeral model that is given is a relation like any other; one that is not is refused like any other.
//! 3. Rows come as a list of maps, as CSV, as SQL, or from a file of the fixtures' folder; an empty cell of CSV is NULL.

use std::sync::Arc;

use minijinja::Value;
use serde_json::Value as Json;

use super::error::{ProjectError, Result};
use super::files;
use super::jinja::render_text;
use super::jinja::scope::{Introspect, NoIntrospection, Phase, RefTable, RefTarget, Scope};
use super::jinja::value::from_json;
use super::load;
use super::node::UnitTest;
use super::render::failed;
use super::{Project, deep, seed};

/// A unit test, ready to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitTestCase {
    /// Unique id of the model.
    pub model: String,
    pub code: String,
    pub given: Vec<Given>,
    pub expect: Fixture,
}

/// An input's stand-in.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The node or source table that it stands for.
    pub unique_id: String,
    /// Parts of the relation by which the model's SQL names it.
    pub relation: Vec<String>,
    pub rows: Fixture,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fixture {
    /// Each row with the columns that it names.
    Rows(Vec<Vec<(String, Json)>>),
    Sql(String),
}

impl Project {
    /// Renders a unit test's model over its inputs.
    pub fn unit_test_case(&self, test: &UnitTest) -> Result<UnitTestCase> {
        deep(|| self.case(test)).map_err(|error| {
            let file = test.original_file_path.clone();
            let placed = if error.file.is_none() { error.in_file(file).at_line(test.line) } else { error };
            placed.in_object(format!("unit_test {}", test.name))
        })
    }

    fn case(&self, test: &UnitTest) -> Result<UnitTestCase> {
        let model_id = test.depends_on.first().cloned().unwrap_or_default();
        let model = self
            .nodes
            .get(&model_id)
            .ok_or_else(|| ProjectError::parsing(format!("the model '{}' was not found", test.model)))?;
        let mut table = RefTable { graph: self.refs.graph.clone(), ..RefTable::default() };
        table.declared_columns.clone_from(&self.refs.declared_columns);
        table.by_relation.clone_from(&self.refs.by_relation);
        let mut given = Vec::new();
        for entry in &test.given {
            let input = entry.get("input").and_then(Json::as_str).unwrap_or_default();
            let (target, key) = self.input(test, &model_id, input)?;
            let rows = self.fixture(test, entry, Some(&target.unique_id))?;
            let relation = target.relation.path.iter().flatten().cloned().collect();
            given.push(Given { unique_id: target.unique_id.clone(), relation, rows });
            let standing_in = RefTarget { is_ephemeral: false, ..target };
            match key {
                InputKey::Node(name) => table.nodes.entry(name).or_default().push(standing_in),
                InputKey::Source(source, name) => table.sources.entry((source, name)).or_default().push(standing_in),
                InputKey::This => {}
            }
        }
        let facts = load::node_facts(model, &load::quoting_of(&self.packages[0].quoting));
        let mut scope = Scope::new(Arc::clone(&self.world), Phase::Compile, facts);
        scope.refs = Some(Arc::new(table));
        scope.introspect = Arc::clone(&self.introspect);
        overrides(&mut scope, &test.overrides)?;
        let scope = Arc::new(scope);
        let source = model.source_text();
        let code =
            render_text(&scope, &source, &model.original_file_path).map_err(|failure| failed(failure, &source))?;
        let expect = self.fixture(test, &test.expect, None)?;
        Ok(UnitTestCase { model: model_id, code: super::compile::without_semicolon(&code), given, expect })
    }

    /// What an input names: `ref('x')`, `source('a', 'b')` or `this`.
    fn input(&self, test: &UnitTest, model: &str, input: &str) -> Result<(RefTarget, InputKey)> {
        let unknown = || {
            ProjectError::parsing(format!(
                "Unit test '{}' had an input ({input}) which was not found in the manifest.",
                test.name
            ))
        };
        if input.trim() == "this" {
            let found = self.refs.nodes.values().flatten().find(|target| target.unique_id == model);
            return found.cloned().map(|target| (target, InputKey::This)).ok_or_else(unknown);
        }
        let scope = Arc::new(Scope::new(
            Arc::clone(&self.world),
            Phase::Parse,
            super::jinja::scope::NodeFacts { package: test.package.clone(), ..Default::default() },
        ));
        let source = format!("{{{{ {input} }}}}");
        render_text(&scope, &source, "input").map_err(|failure| failed(failure, &source))?;
        let record = scope.record().clone();
        if let Some(asked) = record.refs.first() {
            let package = asked.package.as_deref();
            let found = self.refs.node(package, &asked.name, asked.version.as_deref(), &test.package, &self.name);
            let found = found.cloned().ok_or_else(unknown)?;
            return Ok((found, InputKey::Node(asked.name.clone())));
        }
        let Some((source, name)) = record.sources.first() else { return Err(unknown()) };
        let found = self.refs.source(source, name, &test.package, &self.name).cloned().ok_or_else(unknown)?;
        Ok((found, InputKey::Source(source.clone(), name.clone())))
    }

    /// The rows of an input or of the expectation.
    fn fixture(&self, test: &UnitTest, entry: &Json, input: Option<&str>) -> Result<Fixture> {
        let kind = if input.is_some() { "input" } else { "expected" };
        let format = entry.get("format").and_then(Json::as_str).unwrap_or("dict");
        let wrong = |what: &str| {
            let name = &test.name;
            ProjectError::parsing(format!("Unit test {name} has {kind} {what} which do not match format {format}"))
        };
        let rows = entry.get("rows").filter(|rows| !rows.is_null());
        let file = entry.get("fixture").and_then(Json::as_str);
        let text = match (file, rows) {
            (Some(name), _) => Some(self.fixture_file(test, name, format)?),
            (None, Some(Json::String(text))) => Some(text.clone()),
            _ => None,
        };
        match format {
            "dict" => match (rows, input.and_then(|id| self.nodes.get(id))) {
                (Some(Json::Array(rows)), _) => {
                    let row = |row: &Json| {
                        let columns = row.as_object().ok_or_else(|| wrong("rows"))?;
                        Ok(columns.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
                    };
                    rows.iter().map(row).collect::<Result<_>>().map(Fixture::Rows)
                }
                (None, Some(node)) if node.resource_type == super::ResourceType::Seed => {
                    let table = self.read_seed(node)?;
                    let names: Vec<String> = table.columns.into_iter().map(|column| column.name).collect();
                    Ok(Fixture::Rows(named(&names, table.rows)))
                }
                _ => Err(wrong("rows")),
            },
            "csv" => {
                let records = seed::csv_records(&text.ok_or_else(|| wrong("rows or fixtures"))?);
                let mut records = records.into_iter().filter(|record| !record.is_empty());
                let names = records.next().unwrap_or_default();
                let cells = |record: Vec<String>| -> Vec<Option<String>> {
                    record.into_iter().map(|cell| Some(cell).filter(|cell| !cell.is_empty())).collect()
                };
                Ok(Fixture::Rows(named(&names, records.map(cells).collect())))
            }
            "sql" => {
                let sql = text.ok_or_else(|| wrong("rows or fixtures"))?;
                let introspect: Arc<dyn Introspect> = Arc::new(NoIntrospection);
                self.compile_inline(&sql, introspect).map(|compiled| Fixture::Sql(compiled.code))
            }
            other => Err(ProjectError::parsing(format!("Unit test {}: unknown format '{other}'", test.name))
                .hint("formats are dict, csv and sql")),
        }
    }

    /// The text of a file in `tests/fixtures`, wherever below it.
    fn fixture_file(&self, test: &UnitTest, name: &str, extension: &str) -> Result<String> {
        for settings in self.packages.iter().filter(|settings| settings.name == test.package) {
            let folders: Vec<String> = settings.test_paths.iter().map(|path| format!("{path}/fixtures")).collect();
            let found = files::find(&settings.root, &folders, &[extension])?;
            if let Some(file) = found.iter().find(|file| file.stem() == name) {
                return files::read(&file.path, &file.original);
            }
        }
        Err(ProjectError::parsing(format!(
            "File not found for fixture '{name}' in unit tests in {}",
            test.original_file_path
        )))
    }
}

/// How an input's target is looked up.
enum InputKey {
    Node(String),
    Source(String, String),
    This,
}

fn named(names: &[String], rows: Vec<Vec<Option<String>>>) -> Vec<Vec<(String, Json)>> {
    let row = |cells: Vec<Option<String>>| {
        let filled = cells.into_iter().chain(std::iter::repeat(None));
        names.iter().cloned().zip(filled.map(|cell| cell.map_or(Json::Null, Json::String))).collect()
    };
    rows.into_iter().map(row).collect()
}

/// `overrides:` go over everything else that a template knows by those names.
fn overrides(scope: &mut Scope, overrides: &Json) -> Result<()> {
    let of = |kind: &str| overrides.get(kind).and_then(Json::as_object).cloned().unwrap_or_default();
    for (name, value) in of("macros") {
        let value = from_json(&value);
        // Whatever it is called with, it gives the same.
        let answer = Value::from_function(move |_: minijinja::value::Rest<Value>| value.clone());
        scope.extra.push((name, answer));
    }
    scope.vars = of("vars");
    for (name, value) in of("env_vars") {
        let text = value.as_str().map_or_else(|| value.to_string(), String::from);
        scope.env_vars.insert(name, text);
    }
    Ok(())
}
