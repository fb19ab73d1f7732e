//! Node selection: dbt's little language for sets of nodes.
//!
//! ```text
//!   --select "stg_orders+ tag:nightly,config.materialized:table" --exclude marts.finance
//!        union of ─┬─ stg_orders and its descendants          difference
//!                  └─ intersection of two criteria
//! ```
//!
//! 1. `+m`, `m+`, `2+m`, `m+1`, `@m` widen a criterion; a space joins, a comma intersects.
//! 2. Tests come along with the nodes they test, as the indirect selection says.
//! 3. A criterion without a match is a warning, not an error.

use std::collections::BTreeSet;

use super::error::{ProjectError, Result};
use super::files;
use super::node::ResourceType;
use super::yaml::{self, Value, Yaml};
use super::{Project, select_methods::Method};

/// What the user asks for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub select: Vec<String>,
    pub exclude: Vec<String>,
    /// The name of a selector in selectors.yml.
    pub selector: Option<String>,
    /// Empty: all.
    pub resource_types: Vec<ResourceType>,
    pub exclude_resource_types: Vec<ResourceType>,
    pub indirect: Indirect,
    /// Keeps nodes whose file is empty; `ls` does, runs do not.
    pub include_empty: bool,
}

/// What `ls` shows unless it is told otherwise.
pub const LISTED_TYPES: [ResourceType; 7] = [
    ResourceType::Model,
    ResourceType::Snapshot,
    ResourceType::Seed,
    ResourceType::Test,
    ResourceType::Source,
    ResourceType::Exposure,
    ResourceType::UnitTest,
];

/// Which tests come along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indirect {
    /// Those that touch any selected node.
    #[default]
    Eager,
    /// Those that touch selected nodes only.
    Cautious,
    /// Those that touch selected nodes and their ancestors only.
    Buildable,
    Empty,
}

impl Indirect {
    pub fn named(name: &str) -> Option<Indirect> {
        Some(match name {
            "eager" => Indirect::Eager,
            "cautious" => Indirect::Cautious,
            "buildable" => Indirect::Buildable,
            "empty" => Indirect::Empty,
            _ => return None,
        })
    }
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Unique ids, parents before children.
    pub ids: Vec<String>,
    /// dbt's words on criteria that matched nothing.
    pub warnings: Vec<String>,
}

/// One criterion with its wideners.
#[derive(Clone, Debug)]
struct Criterion {
    method: Method,
    arguments: Vec<String>,
    value: String,
    childrens_parents: bool,
    /// The depth, where one is given.
    parents: Option<Option<usize>>,
    children: Option<Option<usize>>,
    indirect: Indirect,
}

#[derive(Clone, Debug)]
enum Spec {
    Criterion(Criterion),
    Union(Vec<Spec>),
    /// With the user's text, for the warning when nothing matches.
    Intersection(Vec<Spec>, Option<String>),
    Difference(Box<Spec>, Box<Spec>),
}

type Ids = BTreeSet<String>;

impl Project {
    /// Evaluates a selection.
    pub fn select(&self, selection: &Selection) -> Result<Selected> {
        let mut warnings = Vec::new();
        let spec = self.spec(selection)?;
        let (direct, _) = self.evaluate(&spec, selection.indirect, &mut warnings)?;
        let keeps = |id: &str| {
            let Some(ty) = self.resource_type(id) else { return false };
            let is_empty = self.nodes.get(id).is_some_and(|node| node.raw_code.is_empty() && ty != ResourceType::Seed);
            (selection.resource_types.is_empty() || selection.resource_types.contains(&ty))
                && !selection.exclude_resource_types.contains(&ty)
                && (selection.include_empty || !is_empty)
        };
        let ids = self.order().into_iter().filter(|id| direct.contains(id) && keeps(id)).collect();
        Ok(Selected { ids, warnings })
    }

    /// How `ls` names a member of the graph: its fully qualified name, or `source:…`, `exposure:…`, `unit_test:…`.
    pub fn selector_name(&self, unique_id: &str) -> String {
        if let Some(node) = self.nodes.get(unique_id) {
            return node.fqn.join(".");
        }
        if let Some(source) = self.sources.get(unique_id) {
            return format!("source:{}.{}.{}", source.package, source.source_name, source.name);
        }
        if let Some(exposure) = self.exposures.get(unique_id) {
            return format!("exposure:{}.{}", exposure.package, exposure.name);
        }
        self.unit_tests
            .get(unique_id)
            .map_or_else(|| unique_id.to_string(), |test| format!("unit_test:{}.{}", test.package, test.name))
    }

