//! Window functions: names, types, definitions, refusals.

use super::sql_tests::{check_columns, check_plan, check_refused};
use crate::plan::probe_tests::{bind_probe, tables};

#[test]
fn window_functions_have_postgresqls_types_and_names() {
    for (call, expected) in [
        ("row_number() over ()", "row_number bigint"),
        ("rank() over (order by status)", "rank bigint"),
        ("dense_rank() over (order by status)", "dense_rank bigint"),
        ("percent_rank() over (order by status)", "percent_rank double precision"),
        ("cume_dist() over (order by status)", "cume_dist double precision"),
        ("ntile(4) over (order by status)", "ntile integer"),
        ("ntile('4') over (order by status)", "ntile integer"),
        ("lag(order_id) over (order by order_id)", "lag bigint"),
        ("lag(order_id, 2, 0) over (order by order_id)", "lag bigint"),
        ("lag(order_id, 1, 0.5) over (order by order_id)", "lag numeric"),
        ("lead(status, 1, 'none') over (order by order_id)", "lead text"),
        ("lead(null) over (order by order_id)", "lead text"),
        ("first_value(order_date) over (order by order_id)", "first_value timestamp without time zone"),
        ("last_value(status) over (order by order_id)", "last_value text"),
        ("nth_value(order_id, 2) over (order by order_id)", "nth_value bigint"),
        ("count(*) over ()", "count bigint"),
        ("count(status) filter (where order_id > 1) over ()", "count bigint"),
        ("sum(order_id) over ()", "sum numeric"),
        ("sum(order_id::int) over ()", "sum bigint"),
        ("avg(order_id) over (partition by status)", "avg numeric"),
        ("min(status) over (partition by customer_id)", "min text"),
        ("bool_or(order_id > 1) over ()", "bool_or boolean"),
    ] {
        check_columns(&format!("select {call} from orders"), expected);
    }
    check_columns("select lag(price) over (order by order_id) as a from order_items", "a numeric");
}

#[test]
fn calls_over_one_partition_and_order_are_one_node() {
    check_plan(
        "select order_id, row_number() over (partition by customer_id order by order_date desc, order_id) as n,
                lag(order_date) over w as before, sum(order_id) over (partition by customer_id) as s
         from orders window w as (partition by customer_id order by order_date desc, order_id)",
        "
        Project #0 #4 #5 #6
          Window by #1: sum(#0)
            Window by #1 order #3 desc, #0: row_number(), lag(#3, 1, null)
              Get source.orders",
    );
    // Partitions are sets; what is constant orders nothing; equal calls are computed once.
    check_plan(
        "select rank() over (partition by status, customer_id order by order_id, 1) as a,
                rank() over (partition by customer_id, status, status order by order_id, order_id desc) + 1 as b
         from orders",
        "
        Project #4 #5
          Map b = #4 + 1
            Window by #2, #1 order #0: rank()
              Get source.orders",
    );
}

