--! a0
SELECT date_trunc('quarter', o.order_date) as g0, max(distinct o.order_date - c.created_at) as a0 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY date_trunc('quarter', o.order_date) HAVING count(*) > 1
--! a1
SELECT min(distinct w.activity_at::date) as a0, sum(distinct w.event_id % 5) as a1 FROM website_activity w WHERE w.customer_id is not null HAVING count(*) > 1
--! a2
SELECT p.payment_status as g0, p.customer_id as g1, array_agg(p.payment_status order by case when p.order_id > 5 then p.payment_amount else 0.005 end, p.payment_id) as a0 FROM payments p GROUP BY p.payment_status, p.customer_id
--! a3
SELECT date_trunc('quarter', o.order_date) as g0, string_agg(distinct c.state, '|' order by c.state desc) filter (where c.state = 'NY') as a0, percentile_cont(array[0.25, null, 1]) within group (order by c.customer_id) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY date_trunc('quarter', o.order_date) HAVING count(*) > 1
--! a4
SELECT w.customer_id as g0, round(stddev(w.event_id::float8)::numeric, 6) as a0, jsonb_agg(w.page order by w.event_id)::text as a1 FROM website_activity w GROUP BY w.customer_id
--! a5
SELECT o.status as g0, string_agg(distinct c.email, '|' order by c.email desc nulls last) as a0 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY o.status
--! a6
SELECT o.status as g0, sum(distinct (o.order_id * 1.5)) as a0, round(avg(o.order_id::float8)::numeric, 6) as a1, string_agg(c.first_name || '-' || o.status, ' / ' order by c.created_at desc nulls last, o.order_id) as a2 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY o.status
--! a7
SELECT i.product_id as g0, percentile_disc(0) within group (order by i.line_no desc) as a0, mode() within group (order by interval '1 month' * i.line_no) filter (where i.price is null) as a1 FROM order_items i GROUP BY i.product_id
--! a8
SELECT i.order_id % 4 as g0, i.product_id as g1, count(timestamp '2024-01-31 10:00' + i.line_no * interval '1 hour') filter (where i.price is null) as a0, sum(i.price) filter (where i.price is null) as a1, sum(distinct i.price) as a2 FROM order_items i GROUP BY i.order_id % 4, i.product_id HAVING count(*) > 1
--! a9
SELECT i.quantity as g0, i.product_id as g1, json_object_agg(i.line_no, i.product_id::text order by i.order_id, i.line_no) filter (where i.price is null)::text as a0, sum(interval '1 month' * i.line_no) filter (where i.quantity > 1) as a1 FROM order_items i GROUP BY i.quantity, i.product_id
--! a10
SELECT w.page as g0, percentile_cont(array[0.25, null, 1]) within group (order by (w.event_id % 7)::numeric(6,3)) as a0, string_agg(distinct w.page, '|' order by w.page nulls first) as a1 FROM website_activity w GROUP BY w.page
--! a11
SELECT c.state as g0, count(distinct c.customer_id) as a0, var_pop((o.order_id * 1.5)) filter (where c.state = 'NY') as a1 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY c.state
--! a12
SELECT o.status as g0, percentile_cont(0.5) within group (order by c.customer_id desc) filter (where o.order_date > c.created_at) as a0, round(stddev(o.order_id::float8)::numeric, 6) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY o.status
--! a13
SELECT w.customer_id as g0, max(w.activity_at - timestamp '2024-06-01') as a0, min(distinct w.event_id::float8) filter (where w.customer_id is not null) as a1 FROM website_activity w GROUP BY w.customer_id HAVING count(*) > 1
--! a14
SELECT w.page as g0, percentile_disc(0) within group (order by (w.event_id % 7)::numeric(6,3)) as a0, array_agg(w.event_id % 5 order by w.page nulls first, w.event_id) as a1, json_agg(w.page order by w.event_id) filter (where w.customer_id is not null)::text as a2, avg(w.activity_at - timestamp '2024-06-01') as a3 FROM website_activity w WHERE w.customer_id is not null GROUP BY w.page
--! a15
SELECT p.customer_id as g0, round(var_pop(p.payment_amount::float8)::numeric, 6) as a0, percentile_cont(array[0.5]) within group (order by p.order_id) as a1 FROM payments p WHERE p.payment_amount > 40 GROUP BY p.customer_id
--! a16
SELECT p.payment_status as g0, p.customer_id as g1, sum(p.payment_date - timestamp '2024-01-01') as a0 FROM payments p GROUP BY p.payment_status, p.customer_id
--! a17
SELECT i.quantity as g0, i.product_id as g1, percentile_disc(0.9) within group (order by i.quantity * interval '1 day 3 hours' desc) as a0, array_agg(distinct date '2024-01-31' + i.line_no::int order by date '2024-01-31' + i.line_no::int desc) as a1, percentile_cont(0.5) within group (order by i.product_id desc) as a2 FROM order_items i GROUP BY i.quantity, i.product_id
--! a18
SELECT p.payment_status as g0, array_agg(distinct p.payment_status order by p.payment_status desc nulls last) as a0, array_agg(p.payment_status order by p.payment_amount / 7, p.payment_id) as a1 FROM payments p GROUP BY p.payment_status
--! a19
SELECT w.customer_id as g0, min(distinct (w.event_id % 7)::numeric(6,3)) as a0, sum((w.event_id % 7)::numeric(6,3)) as a1, string_agg(w.page, ' / ' order by w.activity_at nulls first, w.event_id) filter (where w.page like '/%') as a2, mode() within group (order by w.page desc) as a3 FROM website_activity w GROUP BY w.customer_id
--! a20
SELECT p.customer_id as g0, date_trunc('month', p.payment_date) as g1, percentile_cont(0.25) within group (order by p.payment_date - timestamp '2024-01-01' desc) as a0, string_agg(p.payment_status, ',' order by p.payment_date desc, p.payment_id) as a1 FROM payments p WHERE p.payment_status = 'failed' GROUP BY p.customer_id, date_trunc('month', p.payment_date)
--! a21
SELECT i.quantity as g0, mode() within group (order by interval '1 month' * i.line_no) as a0, sum(i.price) filter (where i.price is null) as a1, percentile_cont(1) within group (order by interval '1 month' * i.line_no desc) as a2, string_agg(distinct i.product_id::text, '|' order by i.product_id::text nulls first) filter (where i.quantity > 1) as a3 FROM order_items i GROUP BY i.quantity
--! a22
SELECT p.customer_id as g0, string_agg(p.payment_status, ' / ' order by p.payment_amount desc nulls last, p.payment_id) as a0 FROM payments p GROUP BY p.customer_id
--! a23
SELECT i.product_id as g0, mode() within group (order by i.product_id desc) filter (where i.price is null) as a0, json_agg(date '2024-01-31' + i.line_no::int order by i.order_id, i.line_no) filter (where i.price is null)::text as a1, array_agg(i.product_id::text order by -i.price desc nulls last, i.order_id, i.line_no) filter (where i.price is null) as a2 FROM order_items i GROUP BY i.product_id
--! a24
SELECT min(p.customer_id % 3) filter (where p.payment_status = 'failed') as a0, array_agg(distinct p.order_id order by p.order_id desc nulls last) as a1 FROM payments p
--! a25
SELECT c.state as g0, o.status as g1, every(o.order_date > c.created_at) as a0, percentile_cont(array[0.5]) within group (order by o.order_id::numeric) filter (where o.order_date > c.created_at) as a1, percentile_disc(0) within group (order by c.created_at desc) as a2, avg(o.order_id::numeric) filter (where o.order_date > c.created_at) as a3 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY c.state, o.status
--! a26
SELECT p.customer_id as g0, p.payment_status as g1, min(distinct p.payment_date - timestamp '2024-01-01') filter (where p.payment_status = 'failed') as a0, round(avg(p.payment_amount::float8)::numeric, 6) as a1 FROM payments p GROUP BY p.customer_id, p.payment_status HAVING count(*) > 1
--! a27
SELECT percentile_disc(0.25) within group (order by i.price::float8 * i.quantity) filter (where i.quantity > 1) as a0, round(variance(i.price::float8 * i.quantity)::numeric, 6) as a1, string_agg(distinct i.product_id::text, '|' order by i.product_id::text desc nulls last) as a2, percentile_cont(0) within group (order by i.product_id desc) filter (where i.price is null) as a3 FROM order_items i WHERE i.price is null
--! a28
SELECT w.page as g0, max(distinct w.customer_id) as a0 FROM website_activity w GROUP BY w.page
--! a29
SELECT p.customer_id as g0, round(variance(p.payment_amount::float8) filter (where p.payment_status = 'failed')::numeric, 6) as a0, avg(p.payment_date - timestamp '2024-01-01') as a1, count(p.payment_amount / 7) filter (where p.payment_status = 'failed') as a2 FROM payments p GROUP BY p.customer_id HAVING count(*) > 1
--! a30
SELECT string_agg(i.product_id::text, ' / ' order by i.quantity * 1000000000000, i.order_id, i.line_no) as a0, bool_or(i.quantity > 1) as a1 FROM order_items i WHERE i.price is null
--! a31
SELECT i.quantity as g0, percentile_cont(array[0.25, null, 1]) within group (order by -i.price) as a0, bool_and(i.price is null) as a1, array_agg(i.quantity * interval '1 day 3 hours' order by i.price - 50 desc nulls last, i.order_id, i.line_no) as a2 FROM order_items i WHERE i.price is null GROUP BY i.quantity
--! a32
SELECT i.quantity as g0, jsonb_agg(i.product_id::text order by i.order_id, i.line_no)::text as a0, string_agg(i.product_id::text, ' / ' order by i.quantity * 1000000000000 desc nulls last, i.order_id, i.line_no) filter (where i.quantity > 1) as a1, min(i.quantity * 1000000000000) as a2 FROM order_items i GROUP BY i.quantity
--! a33
SELECT i.product_id as g0, i.order_id % 4 as g1, mode() within group (order by i.quantity * interval '1 day 3 hours' desc) filter (where i.price is null) as a0 FROM order_items i GROUP BY i.product_id, i.order_id % 4
--! a34
SELECT p.payment_status as g0, percentile_cont(array[0.1, 0.5]) within group (order by p.customer_id % 3) as a0, avg(distinct p.customer_id % 3) as a1, percentile_cont(array[0.5]) within group (order by p.payment_amount) as a2 FROM payments p GROUP BY p.payment_status
--! a35
SELECT w.customer_id as g0, percentile_disc(0.9) within group (order by (w.event_id % 7)::numeric(6,3) desc) filter (where w.customer_id is not null) as a0 FROM website_activity w GROUP BY w.customer_id
--! a36
SELECT w.page as g0, array_agg(distinct w.page order by w.page) as a0 FROM website_activity w GROUP BY w.page
--! a37
SELECT sum(distinct (w.event_id % 7)::numeric(6,3)) as a0, string_agg(distinct w.page, '|' order by w.page desc nulls last) as a1, percentile_cont(0.25) within group (order by (w.event_id % 7)::numeric(6,3)) as a2, array_agg(distinct w.event_id % 5 order by w.event_id % 5 nulls first) as a3 FROM website_activity w
--! a38
SELECT i.order_id % 4 as g0, array_agg(distinct i.quantity * 1000000000000 order by i.quantity * 1000000000000 nulls first) filter (where i.quantity > 1) as a0, round(var_pop(i.price::float8 * i.quantity) filter (where i.price is null)::numeric, 6) as a1 FROM order_items i GROUP BY i.order_id % 4
--! a39
SELECT date_trunc('month', p.payment_date) as g0, json_object_agg(p.payment_id, p.payment_amount > 40 order by p.payment_id)::text as a0, percentile_cont(array[0.1, 0.5]) within group (order by round(p.payment_amount, 1)) as a1, string_agg(distinct p.payment_status, '|' order by p.payment_status desc nulls last) filter (where p.payment_status = 'failed') as a2 FROM payments p WHERE p.payment_status = 'failed' GROUP BY date_trunc('month', p.payment_date)
--! a40
SELECT i.quantity as g0, percentile_disc(0.5) within group (order by i.quantity * interval '1 day 3 hours') as a0 FROM order_items i WHERE i.quantity > 1 GROUP BY i.quantity
--! a41
SELECT i.quantity as g0, percentile_cont(0.25) within group (order by i.price * i.quantity) filter (where i.price is null) as a0, avg(i.quantity * 1000000000000) as a1 FROM order_items i WHERE i.quantity > 1 GROUP BY i.quantity
--! a42
SELECT o.status as g0, array_agg(c.created_at order by c.first_name || '-' || o.status, o.order_id) filter (where c.state = 'NY') as a0, array_agg(c.first_name || '-' || o.status order by c.customer_id nulls first, o.order_id) as a1, round(variance(o.order_id::float8)::numeric, 6) as a2, count(distinct o.order_date) as a3 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY o.status HAVING count(*) > 1
--! a43
SELECT jsonb_agg(i.product_id::text order by i.order_id, i.line_no)::text as a0, avg(i.product_id) filter (where i.quantity > 1) as a1, var_pop(i.price) as a2, count(timestamp '2024-01-31 10:00' + i.line_no * interval '1 hour') filter (where i.price is null) as a3 FROM order_items i WHERE i.price is null
--! a44
SELECT i.product_id as g0, i.quantity as g1, avg(i.quantity * interval '1 day 3 hours') as a0, mode() within group (order by i.quantity * 1000000000000) as a1 FROM order_items i GROUP BY i.product_id, i.quantity
--! a45
SELECT i.product_id as g0, string_agg(i.product_id::text, '' order by i.price - 50 desc nulls last, i.order_id, i.line_no) filter (where i.quantity > 1) as a0 FROM order_items i GROUP BY i.product_id
--! a46
SELECT i.order_id % 4 as g0, i.product_id as g1, string_agg(distinct i.product_id::text, '|' order by i.product_id::text nulls first) as a0, string_agg(i.product_id::text, ',' order by i.price * i.quantity desc, i.order_id, i.line_no) filter (where i.quantity > 1) as a1 FROM order_items i GROUP BY i.order_id % 4, i.product_id
--! a47
SELECT i.order_id % 4 as g0, i.product_id as g1, avg(i.quantity * interval '1 day 3 hours') as a0 FROM order_items i GROUP BY i.order_id % 4, i.product_id
--! a48
SELECT array_agg(distinct o.order_id order by o.order_id desc) as a0, array_agg((o.order_id * 1.5) order by c.customer_id nulls first, o.order_id) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id HAVING count(*) > 1
--! a49
SELECT o.status as g0, json_agg(o.order_id order by o.order_id)::text as a0, avg(o.order_id::numeric) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id WHERE c.state = 'NY' GROUP BY o.status HAVING count(*) > 1
--! a50
SELECT date_trunc('month', p.payment_date) as g0, max(distinct p.payment_date) as a0, max(p.payment_amount::float8) as a1, string_agg(distinct p.payment_status, '|' order by p.payment_status) as a2 FROM payments p GROUP BY date_trunc('month', p.payment_date)
--! a51
SELECT array_agg(w.activity_at order by w.event_id % 5 desc nulls last, w.event_id) as a0, bool_and(w.page like '/%') as a1 FROM website_activity w
--! a52
SELECT i.product_id as g0, percentile_disc(0) within group (order by timestamp '2024-01-31 10:00' + i.line_no * interval '1 hour' desc) as a0 FROM order_items i WHERE i.price is null GROUP BY i.product_id
--! a53
SELECT count(i.product_id) filter (where i.quantity > 1) as a0 FROM order_items i
--! a54
SELECT date_trunc('month', p.payment_date) as g0, p.payment_status as g1, mode() within group (order by p.customer_id % 3) as a0 FROM payments p WHERE p.payment_amount > 40 GROUP BY date_trunc('month', p.payment_date), p.payment_status HAVING count(*) > 1
--! a55
SELECT i.quantity as g0, percentile_disc(0) within group (order by i.line_no) as a0 FROM order_items i GROUP BY i.quantity
--! a56
SELECT w.customer_id as g0, w.page as g1, array_agg(distinct w.activity_at::date order by w.activity_at::date nulls first) as a0, avg(w.activity_at - timestamp '2024-06-01') as a1 FROM website_activity w GROUP BY w.customer_id, w.page
--! a57
SELECT w.customer_id as g0, percentile_cont(0.25) within group (order by (w.event_id % 7)::numeric(6,3) desc) as a0, avg(w.activity_at - timestamp '2024-06-01') filter (where w.customer_id is not null) as a1, percentile_cont(array[0.1, 0.5]) within group (order by (w.event_id % 7)::numeric(6,3)) as a2 FROM website_activity w GROUP BY w.customer_id HAVING count(*) > 1
--! a58
SELECT date_trunc('month', p.payment_date) as g0, p.customer_id as g1, percentile_disc(0.5) within group (order by p.payment_date - timestamp '2024-01-01') filter (where p.payment_status = 'failed') as a0, string_agg(p.payment_status, '' order by p.payment_date desc, p.payment_id) as a1 FROM payments p GROUP BY date_trunc('month', p.payment_date), p.customer_id
--! a59
SELECT c.state as g0, date_trunc('quarter', o.order_date) as g1, avg(distinct o.order_id::numeric) as a0, string_agg(c.first_name || '-' || o.status, ',' order by (o.order_id * 1.5), o.order_id) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY c.state, date_trunc('quarter', o.order_date)
--! a60
SELECT date_trunc('month', p.payment_date) as g0, jsonb_object_agg(p.payment_id, p.payment_status order by p.payment_id)::text as a0, jsonb_object_agg(p.payment_id, p.payment_status order by p.payment_id) filter (where p.payment_amount > 40)::text as a1, string_agg(distinct p.payment_status, '|' order by p.payment_status nulls first) as a2 FROM payments p GROUP BY date_trunc('month', p.payment_date)
--! a61
SELECT date_trunc('quarter', o.order_date) as g0, c.state as g1, jsonb_object_agg(o.order_id, o.order_id::numeric order by o.order_id) filter (where o.order_date > c.created_at)::text as a0, stddev_samp(o.order_id::numeric) as a1, percentile_cont(array[0.25, null, 1]) within group (order by o.order_id::float8) as a2, string_agg(distinct c.state, '|' order by c.state nulls first) as a3 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY date_trunc('quarter', o.order_date), c.state HAVING count(*) > 1
--! a62
SELECT i.quantity as g0, max(i.price::float8 * i.quantity) as a0 FROM order_items i GROUP BY i.quantity HAVING count(*) > 1
--! a63
SELECT date_trunc('quarter', o.order_date) as g0, c.customer_id as g1, round(stddev(o.order_id::float8) filter (where o.order_date > c.created_at)::numeric, 6) as a0, count(distinct o.order_id) filter (where o.order_date > c.created_at) as a1, var_pop(distinct o.order_id::numeric) as a2, percentile_cont(array[0.5]) within group (order by o.order_id::float8) as a3 FROM orders o left join customers c on c.customer_id = o.customer_id WHERE c.state = 'NY' GROUP BY date_trunc('quarter', o.order_date), c.customer_id HAVING count(*) > 1
--! a64
SELECT date_trunc('month', p.payment_date) as g0, var_samp(p.customer_id % 3) filter (where p.payment_status = 'failed') as a0, mode() within group (order by p.order_id desc) filter (where p.payment_amount > 40) as a1, percentile_cont(0) within group (order by (p.payment_amount - 40)::float8 desc) as a2, every(p.payment_status = 'failed') as a3 FROM payments p GROUP BY date_trunc('month', p.payment_date)
--! a65
SELECT p.customer_id as g0, date_trunc('month', p.payment_date) as g1, array_agg(distinct p.payment_status order by p.payment_status nulls first) filter (where p.payment_status = 'failed') as a0, jsonb_agg(p.payment_date::date order by p.payment_id)::text as a1 FROM payments p GROUP BY p.customer_id, date_trunc('month', p.payment_date)
--! a66
SELECT w.page as g0, every(w.page like '/%') as a0 FROM website_activity w GROUP BY w.page
--! a67
SELECT p.customer_id as g0, date_trunc('month', p.payment_date) as g1, stddev_samp(distinct p.payment_amount) as a0 FROM payments p WHERE p.payment_amount > 40 GROUP BY p.customer_id, date_trunc('month', p.payment_date) HAVING count(*) > 1
--! a68
SELECT sum(distinct -i.price) as a0 FROM order_items i
--! a69
SELECT array_agg(w.event_id % 5 order by (w.event_id % 7)::numeric(6,3), w.event_id) as a0, string_agg(distinct w.page, '|' order by w.page desc) filter (where w.page like '/%') as a1 FROM website_activity w
--! a70
SELECT string_agg(o.status, '' order by c.created_at desc nulls last, o.order_id) as a0, var_pop(distinct o.order_id) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id
--! a71
SELECT string_agg(distinct i.product_id::text, '|' order by i.product_id::text) as a0, string_agg(distinct i.product_id::text, '|' order by i.product_id::text nulls first) as a1, round(sum(i.price::float8 * i.quantity)::numeric, 6) as a2, percentile_cont(array[0.25, null, 1]) within group (order by i.price::float8 * i.quantity) as a3 FROM order_items i
--! a72
SELECT w.page as g0, round(var_pop(w.event_id::float8) filter (where w.customer_id is not null)::numeric, 6) as a0 FROM website_activity w GROUP BY w.page
--! a73
SELECT array_agg(w.page order by w.activity_at desc nulls last, w.event_id) as a0, array_agg(distinct w.activity_at::date order by w.activity_at::date) as a1 FROM website_activity w
--! a74
SELECT w.customer_id as g0, w.page as g1, avg(w.activity_at - timestamp '2024-06-01') as a0, array_agg(distinct w.page order by w.page nulls first) as a1, percentile_disc(0.5) within group (order by w.activity_at desc) as a2 FROM website_activity w GROUP BY w.customer_id, w.page
--! a75
SELECT i.order_id % 4 as g0, mode() within group (order by i.price * i.quantity desc) filter (where i.quantity > 1) as a0 FROM order_items i GROUP BY i.order_id % 4
--! a76
SELECT w.page as g0, percentile_cont(0.9) within group (order by w.event_id::float8 desc) filter (where w.customer_id is not null) as a0 FROM website_activity w GROUP BY w.page
--! a77
SELECT i.order_id % 4 as g0, i.quantity as g1, stddev_samp(-i.price) filter (where i.quantity > 1) as a0, every(i.price is null) as a1, array_agg(distinct i.product_id::text order by i.product_id::text desc nulls last) as a2 FROM order_items i GROUP BY i.order_id % 4, i.quantity
--! a78
SELECT w.customer_id as g0, string_agg(w.page, ' / ' order by w.event_id % 5 desc nulls last, w.event_id) as a0, mode() within group (order by w.activity_at - timestamp '2024-06-01' desc) as a1 FROM website_activity w GROUP BY w.customer_id HAVING count(*) > 1
--! a79
SELECT c.state as g0, o.status as g1, percentile_cont(array[0.25, null, 1]) within group (order by (o.order_id * 1.5)) as a0, round(sum(o.order_id::float8)::numeric, 6) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY c.state, o.status
--! a80
SELECT i.order_id % 4 as g0, jsonb_object_agg(i.line_no, -i.price order by i.order_id, i.line_no)::text as a0 FROM order_items i WHERE i.quantity > 1 GROUP BY i.order_id % 4
--! a81
SELECT w.customer_id as g0, array_agg(distinct w.activity_at order by w.activity_at desc) as a0 FROM website_activity w GROUP BY w.customer_id
--! a82
SELECT i.product_id as g0, round(var_pop(i.price::float8 * i.quantity)::numeric, 6) as a0, bool_or(i.price is null) as a1 FROM order_items i GROUP BY i.product_id
--! a83
SELECT w.page as g0, count(w.activity_at) as a0, string_agg(w.page, '' order by w.activity_at desc nulls last, w.event_id) as a1 FROM website_activity w GROUP BY w.page HAVING count(*) > 1
--! a84
SELECT c.customer_id as g0, sum((o.order_id * 1.5)) as a0, stddev(o.order_id::numeric) as a1, percentile_cont(0.5) within group (order by o.order_id desc) as a2 FROM orders o left join customers c on c.customer_id = o.customer_id WHERE c.state = 'NY' GROUP BY c.customer_id
--! a85
SELECT i.order_id % 4 as g0, i.product_id as g1, string_agg(distinct i.product_id::text, '|' order by i.product_id::text desc) as a0, sum(i.quantity * interval '1 day 3 hours') as a1, percentile_disc(1) within group (order by interval '1 month' * i.line_no) as a2, percentile_disc(0.5) within group (order by timestamp '2024-01-31 10:00' + i.line_no * interval '1 hour' desc) filter (where i.quantity > 1) as a3 FROM order_items i WHERE i.price is null GROUP BY i.order_id % 4, i.product_id
--! a86
SELECT w.customer_id as g0, bool_or(w.page like '/%') filter (where w.customer_id is not null) as a0, var_samp((w.event_id % 7)::numeric(6,3)) as a1 FROM website_activity w WHERE w.customer_id is not null GROUP BY w.customer_id
--! a87
SELECT every(i.quantity > 1) as a0, json_object_agg(i.line_no, i.product_id::text order by i.order_id, i.line_no)::text as a1 FROM order_items i
--! a88
SELECT p.payment_status as g0, round(sum((p.payment_amount - 40)::float8)::numeric, 6) as a0, percentile_cont(array[0.25, null, 1]) within group (order by round(p.payment_amount, 1)) as a1 FROM payments p GROUP BY p.payment_status
--! a89
SELECT o.status as g0, count(o.order_date - c.created_at) as a0 FROM orders o left join customers c on c.customer_id = o.customer_id WHERE o.order_date > c.created_at GROUP BY o.status
--! a90
SELECT w.page as g0, w.customer_id as g1, percentile_disc(0.5) within group (order by w.activity_at) as a0, avg(w.activity_at - timestamp '2024-06-01') as a1, bool_and(w.page like '/%') as a2, percentile_disc(1) within group (order by w.activity_at::date desc) as a3 FROM website_activity w WHERE w.page like '/%' GROUP BY w.page, w.customer_id
--! a91
SELECT w.page as g0, w.customer_id as g1, percentile_cont(array[0.1, 0.5]) within group (order by (w.event_id % 7)::numeric(6,3)) as a0, count((w.event_id % 7)::numeric(6,3)) as a1, percentile_disc(1) within group (order by w.activity_at - timestamp '2024-06-01') filter (where w.customer_id is not null) as a2, array_agg(w.event_id % 5 order by w.activity_at, w.event_id) as a3 FROM website_activity w WHERE w.page like '/%' GROUP BY w.page, w.customer_id
--! a92
SELECT p.payment_status as g0, string_agg(p.payment_status, ',' order by p.payment_date nulls first, p.payment_id) as a0 FROM payments p GROUP BY p.payment_status
--! a93
SELECT date_trunc('month', p.payment_date) as g0, round(stddev((p.payment_amount - 40)::float8)::numeric, 6) as a0, var_samp(distinct p.payment_amount) as a1, string_agg(distinct p.payment_status, '|' order by p.payment_status) as a2, avg(p.payment_date - timestamp '2024-01-01') as a3 FROM payments p WHERE p.payment_amount > 40 GROUP BY date_trunc('month', p.payment_date)
--! a94
SELECT w.customer_id as g0, string_agg(w.page, ' / ' order by w.event_id % 5 nulls first, w.event_id) as a0, stddev_samp((w.event_id % 7)::numeric(6,3)) as a1, array_agg(distinct w.activity_at::date order by w.activity_at::date desc nulls last) as a2 FROM website_activity w GROUP BY w.customer_id
--! a95
SELECT string_agg(c.first_name || '-' || o.status, '' order by o.order_id::numeric desc, o.order_id) as a0, percentile_disc(0.25) within group (order by o.order_id::float8) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id
--! a96
SELECT i.order_id % 4 as g0, count(i.product_id) as a0 FROM order_items i WHERE i.price is null GROUP BY i.order_id % 4
--! a97
SELECT p.payment_status as g0, p.customer_id as g1, count(p.payment_date - timestamp '2024-01-01') as a0, array_agg(p.order_id order by p.order_id desc, p.payment_id) as a1 FROM payments p GROUP BY p.payment_status, p.customer_id
--! a98
SELECT c.state as g0, sum(c.customer_id) as a0, min(c.customer_id) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY c.state HAVING count(*) > 1
--! a99
SELECT i.quantity as g0, i.product_id as g1, string_agg(i.product_id::text, '' order by i.line_no, i.order_id, i.line_no) as a0, mode() within group (order by i.product_id::text) filter (where i.price is null) as a1 FROM order_items i GROUP BY i.quantity, i.product_id
--! a100
SELECT date_trunc('month', p.payment_date) as g0, p.payment_status as g1, min(distinct p.payment_status) as a0 FROM payments p GROUP BY date_trunc('month', p.payment_date), p.payment_status
--! a101
SELECT w.customer_id as g0, array_agg(distinct w.page order by w.page nulls first) as a0, avg((w.event_id % 7)::numeric(6,3)) filter (where w.page like '/%') as a1 FROM website_activity w GROUP BY w.customer_id HAVING count(*) > 1
--! a102
SELECT i.order_id % 4 as g0, sum(interval '1 month' * i.line_no) as a0, count(distinct i.product_id::text) as a1, avg(i.quantity * interval '1 day 3 hours') as a2, array_agg(i.price * i.quantity order by i.quantity nulls first, i.order_id, i.line_no) as a3 FROM order_items i WHERE i.price is null GROUP BY i.order_id % 4
--! a103
SELECT avg(w.activity_at - timestamp '2024-06-01') as a0 FROM website_activity w HAVING count(*) > 1
--! a104
SELECT avg(interval '1 month' * i.line_no) as a0, bool_and(i.quantity > 1) filter (where i.price is null) as a1 FROM order_items i
--! a105
SELECT avg(w.activity_at - timestamp '2024-06-01') as a0, avg(distinct (w.event_id % 7)::numeric(6,3)) as a1 FROM website_activity w
--! a106
SELECT c.state as g0, count(o.order_date) filter (where c.state = 'NY') as a0 FROM orders o left join customers c on c.customer_id = o.customer_id WHERE o.order_date > c.created_at GROUP BY c.state
--! a107
SELECT c.state as g0, date_trunc('quarter', o.order_date) as g1, percentile_cont(array[0.25, null, 1]) within group (order by (o.order_id * 1.5)) as a0 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY c.state, date_trunc('quarter', o.order_date)
--! a108
SELECT i.product_id as g0, array_agg(distinct i.product_id::text order by i.product_id::text) as a0, round(variance(i.price::float8 * i.quantity) filter (where i.quantity > 1)::numeric, 6) as a1, string_agg(distinct i.product_id::text, '|' order by i.product_id::text) as a2, percentile_cont(array[0.25, null, 1]) within group (order by i.price::float8 * i.quantity) as a3 FROM order_items i GROUP BY i.product_id
--! a109
SELECT bool_or(w.page like '/%') as a0 FROM website_activity w
--! a110
SELECT jsonb_object_agg(o.order_id, (o.order_id * 1.5) order by o.order_id)::text as a0, min((o.order_id * 1.5)) as a1 FROM orders o left join customers c on c.customer_id = o.customer_id
--! a111
SELECT p.customer_id as g0, avg(p.payment_date - timestamp '2024-01-01') filter (where p.payment_amount > 40) as a0, array_agg(distinct p.payment_status order by p.payment_status) as a1, var_samp(distinct p.payment_amount) as a2 FROM payments p GROUP BY p.customer_id
--! a112
SELECT w.page as g0, w.customer_id as g1, json_object_agg(w.event_id, (w.event_id % 7)::numeric(6,3) order by w.event_id)::text as a0 FROM website_activity w GROUP BY w.page, w.customer_id
--! a113
SELECT percentile_cont(1) within group (order by o.order_date - c.created_at) as a0 FROM orders o left join customers c on c.customer_id = o.customer_id WHERE c.state = 'NY'
--! a114
SELECT every(i.quantity > 1) as a0, avg(distinct i.product_id) as a1, every(i.price is null) as a2 FROM order_items i HAVING count(*) > 1
--! a115
SELECT i.product_id as g0, stddev_samp(distinct i.quantity) filter (where i.price is null) as a0, array_agg(date '2024-01-31' + i.line_no::int order by i.line_no desc nulls last, i.order_id, i.line_no) as a1, avg(i.quantity * interval '1 day 3 hours') as a2 FROM order_items i GROUP BY i.product_id
--! a116
SELECT o.status as g0, c.customer_id as g1, string_agg(o.status, ',' order by o.order_id nulls first, o.order_id) filter (where c.state = 'NY') as a0 FROM orders o left join customers c on c.customer_id = o.customer_id GROUP BY o.status, c.customer_id HAVING count(*) > 1
--! a117
SELECT percentile_disc(1) within group (order by o.order_date - c.created_at) as a0, every(c.state = 'NY') as a1, max(distinct o.order_id::float8) as a2 FROM orders o left join customers c on c.customer_id = o.customer_id
--! a118
SELECT w.customer_id as g0, w.page as g1, string_agg(distinct w.page, '|' order by w.page nulls first) filter (where w.customer_id is not null) as a0, count(distinct w.page) as a1, array_agg(distinct w.activity_at order by w.activity_at desc nulls last) as a2 FROM website_activity w GROUP BY w.customer_id, w.page
--! a119
SELECT max(distinct p.payment_date::date) as a0, avg(p.payment_date - timestamp '2024-01-01') as a1 FROM payments p
