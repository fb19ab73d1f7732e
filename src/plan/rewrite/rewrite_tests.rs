//! Each rule alone, by the plan it makes.

use std::sync::Arc;

use super::{RewriteOptions, optimize, optimize_one};
use crate::plan::probe_tests::{bind_probe, tables};
use crate::plan::{Plan, RelationId};

fn plan(sql: &str) -> Arc<Plan> {
    bind_probe(sql, &tables()).unwrap_or_else(|error| panic!("{sql}: {error}")).plan
}

/// Checks the plan that the given rules make; `expected` starts with a line break and is indented by eight.
fn check(sql: &str, rules: &dyn Fn(&mut RewriteOptions), expected: &str) {
    let mut options = RewriteOptions::NONE;
    rules(&mut options);
    let found = optimize_one(&plan(sql), &options).describe();
    let expected: String = expected.lines().skip(1).map(|line| format!("{}\n", line.get(8..).unwrap_or(""))).collect();
    assert_eq!(found.trim_end(), expected.trim_end(), "{sql}\n{found}");
}

#[test]
fn nothing_is_rewritten_when_all_rules_are_off() {
    let bound = plan("select o.status from orders o, payments p where o.order_id = p.order_id and 1 = 1");
    assert!(Arc::ptr_eq(&optimize_one(&bound, &RewriteOptions::NONE), &bound));
}

#[test]
fn a_comma_join_is_joined_by_its_where() {
    check(
        "select o.status, p.payment_id from orders o, payments p where o.order_id = p.order_id and p.payment_amount > 5 and o.status = 'placed'",
        &|rules| (rules.pushdown, rules.fuse) = (true, true),
        "
        Project #2 #4
          Join inner on #0 = #1
            Filter #2 = 'placed'
              Get source.orders
            Filter #3 > 5::numeric
              Get source.payments",
    );
}

#[test]
fn a_predicate_that_can_fail_stays_above_the_join() {
    check(
        "select o.order_id from orders o join payments p on p.order_id = o.order_id where 10 / o.order_id > 1 and o.status::int = 3",
        &|rules| (rules.pushdown, rules.fuse) = (true, true),
        "
        Project #0
          Filter #2::integer = 3 and 10 / #0 > 1
            Join inner on #0 = #1
              Get source.orders
              Get source.payments",
    );
}

#[test]
fn a_filter_on_a_group_is_a_filter_of_the_input() {
    check(
        "select * from (select status, count(*) as n from orders group by status) x where status = 'placed' and n > 1",
        &|rules| (rules.pushdown, rules.fuse) = (true, true),
        "
        Filter #1 > 1
          Reduce by #2: count(*)
            Filter #2 = 'placed'
              Get source.orders",
    );
}

#[test]
fn a_filter_of_one_reader_stays_out_of_a_shared_node() {
    check(
        "with j as (select o.status, p.payment_id from orders o join payments p on p.order_id = o.order_id)
         select * from j where status = 'placed' union all select * from j",
        &|rules| (rules.pushdown, rules.fuse) = (true, true),
        "
        Union
          Project #2 #4
            Filter #2 = 'placed'
              @1 Join inner on #0 = #1
                Get source.orders
                Get source.payments
          Project #2 #4
            @1",
    );
}

