use row::{Datum, OwnedDatum, ScalarType};

use crate::Expr;
use crate::testing::{binary, boolean, function, int, text};

const NAMES: [&str; 3] = ["id", "Name", "paid_at"];
const TYPES: [ScalarType; 3] = [ScalarType::Int32, ScalarType::Text, ScalarType::Timestamp];

fn check(expr: &Expr, expected: &str) {
    assert_eq!(expr.describe(&NAMES), expected);
}

fn id() -> Expr {
    Expr::Column(0)
}

fn name() -> Expr {
    Expr::Column(1)
}

#[test]
fn brackets_stand_only_where_precedence_needs_them() {
    let sum = |left, right| binary("+", left, right, &TYPES);
    let product = |left, right| binary("*", left, right, &TYPES);
    check(&product(sum(id(), int(1)), int(2)), "(id + 1) * 2");
    check(&sum(product(id(), int(2)), int(1)), "id * 2 + 1");
    check(&sum(id(), sum(int(1), int(2))), "id + (1 + 2)");
    check(&sum(sum(id(), int(1)), int(2)), "id + 1 + 2");
    let is_one = binary("=", id(), int(1), &TYPES);
    let is_named = binary("like", name(), text("a%"), &TYPES);
    let either = Expr::Or(vec![is_one.clone(), is_named.clone()]);
    check(&Expr::And(vec![either.clone(), is_one.clone()]), "(id = 1 or \"Name\" like 'a%') and id = 1");
    check(&Expr::Not(Box::new(either)), "not (id = 1 or \"Name\" like 'a%')");
    check(&Expr::Not(Box::new(is_one)), "not id = 1");
}

#[test]
fn every_kind_of_expression_reads_as_sql() {
    check(&function("lower", vec![name()], &TYPES), "lower(\"Name\")");
    check(&Expr::Not(Box::new(Expr::IsNull(Box::new(name())))), "\"Name\" is not null");
    check(&Expr::Not(Box::new(Expr::IsNotDistinct(Box::new(id()), Box::new(int(1))))), "id is distinct from 1");
    check(&Expr::InList { input: Box::new(id()), list: vec![int(1), int(2)] }, "id in (1, 2)");
    check(&Expr::Coalesce { args: vec![name(), text("it's")], ty: ScalarType::Text }, "coalesce(\"Name\", 'it''s')");
    let case = Expr::Case {
        branches: vec![(boolean(Some(true)), int(1))],
        otherwise: Box::new(Expr::null(ScalarType::Int32)),
        ty: ScalarType::Int32,
    };
    check(&case, "case when true then 1 end");
    let cast = Expr::Cast { input: Box::new(name()), from: ScalarType::Text, to: ScalarType::Int32, explicit: true };
    check(&cast, "\"Name\"::integer");
    let day = Expr::Literal { value: OwnedDatum::new(&Datum::Date(0)), ty: ScalarType::Date };
    check(&binary("<", Expr::Column(2), day, &TYPES), "paid_at < date '1970-01-01'::timestamp without time zone");
    check(&binary("[]", function("array", vec![int(1), int(2)], &TYPES), int(1), &TYPES), "array[1, 2][1]");
    check(&Expr::Column(9), "#9");
}
