//! Names, types and refusals of single statements.

use crate::plan::PlanError;
use crate::plan::probe_tests::{bind_probe, tables};

pub(super) fn refused(sql: &str) -> PlanError {
    match bind_probe(sql, &tables()) {
        Ok(model) => panic!("planned:\n{}", model.plan.describe()),
        Err(error) => error,
    }
}

/// Checks the message; with a hint when the expectation has a second line.
pub(super) fn check_refused(sql: &str, expected: &str) {
    let error = refused(sql);
    let text = match &error.hint {
        Some(hint) if expected.contains('\n') => format!("{error}\n{hint}"),
        _ => error.to_string(),
    };
    assert_eq!(text, expected, "{sql}");
}

/// Checks names and types of the columns.
pub(super) fn check_columns(sql: &str, expected: &str) {
    let model = bind_probe(sql, &tables()).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns: Vec<String> = model.columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
    assert_eq!(columns.join(", "), expected, "{sql}");
}

/// Checks the plan as it is bound; `expected` starts with a line break and is indented by eight.
pub(super) fn check_plan(sql: &str, expected: &str) {
    let model = bind_probe(sql, &tables()).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let found = model.plan.describe();
    let expected: String = expected.lines().skip(1).map(|line| format!("{}\n", line.get(8..).unwrap_or(""))).collect();
    assert_eq!(found.trim_end(), expected.trim_end(), "{sql}\n{found}");
}

#[test]
fn a_misspelt_column_is_named_with_its_place_and_the_nearest_name() {
    check_refused(
        "select order_id,\n       custmer_id\nfrom orders",
        "column \"custmer_id\" does not exist (line 2, column 8)\ndid you mean \"customer_id\"?",
    );
    check_refused(
        "select o.statu from orders o",
        "column o.statu does not exist (line 1, column 8)\ndid you mean \"status\"?",
    );
}

#[test]
fn a_table_that_is_not_in_from_is_named() {
    check_refused(
        "select ordrs.status from orders",
        "missing FROM-clause entry for table \"ordrs\" (line 1, column 8)\ndid you mean \"orders\"?",
    );
    check_refused("select 1 from nowhere", "relation \"nowhere\" does not exist (line 1, column 15)");
}

#[test]
fn a_name_of_two_tables_is_ambiguous() {
    check_refused(
        "select order_id from orders o join payments p on p.order_id = o.order_id",
        "column reference \"order_id\" is ambiguous (line 1, column 8)",
    );
    check_refused(
        "select 1 from orders join orders on true",
        "table name \"orders\" specified more than once (line 1, column 27)",
    );
}

#[test]
fn a_column_outside_of_the_groups_is_refused() {
    check_refused(
        "select status, customer_id, count(*) from orders group by status",
        "column \"orders.customer_id\" must appear in the GROUP BY clause or be used in an aggregate function (line 1, column 16)",
    );
    check_refused(
        "select status from orders having count(*) > 1",
        "column \"orders.status\" must appear in the GROUP BY clause or be used in an aggregate function (line 1, column 8)",
    );
}

#[test]
fn a_subquery_may_read_only_grouped_columns_of_the_outer_query() {
    check_refused(
        "select status, (select max(payment_id) from payments p where p.order_id = o.order_id) from orders o group by status",
        "column \"o.order_id\" must appear in the GROUP BY clause or be used in an aggregate function (line 1, column 17)",
    );
}

#[test]
fn aggregates_stand_only_where_sql_allows_them() {
    check_refused(
        "select 1 from orders where count(*) > 1",
        "aggregate functions are not allowed in WHERE (line 1, column 28)",
    );
    check_refused("select sum(count(*)) from orders", "aggregate function calls cannot be nested (line 1, column 12)");
    check_refused(
        "select 1 from orders group by sum(order_id)",
        "aggregate functions are not allowed in GROUP BY (line 1, column 31)",
    );
}

#[test]
fn types_that_do_not_fit_are_refused_in_postgresqls_words() {
    check_refused(
        "select 1 from orders where order_id",
        "argument of WHERE must be type boolean, not type bigint (line 1, column 28)",
    );
    check_refused("select 'abc'::int", "invalid input syntax for type integer: \"abc\" (line 1, column 8)");
    check_refused("select order_id + status from orders", "operator does not exist: bigint + text (line 1, column 8)");
    check_refused("select nothing(order_id) from orders", "function nothing(bigint) does not exist (line 1, column 8)");
    check_refused("select 1 union select status from orders", "UNION types integer and text cannot be matched");
    check_refused("select 1, 2 union select 1", "each UNION query must have the same number of columns");
    check_refused(
        "select case when true then 1 else status end from orders",
        "CASE types integer and text cannot be matched (line 1, column 8)",
    );
    check_refused("select 1::nothing", "type \"nothing\" does not exist (line 1, column 8)");
}

