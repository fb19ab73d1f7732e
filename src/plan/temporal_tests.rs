//! When comparisons turn, against the comparisons themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use eval::Arena;
use row::Datum;

use super::*;
use crate::plan::expr::columns_of;
use crate::plan::rewrite::{RewriteOptions, optimize_one};
use crate::plan::tree::post_order;
use crate::plan::{Column, Plan, RelationId, RelationType, bind};
use crate::time::Moment;

const DAY: i64 = MICROS_PER_DAY;
/// 2024-02-28, so that the days around it hold a month's end and a leap day.
const START: i64 = 19_781;

fn table() -> RelationType {
    let column = |name: &str, ty: ScalarType| Column { name: name.to_owned(), ty, nullable: true, scale_max: None };
    let columns = vec![
        column("d", ScalarType::Date),
        column("t", ScalarType::Timestamp),
        column("z", ScalarType::TimestampTz),
        column("s", ScalarType::Text),
    ];
    RelationType { columns, keys: Vec::new() }
}

fn plan(condition: &str) -> Arc<Plan> {
    let resolve = |_: &[String]| Some((RelationId("t".into()), table()));
    let sql = format!("select d, t, z from t where {condition}");
    let model = bind(&sql, &resolve).unwrap_or_else(|error| panic!("{condition}: {error}"));
    optimize_one(&model.plan, &RewriteOptions::ALL)
}

/// The temporal filters of a plan.
fn temporal(plan: &Arc<Plan>) -> Vec<(ClockReading, Vec<Expr>, Vec<ScalarType>)> {
    post_order(plan)
        .iter()
        .filter_map(|node| match &**node {
            Plan::Temporal { input, reading, predicates } => {
                let types = input.typ().columns.into_iter().map(|column| column.ty).collect();
                Some((*reading, predicates.clone(), types))
            }
            _ => None,
        })
        .collect()
}

fn reads_clock(plan: &Arc<Plan>) -> bool {
    let reads =
        |node: &Arc<Plan>| matches!(&**node, Plan::Get { relation, .. } if ClockReading::of(relation).is_some());
    post_order(plan).iter().any(reads)
}

/// Values around the start, at the edges of days, and beyond all days.
fn values(ty: &ScalarType) -> Vec<Datum<'static>> {
    let mut micros = vec![i64::MAX, i64::MIN, -1, 0];
    for day in START - 40..START + 3 {
        micros.extend([day * DAY - 1, day * DAY, day * DAY + 1, day * DAY + DAY / 3]);
    }
    match ty {
        ScalarType::Date => {
            let days = (START - 40..START + 40).map(|day| day as i32).chain([i32::MAX, i32::MIN, 0, -1]);
            days.map(Datum::Date).chain([Datum::Null]).collect()
        }
        ScalarType::Timestamp => micros.into_iter().map(Datum::Timestamp).chain([Datum::Null]).collect(),
        ScalarType::TimestampTz => micros.into_iter().map(Datum::TimestampTz).chain([Datum::Null]).collect(),
        _ => vec![Datum::Null],
    }
}

fn moments() -> Vec<Moment> {
    let mut moments = Vec::new();
    for day in START - 2..START + 3 {
        for micros in [day * DAY - 1, day * DAY, day * DAY + 1, day * DAY + 3_600_000_000] {
            moments.push(Moment::new(micros, chrono_tz::Tz::UTC));
        }
    }
    moments
}

/// The comparison is recognised, needs no clock beside the rows, and turns when it says.
fn check(condition: &str) {
    let plan = plan(condition);
    let filters = temporal(&plan);
    assert!(!filters.is_empty() && !reads_clock(&plan), "{condition}:\n{}", plan.describe());
    for (reading, predicates, types) in filters {
        for predicate in predicates {
            let bound = temporal_bound(&predicate, types.len(), reading, &types).unwrap();
            check_turns(condition, &predicate, &bound, reading, &types);
        }
    }
}

fn check_turns(condition: &str, predicate: &Expr, bound: &TemporalBound, reading: ClockReading, types: &[ScalarType]) {
    let read = columns_of(&bound.value);
    let mut rows: Vec<Vec<Datum<'static>>> = vec![Vec::new()];
    for (column, ty) in types.iter().enumerate() {
        let choices = if read.contains(&column) { values(ty) } else { vec![Datum::Null] };
        rows = rows
            .iter()
            .flat_map(|row| choices.iter().map(move |v| [&row[..], std::slice::from_ref(v)].concat()))
            .collect();
    }
    for row in rows {
        let arena = Arena::new();
        let value = match bound.value.eval(&row, &arena) {
            Ok(value) => value,
            Err(_) => continue,
        };
        let turn = bound.turn(&value);
        for moment in moments() {
            let clock = moment.row(reading);
            let clock: Vec<Datum<'_>> = clock.iter().collect();
            let all: Vec<Datum<'_>> = row.iter().chain(&clock).cloned().collect();
            let arena = Arena::new();
            // Near the calendar's ends the comparison itself may fail; the filter then goes on counting.
            let Ok(expected) = predicate.eval(&all, &arena) else { continue };
            let now = match reading {
                ClockReading::Now => moment.now,
                ClockReading::Date => i64::from(moment.date),
            };
            let found = turn.is_some_and(|turn| match turn {
                Turn::From(at) => at <= now,
                Turn::Until(at) => now < at,
            });
            assert_eq!(found, expected.unwrap_bool() == Some(true), "{condition}: {row:?} at {moment:?}: {turn:?}");
        }
    }
}