    fn spec(&self, selection: &Selection) -> Result<Spec> {
        let everything = Spec::Criterion(Criterion::new(Method::Everything, vec![], "*".into(), selection.indirect));
        if let Some(name) = &selection.selector {
            return self
                .selectors(selection.indirect)?
                .into_iter()
                .find(|known| known.name == *name)
                .map(|known| known.spec)
                .ok_or_else(|| {
                    ProjectError::runtime(format!(
                        "Could not find selector named {name}, expected one of the names in selectors.yml"
                    ))
                });
        }
        if selection.select.is_empty() && selection.exclude.is_empty() {
            let default = self.selectors(selection.indirect)?.into_iter().find(|known| known.is_default);
            return Ok(default.map_or(everything, |known| known.spec));
        }
        let included =
            if selection.select.is_empty() { everything } else { union_of(&selection.select, selection.indirect)? };
        if selection.exclude.is_empty() {
            return Ok(included);
        }
        Ok(Spec::Difference(Box::new(included), Box::new(union_of(&selection.exclude, selection.indirect)?)))
    }

    /// Directly selected ids, and tests that wait for their other parents.
    fn evaluate(&self, spec: &Spec, indirect: Indirect, warnings: &mut Vec<String>) -> Result<(Ids, Ids)> {
        let combine: fn(Ids, &Ids) -> Ids = match spec {
            Spec::Criterion(criterion) => return self.evaluate_criterion(criterion),
            Spec::Union(_) => |a, b| a.union(b).cloned().collect(),
            Spec::Intersection(..) => |a, b| a.intersection(b).cloned().collect(),
            Spec::Difference(..) => |a, b| a.difference(b).cloned().collect(),
        };
        let parts: Vec<&Spec> = match spec {
            Spec::Union(parts) | Spec::Intersection(parts, _) => parts.iter().collect(),
            Spec::Difference(from, what) => vec![from, what],
            Spec::Criterion(_) => Vec::new(),
        };
        let mut totals: Option<(Ids, Ids)> = None;
        for part in parts {
            let (direct, waiting) = self.evaluate(part, indirect, warnings)?;
            let both: Ids = direct.union(&waiting).cloned().collect();
            totals = Some(match totals {
                None => (direct, both),
                Some((total, total_both)) => (combine(total, &direct), combine(total_both, &both)),
            });
        }
        let (direct, waiting) = totals.unwrap_or_default();
        let direct = self.with_ready_tests(direct, &waiting, indirect);
        if let Spec::Intersection(_, Some(raw)) = spec
            && direct.is_empty()
        {
            warnings.push(format!("The selection criterion '{raw}' does not match any enabled nodes"));
        }
        Ok((direct, waiting))
    }

    fn evaluate_criterion(&self, criterion: &Criterion) -> Result<(Ids, Ids)> {
        let mut selected: Ids =
            self.search(&criterion.method, &criterion.arguments, &criterion.value)?.into_iter().collect();
        let collected = selected.clone();
        if criterion.childrens_parents {
            let descendants: Ids = self.walk(&collected, None, &self.children).union(&collected).cloned().collect();
            selected.extend(self.walk(&descendants, None, &self.parents));
            selected.extend(descendants);
        }
        if let Some(depth) = criterion.parents {
            selected.extend(self.walk(&collected, depth, &self.parents));
        }
        if let Some(depth) = criterion.children {
            selected.extend(self.walk(&collected, depth, &self.children));
        }
        Ok(self.with_tests(selected, criterion.indirect))
    }

    fn walk(&self, from: &Ids, depth: Option<usize>, edges: &std::collections::BTreeMap<String, Vec<String>>) -> Ids {
        let mut found = Ids::new();
        let mut layer = from.clone();
        let mut steps = 0;
        while !layer.is_empty() && depth.is_none_or(|depth| steps < depth) {
            layer = layer
                .iter()
                .filter_map(|id| edges.get(id))
                .flatten()
                .filter(|id| !found.contains(*id))
                .cloned()
                .collect();
            found.extend(layer.iter().cloned());
            steps += 1;
        }
        found
    }