#[test]
fn only_the_side_that_may_shrink_is_filtered_below_an_outer_join() {
    check(
        "select o.order_id, p.payment_id from orders o left join payments p on p.order_id = o.order_id and p.payment_status = 'completed' and o.status = 'placed'
         where o.customer_id = 3 and coalesce(p.payment_id, 0) = 0",
        &|rules| (rules.pushdown, rules.fuse) = (true, true),
        "
        Project #0 #4
          Filter coalesce(#4, 0::bigint) = 0
            Join left on #0 = #1 residual #2 = 'placed'
              Filter #1 = 3
                Get source.orders
              Filter #4 = 'completed'
                Get source.payments",
    );
}

#[test]
fn a_left_join_whose_filled_rows_are_rejected_is_inner() {
    check(
        "select o.order_id from orders o left join payments p on p.order_id = o.order_id where p.payment_amount > 5",
        &|rules| rules.outer_join = true,
        "
        Project #0
          Filter #7 > 5::numeric
            Join inner on #0 = #1
              Get source.orders
              Get source.payments",
    );
    check(
        "select o.order_id from orders o left join payments p on p.order_id = o.order_id where p.payment_amount > 5 or p.payment_id is null",
        &|rules| rules.outer_join = true,
        "
        Project #0
          Filter #7 > 5::numeric or #4 is null
            Join left on #0 = #1
              Get source.orders
              Get source.payments",
    );
}

#[test]
fn a_left_join_where_the_key_is_null_is_an_anti_join() {
    check(
        "select o.order_id from orders o left join payments p on p.order_id = o.order_id where p.order_id is null and o.status = 'placed'",
        &|rules| (rules.anti_join, rules.demand, rules.fuse, rules.pushdown) = (true, true, true, true),
        "
        Join anti on #0 = #0
          Project #0
            Filter #2 = 'placed'
              Get source.orders
          Project #1
            Get source.payments",
    );
    // A column that may be NULL by itself tells nothing about a match.
    check(
        "select o.order_id from orders o left join payments p on p.order_id = o.order_id where p.payment_date is null",
        &|rules| rules.anti_join = true,
        "
        Project #0
          Filter #9 is null
            Join left on #0 = #1
              Get source.orders
              Get source.payments",
    );
}

#[test]
fn a_distinct_over_a_key_goes() {
    check(
        "select distinct order_id, status from orders",
        &|rules| rules.distinct = true,
        "
        Project #0 #2
          Get source.orders",
    );
    check(
        "select distinct status from orders",
        &|rules| rules.distinct = true,
        "
        Distinct
          Project #2
            Get source.orders",
    );
}

#[test]
fn columns_that_nobody_reads_are_not_carried() {
    check(
        "select o.status, (p.payment_amount + 1) as more from orders o join payments p on p.order_id = o.order_id",
        &|rules| (rules.demand, rules.fuse) = (true, true),
        "
        Project #1 #4
          Map more = #3 + 1::numeric
            Join inner on #0 = #0
              Project #0 #2
                Get source.orders
              Project #1 #3
                Get source.payments",
    );
}

#[test]
fn an_expression_that_nobody_reads_cannot_fail() {
    check(
        "select a from (select order_id as a, 1 / (order_id - order_id) as b from orders) x",
        &|rules| (rules.demand, rules.fuse) = (true, true),
        "
        Project #0
          Get source.orders",
    );
}

#[test]
fn a_join_to_a_unique_side_that_nobody_reads_goes() {
    check(
        "select o.order_id from orders o left join customers c on c.customer_id = o.customer_id",
        &|rules| (rules.demand, rules.fuse) = (true, true),
        "
        Project #0
          Get source.orders",
    );
    // One row of orders may meet several of the history: the join multiplies it.
    check(
        "select o.order_id from orders o left join customer_hist h on h.customer_id = o.customer_id",
        &|rules| (rules.demand, rules.fuse) = (true, true),
        "
        Project #0
          Join left on #1 = #0
            Project #0 #1
              Get source.orders
            Project #0
              Get source.customer_hist",
    );
}

#[test]
fn a_null_check_below_a_join_on_that_key_goes() {
    check(
        "select o.order_id from (select * from orders where customer_id is not null) o join customers c on c.customer_id = o.customer_id",
        &|rules| (rules.null_keys, rules.fuse) = (true, true),
        "
        Project #0
          Join inner on #1 = #0
            Get source.orders
            Get source.customers",
    );
    check(
        "select o.order_id, c.state from (select * from orders where customer_id is not null) o left join customers c on c.customer_id = o.customer_id",
        &|rules| (rules.null_keys, rules.fuse) = (true, true),
        "
        Project #0 #8
          Join left on #1 = #0
            Filter #1 is not null
              Get source.orders
            Get source.customers",
    );
}

#[test]
fn literal_rows_are_computed_once() {
    check(
        "select x * 2 as y from (values (1), (2), (3)) t(x) where x > 1 union all select 10",
        &|rules| (rules.fold, rules.fuse) = (true, true),
        "
        Constant (4) (6) (10)",
    );
    // What fails is left to fail when it runs.
    check(
        "select 1 / x as y from (values (0)) t(x)",
        &|rules| rules.fold = true,
        "
        Project #1
          Map y = 1 / #0
            Constant (0)",
    );
}

#[test]
fn equal_parts_of_two_models_are_one_node() {
    let counts = "select customer_id, count(*) as n from orders group by customer_id";
    let models = vec![
        (RelationId(Arc::from("model.a")), plan(counts)),
        (
            RelationId(Arc::from("model.b")),
            plan(&format!("select c.state, x.n from customers c join ({counts}) x on x.customer_id = c.customer_id")),
        ),
    ];
    let optimized = optimize(models, &RewriteOptions::ALL);
    let Plan::Project { input, .. } = &*optimized[1].1 else { panic!("{}", optimized[1].1.describe()) };
    let Plan::Join { right, .. } = &**input else { panic!("{}", input.describe()) };
    assert!(Arc::ptr_eq(right, &optimized[0].1), "{}\n{}", optimized[0].1.describe(), optimized[1].1.describe());
}