#[test]
fn windows_are_computed_over_groups_and_after_having() {
    check_plan(
        "select status, rank() over (order by sum(order_id) desc) as r, sum(count(*)) over () as total
         from orders group by status having count(*) > 1",
        "
        Project #0 #3 #4
          Window: sum(#2)
            Window order #1 desc: rank()
              Filter #2 > 1
                Reduce by #2: sum(#0), count(*)
                  Get source.orders",
    );
}

#[test]
fn qualify_filters_by_windows_and_by_names_of_the_select_list() {
    check_plan(
        "select order_id, rank() over (order by order_date) as r from orders
         where status = 'placed' qualify r <= 3 and count(*) over (partition by customer_id) > 1",
        "
        Project #0 #4
          Filter #4 <= 3 and #5 > 1
            Window by #1: count(*)
              Window order #3: rank()
                Filter #2 = 'placed'
                  Get source.orders",
    );
}

#[test]
fn frames_are_written_as_postgresql_understands_them() {
    for (frame, expected) in [
        ("rows 2 preceding", "rows -2 to current row"),
        ("rows between 1 preceding and 1 following", "rows -1 to 1"),
        (
            "rows between unbounded preceding and unbounded following",
            "range unbounded preceding to unbounded following",
        ),
        ("range between current row and unbounded following", "range current row to unbounded following"),
        ("rows between 2 following and 3 following", "rows 2 to 3"),
        ("rows between 3 preceding and 2 preceding", "rows -3 to -2"),
    ] {
        let sql = format!("select sum(order_id) over (order by order_id {frame}) as s from orders");
        let plan = bind_probe(&sql, &tables()).unwrap_or_else(|error| panic!("{sql}: {error}")).plan.describe();
        let line = plan.lines().find(|line| line.contains("Window")).unwrap_or_default().to_owned();
        assert!(line.ends_with(&format!("sum(#0) {expected}")), "{frame}: {line}");
    }
    for (order, frame, expected) in [
        (
            "order_date",
            "range between interval '7 days' preceding and current row",
            "order #3: sum(#0) range #3 - interval '7 days' to current row",
        ),
        (
            "order_date desc",
            "range between '1 day' preceding and interval '1 month' following",
            "order #3 desc: sum(#0) range #3 + interval '1 day' to #3 - interval '1 mon'",
        ),
        (
            "order_date::date",
            "range '1 day' preceding",
            "order #3::date::timestamp without time zone: sum(#0) range #3::date::timestamp without time zone - interval '1 day' to current row",
        ),
        // A bigint is compared as a numeric, which no offset leaves.
        ("order_id", "range 5 preceding", "order #0::numeric: sum(#0) range #0::numeric - 5::numeric to current row"),
    ] {
        let sql = format!("select sum(order_id) over (order by {order} {frame}) as s from orders");
        let plan = bind_probe(&sql, &tables()).unwrap_or_else(|error| panic!("{sql}: {error}")).plan.describe();
        let line = plan.lines().find(|line| line.contains("Window")).unwrap_or_default().trim().to_owned();
        assert_eq!(line, format!("Window {expected}"), "{frame}");
    }
}

#[test]
fn frames_that_postgresql_refuses_are_refused_in_its_words() {
    for (over, expected) in [
        ("order by order_id rows unbounded following", "frame start cannot be UNBOUNDED FOLLOWING"),
        ("order by order_id rows 1 following", "frame starting from following row cannot end with current row"),
        (
            "order by order_id rows between current row and 1 preceding",
            "frame starting from current row cannot have preceding rows",
        ),
        (
            "order by order_id rows between 1 following and current row",
            "frame starting from following row cannot have preceding rows",
        ),
        (
            "order by order_id rows between unbounded preceding and unbounded preceding",
            "frame end cannot be UNBOUNDED PRECEDING",
        ),
        ("order by order_id rows -1 preceding", "frame starting offset must not be negative"),
        ("order by order_id rows between 1 preceding and null following", "frame ending offset must not be null"),
        ("order by order_id rows order_id preceding", "argument of ROWS must not contain variables"),
        (
            "order by order_id, status range 1 preceding",
            "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
        ),
        ("range 1 preceding", "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"),
        (
            "order by status range 1 preceding",
            "RANGE with offset PRECEDING/FOLLOWING is not supported for column type text",
        ),
        (
            "order by order_date range 1 preceding",
            "RANGE with offset PRECEDING/FOLLOWING is not supported for column type timestamp without time zone and offset type integer",
        ),
        ("order by order_id range -1 preceding", "invalid preceding or following size in window function"),
    ] {
        let error = super::sql_tests::refused(&format!("select sum(order_id) over ({over}) from orders"));
        assert_eq!(error.message, expected, "{over}");
    }
}

#[test]
fn a_window_may_be_named_and_extended() {
    check_plan(
        "select sum(order_id) over (w order by order_id rows 1 preceding) as a, count(*) over v as b
         from orders window w as (partition by status), v as (w order by order_id)",
        "
        Project #4 #5
          Window by #2 order #0: sum(#0) rows -1 to current row, count(*)
            Get source.orders",
    );
    for (sql, expected) in [
        ("count(*) over w", "window \"w\" does not exist"),
        (
            "count(*) over (v) from orders window v as (order by order_id rows 1 preceding)",
            "cannot copy window \"v\" because it has a frame clause",
        ),
        (
            "count(*) over (v order by status) from orders window v as (order by order_id)",
            "cannot override ORDER BY clause of window \"v\"",
        ),
        (
            "count(*) over (v partition by status) from orders window v as (order by order_id)",
            "cannot override PARTITION BY clause of window \"v\"",
        ),
        ("count(*) over v from orders window v as (order by order_id), v as ()", "window \"v\" is already defined"),
        ("count(*) over v from orders window u as (v), v as ()", "window \"v\" does not exist"),
    ] {
        let from = if sql.contains(" from ") { "" } else { " from orders" };
        let error = super::sql_tests::refused(&format!("select {sql}{from}"));
        assert_eq!(error.message, expected, "{sql}");
    }
}

#[test]
fn windows_stand_only_where_sql_allows_them() {
    for (sql, expected) in [
        (
            "select 1 from orders where row_number() over () = 1",
            "window functions are not allowed in WHERE (line 1, column 28)\nfilter by it in a query around this one, or with QUALIFY",
        ),
        (
            "select rank() over (order by order_id) as r from orders where r = 1",
            "window functions are not allowed in WHERE (line 1, column 8)\nfilter by it in a query around this one, or with QUALIFY",
        ),
        (
            "select count(*) from orders having rank() over (order by count(*)) = 1",
            "window functions are not allowed in HAVING (line 1, column 36)\nfilter by it in a query around this one, or with QUALIFY",
        ),
        (
            "select 1 from orders group by rank() over ()",
            "window functions are not allowed in GROUP BY (line 1, column 31)",
        ),
        (
            "select 1 from orders o join payments p on rank() over () = 1",
            "window functions are not allowed in JOIN conditions (line 1, column 43)",
        ),
        ("select 1 from orders limit rank() over ()", "window functions are not allowed in LIMIT (line 1, column 28)"),
        (
            "select sum(rank() over ()) from orders",
            "aggregate function calls cannot contain window function calls (line 1, column 12)\ncompute the window function in a query below this one",
        ),
        (
            "select sum(rank() over ()) over () from orders",
            "window function calls cannot be nested (line 1, column 12)\ncompute the inner one in a query below this one",
        ),
        (
            "select rank() over (order by lag(order_id) over ()) from orders",
            "window functions are not allowed in window definitions (line 1, column 30)",
        ),
        (
            "select status, lag(order_id) over (order by status) from orders group by status",
            "column \"orders.order_id\" must appear in the GROUP BY clause or be used in an aggregate function",
        ),
        (
            "select lower(status) over () from orders",
            "OVER specified, but lower is not a window function nor an aggregate function (line 1, column 8)",
        ),
        ("select rank() from orders", "window function rank requires an OVER clause (line 1, column 8)"),
        ("select ntile() over () from orders", "function ntile() does not exist (line 1, column 8)"),
        (
            "select lag(order_id, order_id) over () from orders",
            "function lag(bigint, bigint) does not exist (line 1, column 8)",
        ),
    ] {
        check_refused(sql, expected);
    }
}

#[test]
fn what_windows_do_not_maintain_is_refused_with_a_way_out() {
    for (call, expected) in [
        (
            "sum(order_id) over (order by order_id groups 1 preceding)",
            "a frame in GROUPS is not supported (line 1, column 8)\nuse ROWS, or RANGE with a distance",
        ),
        (
            "sum(order_id) over (order by order_id rows 1 preceding exclude current row)",
            "EXCLUDE in a window frame is not supported (line 1, column 63)\ntake the row's own value away: sum(x) over (…) - x; count(*) over (…) - 1",
        ),
        (
            "last_value(status) ignore nulls over (order by order_id)",
            "IGNORE NULLS in last_value() is not supported (line 1, column 8)\nnumber the stretches first: count(x) over (partition by … order by …) as stretch in a query below, then max(x) over (partition by …, stretch)",
        ),
        (
            "count(distinct status) over ()",
            "DISTINCT is not implemented for window functions (line 1, column 8)\ncount first rows: sum(case when n = 1 then 1 else 0 end) over a row_number() of a query below",
        ),
        (
            "rank() filter (where true) over (order by order_id)",
            "FILTER is not implemented for non-aggregate window functions (line 1, column 8)\nput a CASE into the argument, or filter in a query below this one",
        ),
        (
            "percentile_cont(0.5) within group (order by order_id) over ()",
            "OVER is not supported for ordered-set aggregate percentile_cont (line 1, column 8)\ngroup in a WITH query and join it",
        ),
    ] {
        check_refused(&format!("select {call} from orders"), expected);
    }
    check_refused(
        "select status, count(*) from orders group by rollup (status)",
        "ROLLUP is not supported (line 1, column 54)\nwrite one SELECT per grouping and put them together with UNION ALL",
    );
}

#[test]
fn an_order_that_leaves_ties_open_is_warned_about() {
    let warnings = |call: &str| {
        let sql = format!("select order_id, {call} as w from orders");
        bind_probe(&sql, &tables()).unwrap_or_else(|error| panic!("{sql}: {error}")).warnings.len()
    };
    assert_eq!(warnings("row_number() over (partition by status order by order_date)"), 1);
    assert_eq!(warnings("row_number() over (partition by status order by order_date, order_id)"), 0);
    assert_eq!(warnings("lag(status) over (order by order_date)"), 1);
    assert_eq!(warnings("ntile(3) over (order by order_date)"), 1);
    assert_eq!(warnings("rank() over (order by order_date)"), 0);
    assert_eq!(warnings("sum(order_id) over (order by order_date)"), 0);
    assert_eq!(warnings("sum(order_id) over (order by order_date rows 1 preceding)"), 1);
    assert_eq!(warnings("sum(order_id) over (order by order_id range 1 preceding)"), 0);
    assert_eq!(warnings("first_value(order_date) over (partition by status order by order_date)"), 0);
    assert_eq!(warnings("first_value(order_id) over (partition by status order by order_date)"), 1);
}

#[test]
fn a_correlated_window_is_partitioned_by_the_outer_row() {
    check_plan(
        "select c.customer_id, x.r from customers c
         cross join lateral (select rank() over (order by o.order_date) as r from orders o where o.customer_id < c.customer_id
                             and o.status = c.state) x",
        "
        Project #0 #12
          Join inner on #0 = #0, #4 ≡ #1
            Get source.customers
            Window by #0, #1 order #5: rank()
              Filter #3 < #0 and #4 = #1
                Join cross
                  Distinct
                    Project #0 #4
                      Get source.customers
                  Get source.orders",
    );
}
