//! YAML as dbt reads it: the scalars of PyYAML's `safe_load`, with positions.
//!
//! ```text
//!   text ──saphyr events──> tree of Yaml {value, line} ──(typed readers)──> sources, models, targets, …
//! ```
//!
//! 1. Plain scalars follow YAML 1.1 as PyYAML does: `yes`/`on` are booleans, `010` is eight, `1:30` is ninety, `1e3` is text.
//! 2. Timestamps stay text: what a template prints of them is the same.
//! 3. A duplicate key keeps its first place and its last value; `<<` merges below the map's own keys.
//! 4. Every value knows the line it starts on.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::error::{ProjectError, Result};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Yaml {
    pub value: Value,
    /// Counted from one; zero for values that no file holds.
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Yaml>),
    Map(Map),
}

/// A map in the order it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: Vec<(Yaml, Yaml)>,
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(_, v)| v)
    }

    pub fn entry(&self, key: &str) -> Option<(&Yaml, &Yaml)> {
        self.entries.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(k, v)| (k, v))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Yaml, &Yaml)> {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sets a value; a known key keeps its place.
    pub fn insert(&mut self, key: Yaml, value: Yaml) {
        match self.entries.iter_mut().find(|(k, _)| k.value == key.value) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key, value)),
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<Yaml> {
        let at = self.entries.iter().position(|(k, _)| k.as_str() == Some(key))?;
        Some(self.entries.remove(at).1)
    }
}

impl Yaml {
    pub fn text(text: impl Into<String>) -> Yaml {
        Yaml { value: Value::Text(text.into()), line: 0 }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Yaml]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(bool) => Some(bool),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The value under a key, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.as_map()?.get(key).filter(|value| !value.is_null())
    }

    /// The text of a scalar as Python's `str` gives it; nothing for null, lists and maps.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(true) => Some("True".into()),
            Value::Bool(false) => Some("False".into()),
            Value::Int(int) => Some(int.to_string()),
            Value::Float(float) => Some(float_text(*float)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The same value as JSON; keys become text, infinities become text.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(bool) => (*bool).into(),
            Value::Int(int) => (*int).into(),
            Value::Float(float) => serde_json::Number::from_f64(*float)
                .map_or_else(|| float_text(*float).into(), serde_json::Value::Number),
            Value::Text(text) => text.clone().into(),
            Value::List(list) => list.iter().map(Yaml::to_json).collect(),
            Value::Map(map) => serde_json::Value::Object(
                map.iter().map(|(key, value)| (key.scalar_text().unwrap_or_default(), value.to_json())).collect(),
            ),
        }
    }
}

/// A float as Python prints it.
pub fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    let text = format!("{float}");
    if text.contains('.') { text } else { text + ".0" }
}

/// Reads one document. An empty text is null. `file` names the text in errors.
pub fn parse(text: &str, file: &str) -> Result<Yaml> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder { parser: Parser::new_from_str(text), anchors: HashMap::new(), file };
    builder.document()
}

struct Builder<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Yaml>,
    file: &'a str,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span)> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(ProjectError::parsing(format!(
                "Syntax error near line {}\n{}",
                error.marker().line(),
                error.info()
            ))
            .in_file(self.file)
            .at_line(error.marker().line())
            .hint("check the indentation and the quotes of that line")),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Yaml> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event if root.is_none() => root = Some(self.node(event, span)?),
                _ => {
                    return Err(ProjectError::parsing("expected a single document, but found another")
                        .in_file(self.file)
                        .at_line(span.start.line()));
                }
            }
        }
        Ok(root.unwrap_or(Yaml { value: Value::Null, line: 1 }))
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Yaml> {
        let line = span.start.line();
        let (value, anchor) = match event {
            Event::Alias(id) => {
                return self.anchors.get(&id).cloned().ok_or_else(|| {
                    ProjectError::parsing("found an alias of an anchor that is not complete")
                        .in_file(self.file)
                        .at_line(line)
                });
            }
            Event::Scalar(text, style, anchor, tag) => (self.scalar(&text, style, tag.as_deref(), line)?, anchor),
            Event::SequenceStart(anchor, _) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => list.push(self.node(event, span)?),
                    }
                }
                (Value::List(list), anchor)
            }
            Event::MappingStart(anchor, _) => (Value::Map(self.map()?), anchor),
            other => {
                return Err(ProjectError::parsing(format!("unexpected {other:?}")).in_file(self.file).at_line(line));
            }
        };
        let node = Yaml { value, line };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn map(&mut self) -> Result<Map> {
        let mut own = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            if !is_merge {
                if matches!(key.value, Value::List(_) | Value::Map(_)) {
                    return Err(ProjectError::parsing("found unhashable key")
                        .in_file(self.file)
                        .at_line(key.line)
                        .hint("put quotes around a value that starts with `{{`: YAML takes it for a map otherwise"));
                }
                own.push((key, value));
                continue;
            }
            match value.value {
                Value::Map(map) => merged.extend(map.entries),
                // The first map of a list wins, so it is inserted last.
                Value::List(list) => {
                    for item in list.into_iter().rev() {
                        if let Value::Map(map) = item.value {
                            merged.extend(map.entries);
                        }
                    }
                }
                _ => {
                    return Err(ProjectError::parsing("expected a mapping or list of mappings for merging")
                        .in_file(self.file)
                        .at_line(value.line));
                }
            }
        }
        let mut map = Map::default();
        for (key, value) in merged.into_iter().chain(own) {
            map.insert(key, value);
        }
        Ok(map)
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Result<Value> {
        if let Some(tag) = tag {
            let forced = if tag.is_yaml_core_schema() { tag.suffix.as_str() } else { "" };
            return match forced {
                "str" => Ok(Value::Text(text.to_string())),
                "int" | "float" | "bool" | "null" | "timestamp" => Ok(plain(text)),
                _ => Err(ProjectError::parsing(format!("could not determine a constructor for the tag '{tag}'"))
                    .in_file(self.file)
                    .at_line(line)),
            };
        }
        Ok(if style == ScalarStyle::Plain { plain(text) } else { Value::Text(text.to_string()) })
    }
}

