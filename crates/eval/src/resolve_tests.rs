use row::{NumericTypmod, ScalarType as T};

use super::{aggregate, binary, can_cast, common_type, function};
use crate::AggregateFunction;

fn amount() -> T {
    T::Numeric(Some(NumericTypmod { precision: 12, scale: 2 }))
}

#[test]
fn an_argument_that_serves_as_it_is_gets_no_cast() {
    let product = binary("*", &amount(), &T::NUMERIC).unwrap();
    assert_eq!(product.arg_types, [amount(), T::NUMERIC]);
    assert_eq!(product.returns, T::NUMERIC);
    let sum = binary("+", &T::Int32, &T::Int64).unwrap();
    assert_eq!((sum.arg_types, sum.returns), (vec![T::Int32, T::Int64], T::Int64));
    let lower = function("lower", &[T::Varchar(Some(5))]).unwrap();
    assert_eq!((lower.arg_types, lower.returns), (vec![T::Varchar(Some(5))], T::Text));
    let mixed = binary("*", &amount(), &T::Int64).unwrap();
    assert_eq!(mixed.arg_types, [amount(), T::NUMERIC]);
}

#[test]
fn volatile_functions_are_refused_with_what_to_write_instead() {
    let error = function("clock_timestamp", &[]).unwrap_err();
    assert!(error.message.contains("volatile"), "{error}");
    assert!(error.hint.unwrap().contains("now()"));
    for name in ["random", "nextval", "gen_random_uuid"] {
        let error = function(name, &[]).unwrap_err();
        assert!(error.message.contains("volatile"), "{error}");
        assert!(error.hint.is_some());
    }
}

#[test]
fn an_unknown_function_is_named_with_its_types_and_a_way_out() {
    let error = function("datediff", &[T::Unknown, T::Date, T::Date]).unwrap_err();
    assert_eq!(error.message, "function datediff(unknown, date, date) does not exist");
    assert!(error.hint.unwrap().contains("b::date - a::date"));
    let error = function("round", &[T::Float64, T::Int32]).unwrap_err();
    assert_eq!(error.message, "function round(double precision, integer) does not exist");
    assert!(error.hint.unwrap().contains("round(x::numeric, n)"));
}

#[test]
fn aggregates_have_postgresql_s_result_types() {
    let check = |name: &str, arg: T, returns: T| {
        let (_, arg_types, got) = aggregate(name, std::slice::from_ref(&arg)).unwrap();
        assert_eq!(got, returns, "{name}({arg})");
        assert_eq!(arg_types, [arg]);
    };
    check("sum", T::Int16, T::Int64);
    check("sum", T::Int32, T::Int64);
    check("sum", T::Int64, T::NUMERIC);
    check("sum", amount(), T::NUMERIC);
    check("sum", T::Float32, T::Float32);
    check("sum", T::Interval, T::Interval);
    check("avg", T::Int32, T::NUMERIC);
    check("avg", T::Float32, T::Float64);
    check("min", T::Varchar(Some(3)), T::Text);
    check("max", amount(), T::NUMERIC);
    check("max", T::Date, T::Date);
    check("bool_or", T::Bool, T::Bool);
    check("count", T::Json, T::Int64);
    assert_eq!(aggregate("count", &[]).unwrap().0, AggregateFunction::CountRows);
    assert_eq!(aggregate("every", &[T::Bool]).unwrap().0, AggregateFunction::BoolAnd);
    assert_eq!(aggregate("sum", &[T::Text]).unwrap_err().message, "function sum(text) does not exist");
    assert_eq!(aggregate("max", &[T::Bool]).unwrap_err().message, "function max(boolean) does not exist");
}

#[test]
fn ordered_aggregates_take_their_own_argument_types() {
    let check = |name: &str, args: &[T], arg_types: &[T], returns: T| {
        let (_, got_types, got) = aggregate(name, args).unwrap();
        assert_eq!((got_types.as_slice(), got), (arg_types, returns), "{name}");
    };
    let array = |of: T| T::Array(Box::new(of));
    check("percentile_cont", &[T::NUMERIC, T::Int32], &[T::Float64, T::Float64], T::Float64);
    check("percentile_cont", &[T::NUMERIC, T::Interval], &[T::Float64, T::Interval], T::Interval);
    check("percentile_cont", &[array(T::NUMERIC), T::Int32], &[array(T::Float64), T::Float64], array(T::Float64));
    check("percentile_disc", &[T::NUMERIC, T::Date], &[T::Float64, T::Date], T::Date);
    check("mode", &[amount()], &[amount()], T::NUMERIC);
    check("array_agg", &[T::Varchar(Some(3))], &[T::Varchar(Some(3))], array(T::Varchar(None)));
    check("string_agg", &[T::Varchar(Some(3)), T::Unknown], &[T::Text, T::Text], T::Text);
    check("jsonb_object_agg", &[T::Int32, T::Bool], &[T::Int32, T::Bool], T::Jsonb);
    let missing = |name: &str, args: &[T]| aggregate(name, args).unwrap_err().message;
    assert_eq!(
        missing("percentile_cont", &[T::NUMERIC, T::Date]),
        "function percentile_cont(numeric, date) does not exist"
    );
    assert_eq!(missing("string_agg", &[T::Int32, T::Unknown]), "function string_agg(integer, unknown) does not exist");
}

