--! ranks
SELECT payment_id, RANK() OVER (PARTITION BY customer_id ORDER BY payment_status) AS r, DENSE_RANK() OVER (PARTITION BY customer_id ORDER BY payment_status) AS d, PERCENT_RANK() OVER (PARTITION BY customer_id ORDER BY payment_status) AS p, CUME_DIST() OVER (PARTITION BY customer_id ORDER BY payment_status) AS c FROM payments
--! numbers_over_all
SELECT order_id, ROW_NUMBER() OVER (ORDER BY order_date DESC NULLS LAST, order_id) AS n, NTILE(3) OVER (ORDER BY order_id) AS t, NTILE(100) OVER (ORDER BY order_id DESC) AS h FROM orders
--! neighbours
SELECT order_id, LAG(status) OVER w AS a, LEAD(status, 2, 'none') OVER w AS b, LAG(order_id, 0) OVER w AS c, LEAD(order_id, 3, -1) OVER w AS d, LAG(order_date, -1) OVER w AS e FROM orders WINDOW w AS (PARTITION BY customer_id ORDER BY order_date, order_id)
--! neighbours_at_a_distance_of_the_row
SELECT order_id, LAG(order_id, (order_id % 3)::int) OVER (ORDER BY order_id) AS a, LEAD(status, (customer_id % 2)::int, status) OVER (ORDER BY order_id) AS b FROM orders
--! lag_takes_the_common_type
SELECT order_id, LAG(order_id, 1, 0.5) OVER (ORDER BY order_id) AS a, LAG(order_id::int, 1, 7::bigint) OVER (ORDER BY order_id) AS b FROM orders
--! ends_of_the_partition
SELECT payment_id, FIRST_VALUE(payment_amount) OVER w AS a, LAST_VALUE(payment_amount) OVER w AS b, NTH_VALUE(payment_amount, 2) OVER w AS c, LAST_VALUE(payment_id) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS d, NTH_VALUE(payment_id, 3) OVER (w ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS e FROM payments WINDOW w AS (PARTITION BY customer_id ORDER BY payment_id)
--! last_value_sees_its_peers
SELECT payment_id, LAST_VALUE(payment_status) OVER (PARTITION BY customer_id ORDER BY payment_status) AS a, FIRST_VALUE(payment_status) OVER (PARTITION BY customer_id ORDER BY payment_status DESC NULLS LAST) AS b FROM payments
--! running
SELECT payment_id, SUM(payment_amount) OVER (ORDER BY payment_date, payment_id) AS a, COUNT(*) OVER (PARTITION BY payment_status ORDER BY payment_date) AS b, AVG(payment_amount) OVER (PARTITION BY customer_id ORDER BY payment_id) AS c, MIN(payment_amount) OVER (ORDER BY payment_id DESC) AS d, MAX(payment_date) OVER (ORDER BY payment_id) AS e FROM payments
--! running_with_ties
SELECT payment_id, SUM(payment_amount) OVER (ORDER BY payment_status) AS a, COUNT(payment_amount) OVER (ORDER BY payment_status NULLS FIRST) AS b, SUM(payment_id) OVER (PARTITION BY payment_status ORDER BY customer_id) AS c FROM payments
--! whole_partitions
SELECT order_id, line_no, SUM(price) OVER (PARTITION BY order_id) AS a, COUNT(*) OVER () AS b, price / NULLIF(SUM(price) OVER (PARTITION BY product_id), 0) AS c, AVG(quantity) OVER (PARTITION BY product_id) AS d, MIN(price) OVER (PARTITION BY product_id) AS e FROM order_items
--! rows_frames
SELECT payment_id, SUM(payment_amount) OVER (ORDER BY payment_id ROWS 2 PRECEDING) AS a, SUM(payment_amount) OVER (ORDER BY payment_id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS b, COUNT(*) OVER (ORDER BY payment_id ROWS BETWEEN 2 FOLLOWING AND 4 FOLLOWING) AS c, MAX(payment_amount) OVER (ORDER BY payment_id ROWS BETWEEN 4 PRECEDING AND 2 PRECEDING) AS d, MIN(payment_amount) OVER (ORDER BY payment_id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS e, AVG(payment_amount) OVER (ORDER BY payment_id ROWS BETWEEN 3 FOLLOWING AND 1 FOLLOWING) AS f FROM payments
--! range_frames
SELECT order_id, COUNT(*) OVER (ORDER BY order_date RANGE BETWEEN INTERVAL '30 days' PRECEDING AND CURRENT ROW) AS a, SUM(order_id) OVER (ORDER BY order_date DESC RANGE BETWEEN INTERVAL '1 month' PRECEDING AND INTERVAL '10 days' FOLLOWING) AS b, COUNT(*) OVER (PARTITION BY status ORDER BY order_date RANGE BETWEEN '7 days' FOLLOWING AND UNBOUNDED FOLLOWING) AS c, MAX(order_id) OVER (ORDER BY order_date::date RANGE '5 days' PRECEDING) AS d FROM orders
--! range_frames_over_numbers
SELECT payment_id, SUM(payment_amount) OVER (ORDER BY payment_amount RANGE BETWEEN 50 PRECEDING AND 50 FOLLOWING) AS a, COUNT(*) OVER (ORDER BY customer_id RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS b, SUM(payment_id) OVER (ORDER BY customer_id DESC NULLS LAST RANGE BETWEEN CURRENT ROW AND 2 FOLLOWING) AS c, COUNT(*) OVER (ORDER BY payment_amount::float8 RANGE BETWEEN 10.5 PRECEDING AND 20 FOLLOWING) AS d, MIN(payment_id) OVER (ORDER BY payment_amount DESC NULLS FIRST RANGE BETWEEN 100 PRECEDING AND 100 FOLLOWING) AS e FROM payments
--! range_frames_of_peers
SELECT payment_id, COUNT(*) OVER (ORDER BY payment_status RANGE BETWEEN CURRENT ROW AND CURRENT ROW) AS a, SUM(payment_amount) OVER (ORDER BY payment_status RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS b, COUNT(*) OVER (RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS c FROM payments
--! filtered
SELECT payment_id, COUNT(*) FILTER (WHERE payment_status = 'completed') OVER (PARTITION BY customer_id) AS a, SUM(payment_amount) FILTER (WHERE payment_amount > 50) OVER (ORDER BY payment_id) AS b, MAX(payment_id) FILTER (WHERE payment_status <> 'completed') OVER (PARTITION BY customer_id ORDER BY payment_id) AS c FROM payments
--! several_windows
SELECT order_id, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_id) AS a, ROW_NUMBER() OVER (PARTITION BY status ORDER BY order_id DESC) AS b, COUNT(*) OVER (PARTITION BY customer_id) AS c, COUNT(*) OVER (PARTITION BY status, customer_id) AS d, RANK() OVER (ORDER BY customer_id NULLS FIRST) AS e FROM orders
--! in_expressions
SELECT order_id, CASE WHEN ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_id) = 1 THEN 'first' WHEN COUNT(*) OVER (PARTITION BY customer_id) > 2 THEN 'many' ELSE 'more' END AS a, COALESCE(order_date - LAG(order_date) OVER (PARTITION BY customer_id ORDER BY order_date, order_id), INTERVAL '0') AS b FROM orders
--! over_groups
SELECT status, COUNT(*) AS n, RANK() OVER (ORDER BY COUNT(*) DESC) AS r, SUM(COUNT(*)) OVER () AS total, COUNT(*) * 100.0 / SUM(COUNT(*)) OVER () AS share, SUM(COUNT(*)) OVER (ORDER BY status) AS running FROM orders GROUP BY status
--! over_groups_and_having
SELECT customer_id, MAX(order_date) AS latest, LAG(MAX(order_date)) OVER (ORDER BY customer_id) AS before FROM orders GROUP BY customer_id HAVING COUNT(*) > 1
--! over_grouped_expressions
SELECT DATE_TRUNC('month', order_date) AS m, COUNT(*) AS n, SUM(COUNT(*)) OVER (ORDER BY DATE_TRUNC('month', order_date)) AS s, FIRST_VALUE(COUNT(*)) OVER (PARTITION BY EXTRACT(year FROM DATE_TRUNC('month', order_date)) ORDER BY DATE_TRUNC('month', order_date)) AS f FROM orders GROUP BY 1
--! over_one_group
SELECT COUNT(*) AS n, ROW_NUMBER() OVER () AS r, SUM(COUNT(*)) OVER () AS s FROM orders
--! distinct_after
SELECT DISTINCT customer_id, COUNT(*) OVER (PARTITION BY customer_id) AS n FROM orders
--! distinct_on_after
SELECT DISTINCT ON (customer_id) customer_id, order_id, COUNT(*) OVER (PARTITION BY status) AS n FROM orders ORDER BY customer_id, COUNT(*) OVER (PARTITION BY status) DESC, order_id
--! order_by_a_window
SELECT order_id, status FROM orders ORDER BY COUNT(*) OVER (PARTITION BY status) DESC, order_id LIMIT 5
--! first_of_each
SELECT order_id, status FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY status ORDER BY order_date, order_id) AS n FROM orders) x WHERE n = 1
--! first_of_each_with_its_number
SELECT * FROM (SELECT order_id, status, ROW_NUMBER() OVER (PARTITION BY status ORDER BY order_date, order_id) AS n FROM orders) x WHERE n = 1 AND order_id > 2
--! first_three_of_each
SELECT order_id, status FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY lower(status) ORDER BY order_id % 5 DESC, order_id) AS n FROM orders) x WHERE n <= 3
--! first_three_with_their_numbers
SELECT * FROM (SELECT order_id, status, ROW_NUMBER() OVER (PARTITION BY status ORDER BY order_id) AS n FROM orders) x WHERE n <= 3
--! first_three_beside_another_call
SELECT order_id, l FROM (SELECT *, ROW_NUMBER() OVER w AS n, LEAD(order_id) OVER w AS l FROM orders WINDOW w AS (PARTITION BY status ORDER BY order_id)) x WHERE n < 4
--! second_of_each
SELECT order_id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY status ORDER BY order_id) AS n FROM orders) x WHERE n = 2
--! between_two_and_three
SELECT order_id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY status ORDER BY order_id) AS n FROM orders) x WHERE n BETWEEN 2 AND 3
--! first_and_a_condition_on_it
SELECT order_id, n + 1 AS m FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_id) AS n FROM orders) x WHERE 1 = n AND n + order_id > 3
--! rank_threshold
SELECT payment_id, r FROM (SELECT *, RANK() OVER (PARTITION BY payment_status ORDER BY customer_id) AS r FROM payments) x WHERE r <= 2
--! filter_on_the_partition
SELECT * FROM (SELECT order_id, status, customer_id, SUM(order_id) OVER (PARTITION BY status ORDER BY order_id) AS s FROM orders) x WHERE status = 'completed' AND s > 3
--! filter_on_a_partition_expression
SELECT * FROM (SELECT order_id, DATE_TRUNC('month', order_date) AS m, COUNT(*) OVER (PARTITION BY DATE_TRUNC('month', order_date)) AS n FROM orders) x WHERE m >= TIMESTAMP '2024-02-01'
--! filter_beside_the_partition
SELECT * FROM (SELECT order_id, status, customer_id, COUNT(*) OVER (PARTITION BY status) AS n FROM orders) x WHERE customer_id = 1
--! columns_nobody_reads
SELECT s, r FROM (SELECT *, SUM(payment_amount) OVER (PARTITION BY customer_id) AS s, RANK() OVER (ORDER BY payment_status) AS r, ROW_NUMBER() OVER (ORDER BY payment_date, payment_id) AS n FROM payments) x
--! number_alone
SELECT n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY payment_id) AS n FROM payments) x
--! correlated
SELECT c.customer_id, (SELECT MAX(x.d) FROM (SELECT o.order_date - LAG(o.order_date) OVER (ORDER BY o.order_date, o.order_id) AS d FROM orders o WHERE o.customer_id = c.customer_id) x) AS longest FROM customers c
--! lateral
SELECT c.customer_id, x.order_id, x.n FROM customers c CROSS JOIN LATERAL (SELECT o.order_id, ROW_NUMBER() OVER (ORDER BY o.order_id DESC) AS n, COUNT(*) OVER () AS t FROM orders o WHERE o.customer_id = c.customer_id) x WHERE x.n <= 2
--! exists_over_a_window
SELECT c.customer_id FROM customers c WHERE EXISTS (SELECT 1 FROM (SELECT o.status, LAG(o.status) OVER (ORDER BY o.order_id) AS before FROM orders o WHERE o.customer_id = c.customer_id) x WHERE x.status = x.before)
--! in_a_window
SELECT order_id FROM orders WHERE order_id IN (SELECT order_id FROM (SELECT order_id, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_id DESC) AS n FROM payments) x WHERE n = 1)
--! subquery_inside_a_window
SELECT order_id, SUM((SELECT COUNT(*) FROM payments p WHERE p.order_id = o.order_id)) OVER (PARTITION BY o.customer_id ORDER BY o.order_id) AS s, RANK() OVER (ORDER BY (SELECT COUNT(*) FROM payments p WHERE p.order_id = o.order_id) DESC) AS r FROM orders o
--! constants_order_nothing
SELECT order_id, RANK() OVER (ORDER BY 1) AS a, COUNT(*) OVER (ORDER BY NULL) AS b, COUNT(*) OVER (PARTITION BY 'x') AS c, DENSE_RANK() OVER (PARTITION BY status ORDER BY status) AS d FROM orders
--! over_a_join
SELECT o.order_id, i.line_no, SUM(i.price * i.quantity) OVER (PARTITION BY o.customer_id ORDER BY o.order_date, o.order_id, i.line_no) AS s, ROW_NUMBER() OVER (PARTITION BY o.order_id ORDER BY i.price DESC, i.line_no) AS n FROM orders o JOIN order_items i ON i.order_id = o.order_id
--! over_an_outer_join
SELECT c.customer_id, o.order_id, COUNT(o.order_id) OVER (PARTITION BY c.state) AS n, RANK() OVER (PARTITION BY c.customer_id ORDER BY o.order_date DESC NULLS LAST, o.order_id) AS r FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id
--! over_a_union
SELECT id, kind, ROW_NUMBER() OVER (ORDER BY id, kind) AS n FROM (SELECT order_id AS id, 'o' AS kind FROM orders UNION ALL SELECT payment_id, 'p' FROM payments) u
--! union_of_windows
SELECT order_id AS id, ROW_NUMBER() OVER (ORDER BY order_id) AS n FROM orders UNION SELECT payment_id, RANK() OVER (ORDER BY payment_id) FROM payments
--! windows_over_windows
SELECT order_id, n, SUM(n) OVER (PARTITION BY status ORDER BY order_id) AS s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_id) AS n FROM orders) x
--! sessions
WITH marked AS (SELECT *, CASE WHEN activity_at - LAG(activity_at) OVER (PARTITION BY customer_id ORDER BY activity_at, event_id) > INTERVAL '30 minutes' THEN 1 ELSE 0 END AS is_new FROM website_activity), numbered AS (SELECT *, SUM(is_new) OVER (PARTITION BY customer_id ORDER BY activity_at, event_id ROWS UNBOUNDED PRECEDING) AS session FROM marked) SELECT customer_id, session, COUNT(*) AS n, MIN(activity_at) AS started FROM numbered GROUP BY customer_id, session
--! streaks
SELECT customer_id, grp, COUNT(*) AS n FROM (SELECT customer_id, status, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_id) - ROW_NUMBER() OVER (PARTITION BY customer_id, status ORDER BY order_id) AS grp FROM orders) x GROUP BY customer_id, grp
--! shares
SELECT product_id, revenue, SUM(revenue) OVER (ORDER BY revenue DESC NULLS LAST, product_id) / SUM(revenue) OVER () AS share FROM (SELECT product_id, SUM(price * quantity) AS revenue FROM order_items GROUP BY product_id) p
--! over_literal_rows
SELECT x, y, SUM(y) OVER (PARTITION BY x ORDER BY y) AS s, LAG(y) OVER (PARTITION BY x ORDER BY y DESC) AS l FROM (VALUES (1, 2), (1, 3), (2, 5), (2, NULL)) t(x, y)
--! over_no_table
SELECT ROW_NUMBER() OVER () AS n, COUNT(*) OVER () AS c, LAG(1) OVER () AS l
--! booleans_over_windows
SELECT payment_id, BOOL_AND(payment_status = 'completed') OVER (PARTITION BY customer_id) AS a, BOOL_OR(payment_amount > 100) OVER (PARTITION BY customer_id ORDER BY payment_id) AS b FROM payments
--! doubles_over_windows
SELECT payment_id, ROUND(SUM(payment_amount::float8) OVER (PARTITION BY customer_id)::numeric, 4) AS a, ROUND(AVG(payment_amount::float8) OVER (PARTITION BY customer_id ORDER BY payment_id)::numeric, 4) AS b FROM payments
--! a_named_window_extended
SELECT payment_id, SUM(payment_amount) OVER (v ROWS 1 PRECEDING) AS a, RANK() OVER (w ORDER BY payment_status) AS b, COUNT(*) OVER w AS c, COUNT(*) OVER v AS d FROM payments WINDOW w AS (PARTITION BY customer_id), v AS (w ORDER BY payment_id)
--! deduplicated_history
SELECT customer_id, state, valid_from FROM (SELECT *, LAG(state) OVER (PARTITION BY customer_id ORDER BY valid_from) AS before FROM customer_hist) x WHERE before IS DISTINCT FROM state
--! share_of_a_group_of_groups
SELECT state, status, n, n * 100.0 / SUM(n) OVER (PARTITION BY state) AS share FROM (SELECT c.state, o.status, COUNT(*) AS n FROM orders o JOIN customers c ON c.customer_id = o.customer_id GROUP BY c.state, o.status) x
--! gap_to_the_first
SELECT order_id, order_date - FIRST_VALUE(order_date) OVER (PARTITION BY customer_id ORDER BY order_date NULLS FIRST, order_id) AS gap, order_date::date - MIN(order_date) OVER (PARTITION BY customer_id)::date AS days FROM orders
--! window_in_a_cte_read_twice
WITH r AS (SELECT customer_id, order_id, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_id) AS n FROM orders) SELECT a.customer_id, a.order_id, b.order_id AS next FROM r a LEFT JOIN r b ON b.customer_id = a.customer_id AND b.n = a.n + 1
--! window_under_an_anti_join
SELECT order_id FROM orders WHERE order_id NOT IN (SELECT order_id FROM (SELECT order_id, RANK() OVER (PARTITION BY status ORDER BY customer_id) AS r FROM orders) x WHERE r = 1)
--! percent_rank_of_one_row
SELECT state, PERCENT_RANK() OVER (PARTITION BY state ORDER BY state_name) AS p, CUME_DIST() OVER (PARTITION BY state ORDER BY state_name) AS c, NTILE(NULL) OVER () AS n FROM states
--! duplicates_are_numbered_apart
SELECT status, ROW_NUMBER() OVER (PARTITION BY status ORDER BY status) AS n, COUNT(*) OVER (ORDER BY status ROWS UNBOUNDED PRECEDING) AS c FROM (SELECT status FROM orders) x
--! first_of_duplicates
SELECT status FROM (SELECT status, ROW_NUMBER() OVER (PARTITION BY status ORDER BY status) AS n FROM (SELECT status FROM orders) x) y WHERE n <= 2
