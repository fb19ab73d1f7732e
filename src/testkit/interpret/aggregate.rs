//! Aggregates over a group whose members are all at hand.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use eval::{AggregateCall, AggregateFunction, EvalError, Expr};
use row::{Datum, Numeric, OwnedDatum, Row, ScalarType, SortDirection};

use super::evaluate;

/// What a call takes from one row.
struct Member {
    arg: OwnedDatum,
    more: Vec<OwnedDatum>,
    order: Vec<OwnedDatum>,
    count: i64,
}

/// Whether everything that a call reads of a row can be evaluated.
pub fn check_arguments(call: &AggregateCall, row: &Row) -> Result<(), EvalError> {
    member(call, row, 1).map(|_| ())
}

/// `None` when the call's filter leaves the row out.
fn member(call: &AggregateCall, row: &Row, count: i64) -> Result<Option<Member>, EvalError> {
    if let Some(filter) = &call.filter
        && evaluate(filter, row)?.datum().unwrap_bool() != Some(true)
    {
        return Ok(None);
    }
    let arg = match &call.arg {
        Some(arg) => evaluate(arg, row)?,
        None => OwnedDatum::new(&Datum::Bool(true)),
    };
    let more = call.more.iter().map(|expr| evaluate(expr, row)).collect::<Result<_, _>>()?;
    let order = call.order_by.iter().map(|term| evaluate(&term.expr, row)).collect::<Result<_, _>>()?;
    Ok(Some(Member { arg, more, order, count }))
}

/// One aggregate over a group. NULL arguments do not count, but are elements of lists.
pub fn aggregate(call: &AggregateCall, rows: &[(Row, i64)]) -> Result<OwnedDatum, EvalError> {
    let mut members = Vec::new();
    for (row, count) in rows {
        if let Some(member) = member(call, row, *count)?
            && (call.function.keeps_nulls() || !member.arg.datum().is_null())
        {
            members.push(member);
        }
    }
    use AggregateFunction as F;
    match call.function {
        F::PercentileCont | F::PercentileDisc | F::Mode => return ordered_set(call, sorted(call, members)),
        function if function.is_list() => return list(call, sorted(call, members)),
        _ => {}
    }
    let mut values: Vec<(OwnedDatum, i64)> = members.into_iter().map(|member| (member.arg, member.count)).collect();
    if call.distinct {
        let mut seen = BTreeMap::new();
        values.into_iter().for_each(|(value, _)| {
            seen.entry(OwnedDatum::new(&value.datum().normalized())).or_insert(value);
        });
        values = seen.into_values().map(|value| (value, 1)).collect();
    }
    let count: i64 = values.iter().map(|(_, count)| *count).sum();
    if matches!(call.function, F::CountRows | F::Count) {
        return Ok(OwnedDatum::new(&Datum::Int(count)));
    }
    if values.is_empty() {
        return Ok(OwnedDatum::null());
    }
    let bools = || values.iter().map(|(value, _)| value.datum().unwrap_bool() == Some(true));
    match call.function {
        F::Min | F::AnyValue => Ok(extreme(&values, true)),
        F::Max => Ok(extreme(&values, false)),
        F::BoolAnd => Ok(OwnedDatum::new(&Datum::Bool(bools().all(|value| value)))),
        F::BoolOr => Ok(OwnedDatum::new(&Datum::Bool(bools().any(|value| value)))),
        F::Sum => sum(&values, &call.arg_type, &call.returns),
        F::Avg if call.returns == ScalarType::Interval => {
            let total = sum(&values, &call.arg_type, &call.returns)?;
            let divisor =
                Expr::Literal { value: OwnedDatum::new(&Datum::Float64(count as f64)), ty: ScalarType::Float64 };
            mixed("/", literal(total, &ScalarType::Interval), &ScalarType::Interval, divisor, &ScalarType::Float64)
        }
        F::Avg if call.returns == ScalarType::Float64 && values.iter().all(|(value, _)| finite(value).is_some()) => {
            mean_of_doubles(&values, count)
        }
        F::Avg => {
            let total_type =
                if call.returns == ScalarType::Float64 { ScalarType::Float64 } else { ScalarType::NUMERIC };
            let total = sum(&values, &call.arg_type, &total_type)?;
            operate("/", literal(total, &total_type), cast(int8(count), &ScalarType::Int64, &total_type), &total_type)
        }
        F::VarSamp | F::VarPop | F::StddevSamp | F::StddevPop => deviation(call, &values, count),
        other => panic!("{other:?} was answered above"),
    }
}

