//! What changes a `jsonb` value, and what prints or builds JSON from arrays.
//!
//! ```text
//!   tree ──path: a key of an object, an index of an array──> the place ──replace, insert, delete──> tree ──write──> jsonb
//! ```
//!
//! 1. A path that leads nowhere changes nothing, except that its last step may create what is missing.

use std::borrow::Cow;

use row::Datum;

use super::Param::{AnyArray, Bool, Json as JsonType, Jsonb, Text, TextArray};
use super::json::{print, push_json, tree};
use super::{Implementation, Value, fail, partial, text, total, unwrap_array};
use crate::json::{self, Json};
use crate::{Arena, EvalError};

pub(super) const ROWS: &[Implementation] = &[
    partial("jsonb_set", &[Jsonb, TextArray, Jsonb], Jsonb, |a, arena| set(a, Edit::Set { creates: true }, arena)),
    partial("jsonb_set", &[Jsonb, TextArray, Jsonb, Bool], Jsonb, |a, arena| {
        set(a, Edit::Set { creates: a[3].unwrap_bool() == Some(true) }, arena)
    }),
    partial("jsonb_set_lax", &[Jsonb, TextArray, Jsonb], Jsonb, set_lax).lenient(),
    partial("jsonb_set_lax", &[Jsonb, TextArray, Jsonb, Bool], Jsonb, set_lax).lenient(),
    partial("jsonb_set_lax", &[Jsonb, TextArray, Jsonb, Bool, Text], Jsonb, set_lax).lenient(),
    partial("jsonb_insert", &[Jsonb, TextArray, Jsonb], Jsonb, |a, arena| set(a, Edit::Insert { after: false }, arena)),
    partial("jsonb_insert", &[Jsonb, TextArray, Jsonb, Bool], Jsonb, |a, arena| {
        set(a, Edit::Insert { after: a[3].unwrap_bool() == Some(true) }, arena)
    }),
    partial("#-", &[Jsonb, TextArray], Jsonb, delete_path),
    partial("jsonb_delete_path", &[Jsonb, TextArray], Jsonb, delete_path),
    partial("-", &[Jsonb, TextArray], Jsonb, without_keys),
    partial("jsonb_pretty", &[Jsonb], Text, |a, arena| {
        let mut out = String::new();
        push_pretty(&mut out, &tree(&a[0])?, 0);
        Ok(text(&out, arena))
    }),
    partial("json_strip_nulls", &[JsonType], JsonType, |a, arena| {
        let mut out = String::new();
        push_compact(&mut out, &tree(&a[0])?.strip_nulls());
        Ok(text(&out, arena))
    }),
    partial("json_object", &[TextArray], JsonType, |a, arena| Ok(text(&object_of_pairs(&a[0])?, arena))),
    partial("json_object", &[TextArray, TextArray], JsonType, |a, arena| {
        Ok(text(&object_of_sides(&a[0], &a[1])?, arena))
    }),
    partial("jsonb_object", &[TextArray], Jsonb, |a, arena| {
        Ok(text(&json::canonical(&object_of_pairs(&a[0])?)?, arena))
    }),
    partial("jsonb_object", &[TextArray, TextArray], Jsonb, |a, arena| {
        Ok(text(&json::canonical(&object_of_sides(&a[0], &a[1])?)?, arena))
    }),
    total("jsonb_exists", &[Jsonb, Text], Bool, |a, _| {
        Ok(Datum::Bool(super::json::has_key(a[0].unwrap_text(), a[1].unwrap_text())))
    }),
    partial("jsonb_concat", &[Jsonb, Jsonb], Jsonb, |a, arena| {
        Ok(print(&super::json::concatenate(tree(&a[0])?, tree(&a[1])?), arena))
    }),
    partial("array_to_json", &[AnyArray], JsonType, |a, arena| {
        let mut out = String::new();
        push_json(&mut out, &a[0])?;
        Ok(text(&out, arena))
    }),
];

/// What happens at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Set { creates: bool },
    Insert { after: bool },
    Delete,
}

impl Edit {
    fn creates(self) -> bool {
        matches!(self, Edit::Set { creates: true } | Edit::Insert { .. })
    }
}

fn steps<'a>(path: &Datum<'a>) -> Vec<Option<&'a str>> {
    let step = |step: Datum<'a>| if step.is_null() { None } else { Some(step.unwrap_text()) };
    unwrap_array(path).iter().map(step).collect()
}

fn is_scalar(value: &Json<'_>) -> bool {
    !matches!(value, Json::Array(_) | Json::Object(_))
}

fn set<'a>(args: &[Datum<'a>], edit: Edit, arena: &'a Arena) -> Value<'a> {
    let mut target = tree(&args[0])?;
    if is_scalar(&target) {
        return fail("cannot set path in scalar");
    }
    let path = steps(&args[1]);
    if !path.is_empty() {
        change(&mut target, &path, 0, edit, &tree(&args[2])?)?;
    }
    Ok(print(&target, arena))
}

fn set_lax<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    let creates = args.get(3).map_or(Some(true), Datum::unwrap_bool);
    let (false, false, Some(creates)) = (args[0].is_null(), args[1].is_null(), creates) else {
        return Ok(Datum::Null);
    };
    let treatment = match args.get(4) {
        None => "use_json_null",
        Some(Datum::Null) => "",
        Some(treatment) => treatment.unwrap_text(),
    };
    if !["use_json_null", "raise_exception", "delete_key", "return_target"].contains(&treatment) {
        return fail(
            "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"",
        );
    }
    let edit = Edit::Set { creates };
    if !args[2].is_null() {
        return set(&args[..3], edit, arena);
    }
    match treatment {
        "use_json_null" => set(&[args[0].clone(), args[1].clone(), Datum::Text("null")], edit, arena),
        "delete_key" => delete_path(&args[..2], arena),
        "return_target" => Ok(args[0].clone()),
        _ => fail("JSON value must not be null"),
    }
}

