//! The methods of node selection: by name, folder, tag, configuration, …

use serde_json::Value as Json;

use super::Project;
use super::error::{ProjectError, Result};
use super::node::{Node, ResourceType};

/// What a criterion looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Everything,
    Fqn,
    Path,
    File,
    Tag,
    Config,
    Source,
    Exposure,
    ResourceType,
    TestType,
    TestName,
    Package,
    Group,
    Access,
    Version,
    UnitTest,
    State,
}

const NAMES: [(&str, Method); 16] = [
    ("fqn", Method::Fqn),
    ("path", Method::Path),
    ("file", Method::File),
    ("tag", Method::Tag),
    ("config", Method::Config),
    ("source", Method::Source),
    ("exposure", Method::Exposure),
    ("resource_type", Method::ResourceType),
    ("test_type", Method::TestType),
    ("test_name", Method::TestName),
    ("package", Method::Package),
    ("group", Method::Group),
    ("access", Method::Access),
    ("version", Method::Version),
    ("unit_test", Method::UnitTest),
    ("state", Method::State),
];

impl Method {
    pub fn named(name: &str) -> Result<Method> {
        if let Some((_, method)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*method);
        }
        if matches!(name, "result" | "source_status" | "metric" | "semantic_model" | "saved_query" | "selector") {
            return Err(ProjectError::runtime(format!("the selection method '{name}' is not available in livemart")));
        }
        let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        Err(ProjectError::runtime(format!("'{name}' is not a valid method name"))
            .hint(format!("methods are: {}", known.join(", "))))
    }

    /// The method of a value that names none.
    pub fn implied(value: &str) -> Method {
        let lower = value.to_ascii_lowercase();
        if value.contains('/') {
            Method::Path
        } else if [".sql", ".py", ".csv"].iter().any(|extension| lower.ends_with(extension)) {
            Method::File
        } else {
            Method::Fqn
        }
    }
}

/// One member of the graph, as the methods see it.
struct Member<'a> {
    id: &'a str,
    ty: ResourceType,
    package: &'a str,
    name: &'a str,
    fqn: &'a [String],
    file: &'a str,
    tags: &'a [String],
    node: Option<&'a Node>,
}