/// A list over rows in the order in which they come.
pub fn list_over(call: &AggregateCall, rows: impl Iterator<Item = Row>) -> Result<OwnedDatum, EvalError> {
    let mut members = Vec::new();
    for row in rows {
        if let Some(member) = member(call, &row, 1)?
            && (call.function.keeps_nulls() || !member.arg.datum().is_null())
        {
            members.push(member);
        }
    }
    list(call, members)
}

/// Members in the order that the call asks for, then in the order of their values; equal ones once where DISTINCT asks for it.
fn sorted(call: &AggregateCall, mut members: Vec<Member>) -> Vec<Member> {
    let is_compared =
        call.distinct || matches!(call.function, AggregateFunction::Mode | AggregateFunction::PercentileDisc);
    let directions: Vec<SortDirection> = call.order_by.iter().map(|term| term.direction).collect();
    let by_value = |a: &Member, b: &Member| -> Ordering {
        let ordered = a.order.iter().zip(&b.order).zip(&directions);
        let ordered = ordered.map(|((a, b), direction)| directed(&a.datum(), &b.datum(), *direction));
        let rest = std::iter::once((&a.arg, &b.arg)).chain(a.more.iter().zip(&b.more));
        let rest = rest.map(|(a, b)| a.datum().sql_cmp(&b.datum()));
        let value = is_compared.then(|| by_argument(call, a, b));
        ordered.chain(value).chain(rest).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    members.sort_by(by_value);
    if call.distinct {
        let is_json = call.arg_type == ScalarType::Jsonb;
        members.dedup_by(|b, a| by_argument(call, a, b).is_eq() && (is_json || by_value(a, b).is_eq()));
        members.iter_mut().for_each(|member| member.count = 1);
    }
    members
}

/// The order of two members' arguments as values of their type.
fn by_argument(call: &AggregateCall, a: &Member, b: &Member) -> Ordering {
    if call.arg_type != ScalarType::Jsonb || a.arg.datum().is_null() || b.arg.datum().is_null() {
        return a.arg.datum().sql_cmp(&b.arg.datum());
    }
    let holds = |op: &str| {
        let (a, b) = (literal(a.arg.clone(), &call.arg_type), literal(b.arg.clone(), &call.arg_type));
        let compared = operate(op, a, b, &call.arg_type);
        compared.is_ok_and(|value| value.datum().unwrap_bool() == Some(true))
    };
    match (holds("="), holds("<")) {
        (true, _) => Ordering::Equal,
        (_, true) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

fn directed(a: &Datum<'_>, b: &Datum<'_>, direction: SortDirection) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if direction.nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) => directed(b, a, direction).reverse(),
        (false, false) if direction.descending => b.sql_cmp(a),
        (false, false) => a.sql_cmp(b),
    }
}

