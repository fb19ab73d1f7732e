use super::*;
use crate::plan::probe_tests::{bind_probe, tables};
use crate::plan::rewrite::{RewriteOptions, optimize_one};

/// The dearest node of the maintained plan, and what is said about it.
fn check(sql: &str, class: CostClass, said: &str) {
    let plan = bind_probe(sql, &tables()).unwrap_or_else(|error| panic!("{sql}: {error}")).plan;
    let plan = optimize_one(&plan, &RewriteOptions::ALL);
    let costs = plan.lines().into_iter().filter_map(|line| line.cost);
    let dearest = costs.max_by_key(|cost| cost.class).unwrap_or_else(Cost::stateless);
    assert_eq!(dearest.class, class, "{sql}\n{}", plan.describe());
    let remark = dearest.remark.unwrap_or_default();
    assert!(remark.contains(said), "{sql}: {remark}");
    assert_eq!(class == CostClass::PerChange, remark.is_empty(), "{sql}: what is dear is explained");
}

#[test]
fn rows_joins_and_sums_cost_what_changes() {
    check("select order_id + 1 as n from orders where status = 'placed'", CostClass::PerChange, "");
    check(
        "select o.status, count(*) as n, sum(p.payment_amount) as s from orders o
         left join payments p on p.order_id = o.order_id group by o.status",
        CostClass::PerChange,
        "",
    );
    check("select distinct status from orders", CostClass::PerChange, "");
    check("select count(*) as n, max(order_date) as latest from orders", CostClass::PerChange, "");
    check(
        "select distinct on (status) status, order_id from orders order by status, order_date",
        CostClass::PerChange,
        "",
    );
    check("select order_id from orders order by order_date limit 3", CostClass::PerChange, "");
}

#[test]
fn a_join_without_order_costs_its_key_and_without_a_key_the_table() {
    check(
        "select o.order_id from orders o left join payments p on p.order_id = o.order_id and p.payment_date <> o.order_date",
        CostClass::PerGroup,
        "every row of its key",
    );
    check("select o.order_id from orders o join payments p on p.payment_date > o.order_date", CostClass::PerChange, "");
    check(
        "select o.order_id, m.latest from orders o cross join (select count(*) as latest from payments) m",
        CostClass::PerTable,
        "every row of the other",
    );
    // Rows that never change touch nobody.
    check("select o.order_id, v.k from orders o cross join (values (1), (2)) v(k)", CostClass::PerChange, "");
}

#[test]
fn windows_cost_as_far_as_their_values_move() {
    let over = |call: &str| format!("select order_id, {call} as w from orders");
    for near in [
        "lag(order_date) over (partition by customer_id order by order_date, order_id)",
        "ntile(5) over (order by order_id)",
        "sum(order_id) over (order by order_id rows 6 preceding)",
        "count(*) over (order by order_date range '7 days' preceding)",
        "array_agg(status) over (order by order_id rows 6 preceding)",
    ] {
        check(&over(near), CostClass::PerChange, "");
    }
    for (wide, name) in [
        ("rank() over (partition by status order by order_date)", "alter rank in every row of the partition"),
        ("percent_rank() over (partition by status order by order_date)", "alter percent_rank"),
        ("cume_dist() over (partition by status order by order_date)", "alter cume_dist"),
        ("sum(order_id) over (partition by status order by order_id)", "alter sum"),
        ("max(order_id) over (partition by status)", "alter max"),
        ("array_agg(order_id) over (partition by status)", "array_agg writes down all values of the frame"),
        (
            "string_agg(status, ',') over (partition by status order by order_date range '7 days' preceding)",
            "string_agg writes down all values of the frame",
        ),
    ] {
        check(&over(wide), CostClass::PerPartition, name);
        let what = if name.starts_with("alter") { "alter" } else { name };
        check(&over(&wide.replace("partition by status", "")), CostClass::PerTable, what);
    }
}

#[test]
fn a_rank_that_is_only_compared_moves_rows_across_one_border() {
    let ranked = "(select order_id, rank() over (order by order_date) as r from orders) x";
    check(&format!("select order_id from {ranked} where r <= 10"), CostClass::PerChange, "");
    check(
        &format!("select order_id, case when r <= 10 then 'top' else 'rest' end as band from {ranked}"),
        CostClass::PerChange,
        "",
    );
    check(&format!("select order_id, r from {ranked} where r <= 10"), CostClass::PerTable, "alter rank");
    check(&format!("select order_id from {ranked} where r <= order_id"), CostClass::PerTable, "alter rank");
}

#[test]
fn a_filter_by_row_number_costs_no_numbering() {
    let numbered = "(select *, row_number() over (partition by status order by order_id) as n from orders) x";
    check(&format!("select order_id, status from {numbered} where n = 1"), CostClass::PerChange, "");
}
