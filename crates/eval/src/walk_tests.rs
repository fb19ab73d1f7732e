use row::{Datum, NumericTypmod, ScalarType};

use crate::testing::{binary, boolean, function, int, text};
use crate::{Arena, Expr};

const COLUMNS: [ScalarType; 2] = [ScalarType::Int32, ScalarType::Text];

#[test]
fn folding_keeps_a_constant_that_fails_for_the_rows_that_reach_it() {
    let failing = binary("/", int(1), int(0), &[]);
    let expr = binary("+", Expr::Column(0), failing.clone(), &COLUMNS);
    let folded = expr.clone().fold();
    assert_eq!(folded, expr);
    let arena = Arena::new();
    assert_eq!(folded.eval(&[Datum::Int(1)], &arena).unwrap_err().to_string(), "division by zero");
}

#[test]
fn folding_computes_constant_parts_and_prunes_decided_ones() {
    let sum = binary("+", int(1), int(2), &[]);
    assert_eq!(binary("+", Expr::Column(0), sum, &COLUMNS).fold(), binary("+", Expr::Column(0), int(3), &COLUMNS));
    let test = binary("=", Expr::Column(0), int(1), &COLUMNS);
    let one_equals_one = binary("=", int(1), int(1), &[]);
    assert_eq!(Expr::And(vec![one_equals_one.clone(), test.clone()]).fold(), test);
    assert_eq!(Expr::Or(vec![test.clone(), one_equals_one]).fold(), boolean(Some(true)));
    let case = Expr::Case {
        branches: vec![(boolean(None), text("no")), (boolean(Some(true)), Expr::Column(1)), (test, text("late"))],
        otherwise: Box::new(text("last")),
        ty: ScalarType::Text,
    };
    assert_eq!(case.fold(), Expr::Column(1));
    let coalesce = Expr::Coalesce {
        args: vec![Expr::null(ScalarType::Text), Expr::Column(1), text("a"), text("b")],
        ty: ScalarType::Text,
    };
    assert_eq!(coalesce.fold(), Expr::Coalesce { args: vec![Expr::Column(1), text("a")], ty: ScalarType::Text });
}

#[test]
fn columns_are_visited_renumbered_and_replaced_everywhere() {
    let mut expr = Expr::Case {
        branches: vec![(binary("=", Expr::Column(0), int(1), &COLUMNS), Expr::Column(1))],
        otherwise: Box::new(Expr::Coalesce { args: vec![Expr::Column(1), text("x")], ty: ScalarType::Text }),
        ty: ScalarType::Text,
    };
    let mut seen = Vec::new();
    expr.for_each_column(&mut |column| seen.push(column));
    assert_eq!(seen, [0, 1, 1]);
    let replaced = expr.substitute(&[int(1), text("one")]);
    assert_eq!(replaced.fold(), text("one"));
    expr.map_columns(&mut |column| column + 10);
    let mut seen = Vec::new();
    expr.for_each_column(&mut |column| seen.push(column));
    assert_eq!(seen, [10, 11, 11]);
}

#[test]
fn what_can_fail_is_called_fallible_and_a_safe_literal_makes_it_safe() {
    let number = || Expr::Column(0);
    let word = || Expr::Column(1);
    assert!(binary("+", number(), int(1), &COLUMNS).is_fallible());
    assert!(!binary("=", number(), int(1), &COLUMNS).is_fallible());
    assert!(!function("lower", vec![word()], &COLUMNS).is_fallible());
    assert!(!binary("||", word(), number(), &COLUMNS).is_fallible());
    assert!(!binary("like", word(), text("a%"), &COLUMNS).is_fallible());
    assert!(binary("like", word(), word(), &COLUMNS).is_fallible());
    assert!(binary("like", word(), text("a\\"), &COLUMNS).is_fallible());
    assert!(!binary("~", word(), text("^a+$"), &COLUMNS).is_fallible());
    assert!(binary("~", word(), text("("), &COLUMNS).is_fallible());
    assert!(!function("split_part", vec![word(), text(","), int(2)], &COLUMNS).is_fallible());
    assert!(function("split_part", vec![word(), text(","), int(0)], &COLUMNS).is_fallible());
    assert!(!binary("/", number(), int(2), &COLUMNS).is_fallible());
    assert!(binary("/", number(), int(-1), &COLUMNS).is_fallible());
    assert!(!binary("%", number(), int(-1), &COLUMNS).is_fallible());
    let cast = |from: &ScalarType, to: ScalarType, explicit: bool| {
        Expr::Cast { input: Box::new(Expr::Column(0)), from: from.clone(), to, explicit }.is_fallible()
    };
    assert!(cast(&ScalarType::Text, ScalarType::Int32, true));
    assert!(!cast(&ScalarType::Int32, ScalarType::Text, true));
    assert!(!cast(&ScalarType::Int32, ScalarType::NUMERIC, false));
    assert!(cast(&ScalarType::Int64, ScalarType::Int32, true));
    assert!(cast(&ScalarType::NUMERIC, ScalarType::Numeric(Some(NumericTypmod { precision: 5, scale: 2 })), true));
    assert!(!cast(&ScalarType::Text, ScalarType::Varchar(Some(3)), true));
    assert!(cast(&ScalarType::Text, ScalarType::Varchar(Some(3)), false));
}