fn ordered_set(call: &AggregateCall, members: Vec<Member>) -> Result<OwnedDatum, EvalError> {
    if members.is_empty() {
        return Ok(OwnedDatum::null());
    }
    if call.function == AggregateFunction::Mode {
        let mut best: (i64, &OwnedDatum) = (0, &members[0].arg);
        for (i, member) in members.iter().enumerate() {
            let equals = members[i..].iter().take_while(|other| by_argument(call, other, member).is_eq());
            let count = equals.map(|other| other.count).sum();
            if count > best.0 {
                best = (count, &member.arg);
            }
        }
        return Ok(best.1.clone());
    }
    let mut all = Vec::new();
    members.iter().for_each(|member| (0..member.count).for_each(|_| all.push(member.arg.clone())));
    let one = |fraction: Datum<'_>| match fraction {
        Datum::Float64(fraction) if call.function == AggregateFunction::PercentileDisc => {
            all[((fraction * all.len() as f64).ceil() as usize).max(1) - 1].clone()
        }
        Datum::Float64(fraction) => {
            let place = fraction * (all.len() - 1) as f64;
            let (low, high) = (&all[place.floor() as usize], &all[place.ceil() as usize]);
            let part = place - place.floor();
            match (low.datum(), high.datum()) {
                _ if part == 0.0 => low.clone(),
                (Datum::Float64(low), Datum::Float64(high)) => {
                    OwnedDatum::new(&Datum::Float64(low + part * (high - low)))
                }
                (Datum::Interval(low), Datum::Interval(high)) => {
                    let between = high.sub(low).and_then(|gap| gap.mul(part)).and_then(|gap| gap.add(low));
                    OwnedDatum::new(&Datum::Interval(between.expect("test data has no intervals near the limit")))
                }
                other => panic!("nothing lies between {other:?}"),
            }
        }
        _ => OwnedDatum::null(),
    };
    let one = |fraction: Datum<'_>| -> Result<OwnedDatum, EvalError> {
        if let Datum::Float64(fraction) = fraction
            && !(0.0..=1.0).contains(&fraction)
        {
            let fraction = row::float_text::format_float8(fraction);
            return Err(EvalError::new(format!("percentile value {fraction} is not between 0 and 1")));
        }
        Ok(one(fraction))
    };
    match members[0].more[0].datum() {
        Datum::Array(fractions) => {
            let elements: Vec<OwnedDatum> = fractions.iter().map(one).collect::<Result<_, _>>()?;
            let elements = Row::pack(elements.iter().map(OwnedDatum::datum));
            Ok(OwnedDatum::new(&Datum::Array(elements.as_ref())))
        }
        fraction => one(fraction),
    }
}

fn list(call: &AggregateCall, members: Vec<Member>) -> Result<OwnedDatum, EvalError> {
    use AggregateFunction as F;
    let all: Vec<&Member> =
        members.iter().flat_map(|member| std::iter::repeat_n(member, member.count.max(0) as usize)).collect();
    if all.is_empty() {
        return Ok(OwnedDatum::null());
    }
    let text = |datum: Option<&OwnedDatum>| match datum.map(OwnedDatum::datum) {
        Some(Datum::Text(text)) => Some(text.to_owned()),
        _ => None,
    };
    let json = |datum: Option<&OwnedDatum>| text(datum).unwrap_or_else(|| "null".to_owned());
    let printed = match call.function {
        F::ArrayAgg => {
            let elements = Row::pack(all.iter().map(|member| member.arg.datum()));
            return Ok(OwnedDatum::new(&Datum::Array(elements.as_ref())));
        }
        F::StringAgg if call.returns == ScalarType::Bytes => {
            let bytes = |datum: Option<&OwnedDatum>| match datum.map(OwnedDatum::datum) {
                Some(Datum::Bytes(bytes)) => bytes.to_vec(),
                _ => Vec::new(),
            };
            let mut joined = Vec::new();
            for (i, member) in all.iter().enumerate() {
                if i > 0 {
                    joined.extend(bytes(member.more.first()));
                }
                joined.extend(bytes(Some(&member.arg)));
            }
            return Ok(OwnedDatum::new(&Datum::Bytes(&joined)));
        }
        F::StringAgg => {
            let mut joined = String::new();
            for (i, member) in all.iter().enumerate() {
                if i > 0 {
                    joined += &text(member.more.first()).unwrap_or_default();
                }
                joined += &text(Some(&member.arg)).unwrap_or_default();
            }
            return Ok(OwnedDatum::new(&Datum::Text(&joined)));
        }
        F::JsonAgg | F::JsonbAgg => {
            let between = if matches!(call.arg_type, ScalarType::Array(_)) { ", \n " } else { ", " };
            let elements: Vec<String> = all.iter().map(|member| json(member.more.first())).collect();
            format!("[{}]", elements.join(between))
        }
        F::JsonObjectAgg | F::JsonbObjectAgg => {
            let mut pairs = Vec::new();
            for member in all {
                let Some(key) = text(member.more.first()) else {
                    return Err(EvalError::new("field name must not be null"));
                };
                let key = if key.starts_with('"') { key } else { format!("\"{key}\"") };
                pairs.push(format!("{key} : {}", json(member.more.get(1))));
            }
            format!("{{ {} }}", pairs.join(", "))
        }
        other => panic!("{other:?} is no list"),
    };
    evaluate(&cast(OwnedDatum::new(&Datum::Text(&printed)), &ScalarType::Text, &call.returns), &Row::default())
}

