//! What is not built is refused by its name, with what to write instead.

use super::sql_tests::{check_columns, refused};

/// The message and the hint; places have tests of their own.
fn check_refused(sql: &str, expected: &str) {
    let error = refused(sql);
    let found = [error.message, error.hint.unwrap_or_default()].join("\n");
    assert_eq!(found, expected, "{sql}");
}

fn check_all(cases: &[(&str, &str)]) {
    cases.iter().for_each(|(sql, expected)| check_refused(sql, expected));
}

#[test]
fn several_groupings_at_once_become_a_union() {
    check_all(&[
        (
            "select status, count(*) from orders group by grouping sets ((status), ())",
            "GROUPING SETS is not supported\nwrite one SELECT per grouping and put them together with UNION ALL",
        ),
        (
            "select status, count(*) from orders group by rollup (status)",
            "ROLLUP is not supported\nwrite one SELECT per grouping and put them together with UNION ALL",
        ),
        (
            "select status, count(*) from orders group by cube (status)",
            "CUBE is not supported\nwrite one SELECT per grouping and put them together with UNION ALL",
        ),
    ]);
}

#[test]
fn aggregates_of_two_arguments_are_built_from_sums() {
    let functions = [
        "corr",
        "covar_pop",
        "covar_samp",
        "regr_avgx",
        "regr_avgy",
        "regr_count",
        "regr_intercept",
        "regr_r2",
        "regr_slope",
        "regr_sxx",
        "regr_sxy",
        "regr_syy",
    ];
    for function in functions {
        check_refused(
            &format!("select {function}(order_id, customer_id) from orders"),
            &format!(
                "aggregate {function} is not maintained\n\
                 build it from sum(x), sum(y), sum(x * y), sum(x * x) and count(*), over rows where neither is null"
            ),
        );
    }
    check_columns(
        "select (count(*) * sum(order_id * customer_id) - sum(order_id) * sum(customer_id)) as slope from orders \
         where order_id is not null and customer_id is not null",
        "slope numeric",
    );
}

#[test]
fn a_join_by_the_latest_row_is_a_range_join_and_its_first_row() {
    let hint = "join by the key and the range, then keep the latest row with DISTINCT ON or row_number() = 1";
    for join in [
        "asof join payments p match_condition (o.order_date >= p.payment_date)",
        "asof join payments p on o.order_date >= p.payment_date",
    ] {
        check_refused(
            &format!("select * from orders o {join}"),
            &format!(
                "ASOF JOIN is not supported
{hint}"
            ),
        );
    }
    check_columns(
        "select distinct on (o.order_id) o.order_id, p.payment_id from orders o \
         left join payments p on p.order_id = o.order_id and p.payment_date <= o.order_date \
         order by o.order_id, p.payment_date desc, p.payment_id",
        "order_id bigint, payment_id bigint",
    );
}

#[test]
fn nulls_are_not_ignored_by_windows() {
    let hint = "number the stretches first: count(x) over (partition by … order by …) as stretch in a query below, \
                then max(x) over (partition by …, stretch)";
    for (call, name) in [
        ("last_value(status) ignore nulls over (order by order_id)", "last_value() is not supported"),
        ("lag(status) ignore nulls over (order by order_id)", "lag() is not supported"),
        ("lag(status ignore nulls) over (order by order_id)", "a window function is not supported"),
        ("first_value(status ignore nulls) over (order by order_id)", "a window function is not supported"),
    ] {
        check_refused(&format!("select {call} from orders"), &format!("IGNORE NULLS in {name}\n{hint}"));
    }
    check_columns(
        "select order_id, max(status) over (partition by stretch) as last_status from \
         (select order_id, status, count(status) over (order by order_id) as stretch from orders) s",
        "order_id bigint, last_status text",
    );
}

#[test]
fn a_fraction_is_one_for_its_group() {
    for call in ["percentile_cont(order_id / 100.0)", "percentile_disc(order_id::float8)"] {
        check_refused(
            &format!("select {call} within group (order by customer_id) from orders group by status"),
            "column \"orders.order_id\" must appear in the GROUP BY clause or be used in an aggregate function\n\
             Direct arguments of an ordered-set aggregate must use only grouped columns.",
        );
    }
    check_columns(
        "select customer_id, percentile_cont(customer_id / 100.0) within group (order by order_id) as p from orders group by customer_id",
        "customer_id bigint, p double precision",
    );
}

#[test]
fn json_has_no_equality_and_no_order() {
    let equality = "could not identify an equality operator for type json\ncast it to jsonb or text";
    let ordering = "could not identify an ordering operator for type json\ncast it to jsonb or text";
    let docs = "(select order_id, status::json as doc from orders) o";
    check_all(&[
        (&format!("select doc from {docs} group by doc"), equality),
        (&format!("select distinct doc from {docs}"), equality),
        (&format!("select count(distinct doc) from {docs}"), equality),
        (&format!("select doc from {docs} union select doc from {docs}"), equality),
        (&format!("select doc from {docs} except all select doc from {docs}"), equality),
        (&format!("select order_id, doc from {docs} order by doc limit 1"), ordering),
        (&format!("select json_agg(order_id order by doc) from {docs}"), ordering),
        (
            &format!("select array[doc] as docs from {docs} group by array[doc]"),
            "could not identify an equality operator for type json[]\ncast it to jsonb or text",
        ),
        (
            &format!("select a.order_id from {docs} join orders a on o.doc = a.status::json"),
            "operator does not exist: json = json\nNo operator matches the given name and argument types. You might need to add explicit type casts.",
        ),
    ]);
    // A subquery may read the document of the row beside it: nothing is compared.
    check_columns(
        &format!(
            "select o.order_id, (select count(*) from payments p where p.order_id = o.order_id and (o.doc ->> 'a') = 'b') as n from {docs}"
        ),
        "order_id bigint, n bigint",
    );
}

#[test]
fn copies_of_jsonb_are_not_counted_against_each_other() {
    let docs = "select status::jsonb as doc from orders";
    check_all(&[
        (
            &format!("{docs} except all {docs}"),
            "EXCEPT ALL over columns of type jsonb is not supported\nwrite EXCEPT, or cast the columns to text",
        ),
        (
            &format!("{docs} intersect all {docs}"),
            "INTERSECT ALL over columns of type jsonb is not supported\nwrite INTERSECT, or cast the columns to text",
        ),
        (
            "with recursive r(doc) as (select '[]'::jsonb union select doc -> 0 from r) select doc from r",
            "UNION over jsonb in recursive query \"r\" is not supported\nwrite UNION ALL, or cast the column to text inside the recursion",
        ),
    ]);
}
