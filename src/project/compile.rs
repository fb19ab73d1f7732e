//! The second pass: a node's template becomes its SQL.
//!
//! ```text
//!   raw_code ──render, execute = true──> SQL ──inject ephemeral parents as CTEs──> compiled_code
//! ```
//!
//! 1. Only what is asked for is compiled, and its ephemeral ancestors.
//! 2. A semicolon at the end is dropped: engines refuse it inside a view or a subquery.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::error::{ProjectError, Result};
use super::jinja::render_text;
use super::jinja::scope::{Introspect, NodeFacts, Phase, Scope};
use super::jinja::things::COLUMNS_UNKNOWN;
use super::jinja::value::from_json;
use super::load;
use super::node::{Node, ResourceType};
use super::render::failed;
use super::{Project, deep};

/// A compiled template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    pub code: String,
    /// (unique id, sql) of the ephemeral models that were injected, in the order of their CTEs.
    pub extra_ctes: Vec<(String, String)>,
}

impl Project {
    /// Compiles one node and keeps the result in it.
    pub fn compile(&mut self, unique_id: &str) -> Result<&Node> {
        let mut compiled = deep(|| self.compiled(unique_id, Arc::clone(&self.introspect)));
        let asks = compiled.as_ref().is_err_and(|error| error.message.contains(COLUMNS_UNKNOWN));
        if asks && self.compile_ancestors(unique_id) {
            compiled = deep(|| self.compiled(unique_id, Arc::clone(&self.introspect)));
        }
        let compiled = compiled?;
        let node = self.nodes.get_mut(unique_id).ok_or_else(|| unknown(unique_id))?;
        // A snapshot's table has more columns than its SQL, and other nodes make no table.
        if node.resource_type == ResourceType::Model {
            let relation = [node.database.clone(), node.schema.clone(), node.alias.clone()];
            self.introspect.compiled(unique_id, &relation, &compiled.code);
        }
        node.compiled_code = Some(compiled.code);
        node.extra_ctes = compiled.extra_ctes;
        Ok(node)
    }

    /// Compiles what a node reads, directly or not, so that its columns can be told; whether there was anything to compile.
    fn compile_ancestors(&mut self, unique_id: &str) -> bool {
        let (mut ancestors, mut queue) = (BTreeSet::new(), vec![unique_id.to_string()]);
        while let Some(id) = queue.pop() {
            for parent in self.parents.get(&id).into_iter().flatten() {
                if ancestors.insert(parent.clone()) {
                    queue.push(parent.clone());
                }
            }
        }
        let waiting = |node: &Node| node.resource_type == ResourceType::Model && node.compiled_code.is_none();
        let order = self.order();
        let ids: Vec<String> =
            order.into_iter().filter(|id| ancestors.contains(id) && self.nodes.get(id).is_some_and(waiting)).collect();
        // An ancestor that fails is told when it is compiled for itself; here its columns stay unknown.
        ids.iter().filter(|id| self.compile(id).is_ok()).count() > 0
    }

    /// Compiles every node that has SQL.
    pub fn compile_all(&mut self) -> Result<()> {
        let ids: Vec<String> = self
            .order()
            .into_iter()
            .filter(|id| self.nodes.get(id).is_some_and(|n| n.resource_type != ResourceType::Seed))
            .collect();
        ids.iter().try_for_each(|id| self.compile(id).map(|_| ()))
    }

    /// The SQL of a node, without changing the project. `introspect` answers what the files do not say.
    pub fn compiled(&self, unique_id: &str, introspect: Arc<dyn Introspect>) -> Result<Compiled> {
        self.compile_within(unique_id, &introspect, &mut Vec::new())
    }

    fn compile_within(
        &self,
        unique_id: &str,
        introspect: &Arc<dyn Introspect>,
        path: &mut Vec<String>,
    ) -> Result<Compiled> {
        let node = self.nodes.get(unique_id).ok_or_else(|| unknown(unique_id))?;
        if let Some(code) = &node.compiled_code {
            return Ok(Compiled { code: code.clone(), extra_ctes: node.extra_ctes.clone() });
        }
        let facts = load::node_facts(node, &load::quoting_of(&self.packages[0].quoting));
        let mut scope = self.compile_scope(facts, introspect);
        if let Some(metadata) = node.test.as_ref().and_then(|test| test.metadata.as_ref()) {
            let arguments = Arc::new(
                self.compile_scope(load::node_facts(node, &load::quoting_of(&self.packages[0].quoting)), introspect),
            );
            let kwargs = load::render_kwargs(&arguments, &metadata.kwargs, &node.original_file_path)
                .map_err(|error| error.in_object(node.title()).in_file(node.original_file_path.clone()))?;
            scope.record().ephemerals.extend(arguments.record().ephemerals.clone());
            scope.extra.push((load::KWARGS.to_string(), kwargs));
        }
        path.push(unique_id.to_string());
        let source = node.source_text();
        let lines_before = node.line.saturating_sub(1);
        let compiled = self.finish(Arc::new(scope), &source, lines_before, &node.original_file_path, introspect, path);
        path.pop();
        compiled
    }

