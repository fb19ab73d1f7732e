//! Arrays cut, searched and filled, and `op ANY (array)`, `op ALL (array)` for comparisons and patterns.
//!
//! 1. ANY is an OR over the elements and ALL an AND: a NULL element leaves open what no other element decides.
//! 2. Nothing holds for any element of an empty array and everything for all of them, even for a NULL on the left.

use row::Datum;

use super::Param::{AnyArray, AnyElement, Bool, Float64, Int32, Text, TextArray};
use super::comparison::{compare, is_equal};
use super::regex_dialect::{Flags, compile};
use super::{Implementation, Param, Value, array, fail, partial, pattern, text, text_case, total, unwrap_array};
use crate::{Arena, EvalError};

/// PostgreSQL's limit of array elements.
const ELEMENTS_MAX: i64 = 134_217_727;

/// What an array may weigh: PostgreSQL allocates no more at once.
const BYTES_MAX: usize = 0x3FFF_FFFF;

const INT_ARRAY: Param = Param::Int32Array;

pub(super) const ROWS: &[Implementation] = &[
    // `a[low:high]`
    total("[:]", &[AnyArray, Int32, Int32], AnyArray, |a, arena| {
        let (low, high) = (a[1].unwrap_int().max(1), a[2].unwrap_int());
        let skipped = usize::try_from(low - 1).unwrap_or(0);
        let taken = usize::try_from(high - low + 1).unwrap_or(0);
        Ok(array(unwrap_array(&a[0]).iter().skip(skipped).take(taken), arena))
    }),
    total("array_replace", &[AnyArray, AnyElement, AnyElement], AnyArray, |a, arena| {
        if a[0].is_null() {
            return Ok(Datum::Null);
        }
        let replaced =
            unwrap_array(&a[0]).iter().map(|element| if is_same(&element, &a[1]) { a[2].clone() } else { element });
        Ok(array(replaced, arena))
    })
    .lenient(),
    total("array_positions", &[AnyArray, AnyElement], INT_ARRAY, |a, arena| {
        if a[0].is_null() {
            return Ok(Datum::Null);
        }
        let places = unwrap_array(&a[0]).iter().enumerate();
        let found = places.filter(|(_, element)| is_same(element, &a[1])).map(|(at, _)| Datum::Int(at as i64 + 1));
        Ok(array(found, arena))
    })
    .lenient(),
    partial("array_position", &[AnyArray, AnyElement, Int32], Int32, |a, _| {
        if a[0].is_null() {
            return Ok(Datum::Null);
        }
        if a[2].is_null() {
            return fail("initial position must not be null");
        }
        let skipped = usize::try_from(a[2].unwrap_int() - 1).unwrap_or(0);
        let mut places = unwrap_array(&a[0]).iter().enumerate().skip(skipped);
        let found = places.find(|(_, element)| is_same(element, &a[1]));
        Ok(found.map_or(Datum::Null, |(at, _)| Datum::Int(at as i64 + 1)))
    })
    .lenient(),
    total("array_dims", &[AnyArray], Text, |a, arena| {
        Ok(match unwrap_array(&a[0]).iter().count() {
            0 => Datum::Null,
            count => text(&format!("[1:{count}]"), arena),
        })
    }),
    partial("array_fill", &[AnyElement, INT_ARRAY], AnyArray, fill).lenient(),
    partial("trim_array", &[AnyArray, Int32], AnyArray, |a, arena| {
        let (count, trimmed) = (unwrap_array(&a[0]).iter().count() as i64, a[1].unwrap_int());
        if !(0..=count).contains(&trimmed) {
            return fail(format!("number of elements to trim must be between 0 and {count}"));
        }
        Ok(array(unwrap_array(&a[0]).iter().take((count - trimmed) as usize), arena))
    }),
    partial("width_bucket", &[AnyElement, AnyArray], Int32, width_bucket),
    partial("width_bucket", &[Float64, Param::Float64Array], Int32, width_bucket),
    total("= any", &[AnyElement, AnyArray], Bool, |a, _| any(a, |x, y| Ok(is_equal(x, y)))).lenient(),
    total("<> any", &[AnyElement, AnyArray], Bool, |a, _| any(a, |x, y| Ok(!is_equal(x, y)))).lenient(),
    total("< any", &[AnyElement, AnyArray], Bool, |a, _| any(a, |x, y| Ok(compare(x, y).is_lt()))).lenient(),
    total("<= any", &[AnyElement, AnyArray], Bool, |a, _| any(a, |x, y| Ok(compare(x, y).is_le()))).lenient(),
    total("> any", &[AnyElement, AnyArray], Bool, |a, _| any(a, |x, y| Ok(compare(x, y).is_gt()))).lenient(),
    total(">= any", &[AnyElement, AnyArray], Bool, |a, _| any(a, |x, y| Ok(compare(x, y).is_ge()))).lenient(),
    total("= all", &[AnyElement, AnyArray], Bool, |a, _| all(a, |x, y| Ok(is_equal(x, y)))).lenient(),
    total("<> all", &[AnyElement, AnyArray], Bool, |a, _| all(a, |x, y| Ok(!is_equal(x, y)))).lenient(),
    total("< all", &[AnyElement, AnyArray], Bool, |a, _| all(a, |x, y| Ok(compare(x, y).is_lt()))).lenient(),
    total("<= all", &[AnyElement, AnyArray], Bool, |a, _| all(a, |x, y| Ok(compare(x, y).is_le()))).lenient(),
    total("> all", &[AnyElement, AnyArray], Bool, |a, _| all(a, |x, y| Ok(compare(x, y).is_gt()))).lenient(),
    total(">= all", &[AnyElement, AnyArray], Bool, |a, _| all(a, |x, y| Ok(compare(x, y).is_ge()))).lenient(),
    partial("like any", &[Text, TextArray], Bool, |a, _| any(a, like)).lenient(),
    partial("like all", &[Text, TextArray], Bool, |a, _| all(a, like)).lenient(),
    partial("not like any", &[Text, TextArray], Bool, |a, _| any(a, |x, y| like(x, y).map(|is| !is))).lenient(),
    partial("not like all", &[Text, TextArray], Bool, |a, _| all(a, |x, y| like(x, y).map(|is| !is))).lenient(),
    partial("ilike any", &[Text, TextArray], Bool, |a, arena| any(a, |x, y| ilike(x, y, arena))).lenient(),
    partial("ilike all", &[Text, TextArray], Bool, |a, arena| all(a, |x, y| ilike(x, y, arena))).lenient(),
    partial("not ilike any", &[Text, TextArray], Bool, |a, arena| any(a, |x, y| ilike(x, y, arena).map(|is| !is)))
        .lenient(),
    partial("not ilike all", &[Text, TextArray], Bool, |a, arena| all(a, |x, y| ilike(x, y, arena).map(|is| !is)))
        .lenient(),
    partial("~ any", &[Text, TextArray], Bool, |a, _| any(a, |x, y| finds(x, y, Flags::NONE))).lenient(),
    partial("~ all", &[Text, TextArray], Bool, |a, _| all(a, |x, y| finds(x, y, Flags::NONE))).lenient(),
    partial("~* any", &[Text, TextArray], Bool, |a, _| any(a, |x, y| finds(x, y, Flags::CASE_INSENSITIVE))).lenient(),
    partial("~* all", &[Text, TextArray], Bool, |a, _| all(a, |x, y| finds(x, y, Flags::CASE_INSENSITIVE))).lenient(),
    partial("!~ any", &[Text, TextArray], Bool, |a, _| any(a, |x, y| finds(x, y, Flags::NONE).map(|is| !is))).lenient(),
    partial("!~ all", &[Text, TextArray], Bool, |a, _| all(a, |x, y| finds(x, y, Flags::NONE).map(|is| !is))).lenient(),
];