/// Variance and standard deviation: SQL's own arithmetic over numerics, exact fractions over doubles.
fn deviation(call: &AggregateCall, values: &[(OwnedDatum, i64)], count: i64) -> Result<OwnedDatum, EvalError> {
    use AggregateFunction as F;
    let is_sample = matches!(call.function, F::VarSamp | F::StddevSamp);
    let is_root = matches!(call.function, F::StddevSamp | F::StddevPop);
    if is_sample && count < 2 {
        return Ok(OwnedDatum::null());
    }
    let is_double = call.returns == ScalarType::Float64;
    let (mut sum, mut squares) = (Numeric::ZERO, Numeric::ZERO);
    for (value, times) in values {
        let value = match value.datum() {
            Datum::Int(value) => Numeric::from_i64(value),
            Datum::Numeric(value) => value,
            Datum::Float64(value) if value.is_finite() => exact(value),
            Datum::Float32(value) if value.is_finite() => exact(f64::from(value)),
            _ => Numeric::NAN,
        };
        let value = if value.is_infinite() { Numeric::NAN } else { value };
        let times = Numeric::from_i64(*times);
        sum = of(value.mul(&times).and_then(|part| part.add(&sum)))?;
        squares = of(value.mul(&value).and_then(|square| square.mul(&times)).and_then(|part| part.add(&squares)))?;
    }
    if sum.is_nan() {
        let nan = if is_double { Datum::Float64(f64::NAN) } else { Datum::Numeric(Numeric::NAN) };
        return Ok(OwnedDatum::new(&nan));
    }
    let n = Numeric::from_i64(count);
    let divisor = of(n.mul(&Numeric::from_i64(if is_sample { count - 1 } else { count })))?;
    let numerator = of(n.mul(&squares).and_then(|part| part.sub(&sum.mul(&sum)?)))?;
    if is_double {
        // Far more digits than a double has, whatever the magnitude.
        let numerator = of(numerator.rescale(numerator.scale().max(60) + 60))?;
        let variance = of(numerator.div(&divisor))?.to_f64();
        if variance.is_infinite() {
            return Err(EvalError::new("value out of range: overflow"));
        }
        return Ok(OwnedDatum::new(&Datum::Float64(if is_root { variance.sqrt() } else { variance })));
    }
    if numerator <= Numeric::ZERO {
        return Ok(OwnedDatum::new(&Datum::Numeric(Numeric::ZERO)));
    }
    let variance = of(numerator.div(&divisor))?;
    let result = if is_root { of(variance.sqrt_to_scale(variance.scale()))? } else { variance };
    Ok(OwnedDatum::new(&Datum::Numeric(result)))
}

fn finite(value: &OwnedDatum) -> Option<f64> {
    match value.datum() {
        Datum::Float64(value) => Some(value).filter(|value| value.is_finite()),
        Datum::Float32(value) => Some(f64::from(value)).filter(|value| value.is_finite()),
        _ => None,
    }
}

/// The quotient of the exact sum, rounded once.
fn mean_of_doubles(values: &[(OwnedDatum, i64)], count: i64) -> Result<OwnedDatum, EvalError> {
    let mut sum = Numeric::ZERO;
    for (value, times) in values {
        let value = exact(finite(value).unwrap_or(0.0));
        sum = of(value.mul(&Numeric::from_i64(*times)).and_then(|part| part.add(&sum)))?;
    }
    let sum = of(sum.rescale(sum.scale().max(60) + 60))?;
    Ok(OwnedDatum::new(&Datum::Float64(of(sum.div(&Numeric::from_i64(count)))?.to_f64())))
}

fn of<T>(result: Result<T, row::NumericError>) -> Result<T, EvalError> {
    result.map_err(|error| EvalError::new(error.to_string()))
}

/// A finite double, digit for digit.
fn exact(value: f64) -> Numeric {
    let (mut value, mut halvings) = (value, 0);
    while value.fract() != 0.0 && halvings < 1074 {
        value *= 2.0;
        halvings += 1;
    }
    let mut exact = Numeric::from_i64(0);
    let mut doublings = 0;
    while value.abs() >= 9e18 {
        value /= 2.0;
        doublings += 1;
    }
    exact = exact.add(&Numeric::from_i64(value as i64)).expect("small enough");
    let two = Numeric::from_i64(2);
    let half = Numeric::from_parts(5, 1);
    (0..doublings).for_each(|_| exact = exact.mul(&two).expect("small enough"));
    (0..halvings).for_each(|_| exact = exact.mul(&half).expect("small enough"));
    exact
}

