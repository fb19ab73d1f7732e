//! Arrays of one dimension: made, measured, searched, taken apart.

use row::Datum;

use super::Param::{AnyArray, AnyElement, Bool, Int32, Text, TextArray};
use super::comparison::is_equal;
use super::{Implementation, Value, array, push_text, text, total, unwrap_array};
use crate::Arena;

pub(super) const ROWS: &[Implementation] = &[
    // `array[a, b]`
    total("array", &[AnyElement], AnyArray, |a, arena| Ok(array(a.iter().cloned(), arena))).lenient().variadic(),
    // `a[i]`
    total("[]", &[AnyArray, Int32], AnyElement, |a, _| {
        let index = usize::try_from(a[1].unwrap_int() - 1).ok();
        Ok(index.and_then(|index| unwrap_array(&a[0]).iter().nth(index)).unwrap_or(Datum::Null))
    }),
    total("||", &[AnyArray, AnyArray], AnyArray, concatenate).lenient(),
    total("||", &[AnyArray, AnyElement], AnyArray, append).lenient(),
    total("||", &[AnyElement, AnyArray], AnyArray, prepend).lenient(),
    total("array_cat", &[AnyArray, AnyArray], AnyArray, concatenate).lenient(),
    total("array_append", &[AnyArray, AnyElement], AnyArray, append).lenient(),
    total("array_prepend", &[AnyElement, AnyArray], AnyArray, prepend).lenient(),
    total("array_remove", &[AnyArray, AnyElement], AnyArray, |a, arena| {
        Ok(if a[0].is_null() {
            Datum::Null
        } else {
            array(elements(&a[0]).filter(|element| !is_same(element, &a[1])), arena)
        })
    })
    .lenient(),
    total("array_position", &[AnyArray, AnyElement], Int32, |a, _| {
        let position = elements(&a[0]).position(|element| is_same(&element, &a[1]));
        Ok(position.map_or(Datum::Null, |position| Datum::Int(position as i64 + 1)))
    })
    .lenient(),
    total("array_length", &[AnyArray, Int32], Int32, |a, _| {
        let count = unwrap_array(&a[0]).iter().count() as i64;
        Ok(if count == 0 || a[1].unwrap_int() != 1 { Datum::Null } else { Datum::Int(count) })
    }),
    total("array_upper", &[AnyArray, Int32], Int32, |a, _| {
        let count = unwrap_array(&a[0]).iter().count() as i64;
        Ok(if count == 0 || a[1].unwrap_int() != 1 { Datum::Null } else { Datum::Int(count) })
    }),
    total("array_lower", &[AnyArray, Int32], Int32, |a, _| {
        let is_empty = unwrap_array(&a[0]).iter().next().is_none();
        Ok(if is_empty || a[1].unwrap_int() != 1 { Datum::Null } else { Datum::Int(1) })
    }),
    total("array_ndims", &[AnyArray], Int32, |a, _| {
        Ok(if unwrap_array(&a[0]).iter().next().is_none() { Datum::Null } else { Datum::Int(1) })
    }),
    total("cardinality", &[AnyArray], Int32, |a, _| Ok(Datum::Int(unwrap_array(&a[0]).iter().count() as i64))),
    total("@>", &[AnyArray, AnyArray], Bool, |a, _| Ok(Datum::Bool(contains(&a[0], &a[1])))),
    total("<@", &[AnyArray, AnyArray], Bool, |a, _| Ok(Datum::Bool(contains(&a[1], &a[0])))),
    total("&&", &[AnyArray, AnyArray], Bool, |a, _| {
        Ok(Datum::Bool(elements(&a[0]).any(|element| has(&a[1], &element))))
    }),
    total("string_to_array", &[Text, Text], TextArray, |a, arena| Ok(string_to_array(a, arena))).lenient(),
    total("string_to_array", &[Text, Text, Text], TextArray, |a, arena| Ok(string_to_array(a, arena))).lenient(),
    total("array_to_string", &[AnyArray, Text], Text, |a, arena| Ok(array_to_string(a, arena))).lenient(),
    total("array_to_string", &[AnyArray, Text, Text], Text, |a, arena| Ok(array_to_string(a, arena))).lenient(),
];

/// The elements of an array, none of NULL.
fn elements<'d, 'a: 'd>(datum: &'d Datum<'a>) -> impl Iterator<Item = Datum<'a>> + use<'d, 'a> {
    let array = if datum.is_null() { None } else { Some(unwrap_array(datum)) };
    array.into_iter().flat_map(|array| array.iter())
}

/// Equality in which NULL equals NULL.
fn is_same(left: &Datum<'_>, right: &Datum<'_>) -> bool {
    match (left.is_null(), right.is_null()) {
        (false, false) => is_equal(left, right),
        (left_is_null, right_is_null) => left_is_null == right_is_null,
    }
}

fn append<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    Ok(array(elements(&args[0]).chain([args[1].clone()]), arena))
}

fn prepend<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    Ok(array([args[0].clone()].into_iter().chain(elements(&args[1])), arena))
}

/// Two arrays, one after the other. A NULL array adds nothing; NULL and NULL is NULL.
fn concatenate<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    match (&args[0], &args[1]) {
        (Datum::Null, other) | (other, Datum::Null) => Ok(other.clone()),
        (left, right) => Ok(array(elements(left).chain(elements(right)), arena)),
    }
}

fn has(array: &Datum<'_>, wanted: &Datum<'_>) -> bool {
    !wanted.is_null() && elements(array).any(|element| !element.is_null() && is_equal(&element, wanted))
}

fn contains(left: &Datum<'_>, right: &Datum<'_>) -> bool {
    elements(right).all(|element| has(left, &element))
}

fn string_to_array<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Datum<'a> {
    if args[0].is_null() {
        return Datum::Null;
    }
    let value = args[0].unwrap_text();
    let null = args.get(2).filter(|null| !null.is_null()).map(|null| null.unwrap_text());
    let element = |part: &'a str| if Some(part) == null { Datum::Null } else { Datum::Text(part) };
    if value.is_empty() {
        return array([], arena);
    }
    if args[1].is_null() {
        let characters = value.char_indices().map(|(at, character)| &value[at..at + character.len_utf8()]);
        return array(characters.map(element), arena);
    }
    match args[1].unwrap_text() {
        "" => array([element(value)], arena),
        delimiter => array(value.split(delimiter).map(element), arena),
    }
}

fn array_to_string<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Datum<'a> {
    if args[0].is_null() || args[1].is_null() {
        return Datum::Null;
    }
    let separator = args[1].unwrap_text();
    let null = args.get(2).filter(|null| !null.is_null()).map(|null| null.unwrap_text());
    let mut out = String::new();
    let mut is_first = true;
    for element in elements(&args[0]) {
        if element.is_null() && null.is_none() {
            continue;
        }
        if !is_first {
            out.push_str(separator);
        }
        is_first = false;
        match null.filter(|_| element.is_null()) {
            Some(null) => out.push_str(null),
            None => push_text(&mut out, &element),
        }
    }
    text(&out, arena)
}