/// Equality in which NULL equals NULL.
fn is_same(left: &Datum<'_>, right: &Datum<'_>) -> bool {
    match (left.is_null(), right.is_null()) {
        (false, false) => is_equal(left, right),
        (left_is_null, right_is_null) => left_is_null == right_is_null,
    }
}

/// Looks for an element whose test gives `deciding`; a NULL among the others leaves the answer open.
fn quantify<'a>(
    args: &[Datum<'a>],
    deciding: bool,
    test: impl Fn(&Datum<'a>, &Datum<'a>) -> Result<bool, EvalError>,
) -> Value<'a> {
    if args[1].is_null() {
        return Ok(Datum::Null);
    }
    let mut is_open = false;
    for element in unwrap_array(&args[1]).iter() {
        if element.is_null() || args[0].is_null() {
            is_open = true;
        } else if test(&args[0], &element)? == deciding {
            return Ok(Datum::Bool(deciding));
        }
    }
    Ok(if is_open { Datum::Null } else { Datum::Bool(!deciding) })
}

fn any<'a>(args: &[Datum<'a>], test: impl Fn(&Datum<'a>, &Datum<'a>) -> Result<bool, EvalError>) -> Value<'a> {
    quantify(args, true, test)
}

fn all<'a>(args: &[Datum<'a>], test: impl Fn(&Datum<'a>, &Datum<'a>) -> Result<bool, EvalError>) -> Value<'a> {
    quantify(args, false, test)
}