impl Project {
    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        let nodes = self.nodes.values().map(|n| Member {
            id: &n.unique_id,
            ty: n.resource_type,
            package: &n.package,
            name: &n.name,
            fqn: &n.fqn,
            file: &n.original_file_path,
            tags: &n.tags,
            node: Some(n),
        });
        let sources = self.sources.values().map(|s| Member {
            id: &s.unique_id,
            ty: ResourceType::Source,
            package: &s.package,
            name: &s.name,
            fqn: &s.fqn,
            file: &s.original_file_path,
            tags: &s.tags,
            node: None,
        });
        let exposures = self.exposures.values().map(|e| Member {
            id: &e.unique_id,
            ty: ResourceType::Exposure,
            package: &e.package,
            name: &e.name,
            fqn: &e.fqn,
            file: &e.original_file_path,
            tags: &e.tags,
            node: None,
        });
        let unit_tests = self.unit_tests.values().map(|t| Member {
            id: &t.unique_id,
            ty: ResourceType::UnitTest,
            package: &t.package,
            name: &t.name,
            fqn: &t.fqn,
            file: &t.original_file_path,
            tags: &t.tags,
            node: None,
        });
        nodes.chain(sources).chain(exposures).chain(unit_tests)
    }

    /// The ids that a criterion names itself.
    pub(super) fn search(&self, method: &Method, arguments: &[String], value: &str) -> Result<Vec<String>> {
        let matches = |member: &Member<'_>| -> Result<bool> {
            Ok(match method {
                Method::Everything => true,
                Method::Fqn => member.ty != ResourceType::Source && fqn_matches(member, value),
                Method::Path => path_matches(member, value),
                Method::File => {
                    let name = member.file.rsplit('/').next().unwrap_or(member.file);
                    glob(value, name) || glob(value, name.rsplit_once('.').map_or(name, |(stem, _)| stem))
                }
                Method::Tag => member.tags.iter().any(|tag| glob(value, tag)),
                Method::Config => self.config_of(member).is_some_and(|config| config_matches(config, arguments, value)),
                Method::Source => member.ty == ResourceType::Source && self.source_matches(member, value)?,
                Method::Exposure => member.ty == ResourceType::Exposure && qualified(member, value, "exposure")?,
                Method::UnitTest => member.ty == ResourceType::UnitTest && qualified(member, value, "unit_test")?,
                Method::ResourceType => {
                    let wanted = ResourceType::named(value)
                        .ok_or_else(|| ProjectError::runtime(format!("Invalid resource_type selector \"{value}\"")))?;
                    member.ty == wanted
                }
                Method::TestType => test_type_matches(member, value)?,
                Method::TestName => match member.ty {
                    ResourceType::UnitTest => glob(value, member.name),
                    _ => member
                        .node
                        .and_then(|node| node.test.as_ref()?.metadata.as_ref())
                        .is_some_and(|metadata| glob(value, &metadata.name)),
                },
                Method::Package => glob(if value == "this" { &self.name } else { value }, member.package),
                Method::Group => {
                    member.node.and_then(|node| node.config_text("group")).is_some_and(|group| glob(value, group))
                }
                Method::Access => member.node.is_some_and(|node| {
                    node.resource_type == ResourceType::Model
                        && node.config_text("access").unwrap_or("protected") == value
                }),
                Method::State => match &self.states {
                    None => {
                        return Err(ProjectError::runtime("Got a state selector method, but no comparison manifest")
                            .hint("name the folder of a manifest.json that was kept: --state FOLDER"));
                    }
                    Some(states) => match states.get(&selector_of_state(arguments, value)) {
                        Some(ids) => ids.contains(member.id),
                        None => {
                            let known: Vec<&str> = states.keys().map(String::as_str).collect();
                            return Err(ProjectError::runtime(format!(
                                "Got an invalid selector \"{value}\", expected one of \"{}\"",
                                known.join(", ")
                            )));
                        }
                    },
                },
                Method::Version => member.node.is_some_and(|node| version_matches(node, value)),
            })
        };
        let mut found = Vec::new();
        for member in self.members() {
            if matches(&member)? {
                found.push(member.id.to_string());
            }
        }
        Ok(found)
    }

    fn config_of<'a>(&'a self, member: &Member<'a>) -> Option<&'a serde_json::Map<String, Json>> {
        match member.ty {
            ResourceType::Source => self.sources.get(member.id).map(|source| &source.config),
            _ => member.node.map(|node| &node.config),
        }
    }

    fn source_matches(&self, member: &Member<'_>, value: &str) -> Result<bool> {
        let parts: Vec<&str> = value.split('.').collect();
        let (package, source, table) = match parts.as_slice() {
            [source] => ("*", *source, "*"),
            [source, table] => ("*", *source, *table),
            [package, source, table] => (*package, *source, *table),
            _ => {
                return Err(ProjectError::runtime(format!(
                    "Invalid source selector value \"{value}\". Sources must be of the form `${{source_name}}`, \
                     `${{source_name}}.${{target_name}}`, or `${{package_name}}.${{source_name}}.${{target_name}}"
                )));
            }
        };
        let name = self.sources.get(member.id).map_or("", |found| found.source_name.as_str());
        Ok(glob(package, member.package) && glob(source, name) && glob(table, member.name))
    }
}

/// `state:modified.body` names its part in the value.
fn selector_of_state(arguments: &[String], value: &str) -> String {
    arguments.iter().map(String::as_str).chain([value]).collect::<Vec<_>>().join(".")
}

/// `name` or `package.name`.
fn qualified(member: &Member<'_>, value: &str, kind: &str) -> Result<bool> {
    let parts: Vec<&str> = value.split('.').collect();
    match parts.as_slice() {
        [name] => Ok(glob(name, member.name)),
        [package, name] => Ok(glob(package, member.package) && glob(name, member.name)),
        _ => Err(ProjectError::runtime(format!(
            "Invalid {kind} selector value \"{value}\". It must be of the form ${{{kind}_name}} or ${{{kind}_package.{kind}_name}}"
        ))),
    }
}

fn fqn_matches(member: &Member<'_>, value: &str) -> bool {
    let is_versioned = member.node.is_some_and(|node| node.version.is_some());
    is_selected(member.fqn, value, is_versioned) || is_selected(&member.fqn[1..], value, is_versioned)
}