fn extreme(values: &[(OwnedDatum, i64)], least: bool) -> OwnedDatum {
    let compare = |a: &&(OwnedDatum, i64), b: &&(OwnedDatum, i64)| {
        let order = a.0.datum().sql_cmp(&b.0.datum());
        if least { order } else { order.reverse() }
    };
    values.iter().min_by(compare).map_or_else(OwnedDatum::null, |(value, _)| value.clone())
}

fn literal(value: OwnedDatum, ty: &ScalarType) -> Expr {
    Expr::Literal { value, ty: ty.clone() }
}

fn int8(value: i64) -> OwnedDatum {
    OwnedDatum::new(&Datum::Int(value))
}

fn cast(value: OwnedDatum, from: &ScalarType, to: &ScalarType) -> Expr {
    let input = literal(value, from);
    if from == to {
        input
    } else {
        Expr::Cast { input: Box::new(input), from: from.clone(), to: to.clone(), explicit: true }
    }
}

fn operate(op: &str, left: Expr, right: Expr, ty: &ScalarType) -> Result<OwnedDatum, EvalError> {
    mixed(op, left, ty, right, ty)
}

fn mixed(
    op: &str,
    left: Expr,
    left_type: &ScalarType,
    right: Expr,
    right_type: &ScalarType,
) -> Result<OwnedDatum, EvalError> {
    let resolved =
        eval::resolve::binary(op, left_type, right_type).map_err(|error| EvalError::new(error.to_string()))?;
    let call = Expr::Call { function: resolved.function, args: vec![left, right], ty: resolved.returns };
    evaluate(&call, &Row::default())
}

fn sum(values: &[(OwnedDatum, i64)], from: &ScalarType, returns: &ScalarType) -> Result<OwnedDatum, EvalError> {
    if returns.is_float() {
        return sum_of_doubles(values, from, returns);
    }
    // One by one and by SQL's own addition; a repeated value is multiplied by its count where there is a multiplication.
    let mut total: Option<OwnedDatum> = None;
    for (value, count) in values {
        let value = evaluate(&cast(value.clone(), from, returns), &Row::default())?;
        let times = if *returns == ScalarType::Interval { *count } else { 1 };
        let value = if times == 1 && *count != 1 {
            operate("*", literal(value, returns), cast(int8(*count), &ScalarType::Int64, returns), returns)?
        } else {
            value
        };
        for _ in 0..times.max(1) {
            total = Some(match total {
                None => value.clone(),
                Some(total) => operate("+", literal(total, returns), literal(value.clone(), returns), returns)?,
            });
        }
    }
    Ok(total.unwrap_or_else(OwnedDatum::null))
}

/// Correctly rounded, whatever the order: partial sums that do not overlap (Shewchuk), added up at the end.
fn sum_of_doubles(
    values: &[(OwnedDatum, i64)],
    from: &ScalarType,
    returns: &ScalarType,
) -> Result<OwnedDatum, EvalError> {
    let mut partials: Vec<f64> = Vec::new();
    let mut special = None;
    for (value, count) in values {
        let value = evaluate(&cast(value.clone(), from, &ScalarType::Float64), &Row::default())?;
        let Datum::Float64(value) = value.datum() else { continue };
        if !value.is_finite() {
            special = Some(special.unwrap_or(0.0) + value);
            continue;
        }
        for _ in 0..*count {
            let mut x = value;
            let mut kept = Vec::new();
            for mut y in partials.drain(..) {
                if x.abs() < y.abs() {
                    std::mem::swap(&mut x, &mut y);
                }
                let high = x + y;
                let low = y - (high - x);
                if low != 0.0 {
                    kept.push(low);
                }
                x = high;
            }
            kept.push(x);
            partials = kept;
        }
    }
    let total = special.unwrap_or_else(|| partials.iter().sum());
    if special.is_none() && total.is_infinite() {
        return Err(EvalError::new("value out of range: overflow"));
    }
    evaluate(&cast(OwnedDatum::new(&Datum::Float64(total)), &ScalarType::Float64, returns), &Row::default())
}