    fn compile_scope(&self, facts: NodeFacts, introspect: &Arc<dyn Introspect>) -> Scope {
        let mut scope = Scope::new(Arc::clone(&self.world), Phase::Compile, facts);
        scope.refs = Some(Arc::clone(&self.refs));
        scope.introspect = Arc::clone(introspect);
        scope
    }

    fn finish(
        &self,
        scope: Arc<Scope>,
        source: &str,
        lines_before: usize,
        name: &str,
        introspect: &Arc<dyn Introspect>,
        path: &mut Vec<String>,
    ) -> Result<Compiled> {
        let rendered = render_text(&scope, source, name).map_err(|failure| failed(failure, source))?;
        let rendered = without_semicolon(without_lines_before(&rendered, lines_before));
        let direct = scope.record().ephemerals.clone();
        let mut ctes: Vec<(String, String)> = Vec::new();
        for id in direct {
            if path.contains(&id) {
                return Err(ProjectError::runtime(format!("Found a cycle: {} --> {id}", path.join(" --> "))));
            }
            let inner = self.own_code(&id, introspect, path)?;
            for cte in inner {
                if !ctes.iter().any(|(known, _)| *known == cte.0) {
                    ctes.push(cte);
                }
            }
        }
        Ok(Compiled { code: inject(&rendered, &ctes), extra_ctes: ctes })
    }

    /// An ephemeral model's CTE after the CTEs that it needs itself.
    fn own_code(
        &self,
        unique_id: &str,
        introspect: &Arc<dyn Introspect>,
        path: &mut Vec<String>,
    ) -> Result<Vec<(String, String)>> {
        let node = self.nodes.get(unique_id).ok_or_else(|| unknown(unique_id))?;
        let scope = Arc::new(
            self.compile_scope(load::node_facts(node, &load::quoting_of(&self.packages[0].quoting)), introspect),
        );
        let source = node.source_text();
        let rendered =
            render_text(&scope, &source, &node.original_file_path).map_err(|failure| failed(failure, &source))?;
        let direct = scope.record().ephemerals.clone();
        let mut ctes: Vec<(String, String)> = Vec::new();
        path.push(unique_id.to_string());
        for id in direct {
            if path.contains(&id) {
                return Err(ProjectError::runtime(format!("Found a cycle: {} --> {id}", path.join(" --> "))));
            }
            for cte in self.own_code(&id, introspect, path)? {
                if !ctes.iter().any(|(known, _)| *known == cte.0) {
                    ctes.push(cte);
                }
            }
        }
        path.pop();
        let code = without_semicolon(without_lines_before(&rendered, node.line.saturating_sub(1)));
        ctes.push((unique_id.to_string(), format!(" __dbt__cte__{} as (\n{code}\n)", node.name)));
        Ok(ctes)
    }

    /// Compiles SQL that belongs to no file, as `--inline` takes it.
    pub fn compile_inline(&self, sql: &str, introspect: Arc<dyn Introspect>) -> Result<Compiled> {
        let facts = NodeFacts {
            unique_id: format!("sql_operation.{}.inline_query", self.name),
            name: "inline_query".into(),
            resource_type: "sql_operation".into(),
            package: self.name.clone(),
            file: "from remote system".into(),
            ..NodeFacts::default()
        };
        deep(|| {
            let scope = Arc::new(self.compile_scope(facts, &introspect));
            self.finish(scope, sql, 0, "inline_query", &introspect, &mut Vec::new())
        })
    }

    /// The SQL of a node's hook. `name` is what errors call it.
    pub fn render_hook(&self, unique_id: &str, name: &str, sql: &str) -> Result<String> {
        let node = self.nodes.get(unique_id).ok_or_else(|| unknown(unique_id))?;
        self.hook(load::node_facts(node, &load::quoting_of(&self.packages[0].quoting)), name, sql, &[])
    }

