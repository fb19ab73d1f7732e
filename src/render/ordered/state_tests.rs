use row::{Numeric, NumericTypmod, SortDirection};

use super::*;
use flow::{Changes, KeyedState};

fn column(i: usize) -> Option<Expr> {
    Some(Expr::Column(i))
}

fn call(function: AggregateFunction, arg_type: ScalarType) -> AggregateCall {
    AggregateCall {
        function,
        arg: column(0),
        returns: arg_type.clone(),
        arg_type,
        more: Vec::new(),
        distinct: false,
        filter: None,
        order_by: Vec::new(),
        scale_max: None,
    }
}

fn state(calls: &[AggregateCall]) -> (GroupState, Shape) {
    let shape = Shape::new(calls);
    let blame = Blame { model: "m".to_owned(), expression: "e".to_owned() };
    (GroupState::new(shape.clone(), blame), shape)
}

/// The value row of one argument that every list and lane of these calls takes.
fn value(shape: &Shape, argument: &Datum<'_>) -> Row {
    let mut row = RowBuilder::default();
    row.push(&Datum::Bool(true));
    shape.direct.iter().for_each(|_| row.push(argument));
    for ListShape { list, feeds } in &shape.lists {
        let order: Vec<Datum<'_>> = list.order.iter().map(|_| argument.clone()).collect();
        let bytes =
            entry(&list.order, &order, std::slice::from_ref(argument), !feeds.is_empty(), &mut RowBuilder::default());
        row.push(&Datum::Bytes(&bytes));
    }
    row.finish()
}

fn step(state: &mut GroupState, shape: &Shape, changes: &[(Datum<'_>, i64)]) -> Vec<String> {
    let mut values: Vec<(Row, i64)> = changes.iter().map(|(datum, diff)| (value(shape, datum), *diff)).collect();
    values.sort();
    let mut output = Changes::default();
    state.update(Row::pack([Datum::Int(7)]).as_ref(), &values, &mut output);
    assert!(output.errors.is_empty());
    output.rows.iter().map(|(row, diff)| format!("{diff:+} {row:?}")).collect()
}

fn numeric(text: &str) -> Datum<'static> {
    Datum::Numeric(Numeric::parse(text).expect("a numeric"))
}

#[test]
fn extremes_and_sums_of_one_grouping_share_their_list() {
    let money = ScalarType::Numeric(Some(NumericTypmod { precision: 12, scale: 2 }));
    let mut sum = call(AggregateFunction::Sum, money.clone());
    sum.scale_max = Some(2);
    let calls = [
        call(AggregateFunction::Min, money.clone()),
        sum,
        call(AggregateFunction::Max, money.clone()),
        call(AggregateFunction::Mode, money),
    ];
    let (mut state, shape) = state(&calls);
    assert_eq!(shape.lists.len(), 1);
    let text = |min: &str, sum: &str, max: &str, mode: &str| {
        format!("{:?}", Row::pack([Datum::Int(7), numeric(min), numeric(sum), numeric(max), numeric(mode)]))
    };
    let first = step(&mut state, &shape, &[(numeric("5.00"), 2), (numeric("9.50"), 1)]);
    assert_eq!(first, [format!("+1 {}", text("5.00", "19.50", "9.50", "5.00"))]);
    assert!(step(&mut state, &shape, &[(numeric("5.00"), 1), (numeric("5.00"), -1)]).is_empty());
    let second = step(&mut state, &shape, &[(numeric("5.00"), -2)]);
    assert_eq!(
        second,
        [
            format!("-1 {}", text("5.00", "19.50", "9.50", "5.00")),
            format!("+1 {}", text("9.50", "9.50", "9.50", "9.50"))
        ]
    );
    let third = step(&mut state, &shape, &[(numeric("9.50"), -1)]);
    assert_eq!(third, [format!("-1 {}", text("9.50", "9.50", "9.50", "9.50"))]);
    assert!(state.is_empty(), "a group that is gone leaves nothing behind");
}

#[test]
fn ties_of_a_mode_go_to_the_first_in_its_order() {
    let mut descending = call(AggregateFunction::Mode, ScalarType::Int32);
    let direction = SortDirection { descending: true, nulls_first: true };
    descending.order_by = vec![OrderTerm { expr: Expr::Column(0), direction }];
    let (mut state, shape) = state(&[call(AggregateFunction::Mode, ScalarType::Int32), descending]);
    let row = |a: i64, b: i64| format!("{:?}", Row::pack([Datum::Int(7), Datum::Int(a), Datum::Int(b)]));
    let first = step(&mut state, &shape, &[(Datum::Int(3), 2), (Datum::Int(-4), 2), (Datum::Int(9), 1)]);
    assert_eq!(first, [format!("+1 {}", row(-4, 3))]);
    let second = step(&mut state, &shape, &[(Datum::Int(9), 1)]);
    assert_eq!(second, [format!("-1 {}", row(-4, 3)), format!("+1 {}", row(-4, 9))]);
}

#[test]
fn a_distinct_sum_beside_a_minimum_counts_each_value_once() {
    let mut sum = call(AggregateFunction::Sum, ScalarType::Int32);
    sum.distinct = true;
    sum.returns = ScalarType::Int64;
    let (mut state, shape) = state(&[sum, call(AggregateFunction::Min, ScalarType::Int32)]);
    let row = |a: i64, b: i64| format!("{:?}", Row::pack([Datum::Int(7), Datum::Int(a), Datum::Int(b)]));
    assert_eq!(step(&mut state, &shape, &[(Datum::Int(3), 2), (Datum::Int(4), 1)]), [format!("+1 {}", row(7, 3))]);
    assert!(step(&mut state, &shape, &[(Datum::Int(3), -1)]).is_empty());
    let last = step(&mut state, &shape, &[(Datum::Int(3), -1)]);
    assert_eq!(last, [format!("-1 {}", row(7, 3)), format!("+1 {}", row(4, 4))]);
}