#[test]
fn positions_and_limits_are_checked() {
    check_refused(
        "select status from orders group by 2",
        "GROUP BY position 2 is not in select list (line 1, column 36)",
    );
    check_refused(
        "select status from orders order by 3 limit 1",
        "ORDER BY position 3 is not in select list (line 1, column 36)",
    );
    check_refused("select status from orders limit order_id", "column \"order_id\" does not exist (line 1, column 33)");
    check_refused("select status from orders limit -1", "LIMIT must not be negative (line 1, column 34)");
    check_refused(
        "select distinct status from orders order by order_id limit 1",
        "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
    );
    check_refused(
        "select distinct on (status) status, order_id from orders order by order_id",
        "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
    );
}

#[test]
fn a_model_is_one_query_with_distinct_column_names() {
    check_refused("", "the model's SQL is empty");
    check_refused("select 1; select 2", "a model is one query, but here are several statements");
    check_refused("insert into t values (1)", "a model is a SELECT, not INSERT");
    check_refused(
        "select order_id, customer_id as order_id from orders",
        "column \"order_id\" specified more than once",
    );
    check_refused("select *, status from orders", "column \"status\" specified more than once");
}

#[test]
fn a_syntax_error_has_its_place() {
    check_refused("select 1\nfrom orders\nwhere", "syntax error: expected: an expression, found: EOF");
    check_refused(
        "select 1 frm orders where",
        "syntax error: expected: end of statement, found: orders (line 1, column 14)",
    );
}

#[test]
fn what_comes_later_is_refused_by_its_name() {
    for (sql, expected) in [
        ("select rank() from orders", "window function rank requires an OVER clause (line 1, column 8)"),
        (
            "select 1 from orders where unnest(array[1]) = 1",
            "set-returning functions are not allowed in WHERE (line 1, column 28)",
        ),
        (
            "select case when true then unnest(array[1]) end",
            "set-returning functions are not allowed in CASE (line 1, column 8)",
        ),
        (
            "select * from generate_series(1, 3.5::float8) g",
            "function generate_series(integer, double precision) does not exist (line 1, column 15)",
        ),
        ("select * from json_each('{}') g", "set-returning function json_each() is not supported (line 1, column 15)"),
        (
            "with recursive t as (select 1 as n union all select sum(n)::int from t) select * from t",
            "aggregate functions are not allowed in a recursive query's recursive term",
        ),
        (
            "with recursive t as (select 1 as n union all select a.n from t a join t b on a.n = b.n) select * from t",
            "recursive reference to query \"t\" must not appear more than once",
        ),
        (
            "with recursive t as (select 1 as n union all select n + 0.5 from t where n < 3) select * from t",
            "recursive query \"t\" column 1 has type integer in non-recursive term but type numeric overall (line 1, column 16)",
        ),
        (
            "with recursive t as (select 1 as n except select n from t) select * from t",
            "recursive query \"t\" does not have the form non-recursive-term UNION [ALL] recursive-term (line 1, column 16)",
        ),
        (
            "with recursive t as (select 1 as n union all select o.order_id::int from orders o left join t on t.n = o.order_id) select * from t",
            "recursive reference to query \"t\" must not appear within an outer join",
        ),
        ("select status, count(*) from orders group by cube (status)", "CUBE is not supported (line 1, column 52)"),
        (
            "select corr(order_id, customer_id) from orders",
            "aggregate corr is not maintained (line 1, column 8)\nbuild it from sum(x), sum(y), sum(x * y), sum(x * x) and count(*), over rows where neither is null",
        ),
        (
            "select random()",
            "random() is not maintained: it is volatile, so two runs over one input would differ (line 1, column 8)",
        ),
        (
            "select * from orders tablesample system (10)",
            "TABLESAMPLE and versions of a table is not supported (line 1, column 15)",
        ),
        ("select * from orders for update", "FOR UPDATE and its kin is not supported"),
    ] {
        check_refused(sql, expected);
    }
}

#[test]
fn a_subquery_that_may_give_several_rows_is_refused_with_a_way_out() {
    check_columns(
        "select c.customer_id, (select o.status from orders o where o.customer_id = c.customer_id) as s from customers c",
        "customer_id bigint, s text",
    );
    check_refused("select (select 1, 2)", "subquery must return only one column (line 1, column 9)");
    check_refused("select 1 where 1 in (select 1, 2)", "subquery has too many columns (line 1, column 22)");
}

#[test]
fn joins_without_an_equality_are_planned() {
    check_columns(
        "select o.order_id, p.payment_id from orders o cross join payments p",
        "order_id bigint, payment_id bigint",
    );
    check_columns(
        "select o.order_id, p.payment_id from orders o join payments p on p.payment_date > o.order_date",
        "order_id bigint, payment_id bigint",
    );
    check_columns(
        "select o.order_id, v.k from orders o cross join (values (1), (2)) v(k)",
        "order_id bigint, k integer",
    );
    check_columns(
        "select o.order_id, m.n from orders o cross join (select count(*) as n from payments) m",
        "order_id bigint, n bigint",
    );
}