    /// The SQL of a hook of a package's `dbt_project.yml`, which may use the `known` names.
    pub fn render_run_hook(&self, package: &str, name: &str, sql: &str, known: &[(&str, Json)]) -> Result<String> {
        let facts =
            NodeFacts { package: package.to_owned(), resource_type: "operation".into(), ..NodeFacts::default() };
        self.hook(facts, name, sql, known)
    }

    fn hook(&self, facts: NodeFacts, name: &str, sql: &str, known: &[(&str, Json)]) -> Result<String> {
        deep(|| {
            let mut scope = self.compile_scope(facts, &self.introspect);
            scope.extra = known.iter().map(|(name, value)| ((*name).to_owned(), from_json(value))).collect();
            render_text(&Arc::new(scope), sql, "hook").map_err(|failure| {
                let mut error = failed(failure, sql);
                error.object = Some(name.to_owned());
                error
            })
        })
    }

    /// A node's `pre-hook` or `post-hook`: its text, and whether it runs inside the transaction.
    pub fn hooks(&self, unique_id: &str, which: &str) -> Vec<(String, bool)> {
        let hooks = self.nodes.get(unique_id).and_then(|node| node.config.get(which)).and_then(Json::as_array);
        let read = |hook: &Json| {
            let inside = hook.get("transaction").and_then(Json::as_bool).unwrap_or(true);
            hook.get("sql").and_then(Json::as_str).map(|sql| (sql.to_owned(), inside))
        };
        hooks.into_iter().flatten().filter_map(read).collect()
    }
}

fn unknown(unique_id: &str) -> ProjectError {
    ProjectError::runtime(format!("the project has no node {unique_id}"))
}

/// Without the empty lines that stand for what is before a node in its file.
fn without_lines_before(sql: &str, lines: usize) -> &str {
    let own = sql.len() - sql.trim_start_matches('\n').len();
    &sql[own.min(lines)..]
}

/// Drops semicolons (and the space around them) at the end of a statement.
pub(super) fn without_semicolon(sql: &str) -> String {
    let mut rest = sql;
    loop {
        let trimmed = rest.trim_end();
        match trimmed.strip_suffix(';') {
            Some(shorter) => rest = shorter,
            None if trimmed.len() < rest.len() && rest.len() < sql.len() => return trimmed.to_string(),
            None => return rest.to_string(),
        }
    }
}

/// Puts CTEs before a query's own, or before the query.
fn inject(sql: &str, ctes: &[(String, String)]) -> String {
    if ctes.is_empty() {
        return sql.to_string();
    }
    let joined = ctes.iter().map(|(_, cte)| cte.as_str()).collect::<Vec<_>>().join(", ");
    let start = skip_space_and_comments(sql, 0);
    let word = |at: usize, word: &str| {
        let found = sql.get(at..at + word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
        found && !sql[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    if word(start, "with") {
        let mut end = start + 4;
        let next = skip_space_and_comments(sql, end);
        if word(next, "recursive") {
            end = next + 9;
        }
        return format!("{}{joined},{}", &sql[..end], &sql[end..]);
    }
    let first = sql.len() - sql.trim_start().len();
    format!("{}with{joined}{}", &sql[..first], &sql[first..])
}

/// Where the first word at or after `from` begins.
fn skip_space_and_comments(sql: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = &sql[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        at += if trimmed.starts_with("--") {
            trimmed.find('\n').unwrap_or(trimmed.len())
        } else if trimmed.starts_with("/*") {
            trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
        } else {
            return at;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_at_the_end_is_dropped() {
        assert_eq!(without_semicolon("select 1;"), "select 1");
        assert_eq!(without_semicolon("select 1 ;\n; \n"), "select 1");
        assert_eq!(without_semicolon("select ';'\n"), "select ';'\n");
    }

    #[test]
    fn ctes_go_before_the_querys_own() {
        let ctes = [("m".to_string(), " c as (\nselect 1\n)".to_string())];
        assert_eq!(inject("select * from c", &ctes), "with c as (\nselect 1\n)select * from c");
        assert_eq!(
            inject("-- x\nWITH a as (select 1) select 1", &ctes),
            "-- x\nWITH c as (\nselect 1\n), a as (select 1) select 1"
        );
        assert_eq!(
            inject("with recursive a as (select 1) select 1", &ctes),
            "with recursive c as (\nselect 1\n), a as (select 1) select 1"
        );
        assert_eq!(inject("select 1", &[]), "select 1");
    }
}
