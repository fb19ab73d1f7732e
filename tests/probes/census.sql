--! inner_join_of_four
SELECT o.order_id, c.first_name, p.name, i.price FROM orders o INNER JOIN customers c ON c.customer_id = o.customer_id INNER JOIN order_items i ON i.order_id = o.order_id INNER JOIN products p ON p.product_id = i.product_id
--! cte_in_a_subquery_and_in_a_cte
WITH big AS (WITH sums AS (SELECT order_id, sum(price * quantity) AS total FROM order_items GROUP BY 1) SELECT * FROM sums WHERE total > 10) SELECT q.order_id, q.total FROM (WITH again AS (SELECT b.* FROM big b) SELECT again.* FROM again) q
--! count_if_in_other_words
--= SELECT payment_status, count(*) FILTER (WHERE payment_amount > 20) AS large FROM payments GROUP BY payment_status
SELECT payment_status, count_if(payment_amount > 20) AS large FROM payments GROUP BY payment_status
--! logical_or_in_other_words
--= SELECT customer_id, bool_or(status = 'shipped') AS any_shipped FROM orders GROUP BY customer_id
SELECT customer_id, logical_or(status = 'shipped') AS any_shipped FROM orders GROUP BY customer_id
--! casts_to_boolean_and_real
SELECT order_id, (quantity > 1)::boolean::text AS several, line_no::int::boolean AS later, price::real AS price, cast(quantity AS real) / 2 AS half FROM order_items
--! spread_over_a_window
SELECT order_id, line_no, stddev(price) OVER (PARTITION BY order_id) AS whole, var_pop(quantity) OVER (PARTITION BY product_id ORDER BY order_id, line_no ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS moving, stddev_samp(price) OVER (ORDER BY order_id) AS running FROM order_items
--! first_rows_with_their_ties
SELECT customer_id, order_date::date AS day FROM orders ORDER BY order_date::date DESC FETCH FIRST 2 ROWS WITH TIES
--! rows_with_ties_behind_an_offset
SELECT status FROM orders ORDER BY status OFFSET 2 FETCH NEXT 3 ROWS WITH TIES
--! ties_of_a_union
SELECT status AS word FROM orders UNION ALL SELECT state FROM customers ORDER BY word FETCH FIRST 4 ROWS WITH TIES
--! join_on_expressions
SELECT upper(left(c.state, 1)) AS letter, count(*) AS n FROM customers c LEFT JOIN states s ON lower(s.state) = lower(trim(c.state)) GROUP BY upper(left(c.state, 1))
--! join_with_or
SELECT o.order_id, p.payment_id FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id OR p.customer_id = o.customer_id