fn like(value: &Datum<'_>, wanted: &Datum<'_>) -> Result<bool, EvalError> {
    pattern::matches(value.unwrap_text(), wanted.unwrap_text(), Some('\\'))
}

fn ilike(value: &Datum<'_>, wanted: &Datum<'_>, arena: &Arena) -> Result<bool, EvalError> {
    let [value, wanted] = [value, wanted].map(|text| text_case::lower(text.unwrap_text(), arena));
    pattern::matches(value, wanted, Some('\\'))
}

fn finds(value: &Datum<'_>, wanted: &Datum<'_>, flags: Flags) -> Result<bool, EvalError> {
    Ok(compile(wanted.unwrap_text(), flags)?.is_match(value.unwrap_text()))
}

fn fill<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    if args[1].is_null() {
        return fail("dimension array or low bound array cannot be null");
    }
    let mut sizes = unwrap_array(&args[1]).iter();
    let size = match (sizes.next(), sizes.next()) {
        (None, _) => 0,
        (Some(_), Some(_)) => return fail("arrays of more than one dimension are not maintained"),
        (Some(Datum::Null), None) => return fail("dimension values cannot be null"),
        (Some(size), None) => size.unwrap_int(),
    };
    let bytes = match &args[0] {
        Datum::Text(text) => text.len(),
        Datum::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    match usize::try_from(size) {
        Ok(count) if size <= ELEMENTS_MAX && bytes.saturating_mul(count) > BYTES_MAX => {
            fail(format!("invalid memory alloc request size {}", bytes.saturating_mul(count)))
        }
        Ok(count) if size <= ELEMENTS_MAX => Ok(array(std::iter::repeat_n(args[0].clone(), count), arena)),
        _ => fail(format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})")),
    }
}

/// How many of the thresholds, which are sorted, the operand has reached.
fn width_bucket<'a>(args: &[Datum<'a>], _: &'a Arena) -> Value<'a> {
    let mut bucket = 0;
    for threshold in unwrap_array(&args[1]).iter() {
        if threshold.is_null() {
            return fail("thresholds array must not contain NULLs");
        }
        if compare(&args[0], &threshold).is_ge() {
            bucket += 1;
        } else {
            break;
        }
    }
    Ok(Datum::Int(bucket))
}
