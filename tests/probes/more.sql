--! in_nullable_value
SELECT customer_id, state IN (SELECT page FROM website_activity) AS a, state NOT IN (SELECT page FROM website_activity WHERE page IS NOT NULL) AS b FROM customers
--! in_empty_query
SELECT customer_id, state IN (SELECT page FROM website_activity WHERE false) AS a, state NOT IN (SELECT page FROM website_activity WHERE event_id < 0) AS b FROM customers
--! not_in_correlated_nullable
SELECT c.customer_id FROM customers c WHERE c.state NOT IN (SELECT o.status FROM orders o WHERE o.customer_id = c.customer_id)
--! in_correlated_value
SELECT c.customer_id, c.state IN (SELECT o.status FROM orders o WHERE o.customer_id = c.customer_id) AS v FROM customers c
--! in_row_values
SELECT order_id FROM orders WHERE (customer_id, status) IN (SELECT customer_id, payment_status FROM payments)
--! in_row_list
SELECT order_id FROM orders WHERE (customer_id, status) IN ((1, 'placed'), (2, 'shipped'), (3, NULL))
--! any_less
SELECT order_id, line_no FROM order_items WHERE price < ANY (SELECT payment_amount FROM payments)
--! all_correlated
SELECT p.payment_id FROM payments p WHERE p.payment_amount >= ALL (SELECT p2.payment_amount FROM payments p2 WHERE p2.customer_id = p.customer_id)
--! all_value_three_valued
SELECT payment_id, payment_amount > ALL (SELECT price FROM order_items WHERE quantity = 1) AS a, payment_amount < ANY (SELECT price FROM order_items) AS b, payment_amount = ALL (SELECT price FROM order_items WHERE order_id = 1) AS c, payment_amount <> ANY (SELECT price FROM order_items) AS d FROM payments
--! not_in_list_null
SELECT order_id FROM orders WHERE status NOT IN ('placed', NULL)
--! exists_uncorrelated
SELECT customer_id FROM customers WHERE EXISTS (SELECT 1 FROM payments WHERE payment_status = 'failed')
--! not_exists_uncorrelated
SELECT customer_id, NOT EXISTS (SELECT 1 FROM payments WHERE payment_status = 'nothing') AS v FROM customers WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payment_status = 'nothing')
--! exists_two_levels
SELECT c.customer_id FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.order_id AND p.customer_id = c.customer_id))
--! exists_residual
SELECT o.order_id FROM orders o WHERE EXISTS (SELECT 1 FROM orders o2 WHERE o2.customer_id = o.customer_id AND o2.order_date > o.order_date)
--! not_exists_residual
SELECT o.order_id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM orders o2 WHERE o2.customer_id = o.customer_id AND o2.order_date > o.order_date)
--! exists_union
SELECT c.customer_id FROM customers c WHERE EXISTS (SELECT order_id FROM orders o WHERE o.customer_id = c.customer_id UNION ALL SELECT payment_id FROM payments p WHERE p.customer_id = c.customer_id)
--! exists_grouped
SELECT c.customer_id FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id GROUP BY o.status HAVING count(*) > 1)
--! exists_aggregate_is_always_true
SELECT c.customer_id FROM customers c WHERE EXISTS (SELECT max(order_id) FROM orders o WHERE o.customer_id = c.customer_id)
--! scalar_in_case
SELECT c.customer_id, CASE WHEN (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id) > 2 THEN 'many' ELSE 'few' END AS k FROM customers c
--! scalar_over_grouped
SELECT o.customer_id, count(*) AS n, (SELECT c.email FROM customers c WHERE c.customer_id = o.customer_id) AS email FROM orders o GROUP BY o.customer_id
--! scalar_by_key
SELECT oi.order_id, oi.line_no, (SELECT p.name FROM products p WHERE p.product_id = oi.product_id) AS name FROM order_items oi
--! scalar_nested
SELECT c.customer_id, (SELECT max(oi.price) FROM order_items oi WHERE oi.order_id IN (SELECT o.order_id FROM orders o WHERE o.customer_id = c.customer_id)) AS m FROM customers c
--! scalar_two_levels_up
SELECT c.customer_id, (SELECT sum((SELECT count(*) FROM payments p WHERE p.order_id = o.order_id AND p.customer_id = c.customer_id)) FROM orders o WHERE o.customer_id = c.customer_id) AS n FROM customers c
--! scalar_count_expression
SELECT c.customer_id, (SELECT count(*) + coalesce(max(o.order_id), 100) FROM orders o WHERE o.customer_id = c.customer_id) AS n FROM customers c
--! scalar_with_outer_in_select
SELECT c.customer_id, (SELECT max(o.order_id) + c.customer_id FROM orders o WHERE o.customer_id = c.customer_id) AS n FROM customers c
--! scalar_in_having
SELECT customer_id, count(*) AS n FROM orders GROUP BY customer_id HAVING count(*) > (SELECT avg(k) FROM (SELECT count(*) AS k FROM orders GROUP BY customer_id) x)
--! scalar_in_join_condition
SELECT o.order_id, p.payment_id FROM orders o JOIN payments p ON p.order_id = o.order_id AND p.payment_amount > (SELECT avg(payment_amount) FROM payments)
--! scalar_in_left_join_condition
SELECT o.order_id, p.payment_id FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id AND p.payment_amount > (SELECT avg(payment_amount) FROM payments)
--! scalar_distinct_outer_nulls
SELECT o.order_id, (SELECT count(*) FROM customer_hist h WHERE h.customer_id IS NOT DISTINCT FROM o.customer_id) AS n FROM orders o
--! scalar_null_key
SELECT o.order_id, (SELECT max(h.valid_from) FROM customer_hist h WHERE h.customer_id = o.customer_id) AS v FROM orders o
--! scalar_with_cte
SELECT c.customer_id, (WITH mine AS (SELECT * FROM orders o WHERE o.customer_id = c.customer_id) SELECT count(*) FROM mine a JOIN mine b ON a.status = b.status) AS n FROM customers c
--! scalar_union_inside
SELECT c.customer_id, (SELECT max(x) FROM (SELECT order_id AS x FROM orders o WHERE o.customer_id = c.customer_id UNION ALL SELECT payment_id FROM payments p WHERE p.customer_id = c.customer_id) u) AS m FROM customers c
--! scalar_values_inside
SELECT c.customer_id, (SELECT max(v) FROM (VALUES (c.customer_id), (3)) t(v)) AS m FROM customers c
--! scalar_fallible
SELECT c.customer_id, (SELECT max(100 / nullif(o.order_id - o.order_id + 1, 0)) FROM orders o WHERE o.customer_id = c.customer_id) AS m FROM customers c
--! subquery_in_group_by
SELECT CASE WHEN EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.order_id) THEN 'paid' ELSE 'open' END AS k, count(*) AS n FROM orders o GROUP BY 1
--! subquery_in_aggregate
SELECT status, sum((SELECT count(*) FROM order_items oi WHERE oi.order_id = o.order_id)) AS items FROM orders o GROUP BY status
--! lateral_aggregate
SELECT c.customer_id, l.n, l.s FROM customers c CROSS JOIN LATERAL (SELECT count(*) AS n, sum(payment_amount) AS s FROM payments p WHERE p.customer_id = c.customer_id) l
--! lateral_left_condition
SELECT c.customer_id, l.order_id FROM customers c LEFT JOIN LATERAL (SELECT o.order_id FROM orders o WHERE o.customer_id = c.customer_id) l ON l.order_id > 3
--! lateral_values
SELECT c.customer_id, v.k, v.t FROM customers c CROSS JOIN LATERAL (VALUES ('email', c.email), ('state', c.state)) AS v(k, t)
--! lateral_chain
SELECT c.customer_id, b.x FROM customers c, LATERAL (SELECT c.customer_id * 2 AS d) a, LATERAL (SELECT a.d + 1 AS x) b
--! except_distinct_nulls
SELECT state FROM customers EXCEPT SELECT page FROM website_activity
--! intersect_distinct_nulls
SELECT state FROM customers INTERSECT SELECT state FROM customer_hist
--! intersect_all
SELECT customer_id FROM orders INTERSECT ALL SELECT customer_id FROM payments
--! except_all_two
SELECT customer_id, status FROM orders EXCEPT ALL SELECT customer_id, payment_status FROM payments
--! set_precedence
SELECT customer_id FROM orders UNION SELECT customer_id FROM payments INTERSECT SELECT customer_id FROM customers
--! union_types
SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2.5, NULL UNION ALL SELECT NULL, status FROM orders
--! union_literals
SELECT 'a' AS x UNION SELECT 'b' UNION SELECT NULL
--! union_dates
SELECT '2024-01-01' AS d UNION ALL SELECT order_date FROM orders
--! union_order_limit
SELECT customer_id AS k FROM customers UNION ALL SELECT order_id FROM orders ORDER BY k DESC LIMIT 5
--! nested_limit
SELECT count(*) AS n FROM (SELECT order_id FROM orders ORDER BY order_id LIMIT 4 OFFSET 2) x
--! limit_zero
SELECT * FROM orders LIMIT 0
--! fetch_first
SELECT order_id FROM orders ORDER BY order_id DESC FETCH FIRST 3 ROWS ONLY
--! order_by_expression
SELECT customer_id FROM customers ORDER BY -customer_id LIMIT 3
--! order_by_aggregate
SELECT status FROM orders GROUP BY status ORDER BY count(*) DESC, status LIMIT 2
--! distinct_on_expression
SELECT DISTINCT ON (date_trunc('month', order_date)) date_trunc('month', order_date) AS m, order_id FROM orders ORDER BY date_trunc('month', order_date), order_id DESC
--! distinct_limit
SELECT DISTINCT status FROM orders ORDER BY status LIMIT 2
--! using_inner
SELECT order_id, status, payment_id FROM orders JOIN payments USING (order_id)
--! using_full
SELECT order_id, status, payment_status FROM orders FULL JOIN payments USING (order_id)
--! using_full_star
SELECT * FROM (SELECT customer_id, count(*) AS n FROM orders GROUP BY 1) a FULL JOIN (SELECT customer_id, count(*) AS m FROM payments GROUP BY 1) b USING (customer_id)
--! using_right
SELECT order_id, o.status, p.payment_id FROM orders o RIGHT JOIN payments p USING (order_id)
--! using_left_two
SELECT customer_id, order_id, status, payment_amount FROM orders LEFT JOIN payments USING (customer_id, order_id)
--! natural_join
SELECT * FROM order_items NATURAL JOIN (SELECT product_id, name FROM products) p
--! right_join
SELECT o.order_id, c.customer_id FROM orders o RIGHT JOIN customers c ON o.customer_id = c.customer_id AND o.status = 'completed'
--! full_join_on
SELECT a.order_id AS x, b.order_id AS y FROM orders a FULL JOIN payments b ON a.order_id = b.order_id AND b.payment_status = 'completed'
--! left_join_left_condition
SELECT o.order_id, p.payment_id FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id AND o.status = 'completed'
--! left_join_both_condition
SELECT o.order_id, p.payment_id FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id AND p.payment_date > o.order_date
--! left_join_chain_reduced
SELECT o.order_id, p.payment_id, c.state FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id LEFT JOIN customers c ON c.customer_id = p.customer_id WHERE c.state = 'CA'
--! left_join_is_null_other_column
SELECT o.order_id FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id WHERE p.payment_date IS NULL
--! left_join_not_null_or
SELECT o.order_id FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id WHERE p.payment_status = 'failed' OR p.payment_amount > 50
--! left_join_coalesce_filter
SELECT o.order_id FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id WHERE coalesce(p.payment_status, 'none') = 'none'
--! full_join_reduced
SELECT a.order_id AS x, b.payment_id AS y FROM orders a FULL JOIN payments b ON a.order_id = b.order_id WHERE a.status = 'completed'
--! full_join_reduced_both
SELECT a.order_id AS x, b.payment_id AS y FROM orders a FULL JOIN payments b ON a.order_id = b.order_id WHERE a.status = 'completed' AND b.payment_amount > 10
--! join_types
SELECT o.order_id, p.product_id FROM orders o JOIN products p ON o.order_id::int = p.product_id
--! join_numeric_int
SELECT o.order_id, i.line_no FROM orders o JOIN order_items i ON i.price = o.order_id
--! comma_join_where
SELECT o.order_id, p.payment_id, c.state FROM orders o, payments p, customers c WHERE o.order_id = p.order_id AND c.customer_id = o.customer_id AND c.state <> 'TX'
--! self_join_cte
WITH m AS (SELECT customer_id, date_trunc('month', order_date) AS month, count(*) AS n FROM orders GROUP BY 1, 2) SELECT a.customer_id, a.month, a.n, b.n AS before FROM m a LEFT JOIN m b ON b.customer_id = a.customer_id AND b.month = a.month - INTERVAL '1 month'
--! cte_used_twice_filtered
WITH j AS (SELECT o.order_id, o.status, i.price FROM orders o JOIN order_items i ON i.order_id = o.order_id) SELECT 'a' AS k, count(*) AS n FROM j WHERE status = 'placed' UNION ALL SELECT 'b', count(*) FROM j WHERE price > 20
--! cte_nested
WITH a AS (WITH b AS (SELECT 1 AS x) SELECT x + 1 AS y FROM b) SELECT y FROM a
--! cte_shadow
WITH orders AS (SELECT order_id FROM orders WHERE status = 'placed') SELECT count(*) AS n FROM orders
--! cte_columns
WITH a(x, y) AS (SELECT order_id, status FROM orders) SELECT y, max(x) AS m FROM a GROUP BY y
--! group_by_expression
SELECT lower(status) || '!' AS s, count(*) AS n FROM orders GROUP BY lower(status) || '!'
--! group_by_part_of_expression
SELECT extract(year FROM order_date) * 100 + extract(month FROM order_date) AS ym, count(*) AS n FROM orders GROUP BY extract(year FROM order_date), extract(month FROM order_date)
--! group_by_constant
SELECT 'x' AS k, count(*) AS n FROM orders GROUP BY 1
--! group_without_aggregates
SELECT status, customer_id FROM orders GROUP BY status, customer_id
--! global_having
SELECT count(*) AS n FROM orders HAVING count(*) > 1000
--! global_over_empty
SELECT count(*) AS n, sum(order_id) AS s, max(status) AS m, avg(order_id) AS a FROM orders WHERE order_id < 0
--! having_without_group
SELECT 1 AS one FROM orders HAVING max(order_id) > 0
--! aggregates_many
SELECT customer_id, count(DISTINCT status) AS a, sum(DISTINCT order_id % 3) AS b, min(order_date) AS c, max(status) AS d, avg(order_id) AS e, count(order_date) AS f, bool_and(status <> 'placed') AS g, bool_or(order_id > 5) AS h, sum(order_id) FILTER (WHERE status = 'placed') AS i, count(DISTINCT status) FILTER (WHERE order_id > 3) AS j FROM orders GROUP BY customer_id
--! aggregate_of_float
SELECT sum(quantity::float8) AS s, avg(quantity::float8 / 4) AS a, max(price::float8) AS m FROM order_items
--! aggregate_expression
SELECT sum(price * quantity) / nullif(sum(quantity), 0) AS unit, round(avg(price), 1) AS r, sum(case when quantity > 1 then 1 else 0 end) AS c FROM order_items
--! sum_of_interval
SELECT customer_id, max(order_date) - min(order_date) AS span FROM orders GROUP BY customer_id
--! functional_dependency_having
SELECT c.customer_id, c.state, c.email FROM customers c JOIN orders o ON o.customer_id = c.customer_id GROUP BY c.customer_id HAVING count(*) > 1 AND c.state IS NOT NULL
--! aggregate_in_derived_filter
SELECT * FROM (SELECT customer_id, status, count(*) AS n FROM orders GROUP BY customer_id, status) x WHERE customer_id > 2 AND n > 1
--! filter_over_union
SELECT * FROM (SELECT customer_id AS k, 'o' AS s FROM orders UNION ALL SELECT customer_id, 'p' FROM payments) x WHERE k = 2
--! filter_over_distinct_on
SELECT * FROM (SELECT DISTINCT ON (customer_id) customer_id, order_id, status FROM orders ORDER BY customer_id, order_id) x WHERE customer_id > 1 AND status = 'placed'
--! filter_over_except
SELECT * FROM (SELECT customer_id FROM customers EXCEPT SELECT customer_id FROM orders) x WHERE customer_id > 2
--! case_guards_division
SELECT order_id, CASE WHEN order_id % 2 = 0 THEN 0 ELSE 10 / (order_id % 2) END AS v FROM orders
--! case_simple
SELECT order_id, CASE status WHEN 'placed' THEN 1 WHEN 'shipped' THEN 2 END AS v FROM orders
--! case_mixed_numbers
SELECT order_id, CASE WHEN order_id > 3 THEN 1 WHEN order_id > 2 THEN 2.50 ELSE NULL END AS v FROM orders
--! is_tests
SELECT order_id, (status = 'placed') IS TRUE AS a, (status = 'placed') IS NOT TRUE AS b, (status = 'placed') IS FALSE AS c, (status = 'placed') IS UNKNOWN AS d, status IS DISTINCT FROM 'placed' AS e, order_date IS NULL AS f FROM orders
--! between
SELECT order_id FROM orders WHERE order_id BETWEEN 2 AND 5 AND order_id NOT BETWEEN 4 AND 4
--! like_escape
SELECT customer_id, email LIKE 'a%' AS a, email LIKE '%!_%' ESCAPE '!' AS b, email NOT ILIKE '%X%' AS c FROM customers
--! literals
SELECT 1 AS a, 3000000000 AS b, 1.50 AS c, 1e3 AS d, 'x' AS e, NULL AS f, true AS g, DATE '2024-02-29' AS h, TIMESTAMP '2024-01-01 10:00:00' AS i, INTERVAL '1 day 2 hours' AS j, -5 AS k, -2147483648 AS l, INTERVAL '3' DAY + INTERVAL '0' AS m, '2024-01-01'::date + 1 AS n
--! unnamed_columns
SELECT 1, 'x'::text, count(*), max(order_id) FROM orders
--! unnamed_more
SELECT CASE WHEN true THEN 1 END, coalesce(1, 2), '1'::int, now_like FROM (SELECT 1 AS now_like) x
--! greatest_types
SELECT greatest(order_id, 3) AS a, least(order_id, 2.5) AS b, nullif(order_id, 2) AS c, coalesce(status, 'none') AS d FROM orders
--! string_number_compare
SELECT order_id FROM orders WHERE order_id = '3' OR order_date > '2024-03-01'
--! quoted_identifiers
SELECT o."order_id" AS "Order Id", o.STATUS AS "select" FROM ORDERS o
--! schema_of_alias
SELECT orders.order_id FROM orders WHERE orders.status IS NOT NULL
--! alias_columns
SELECT t.a, t.b FROM orders AS t(a, b) WHERE t.a > 2
--! values_alone
VALUES (1, 'a'), (2, NULL), (3, 'c')
--! values_types
SELECT x + 1 AS y, z FROM (VALUES (1, 'a'), (2.5, NULL)) t(x, z)
--! select_without_from
SELECT 1 + 1 AS a, upper('x') AS b
--! select_where_without_from
SELECT 5 AS v WHERE 1 = 2
--! one_row_left_join
SELECT o.order_id, m.mx FROM orders o LEFT JOIN (SELECT max(order_date) AS mx FROM orders) m ON o.order_date = m.mx
--! one_row_range_join
SELECT o.order_id FROM orders o JOIN (SELECT avg(order_id) AS a FROM orders) m ON o.order_id > m.a
--! cross_join_values
SELECT o.order_id, v.k FROM orders o JOIN (VALUES (1), (2), (3)) v(k) ON v.k = o.order_id % 4
--! parenthesised_join
SELECT a.order_id, b.payment_id FROM (orders a LEFT JOIN payments b ON a.order_id = b.order_id) JOIN customers c ON c.customer_id = a.customer_id
--! join_on_computed
SELECT a.order_id AS x, b.order_id AS y FROM orders a JOIN orders b ON a.order_id + 1 = b.order_id
--! join_null_safe
SELECT a.order_id AS x, b.customer_id AS y FROM orders a JOIN customer_hist b ON a.customer_id IS NOT DISTINCT FROM b.customer_id
--! dbt_accepted_values
SELECT * FROM (WITH all_values AS (SELECT status AS value_field, count(*) AS n_records FROM orders GROUP BY status) SELECT * FROM all_values WHERE value_field NOT IN ('placed', 'shipped')) dbt_test
--! dbt_test_wrapper
SELECT count(*) AS failures, count(*) != 0 AS should_warn, count(*) != 0 AS should_error FROM (SELECT order_id FROM orders WHERE order_id IS NULL) dbt_internal_test
--! dbt_unique
SELECT count(*) AS failures FROM (SELECT order_id AS unique_field, count(*) AS n_records FROM orders WHERE order_id IS NOT NULL GROUP BY order_id HAVING count(*) > 1) t
--! distinct_numeric_scales
SELECT DISTINCT x::numeric AS x FROM (VALUES (1.0), (1.00), (2.5)) t(x)
--! text_of_timestamp
SELECT order_id, order_date::date AS d, order_date::text AS t, (order_date::date)::text AS u FROM orders
--! order_by_ignored
SELECT order_id, status FROM orders ORDER BY status, order_id DESC
--! count_star_of_join
SELECT count(*) AS n FROM orders o JOIN order_items i ON i.order_id = o.order_id JOIN products p ON p.product_id = i.product_id
--! array_value
SELECT order_id, ARRAY[order_id, customer_id] AS a, (ARRAY['x', status])[2] AS b FROM orders
--! date_math
SELECT order_id, order_date + INTERVAL '1 day' AS a, order_date::date - DATE '2024-01-01' AS b, date_part('day', order_date - TIMESTAMP '2024-01-01') AS c, extract(dow FROM order_date) AS d FROM orders