#[test]
fn comparisons_with_the_clock_turn_when_they_say() {
    let conditions = [
        "z >= now() - interval '2 days'",
        "z > now() - interval '36 hours'",
        "now() - interval '1 day' < z",
        "z + interval '5 minutes' <= current_timestamp",
        "t < localtimestamp",
        "t >= now() - interval '1 day 02:00'",
        "now() - z < interval '1 day'",
        "z - now() > interval '-3 days'",
        "now() - z >= interval '1 month'",
        "d > current_date - 30",
        "d >= current_date",
        "d + 3 < current_date + 1",
        "current_date - d <= 7",
        "d - current_date > -2",
        "d >= current_date - interval '3 days'",
        "d < current_date - interval '12 hours'",
        "t >= current_date - interval '1 day'",
        "t < current_date",
        "t <= current_date",
        "z >= current_date - interval '2 days'",
        "z > current_date",
        "d > now() - interval '2 days'",
        "d <= now()::date - 5",
        "t between current_date - 7 and current_date",
        "now() between z and z + interval '3 hours'",
        "d <= current_date and z > now() - interval '3 days'",
        "d > current_date or z is null",
        "d <= current_date - 3 or d is null",
        "t is null or t >= now() - interval '2 hours' or t < timestamp '2020-01-01'",
    ];
    conditions.iter().for_each(|condition| check(condition));
}

#[test]
fn what_does_not_turn_once_by_fixed_steps_stays_beside_the_clock() {
    let conditions = [
        "d > current_date - interval '1 month'",
        "z > now() - interval '1 year'",
        "date_trunc('month', d) = date_trunc('month', current_date)",
        "extract(dow from current_date) > 3",
        "d > current_date or z = now()",
        "d > current_date or 1 / (d - date '2020-01-01') > 0",
        "t <> now()",
        "case when d > current_date then true end",
    ];
    for condition in conditions {
        let plan = plan(condition);
        assert!(temporal(&plan).is_empty() && reads_clock(&plan), "{condition}:\n{}", plan.describe());
    }
}

#[test]
fn a_filter_goes_to_the_side_of_the_join_that_it_compares() {
    let tables: BTreeMap<String, RelationType> = [("a".to_owned(), table()), ("b".to_owned(), table())].into();
    let resolve = |parts: &[String]| {
        let name = parts.last()?;
        Some((RelationId(name.as_str().into()), tables.get(name)?.clone()))
    };
    let describe = |sql: &str| {
        let model = bind(sql, &resolve).unwrap();
        optimize_one(&model.plan, &RewriteOptions::ALL).describe()
    };
    let inner = describe("select a.s from a join b on a.s = b.s where b.z > now() - interval '1 day'");
    let place = |plan: &str, part: &str| plan.find(part).unwrap_or_else(|| panic!("no {part} in\n{plan}"));
    assert!(place(&inner, "Temporal #0 > now() - interval '1 day'") > place(&inner, "Get a"), "{inner}");
    assert!(place(&inner, "Get b") > place(&inner, "Temporal"), "{inner}");
    let left = describe("select a.s, b.d from a left join b on a.s = b.s and b.d >= current_date - 7");
    assert!(place(&left, "Temporal #0 >= current_date - 7\n") > place(&left, "Get a"), "{left}");
    assert!(!left.contains("livemart.clock"), "{left}");
    let kept = describe("select a.s, now() as at from a where a.z > now() - interval '1 day'");
    assert!(kept.contains("Temporal") && kept.contains("Get livemart.clock.now"), "{kept}");
}

#[test]
fn a_null_or_an_unknown_value_is_never_there() {
    let plan = plan("d > current_date - 30");
    let (reading, predicates, types) = temporal(&plan).remove(0);
    let bound = temporal_bound(&predicates[0], types.len(), reading, &types).unwrap();
    assert_eq!(bound.turn(&Datum::Null), None);
    assert_eq!(bound.turn(&Datum::Date(i32::MAX)), Some(Turn::Until(i64::MAX)));
    assert_eq!(bound.turn(&Datum::Date(i32::MIN)), Some(Turn::Until(i64::MIN)));
}