    /// The tests of selected nodes: those that come along now, and those that wait.
    fn with_tests(&self, selected: Ids, indirect: Indirect) -> (Ids, Ids) {
        let mut direct = selected.clone();
        let mut waiting = Ids::new();
        if indirect == Indirect::Empty {
            return (direct, waiting);
        }
        let mut with_parents = selected.clone();
        if indirect == Indirect::Buildable {
            with_parents.extend(self.walk(&selected, None, &self.parents));
            with_parents.extend(self.sources.keys().cloned());
        }
        for id in selected.iter().filter_map(|id| self.children.get(id)).flatten().filter(|id| self.is_test(id)) {
            let parents = self.parents.get(id).map(Vec::as_slice).unwrap_or_default();
            let all_in = |set: &Ids| parents.iter().all(|parent| set.contains(parent));
            let is_ready = indirect == Indirect::Eager
                || all_in(&selected)
                || (indirect == Indirect::Buildable && all_in(&with_parents));
            if is_ready {
                direct.insert(id.clone())
            } else {
                waiting.insert(id.clone())
            };
        }
        (direct, waiting)
    }

    fn with_ready_tests(&self, direct: Ids, waiting: &Ids, indirect: Indirect) -> Ids {
        let mut reachable = direct.clone();
        match indirect {
            Indirect::Eager | Indirect::Empty => return direct,
            Indirect::Cautious => {}
            Indirect::Buildable => reachable.extend(self.walk(&direct, None, &self.parents)),
        }
        let ready = waiting
            .iter()
            .filter(|id| self.parents.get(*id).is_some_and(|parents| parents.iter().all(|p| reachable.contains(p))));
        direct.iter().chain(ready).cloned().collect()
    }

    fn is_test(&self, id: &str) -> bool {
        matches!(self.resource_type(id), Some(ResourceType::Test | ResourceType::UnitTest))
    }

    /// The definitions of selectors.yml as they are written, by name.
    pub fn selector_definitions(&self) -> serde_json::Map<String, serde_json::Value> {
        const FILE: &str = "selectors.yml";
        let read = files::read(&self.root.join(FILE), FILE).and_then(|text| yaml::parse(&text, FILE));
        let Ok(yaml) = read else { return serde_json::Map::new() };
        let entries = yaml.get("selectors").and_then(Yaml::as_list).unwrap_or_default();
        entries.iter().filter_map(|entry| Some((entry.get("name")?.scalar_text()?, entry.to_json()))).collect()
    }

    fn selectors(&self, indirect: Indirect) -> Result<Vec<NamedSpec>> {
        const FILE: &str = "selectors.yml";
        let path = self.root.join(FILE);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let yaml = yaml::parse(&files::read(&path, FILE)?, FILE)?;
        let mut known: Vec<NamedSpec> = Vec::new();
        for entry in yaml.get("selectors").and_then(Yaml::as_list).unwrap_or_default() {
            let wrong = |message: &str| {
                ProjectError::runtime(format!("Could not read selector file data: {message}"))
                    .in_file(FILE)
                    .at_line(entry.line)
            };
            let name =
                entry.get("name").and_then(Yaml::scalar_text).ok_or_else(|| wrong("a selector has no 'name'"))?;
            let definition = entry.get("definition").ok_or_else(|| wrong("a selector has no 'definition'"))?;
            let spec = definition_of(definition, indirect, &known)
                .map_err(|error| error.in_file(FILE).at_line(definition.line))?;
            known.push(NamedSpec {
                name,
                is_default: entry.get("default").and_then(Yaml::as_bool).unwrap_or(false),
                spec,
            });
        }
        Ok(known)
    }
}

/// A selector of selectors.yml.
struct NamedSpec {
    name: String,
    is_default: bool,
    spec: Spec,
}

impl Criterion {
    fn new(method: Method, arguments: Vec<String>, value: String, indirect: Indirect) -> Criterion {
        Criterion { method, arguments, value, childrens_parents: false, parents: None, children: None, indirect }
    }
}

/// `a b,c` of several texts: a union of intersections.
fn union_of(texts: &[String], indirect: Indirect) -> Result<Spec> {
    let words = texts.iter().flat_map(|text| text.split(' ')).filter(|word| !word.is_empty());
    let parts = words.map(|word| {
        let criteria =
            word.split(',').map(|part| criterion(part, indirect).map(Spec::Criterion)).collect::<Result<Vec<_>>>()?;
        Ok(Spec::Intersection(criteria, Some(word.to_string())))
    });
    Ok(Spec::Union(parts.collect::<Result<Vec<_>>>()?))
}

