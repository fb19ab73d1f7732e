WITH orders AS (
    SELECT * FROM {{ ref('stg_orders') }}
),
items AS (
    SELECT
        order_id,
        COUNT(*) AS order_lines,
        SUM(quantity) AS units,
        SUM(price * quantity) AS order_amount
    FROM {{ ref('stg_order_items') }}
    GROUP BY order_id
),
payments AS (
    SELECT
        order_id,
        SUM(payment_amount) AS paid_amount,
        SUM(CASE WHEN payment_method_category = 'card' THEN payment_amount ELSE 0.00 END) AS card_amount,
        SUM(CASE WHEN payment_method_category = 'wallet' THEN payment_amount ELSE 0.00 END) AS wallet_amount,
        SUM(CASE WHEN payment_method_category = 'bank' THEN payment_amount ELSE 0.00 END) AS bank_amount,
        SUM(CASE WHEN payment_method_category = 'other' THEN payment_amount ELSE 0.00 END) AS other_amount,
        MIN(payment_date) AS first_paid_at
    FROM {{ ref('stg_payments') }}
    WHERE payment_status = 'completed'
    GROUP BY order_id
)
SELECT
    o.order_id,
    o.customer_id,
    o.product_name,
    o.order_status,
    o.order_status_group,
    o.channel,
    o.order_date,
    o.order_day,
    o.order_month,
    CAST(COALESCE(i.order_lines, 0) AS bigint) AS order_lines,
    CAST(COALESCE(i.units, 0) AS bigint) AS units,
    CAST(COALESCE(i.order_amount, 0) AS numeric(18, 2)) AS order_amount,
    CAST(COALESCE(p.paid_amount, 0) AS numeric(18, 2)) AS paid_amount,
    CAST(COALESCE(p.card_amount, 0) AS numeric(18, 2)) AS card_amount,
    CAST(COALESCE(p.wallet_amount, 0) AS numeric(18, 2)) AS wallet_amount,
    CAST(COALESCE(p.bank_amount, 0) AS numeric(18, 2)) AS bank_amount,
    CAST(COALESCE(p.other_amount, 0) AS numeric(18, 2)) AS other_amount,
    p.first_paid_at
FROM orders o
LEFT JOIN items i ON o.order_id = i.order_id
LEFT JOIN payments p ON o.order_id = p.order_id
