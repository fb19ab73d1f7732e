//! Generic tests: from an entry of a property file to a node's name, arguments, configuration and code.
//!
//! ```text
//!   - accepted_values:            name   accepted_values_orders_status__a__b
//!       values: [a, b]      ──>   id     test.shop.accepted_values_orders_status__a__b.0f2c3d4e5f
//!       config: {where: x}        code   {{ test_accepted_values(**_dbt_generic_test_kwargs) }}{{ config(where="x") }}
//! ```
//!
//! 1. Names, short names and hashes are dbt 1.11's: users select tests by them and other tools join on them.
//! 2. All spellings are read: a bare name, flat arguments, `arguments:`, `test_name:` with `name:`, tests of a model with `column_name:`.

use serde_json::{Map as JsonMap, Value as Json};

use super::error::{ProjectError, Result};
use super::jinja::builtins::md5_hex;
use super::node::TestMetadata;
use super::yaml::{Value, Yaml, float_text};

/// Keys of an entry that configure the test instead of being its arguments.
const CONFIG_KEYS: [&str; 14] = [
    "severity",
    "tags",
    "enabled",
    "where",
    "limit",
    "warn_if",
    "error_if",
    "fail_calc",
    "store_failures",
    "store_failures_as",
    "meta",
    "database",
    "schema",
    "alias",
];

/// What a test is written on.
#[derive(Clone, Debug)]
pub enum Target<'a> {
    Node { name: &'a str, version: Option<&'a str> },
    Source { source: &'a str, table: &'a str },
}

/// A test as read, not yet a node.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The full name, of the unique id.
    pub name: String,
    /// The name of its file below `target/compiled`; shorter where the full one is long.
    pub short_name: String,
    pub metadata: TestMetadata,
    pub config: JsonMap<String, Json>,
    pub description: String,
    pub line: usize,
}

/// Reads an entry of `tests:` or `data_tests:`. Configuration texts still hold their Jinja.
pub fn read(entry: &Yaml, target: &Target<'_>, column_name: Option<&str>, file: &str) -> Result<Definition> {
    let wrong = |message: String| {
        ProjectError::parsing(format!("Invalid test config given in {file}:\n\t{message}"))
            .in_file(file)
            .at_line(entry.line)
    };
    let (test_name, mut args) = name_and_args(entry).map_err(wrong)?;
    if let Some(column) = column_name {
        args.insert("column_name".into(), column.into());
    }
    if let Some(Json::Object(arguments)) = args.shift_remove("arguments") {
        args.extend(arguments);
    }
    if args.contains_key("model") {
        return Err(wrong("Test arguments include \"model\", which is a reserved argument".into()));
    }
    let model = match target {
        Target::Node { name, version: None } => format!("ref('{name}')"),
        Target::Node { name, version: Some(version) } => format!("ref('{name}', version='{version}')"),
        Target::Source { source, table } => format!("source('{source}', '{table}')"),
    };
    args.insert("model".into(), format!("{{{{ get_where_subquery({model}) }}}}").into());
    let config = take_config(&mut args).map_err(wrong)?;
    let description =
        args.shift_remove("description").and_then(|text| text.as_str().map(String::from)).unwrap_or_default();
    let (namespace, name) = match test_name.split_once('.') {
        Some((namespace, name)) => (Some(namespace.to_string()), name.to_string()),
        None => (None, test_name),
    };
    let given = args.shift_remove("name").and_then(|name| name.as_str().map(String::from));
    let metadata = TestMetadata { namespace, name, kwargs: args };
    let (full, short) = match given {
        Some(given) => (given.clone(), given),
        None => generated_names(&metadata, target),
    };
    let mut definition = Definition { name: full, short_name: short, metadata, config, description, line: entry.line };
    if definition.name != definition.short_name && !definition.config.contains_key("alias") {
        definition.config.insert("alias".into(), definition.short_name.clone().into());
    }
    Ok(definition)
}

fn name_and_args(entry: &Yaml) -> std::result::Result<(String, JsonMap<String, Json>), String> {
    let map = match &entry.value {
        Value::Text(name) => return Ok((name.clone(), JsonMap::new())),
        Value::Map(map) => map,
        _ => return Err("test must be dict or str, got something else".into()),
    };
    if let Some(name) = map.get("test_name") {
        let name = name.as_str().ok_or("test name must be a str")?.to_string();
        let Json::Object(mut args) = entry.to_json() else { return Err("test arguments must be dict".into()) };
        args.shift_remove("test_name");
        return Ok((name, args));
    }
    let mut entries = map.iter();
    let (Some((name, args)), None) = (entries.next(), entries.next()) else {
        return Err(format!("test definition dictionary must have exactly one key, got {} instead", map.len()));
    };
    let name = name.as_str().ok_or("test name must be a str")?.to_string();
    match args.to_json() {
        Json::Object(args) => Ok((name, args)),
        Json::Null => Ok((name, JsonMap::new())),
        _ => Err(format!("test arguments must be dict, got something else for {name}")),
    }
}