/// `2+tag:x+1`, `@m`, …
fn criterion(raw: &str, indirect: Indirect) -> Result<Criterion> {
    let mut rest = raw;
    let childrens_parents = rest.starts_with('@');
    rest = rest.strip_prefix('@').unwrap_or(rest);
    let mut parents = None;
    if let Some((depth, after)) = rest.split_once('+').filter(|(depth, _)| depth.chars().all(|c| c.is_ascii_digit())) {
        parents = Some(depth.parse().ok());
        rest = after;
    }
    let mut children = None;
    if let Some((before, depth)) = rest.rsplit_once('+').filter(|(_, depth)| depth.chars().all(|c| c.is_ascii_digit()))
    {
        children = Some(depth.parse().ok());
        rest = before;
    }
    if childrens_parents && children.is_some() {
        return Err(ProjectError::runtime(format!(
            "Invalid node spec {raw} - \"@\" prefix and \"+\" suffix are incompatible"
        )));
    }
    let named = rest
        .split_once(':')
        .filter(|(method, _)| method.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')));
    let (method, arguments, value) = match named {
        Some((method, value)) => {
            let mut parts = method.split('.');
            let name = parts.next().unwrap_or_default();
            (Method::named(name)?, parts.map(String::from).collect(), value)
        }
        None => (Method::implied(rest), Vec::new(), rest),
    };
    Ok(Criterion {
        childrens_parents,
        parents,
        children,
        ..Criterion::new(method, arguments, value.to_string(), indirect)
    })
}

/// A definition of selectors.yml: a text, a union, an intersection, or a method with its value.
fn definition_of(yaml: &Yaml, indirect: Indirect, known: &[NamedSpec]) -> Result<Spec> {
    let wrong = |message: &str| {
        ProjectError::runtime(format!("Could not read selector file data: {message}")).at_line(yaml.line)
    };
    let map = match &yaml.value {
        Value::Text(text) => return criterion(text, indirect).map(Spec::Criterion),
        Value::Map(map) => map,
        _ => return Err(wrong("expected a union, an intersection, a text or a map")),
    };
    for (key, is_union) in [("union", true), ("intersection", false)] {
        let Some(list) = map.get(key) else { continue };
        let mut parts = Vec::new();
        let mut excluded = None;
        for item in list.as_list().ok_or_else(|| wrong("union and intersection are lists"))? {
            // An entry with an exclusion is nothing but that, to dbt: its own method is not looked at.
            match item.get("exclude") {
                Some(exclude) => excluded = Some(exclusion(exclude, indirect, known)?),
                None => parts.push(definition_of(item, indirect, known)?),
            }
        }
        let spec = if is_union { Spec::Union(parts) } else { Spec::Intersection(parts, None) };
        return Ok(excluded.map_or(spec.clone(), |excluded| Spec::Difference(Box::new(spec), Box::new(excluded))));
    }
    let text = |key: &str| map.get(key).and_then(Yaml::scalar_text);
    let (method, value) = match (text("method"), text("value")) {
        (Some(method), Some(value)) => (method, value),
        (None, None) if map.len() == 1 => {
            let (key, value) = map.iter().next().ok_or_else(|| wrong("an empty definition"))?;
            (key.scalar_text().unwrap_or_default(), value.scalar_text().ok_or_else(|| wrong("a value is missing"))?)
        }
        _ => return Err(wrong("expected either 1 key or else \"method\" and \"value\" keys")),
    };
    if method == "selector" {
        return known
            .iter()
            .find(|spec| spec.name == value)
            .map(|spec| spec.spec.clone())
            .ok_or_else(|| wrong(&format!("existing selector definition for {value} not found")));
    }
    let mut parts = method.split('.');
    let flag = |key: &str| map.get(key).and_then(Yaml::as_bool).unwrap_or(false);
    let depth = |key: &str| text(key).and_then(|depth| depth.parse().ok());
    let indirect = text("indirect_selection").and_then(|name| Indirect::named(&name)).unwrap_or(indirect);
    let name = parts.next().unwrap_or_default().to_string();
    let mut criterion = Criterion::new(Method::named(&name)?, parts.map(String::from).collect(), value, indirect);
    criterion.childrens_parents = flag("childrens_parents");
    criterion.parents = flag("parents").then(|| depth("parents_depth"));
    criterion.children = flag("children").then(|| depth("children_depth"));
    let spec = Spec::Criterion(criterion);
    match map.get("exclude") {
        Some(exclude) => Ok(Spec::Difference(Box::new(spec), Box::new(exclusion(exclude, indirect, known)?))),
        None => Ok(spec),
    }
}

fn exclusion(yaml: &Yaml, indirect: Indirect, known: &[NamedSpec]) -> Result<Spec> {
    let items = yaml.as_list().unwrap_or_default();
    Ok(Spec::Union(items.iter().map(|item| definition_of(item, indirect, known)).collect::<Result<Vec<_>>>()?))
}
