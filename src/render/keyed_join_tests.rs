use eval::Expr;
use flow::Gives;
use row::ScalarType;

use super::*;

const LEFT: Gives = Gives { left_alone: true, ..Gives::PAIRS };

fn column(column: usize) -> Expr {
    Expr::Column(column)
}

fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

fn text(expr: Expr) -> Expr {
    Expr::Cast { input: Box::new(expr), from: ScalarType::Int64, to: ScalarType::Text, explicit: false }
}

fn is_null(expr: Expr) -> Expr {
    Expr::IsNull(Box::new(expr))
}

/// A chain over two columns of each side.
fn chain(maps: &[Expr], filters: &[Expr], outputs: &[usize]) -> Mfp {
    let maps = maps.iter().cloned().map(Step::Map);
    let steps = maps.chain(filters.iter().cloned().map(Step::Filter)).collect();
    Mfp { arity: 4, steps, outputs: outputs.to_vec() }
}

#[test]
fn each_side_computes_what_it_can_alone() {
    let chain = chain(&[text(column(1)), not(column(3))], &[], &[0, 4, 5]);
    let (sides, rest) = Division::divide(2, Gives::PAIRS, [true; 2], &chain);
    assert_eq!(sides, [vec![column(0), text(column(1))], vec![not(column(1))]]);
    assert_eq!(rest, Mfp::identity(3));
}

#[test]
fn what_needs_both_sides_stays_above_and_its_parts_go_below() {
    let both = Expr::And(vec![not(column(1)), not(column(3))]);
    let (sides, rest) = Division::divide(2, Gives::PAIRS, [true; 2], &chain(&[both], &[not(column(0))], &[4]));
    assert_eq!(sides, [vec![not(column(1)), not(column(0))], vec![not(column(1))]]);
    let steps = vec![Step::Map(Expr::And(vec![column(0), column(2)])), Step::Filter(column(1))];
    assert_eq!(rest, Mfp { arity: 3, steps, outputs: vec![3] });
}

#[test]
fn a_side_that_may_be_missing_computes_only_what_is_null_without_it() {
    let maps = [is_null(column(2)), text(column(3))];
    let (sides, rest) = Division::divide(2, LEFT, [true; 2], &chain(&maps, &[], &[4, 5]));
    assert_eq!(sides, [vec![], vec![column(0), text(column(1))]]);
    assert_eq!(rest, Mfp { arity: 2, steps: vec![Step::Map(is_null(column(0)))], outputs: vec![2, 1] });
    let (sides, _) = Division::divide(2, Gives::PAIRS, [true; 2], &chain(&maps, &[], &[4, 5]));
    assert_eq!(sides, [vec![], vec![is_null(column(0)), text(column(1))]]);
}

#[test]
fn columns_that_are_needed_anyway_are_not_held_twice() {
    let (sides, rest) = Division::divide(2, Gives::PAIRS, [true; 2], &chain(&[text(column(1))], &[], &[1, 4, 2]));
    assert_eq!(sides, [vec![column(1)], vec![column(0)]]);
    assert_eq!(rest, Mfp { arity: 2, steps: vec![Step::Map(text(column(0)))], outputs: vec![0, 2, 1] });
}

#[test]
fn a_map_that_is_read_by_another_goes_below_once() {
    let (sides, rest) =
        Division::divide(2, Gives::PAIRS, [true; 2], &chain(&[text(column(1)), is_null(column(4))], &[], &[4, 5]));
    assert_eq!(sides, [vec![text(column(1))], vec![]]);
    assert_eq!(rest, Mfp { arity: 1, steps: vec![Step::Map(is_null(column(0)))], outputs: vec![0, 1] });
}
