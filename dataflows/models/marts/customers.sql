WITH orders AS (
    SELECT
        customer_id,
        MIN(order_day) AS first_order_day,
        MAX(order_day) AS most_recent_order_day,
        COUNT(*) AS number_of_orders,
        COUNT(CASE WHEN order_status_group = 'returned' THEN 1 END) AS returned_orders,
        SUM(order_amount) AS ordered_amount,
        SUM(paid_amount) AS customer_lifetime_value
    FROM {{ ref('int_orders') }}
    GROUP BY customer_id
)
SELECT
    c.customer_id,
    c.first_name,
    c.last_name,
    c.email,
    c.city,
    c.state,
    c.employment_status,
    c.created_at,
    o.first_order_day,
    o.most_recent_order_day,
    COALESCE(o.number_of_orders, 0) AS number_of_orders,
    COALESCE(o.returned_orders, 0) AS returned_orders,
    CAST(COALESCE(o.ordered_amount, 0) AS numeric(18, 2)) AS ordered_amount,
    CAST(COALESCE(o.customer_lifetime_value, 0) AS numeric(18, 2)) AS customer_lifetime_value
FROM {{ ref('stg_customers') }} c
LEFT JOIN orders o ON c.customer_id = o.customer_id