/// dbt's rule for fully qualified names: the leaf alone, a prefix of the folders, wildcards for the rest.
fn is_selected(fqn: &[String], value: &str, is_versioned: bool) -> bool {
    let Some(leaf) = fqn.last() else { return false };
    let wanted: Vec<&str> = value.split('.').collect();
    if is_versioned && fqn.len() >= 2 {
        let name = &fqn[fqn.len() - 2];
        let last_two = wanted[wanted.len().saturating_sub(2)..].join("_");
        if name == value || format!("{name}_{leaf}") == last_two {
            return true;
        }
    } else if leaf == value {
        return true;
    }
    let flat: Vec<&str> = fqn.iter().flat_map(|part| part.split('.')).collect();
    if flat.len() < wanted.len() {
        return false;
    }
    for (at, part) in wanted.iter().enumerate() {
        if part.contains(['*', '?', '[', ']']) {
            if glob(&wanted[at..].join("."), &flat[at..].join(".")) {
                return true;
            }
            let leaf = if is_versioned && fqn.len() >= 2 { &fqn[fqn.len() - 2] } else { leaf };
            return !value.contains('.') && glob(value, leaf);
        }
        if flat[at] != *part {
            return false;
        }
    }
    true
}

/// A file, its property file, or a folder above it.
fn path_matches(member: &Member<'_>, value: &str) -> bool {
    let pattern: Vec<&str> = value.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let file: Vec<&str> = member.file.split('/').collect();
    let is_under = (1..=file.len()).any(|length| components_match(&pattern, &file[..length]));
    let patch = member
        .node
        .and_then(|node| node.patch_path.as_deref())
        .and_then(|path| path.split_once("://"))
        .map(|(_, path)| path);
    is_under || patch.is_some_and(|path| components_match(&pattern, &path.split('/').collect::<Vec<_>>()))
}

fn components_match(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((&"**", rest)) => (0..=path.len()).any(|skip| components_match(rest, &path[skip..])),
        Some((first, rest)) => {
            path.split_first().is_some_and(|(part, path)| glob(first, part) && components_match(rest, path))
        }
    }
}

fn config_matches(config: &serde_json::Map<String, Json>, path: &[String], wanted: &str) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let Some(value) = rest.iter().try_fold(config.get(first), |value, key| value.map(|value| value.get(key))).flatten()
    else {
        return false;
    };
    let is_severity = path.len() == 1 && first == "severity";
    let equals = |value: &Json| match value {
        Json::String(text) if is_severity => text.eq_ignore_ascii_case(wanted),
        Json::String(text) => text == wanted,
        Json::Bool(bool) => wanted.eq_ignore_ascii_case(if *bool { "true" } else { "false" }),
        _ => false,
    };
    match value {
        Json::Array(items) => items.iter().any(equals),
        other => equals(other),
    }
}

fn test_type_matches(member: &Member<'_>, value: &str) -> Result<bool> {
    let test = member.node.and_then(|node| node.test.as_ref());
    let is_generic = test.is_some_and(|test| test.metadata.is_some());
    match value {
        "generic" | "schema" => Ok(is_generic),
        "singular" => Ok(test.is_some() && !is_generic),
        "data" => Ok(test.is_some()),
        "unit" => Ok(member.ty == ResourceType::UnitTest),
        _ => Err(ProjectError::runtime(format!(
            "Invalid test type selector {value}: expected \"generic\", \"singular\", \"unit\", or \"data\""
        ))),
    }
}

fn version_matches(node: &Node, value: &str) -> bool {
    match (value, &node.version) {
        ("none", version) => node.resource_type == ResourceType::Model && version.is_none(),
        ("latest", Some(_)) => node.is_latest_version,
        ("old" | "prerelease", Some(_)) => !node.is_latest_version,
        _ => false,
    }
}

/// Python's `fnmatch`: `*`, `?`, `[abc]`, `[!abc]`.
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    glob_chars(&pattern, &text)
}

fn glob_chars(pattern: &[char], text: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    match first {
        '*' => (0..=text.len()).any(|skip| glob_chars(rest, &text[skip..])),
        '?' => !text.is_empty() && glob_chars(rest, &text[1..]),
        '[' => match (rest.iter().skip(1).position(|c| *c == ']'), text.split_first()) {
            (Some(length), Some((c, text))) => {
                let class = &rest[..length + 1];
                let (negated, class) = if class[0] == '!' { (true, &class[1..]) } else { (false, class) };
                in_class(class, *c) != negated && glob_chars(&rest[length + 2..], text)
            }
            (None, Some(('[', text))) => glob_chars(rest, text),
            _ => false,
        },
        c => text.first() == Some(c) && glob_chars(rest, &text[1..]),
    }
}

fn in_class(class: &[char], c: char) -> bool {
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            if (class[at]..=class[at + 2]).contains(&c) {
                return true;
            }
            at += 3;
        } else if class[at] == c {
            return true;
        } else {
            at += 1;
        }
    }
    false
}
