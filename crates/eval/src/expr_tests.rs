use row::{Datum, ScalarType};

use crate::testing::{binary, boolean, int};
use crate::{Arena, Expr};

/// Evaluates over no columns: `t`, `f`, `null` or the error.
fn check(expr: &Expr, expected: &str) {
    let arena = Arena::new();
    let got = match expr.eval(&[], &arena) {
        Ok(Datum::Bool(value)) => if value { "t" } else { "f" }.to_owned(),
        Ok(Datum::Null) => "null".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expected, "{}", expr.describe(&[]));
}

fn failing() -> Expr {
    binary("=", binary("/", int(1), int(0), &[]), int(1), &[])
}

const TRUE: fn() -> Expr = || boolean(Some(true));
const FALSE: fn() -> Expr = || boolean(Some(false));
const NULL: fn() -> Expr = || boolean(None);

#[test]
fn and_is_decided_by_any_false_operand_whatever_fails_before_or_after_it() {
    check(&Expr::And(vec![failing(), FALSE()]), "f");
    check(&Expr::And(vec![FALSE(), failing()]), "f");
    check(&Expr::And(vec![NULL(), failing(), FALSE()]), "f");
    check(&Expr::And(vec![failing(), TRUE()]), "division by zero");
    check(&Expr::And(vec![NULL(), failing()]), "division by zero");
    check(&Expr::And(vec![NULL(), TRUE()]), "null");
    check(&Expr::And(vec![]), "t");
}

#[test]
fn or_is_decided_by_any_true_operand_whatever_fails_before_or_after_it() {
    check(&Expr::Or(vec![failing(), TRUE()]), "t");
    check(&Expr::Or(vec![failing(), FALSE()]), "division by zero");
    check(&Expr::Or(vec![NULL(), FALSE()]), "null");
    check(&Expr::Or(vec![]), "f");
}

#[test]
fn in_list_finds_its_value_behind_an_item_that_fails() {
    let divided = || binary("/", int(1), int(0), &[]);
    check(&Expr::InList { input: Box::new(int(2)), list: vec![divided(), int(2)] }, "t");
    check(&Expr::InList { input: Box::new(int(2)), list: vec![divided(), int(3)] }, "division by zero");
}

#[test]
fn case_and_coalesce_leave_alone_what_they_do_not_need() {
    let guarded = Expr::Case {
        branches: vec![(FALSE(), failing()), (NULL(), failing()), (TRUE(), TRUE())],
        otherwise: Box::new(failing()),
        ty: ScalarType::Bool,
    };
    check(&guarded, "t");
    check(&Expr::Coalesce { args: vec![NULL(), FALSE(), failing()], ty: ScalarType::Bool }, "f");
}

#[test]
fn a_null_argument_does_not_hide_the_failure_of_another() {
    let null = Expr::null(ScalarType::Int32);
    check(&binary("+", null, binary("/", int(1), int(0), &[]), &[]), "division by zero");
}

#[test]
fn columns_are_borrowed_from_the_row() {
    let row = row::Row::pack([Datum::Int(7), Datum::Text("seven")]);
    let columns: Vec<_> = row.iter().collect();
    let arena = Arena::new();
    let value = Expr::Column(1).eval(&columns, &arena).unwrap();
    assert_eq!(value.unwrap_text().as_ptr(), columns[1].unwrap_text().as_ptr());
    assert_eq!(arena.allocated_bytes(), 0);
}