fn delete_path<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    let mut target = tree(&args[0])?;
    if is_scalar(&target) {
        return fail("cannot delete path in scalar");
    }
    let path = steps(&args[1]);
    if !path.is_empty() {
        change(&mut target, &path, 0, Edit::Delete, &Json::Null)?;
    }
    Ok(print(&target, arena))
}

/// Follows the path from its step `level` on, and edits where it ends.
fn change<'a>(
    target: &mut Json<'a>,
    path: &[Option<&'a str>],
    level: usize,
    edit: Edit,
    value: &Json<'a>,
) -> Result<(), EvalError> {
    let Some(step) = path[level] else {
        return fail(format!("path element at position {} is null", level + 1));
    };
    let is_last = level + 1 == path.len();
    match target {
        Json::Object(members) => {
            let found = members.iter().position(|(key, _)| key == step);
            match (found, edit) {
                (Some(at), _) if !is_last => change(&mut members[at].1, path, level + 1, edit, value)?,
                (Some(_), Edit::Insert { .. }) => return fail("cannot replace existing key"),
                (Some(at), Edit::Delete) => drop(members.remove(at)),
                (Some(at), Edit::Set { .. }) => members[at].1 = value.clone(),
                (None, edit) if is_last && edit.creates() => {
                    members.push((Cow::Borrowed(step), value.clone()));
                    *members = json::sorted(std::mem::take(members));
                }
                (None, _) => {}
            }
        }
        Json::Array(elements) => {
            let Ok(index) = step.trim_start().parse::<i32>() else {
                return fail(format!("path element at position {} is not an integer: \"{step}\"", level + 1));
            };
            let count = elements.len();
            // Beyond the end is at the end; before the start is at the start, where something can only be put.
            let at = match usize::try_from(index) {
                Ok(index) => Some(index.min(count)),
                Err(_) => count.checked_sub(index.unsigned_abs() as usize),
            };
            match (at, edit) {
                (Some(at), _) if at < count && !is_last => change(&mut elements[at], path, level + 1, edit, value)?,
                (_, _) if !is_last => {}
                (Some(at), Edit::Delete) if at < count => drop(elements.remove(at)),
                (Some(at), Edit::Set { .. }) if at < count => elements[at] = value.clone(),
                (Some(at), Edit::Insert { after }) if at < count => {
                    elements.insert(at + usize::from(after), value.clone())
                }
                (None, edit) if edit.creates() => elements.insert(0, value.clone()),
                (Some(_), edit) if edit.creates() => elements.push(value.clone()),
                _ => {}
            }
        }
        _ => {}
    }
    Ok(())
}

fn without_keys<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    let steps = steps(&args[1]);
    let goes = |key: &str| steps.iter().flatten().any(|step| *step == key);
    let left = match tree(&args[0])? {
        Json::Object(mut members) => {
            members.retain(|(key, _)| !goes(key));
            Json::Object(members)
        }
        Json::Array(mut elements) => {
            elements.retain(|element| !matches!(element, Json::String(text) if goes(text)));
            Json::Array(elements)
        }
        _ => return fail("cannot delete from scalar"),
    };
    Ok(print(&left, arena))
}

fn push_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("    ", depth));
}

fn push_pretty(out: &mut String, value: &Json<'_>, depth: usize) {
    match value {
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                push_line(out, depth + 1);
                push_pretty(out, element, depth + 1);
            }
            push_line(out, depth);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                push_line(out, depth + 1);
                json::push_quoted(out, key);
                out.push_str(": ");
                push_pretty(out, value, depth + 1);
            }
            push_line(out, depth);
            out.push('}');
        }
        scalar => scalar.write(out),
    }
}

fn push_compact(out: &mut String, value: &Json<'_>) {
    match value {
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                push_compact(out, element);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                json::push_quoted(out, key);
                out.push(':');
                push_compact(out, value);
            }
            out.push('}');
        }
        scalar => scalar.write(out),
    }
}

fn object_of_pairs(pairs: &Datum<'_>) -> Result<String, EvalError> {
    let elements = steps(pairs);
    if !elements.len().is_multiple_of(2) {
        return fail("array must have even number of elements");
    }
    object(elements.chunks_exact(2).map(|pair| (pair[0], pair[1])))
}

fn object_of_sides(keys: &Datum<'_>, values: &Datum<'_>) -> Result<String, EvalError> {
    let (keys, values) = (steps(keys), steps(values));
    if keys.len() != values.len() {
        return fail("mismatched array dimensions");
    }
    object(keys.into_iter().zip(values))
}

fn object<'a>(members: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Result<String, EvalError> {
    let mut out = String::from("{");
    for (index, (key, value)) in members.enumerate() {
        let Some(key) = key else { return fail("null value not allowed for object key") };
        out.push_str(if index > 0 { ", " } else { "" });
        json::push_quoted(&mut out, key);
        out.push_str(" : ");
        match value {
            Some(value) => json::push_quoted(&mut out, value),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    Ok(out)
}
