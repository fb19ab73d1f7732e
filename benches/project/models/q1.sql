-- A customer at a glance: what was ordered, what was paid, what was looked at.
WITH order_agg AS (
  SELECT o.customer_id, COUNT(DISTINCT o.order_id) AS total_orders, SUM(oi.price * oi.quantity) AS total_order_value
  FROM {{ source('shop', 'orders') }} o
  LEFT JOIN {{ source('shop', 'order_items') }} oi ON o.order_id = oi.order_id
  GROUP BY o.customer_id
), payment_agg AS (
  SELECT customer_id, SUM(payment_amount) AS total_payments
  FROM {{ source('shop', 'payments') }}
  WHERE payment_status = 'completed'
  GROUP BY customer_id
), activity_agg AS (
  SELECT customer_id, COUNT(*) AS page_views
  FROM {{ source('shop', 'website_activity') }}
  GROUP BY customer_id
)
SELECT c.customer_id, c.first_name, c.last_name, LOWER(c.email) AS email,
       COALESCE(o.total_orders, 0) AS total_orders,
       COALESCE(o.total_order_value, 0) AS total_order_value,
       COALESCE(p.total_payments, 0) AS total_payments,
       COALESCE(a.page_views, 0) AS page_views
FROM {{ source('shop', 'customers') }} c
LEFT JOIN order_agg o ON o.customer_id = c.customer_id
LEFT JOIN payment_agg p ON p.customer_id = c.customer_id
LEFT JOIN activity_agg a ON a.customer_id = c.customer_id