/// Takes the configuration out of the arguments: known keys first, in dbt's order, then the rest of `config:`.
fn take_config(args: &mut JsonMap<String, Json>) -> std::result::Result<JsonMap<String, Json>, String> {
    let nested = match args.shift_remove("config") {
        Some(Json::Object(map)) => map,
        _ => JsonMap::new(),
    };
    let mut config = JsonMap::new();
    for key in CONFIG_KEYS {
        let flat = args.shift_remove(key).filter(|value| !is_falsy(value));
        if flat.is_some() && nested.contains_key(key) {
            return Err("Test cannot have the same key at the top-level and in config".into());
        }
        if let Some(value) = flat.or_else(|| nested.get(key).cloned()).filter(|value| !value.is_null()) {
            config.insert(key.to_string(), value);
        }
    }
    config.extend(nested.into_iter().filter(|(key, _)| !CONFIG_KEYS.contains(&key.as_str())));
    Ok(config)
}

fn is_falsy(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(bool) => !bool,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
    }
}

/// The full name and the one for files and tables.
fn generated_names(metadata: &TestMetadata, target: &Target<'_>) -> (String, String) {
    let (prefix, target_name) = match target {
        Target::Node { name, version: None } => ("", name.to_string()),
        Target::Node { name, version: Some(version) } => ("", format!("{name}_v{version}")),
        Target::Source { source, table } => ("source_", format!("{source}_{table}")),
    };
    let test = format!("{prefix}{}", metadata.name);
    let test = metadata.namespace.as_ref().map_or(test.clone(), |namespace| format!("{namespace}_{test}"));
    let mut names: Vec<&String> = metadata.kwargs.keys().filter(|name| *name != "model").collect();
    names.sort();
    let mut parts = Vec::new();
    for name in names {
        match &metadata.kwargs[name] {
            Json::Object(map) => parts.extend(map.values().map(python_str)),
            Json::Array(items) => parts.extend(items.iter().map(python_str)),
            other => parts.push(python_str(other)),
        }
    }
    let identifier = format!("{test}_{target_name}");
    let arguments: Vec<String> = parts.iter().map(|part| clean(part)).collect();
    let full = format!("{identifier}_{}", arguments.join("__"));
    if full.chars().count() < 64 {
        return (full.clone(), full);
    }
    let start: String = identifier.chars().take(30).collect();
    let short = format!("{start}_{}", md5_hex(&full));
    (full, short)
}

/// Every run of characters that are not letters, digits or underscores becomes one underscore.
fn clean(text: &str) -> String {
    let mut out = String::new();
    let mut in_run = false;
    for c in text.chars() {
        let is_kept = c.is_ascii_alphanumeric() || c == '_';
        if is_kept {
            out.push(c);
        } else if !in_run {
            out.push('_');
        }
        in_run = !is_kept;
    }
    out
}

/// The ten hexadecimal digits at the end of a generic test's unique id.
pub fn hash(name: &str, metadata: &TestMetadata) -> String {
    let hashable = serde_json::json!({
        "kwargs": Json::Object(metadata.kwargs.clone()),
        "name": metadata.name,
        "namespace": metadata.namespace,
    });
    let hex = md5_hex(&format!("{name}{}", python_repr(&as_texts(&hashable))));
    hex[hex.len() - 10..].to_string()
}

/// Maps sorted by key, everything but maps and lists as text.
fn as_texts(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let mut sorted: Vec<(&String, &Json)> = map.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            Json::Object(sorted.into_iter().map(|(key, value)| (key.clone(), as_texts(value))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(as_texts).collect()),
        other => Json::String(python_str(other)),
    }
}

/// Python's `str` of a value.
pub fn python_str(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => python_repr(other),
    }
}