#[test]
fn a_select_alias_may_be_reused_where_no_column_has_its_name() {
    check_columns(
        "select order_id * 2 as twice, twice + 1 as more from orders where twice > 2",
        "twice bigint, more bigint",
    );
    // A column of that name comes first, as in PostgreSQL.
    check_columns("select 'x' as order_id, order_id + 1 as next from orders", "order_id text, next bigint");
    check_columns(
        "select customer_id as c, sum(order_id) as s, s / 2 as half from orders group by c",
        "c bigint, s numeric, half numeric",
    );
    check_refused("select a + 1 as b, b + 1 as a", "column \"a\" does not exist (line 1, column 8)");
}

#[test]
fn unnamed_columns_are_called_as_postgresql_calls_them() {
    for (expr, expected) in [
        ("1", "?column? integer"),
        ("-1", "?column? integer"),
        ("true and false", "?column? boolean"),
        ("'x'::text", "text text"),
        ("'5'::int", "int4 integer"),
        ("count(*)", "count bigint"),
        ("upper('a')", "upper text"),
        ("case when true then 1 end", "case integer"),
        ("case when true then 1 else max(order_id) end", "max bigint"),
        ("coalesce(1, 2)", "coalesce integer"),
        ("nullif(1, 2)", "nullif integer"),
        ("extract(year from date '2024-01-01')", "extract numeric"),
        ("date '2024-01-01'", "date date"),
        ("interval '1 day'", "interval interval"),
        ("exists (select 1)", "exists boolean"),
        ("(select max(order_id) as m from orders)", "m bigint"),
        ("trim(' a ')", "btrim text"),
        ("max(order_id)::text", "max text"),
        ("array[1]", "array integer[]"),
        ("timestamp '2024-01-01' at time zone 'UTC'", "timezone timestamp with time zone"),
        ("position('a' in 'ba')", "position integer"),
        ("substring('abc' from 2)", "substring text"),
    ] {
        check_columns(&format!("select {expr} from orders"), expected);
    }
}

#[test]
fn a_type_alias_of_another_warehouse_is_understood() {
    check_columns(
        "select 1::string as a, 2::float64 as b, null::datetime as c",
        "a text, b double precision, c timestamp without time zone",
    );
}

#[test]
fn a_null_union_takes_the_other_sides_type() {
    check_columns("select null as a union all select order_date from orders", "a timestamp without time zone");
    check_columns("select '1' as a union all select 2", "a integer");
    check_columns("select '1' as a", "a text");
}

#[test]
fn numerics_know_how_many_digits_they_may_have() {
    let model = bind_probe(
        "select price as a, price * quantity as b, price * price as c, sum(price) as d, price / 3 as e, \
         round(price / 3, 2) as f, coalesce(price, 0) as g, greatest(price, 1.234) as h, price::numeric(10, 1) as i \
         from order_items group by price, quantity",
        &tables(),
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let scales: Vec<Option<u16>> = model.columns.iter().map(|column| column.scale_max).collect();
    assert_eq!(scales, [Some(2), Some(2), Some(4), Some(2), None, Some(2), Some(2), Some(3), Some(1)]);
}

#[test]
fn a_limit_that_leaves_ties_open_is_warned_about() {
    let warnings = |sql: &str| bind_probe(sql, &tables()).unwrap_or_else(|error| panic!("{error}")).warnings.len();
    assert_eq!(warnings("select order_id, status from orders order by status limit 3"), 1);
    assert_eq!(warnings("select order_id, status from orders order by status, order_id limit 3"), 0);
    assert_eq!(
        warnings("select distinct on (status) status, order_id, customer_id from orders order by status, customer_id"),
        1
    );
}

#[test]
fn a_byte_order_mark_and_a_semicolon_are_harmless() {
    check_columns("\u{feff}select 1 as a;\n-- end\n", "a integer");
}

#[test]
fn deep_nesting_is_refused_instead_of_overflowing() {
    let deep = format!("select {}1{}", "(".repeat(2000), ")".repeat(2000));
    assert!(refused(&deep).message.contains("nested"), "{}", refused(&deep));
    let calls = format!("select {}1{}", "abs(".repeat(110), ")".repeat(110));
    assert!(refused(&calls).message.contains("nested"), "{}", refused(&calls));
}

#[test]
fn long_chains_and_long_unions_are_planned() {
    let chain = format!("select {} as n", vec!["1"; 900].join(" + "));
    check_columns(&chain, "n integer");
    check_columns(&vec!["select 1 as n"; 300].join(" union all "), "n integer");
    check_columns(&format!("select 1 as n where {}", vec!["true"; 900].join(" and ")), "n integer");
}