/// What PyYAML makes of a scalar without quotes.
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Value::Bool(false),
        _ => {}
    }
    let starts_like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !starts_like_a_number {
        return Value::Text(text.to_string());
    }
    int(text).map(Value::Int).or_else(|| float(text).map(Value::Float)).unwrap_or_else(|| Value::Text(text.to_string()))
}

fn int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |digits: &str, radix: u32| {
        let digits = digits.replace('_', "");
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            None
        } else {
            i64::from_str_radix(&digits, radix).ok()
        }
    };
    let first_is_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    let magnitude = if !first_is_digit {
        return None;
    } else if let Some(binary) = digits.strip_prefix("0b") {
        radix(binary, 2)?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        radix(hex, 16)?
    } else if digits == "0" {
        0
    } else if let Some(octal) = digits.strip_prefix('0') {
        radix(octal, 8)?
    } else if digits.contains(':') {
        sexagesimal(digits)?
    } else {
        radix(digits, 10)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn sexagesimal(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let mut total: i64 = parts.next()?.replace('_', "").parse().ok()?;
    for part in parts {
        let in_range = matches!(part.len(), 1 | 2) && part.chars().all(|c| c.is_ascii_digit());
        let value: i64 = if in_range { part.parse().ok()? } else { return None };
        if value > 59 {
            return None;
        }
        total = total.checked_mul(60)?.checked_add(value)?;
    }
    Some(total)
}

/// PyYAML asks for a point, and for a sign in the exponent.
fn float(text: &str) -> Option<f64> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if unsigned == text => return Some(f64::NAN),
        _ => {}
    }
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && !fraction.starts_with(|c: char| c.is_ascii_digit()))
    {
        return None;
    }
    if let Some(exponent) = exponent {
        let unsigned_exponent = exponent.strip_prefix(['+', '-'])?;
        if unsigned_exponent.is_empty() || !unsigned_exponent.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
    }
    unsigned.replace('_', "").trim_end_matches('.').parse::<f64>().ok().map(|value| sign * value)
}

/// Writes a value in YAML's block form, as the `toyaml` function of Jinja needs it.
pub fn dump(value: &serde_json::Value) -> String {
    let mut out = String::new();
    dump_into(value, 0, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn dump_into(value: &serde_json::Value, indent: usize, out: &mut String) {
    use serde_json::Value as Json;
    let pad = " ".repeat(indent);
    match value {
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&pad);
                out.push_str("- ");
                nested(item, indent + 2, out, true);
            }
        }
        Json::Object(map) if !map.is_empty() => {
            for (key, item) in map {
                out.push_str(&pad);
                out.push_str(&dump_scalar(&Json::String(key.clone())));
                out.push(':');
                nested(item, if item.is_array() { indent } else { indent + 2 }, out, false);
            }
        }
        Json::Array(_) => out.push_str("[]\n"),
        Json::Object(_) => out.push_str("{}\n"),
        scalar => {
            out.push_str(&dump_scalar(scalar));
            out.push('\n');
        }
    }
}

fn nested(item: &serde_json::Value, indent: usize, out: &mut String, in_list: bool) {
    let is_block =
        item.as_array().is_some_and(|list| !list.is_empty()) || item.as_object().is_some_and(|map| !map.is_empty());
    if !is_block {
        if !in_list {
            out.push(' ');
        }
        dump_into(item, 0, out);
    } else if in_list {
        let mut inner = String::new();
        dump_into(item, indent, &mut inner);
        out.push_str(inner.trim_start_matches(' '));
    } else {
        out.push('\n');
        dump_into(item, indent, out);
    }
}

fn dump_scalar(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "null".into(),
        serde_json::Value::Bool(bool) => bool.to_string(),
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::String(text) => {
            let is_plain = matches!(plain(text), Value::Text(_))
                && !text.is_empty()
                && !text.starts_with([
                    '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ',
                ])
                && !text.ends_with(' ')
                && !text.contains(": ")
                && !text.contains(" #")
                && !text.ends_with(':')
                && !text.contains('\n');
            if is_plain { text.clone() } else { format!("'{}'", text.replace('\'', "''")) }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