#[test]
fn aggregates_not_maintained_say_what_to_write_instead() {
    for name in ["corr", "regr_slope", "bit_and", "max_by", "approx_count_distinct"] {
        let error = aggregate(name, &[T::Int32]).unwrap_err();
        assert_eq!(error.message, format!("aggregate {name} is not maintained"));
        assert!(error.hint.is_some());
    }
    assert!(aggregate("array_agg", &[T::Array(Box::new(T::Int32))]).unwrap_err().hint.is_some());
}

#[test]
fn common_types_follow_the_union_rules() {
    let common = |types: &[T]| common_type("UNION", types).map_err(|error| error.message);
    assert_eq!(common(&[T::Int32, T::Int64, T::Unknown]), Ok(T::Int64));
    assert_eq!(common(&[T::Int64, T::NUMERIC, T::Int32]), Ok(T::NUMERIC));
    assert_eq!(common(&[amount(), amount()]), Ok(amount()));
    assert_eq!(common(&[amount(), T::NUMERIC]), Ok(T::NUMERIC));
    assert_eq!(common(&[T::Unknown, T::Unknown]), Ok(T::Text));
    assert_eq!(common(&[T::Varchar(Some(3)), T::Text]), Ok(T::Varchar(None)));
    assert_eq!(common(&[T::Text, T::Varchar(Some(3))]), Ok(T::Text));
    assert_eq!(common(&[T::Date, T::TimestampTz]), Ok(T::TimestampTz));
    assert_eq!(common(&[T::Float32, T::NUMERIC]), Ok(T::Float32));
    assert_eq!(common(&[T::Int32, T::Text]), Err("UNION types integer and text cannot be matched".to_owned()));
    assert_eq!(common(&[T::Json, T::Jsonb]), Err("UNION types json and jsonb cannot be matched".to_owned()));
    let arrays = [T::Array(Box::new(T::Int32)), T::Array(Box::new(T::Int64))];
    assert_eq!(common(&arrays), Ok(T::Array(Box::new(T::Int64))));
}

#[test]
fn casts_are_implicit_upwards_and_explicit_to_other_categories() {
    assert!(can_cast(&T::Int32, &T::Int64, false));
    assert!(!can_cast(&T::Int64, &T::Int32, false));
    assert!(can_cast(&T::Int64, &T::Int32, true));
    assert!(can_cast(&T::Date, &T::TimestampTz, false));
    assert!(!can_cast(&T::Int32, &T::Text, false));
    assert!(can_cast(&T::Int32, &T::Text, true));
    assert!(can_cast(&T::Bool, &T::Int32, true));
    assert!(!can_cast(&T::Bool, &T::Int64, true));
    assert!(!can_cast(&T::Int32, &T::Date, true));
    assert!(can_cast(&T::Unknown, &T::Date, false));
}

#[test]
fn every_name_in_the_table_resolves_to_one_of_its_own_rows() {
    for (id, implementation) in crate::functions::TABLE.iter().enumerate() {
        let types: Option<Vec<T>> = implementation.params.iter().map(|param| param.ty()).collect();
        let Some(types) = types else { continue };
        let name = implementation.name;
        let is_operator = !name.starts_with(|first: char| first.is_ascii_lowercase());
        let resolution = match types.as_slice() {
            [arg] if is_operator => super::unary(name, arg),
            [left, right] if is_operator || name.contains(' ') || name.ends_with("like") => binary(name, left, right),
            args => function(name, args),
        };
        let resolution = resolution.unwrap_or_else(|error| panic!("row {id}: {error}"));
        assert_eq!(resolution.function.name(), name);
        assert_eq!(usize::from(resolution.function.0), id, "{name}({types:?}) is hidden by another row");
    }
}
