WITH customers AS (
    SELECT * FROM {{ ref('stg_customers') }}
),
orders AS (
    SELECT * FROM {{ ref('stg_orders') }}
),
order_amounts AS (
    SELECT
        order_id,
        SUM(price * quantity) AS order_amount,
        SUM(quantity) AS units
    FROM {{ ref('stg_order_items') }}
    GROUP BY order_id
),
payments AS (
    SELECT
        order_id,
        SUM(payment_amount) AS paid_amount,
        MIN(payment_date) AS first_paid_at
    FROM {{ ref('stg_payments') }}
    WHERE payment_status = 'completed'
    GROUP BY order_id
)
SELECT
    c.customer_id,
    c.first_name,
    c.last_name,
    c.email,
    c.created_at AS customer_created_at,
    o.order_id,
    o.product_name,
    o.order_status,
    o.order_status_group,
    o.channel,
    o.order_date,
    o.order_day,
    o.order_month,
    CASE WHEN o.order_id IS NOT NULL THEN CAST(COALESCE(a.order_amount, 0) AS numeric(18, 2)) END AS order_amount,
    CASE WHEN o.order_id IS NOT NULL THEN CAST(COALESCE(a.units, 0) AS bigint) END AS units,
    CASE WHEN o.order_id IS NOT NULL THEN CAST(COALESCE(p.paid_amount, 0) AS numeric(18, 2)) END AS paid_amount,
    p.first_paid_at
FROM customers c
LEFT JOIN orders o ON c.customer_id = o.customer_id
LEFT JOIN order_amounts a ON o.order_id = a.order_id
LEFT JOIN payments p ON o.order_id = p.order_id