/// Python's `repr` of a value.
pub fn python_repr(value: &Json) -> String {
    match value {
        Json::Null => "None".into(),
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Number(number) => match number.as_i64() {
            Some(int) => int.to_string(),
            None => float_text(number.as_f64().unwrap_or(0.0)),
        },
        Json::String(text) => {
            let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
            let mut out = String::from(quote);
            for c in text.chars() {
                match c {
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    c if c == quote => {
                        out.push('\\');
                        out.push(c);
                    }
                    c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
                    c => out.push(c),
                }
            }
            out.push(quote);
            out
        }
        Json::Array(items) => format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", python_repr(&Json::String(key.clone())), python_repr(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

/// The code of the test's node. The configuration's values are rendered already.
pub fn raw_code(metadata: &TestMetadata, config: &JsonMap<String, Json>) -> String {
    let namespace = metadata.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}."));
    let settings: Vec<String> = config
        .iter()
        .map(|(key, value)| match value {
            Json::String(text) => format!("{key}=\"{}\"", text.replace('"', "\\\"")),
            other => format!("{key}={}", python_repr(other)),
        })
        .collect();
    let config = if settings.is_empty() { String::new() } else { format!("{{{{ config({}) }}}}", settings.join(",")) };
    format!("{{{{ {namespace}test_{}(**_dbt_generic_test_kwargs) }}}}{config}", metadata.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::yaml;

    fn check(entry: &str, column: Option<&str>, name: &str, hash_digits: &str) -> Definition {
        let entry = yaml::parse(entry, "schema.yml").expect("YAML");
        let target = Target::Node { name: "orders", version: None };
        let definition = read(&entry, &target, column, "models/schema.yml").expect("a test");
        assert_eq!(definition.name, name);
        assert_eq!(hash(&definition.name, &definition.metadata), hash_digits);
        definition
    }

    #[test]
    fn names_and_hashes_are_dbts() {
        // Digits as dbt 1.11 gives them for a project's test on a model `orders`.
        check("unique", Some("order_id"), "unique_orders_order_id", "fed79b3a6e");
        check(
            "{accepted_values: {values: [a, 'b c', 1.5, true]}}",
            Some("s"),
            "accepted_values_orders_s__a__b_c__1_5__True",
            "ce02855c27",
        );
        check("{test_name: not_null, column_name: x}", None, "not_null_orders_x", "97500ab4a6");
    }

    #[test]
    fn a_long_name_is_cut_for_files_and_tables() {
        let text =
            "{dbt_utils.expression_is_true: {expression: 'amount >= 0 and amount < 1000000 and status is not null'}}";
        let entry = yaml::parse(text, "schema.yml").expect("YAML");
        let definition =
            read(&entry, &Target::Node { name: "orders", version: None }, None, "schema.yml").expect("a test");
        assert_eq!(
            definition.name,
            "dbt_utils_expression_is_true_orders_amount_0_and_amount_1000000_and_status_is_not_null"
        );
        assert_eq!(definition.short_name.len(), 30 + 1 + 32);
        assert_eq!(definition.config["alias"], definition.short_name);
    }

    #[test]
    fn configuration_is_told_from_arguments() {
        let definition = check(
            "{not_null: {severity: warn, config: {where: 'a > 1'}, name: mine}}",
            Some("x"),
            "mine",
            "117e7e975d",
        );
        assert_eq!(Json::Object(definition.config.clone()), serde_json::json!({"severity": "warn", "where": "a > 1"}));
        let code = raw_code(&definition.metadata, &definition.config);
        assert_eq!(
            code,
            "{{ test_not_null(**_dbt_generic_test_kwargs) }}{{ config(severity=\"warn\",where=\"a > 1\") }}"
        );
    }

    #[test]
    fn arguments_may_be_nested_or_flat() {
        let flat = "{relationships: {to: \"ref('c')\", field: id}}";
        let nested = "{relationships: {arguments: {to: \"ref('c')\", field: id}}}";
        let names = [flat, nested].map(|text| {
            let entry = yaml::parse(text, "schema.yml").expect("YAML");
            let definition = read(&entry, &Target::Source { source: "raw", table: "o" }, Some("c_id"), "schema.yml")
                .expect("a test");
            (definition.name.clone(), hash(&definition.name, &definition.metadata))
        });
        assert_eq!(names[0].0, "source_relationships_raw_o_c_id__id__ref_c_");
        assert_eq!(names[0], names[1]);
    }

    #[test]
    fn a_wrong_entry_names_file_and_line() {
        let entry = yaml::parse("{unique: 1, not_null: 2}", "schema.yml").expect("YAML");
        let error = read(&entry, &Target::Node { name: "orders", version: None }, None, "models/schema.yml")
            .expect_err("two keys");
        assert!(error.message.contains("exactly one key"), "{error}");
        assert_eq!(error.file.as_deref(), Some("models/schema.yml"));
    }
}
