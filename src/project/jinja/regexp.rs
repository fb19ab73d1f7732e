//! `modules.re` on Rust's regular expressions.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};
use regex::{Regex, RegexBuilder};

use super::value::{Arguments, list, text_dict};

/// A compiled pattern.
#[derive(Debug)]
struct Pattern(Regex);

/// A match: the text and span of each group, and the groups' names.
#[derive(Debug)]
struct Match {
    groups: Vec<Option<(usize, usize, String)>>,
    names: Vec<Option<String>>,
}

const IGNORE_CASE: i64 = 2;
const MULTI_LINE: i64 = 8;
const DOT_ALL: i64 = 16;

/// A function of `re`: its first argument is a pattern or its text.
pub fn call(function: &str, args: &Arguments) -> Result<Value, Error> {
    let pattern = args.require(0, "pattern")?;
    if function == "escape" {
        return Ok(Value::from(regex::escape(&pattern.to_string())));
    }
    let flags_at = if function == "compile" { 1 } else { usize::MAX };
    let flags = args
        .get(flags_at, "flags")
        .and_then(|flags| flags.as_i64())
        .unwrap_or_else(|| positional_flags(function, args));
    let regex = match pattern.downcast_object_ref::<Pattern>() {
        Some(compiled) => compiled.0.clone(),
        None => compile(&pattern.to_string(), flags)?,
    };
    let rest = Arguments {
        positional: args.positional[1..].to_vec(),
        named: args.named.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
    };
    if function == "compile" { Ok(Value::from_object(Pattern(regex))) } else { apply(&regex, function, &rest) }
}

fn positional_flags(function: &str, args: &Arguments) -> i64 {
    let at = match function {
        "match" | "search" | "fullmatch" | "findall" => 2,
        "split" => 3,
        "sub" => 4,
        _ => return 0,
    };
    args.positional.get(at).and_then(Value::as_i64).unwrap_or(0)
}

fn compile(pattern: &str, flags: i64) -> Result<Regex, Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(flags & IGNORE_CASE != 0)
        .multi_line(flags & MULTI_LINE != 0)
        .dot_matches_new_line(flags & DOT_ALL != 0)
        .build()
        .map_err(|error| {
            let message = format!(
                "the regular expression '{pattern}' cannot be used: look-around and back-references are not known"
            );
            Error::new(ErrorKind::InvalidOperation, message).with_source(error)
        })
}

fn apply(regex: &Regex, function: &str, args: &Arguments) -> Result<Value, Error> {
    if function == "sub" {
        let replacement = python_replacement(&args.text(0, "repl")?);
        let count = args.get(2, "count").and_then(|count| count.as_usize()).unwrap_or(0);
        return Ok(Value::from(regex.replacen(&args.text(1, "string")?, count, replacement.as_str()).into_owned()));
    }
    let text = args.text(0, "string")?;
    let found = |wanted: fn(&regex::Match<'_>, &str) -> bool| {
        regex.captures(&text).filter(|captures| captures.get(0).is_some_and(|whole| wanted(&whole, &text))).map_or_else(
            || Value::from(()),
            |captures| {
                let groups =
                    captures.iter().map(|group| group.map(|g| (g.start(), g.end(), g.as_str().to_string()))).collect();
                let names = regex.capture_names().map(|name| name.map(String::from)).collect();
                Value::from_object(Match { groups, names })
            },
        )
    };
    Ok(match function {
        "search" => found(|_, _| true),
        "match" => found(|whole, _| whole.start() == 0),
        "fullmatch" => found(|whole, text| whole.start() == 0 && whole.end() == text.len()),
        "findall" => list(regex.captures_iter(&text).map(|captures| {
            let group = |at: usize| captures.get(at).map_or("", |group| group.as_str());
            match captures.len() {
                1 => Value::from(group(0)),
                2 => Value::from(group(1)),
                count => Value::from(Tuple::from((1..count).map(|at| Value::from(group(at))).collect::<Vec<_>>())),
            }
        })),
        "split" => {
            let limit = args.get(1, "maxsplit").and_then(|limit| limit.as_usize()).unwrap_or(0);
            let parts: Vec<&str> =
                if limit == 0 { regex.split(&text).collect() } else { regex.splitn(&text, limit + 1).collect() };
            list(parts.into_iter().map(Value::from))
        }
        _ => {
            return Err(Error::new(
                ErrorKind::UnknownMethod,
                format!("modules.re.{function} is not available in livemart's templates"),
            ));
        }
    })
}

/// `\1` and `\g<name>` as Rust writes them.
fn python_replacement(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str(&format!("${{{digit}}}"));
                }
                Some('g') if chars.peek() == Some(&'<') => {
                    let name: String = chars.by_ref().skip(1).take_while(|c| *c != '>').collect();
                    out.push_str(&format!("${{{name}}}"));
                }
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

impl Object for Pattern {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        apply(&self.0, method, &Arguments::of(args))
    }
}

impl Match {
    fn group(&self, key: &Value) -> Value {
        let at = match key.as_str() {
            Some(name) => self.names.iter().position(|known| known.as_deref() == Some(name)),
            None => key.as_usize(),
        };
        at.and_then(|at| self.groups.get(at))
            .and_then(Option::as_ref)
            .map_or_else(|| Value::from(()), |(_, _, text)| Value::from(text.as_str()))
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        key.as_usize().map(|_| self.group(key))
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        let at = args.positional.first().and_then(Value::as_usize).unwrap_or(0);
        let span = self.groups.get(at).and_then(Option::as_ref);
        Ok(match method {
            "group" if args.positional.len() > 1 => {
                Value::from(Tuple::from(args.positional.iter().map(|key| self.group(key)).collect::<Vec<_>>()))
            }
            "group" => self.group(args.positional.first().unwrap_or(&Value::from(0))),
            "groups" => Value::from(Tuple::from(
                (1..self.groups.len()).map(|at| self.group(&Value::from(at))).collect::<Vec<_>>(),
            )),
            "groupdict" => text_dict(
                self.names.iter().flatten().map(|name| (name.as_str(), self.group(&Value::from(name.as_str())))),
            ),
            "start" => Value::from(span.map_or(-1, |(start, _, _)| *start as i64)),
            "end" => Value::from(span.map_or(-1, |(_, end, _)| *end as i64)),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }
}
