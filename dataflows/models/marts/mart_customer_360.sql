WITH customer_orders AS (
    SELECT * FROM {{ ref('int_customer_orders') }}
),
payments AS (
    SELECT 
        customer_id, 
        SUM(payment_amount) AS total_payments
    FROM {{ ref('stg_payments') }}
    WHERE payment_status = 'completed'
    GROUP BY customer_id
),
interactions AS (
    SELECT 
        customer_id, 
        COUNT(interaction_id) AS total_interactions
    FROM {{ ref('stg_customer_interactions') }}
    GROUP BY customer_id
)
SELECT 
    co.customer_id,
    co.first_name,
    co.last_name,
    co.email,
    co.total_orders,
    co.total_spent,
    p.total_payments,
    i.total_interactions
FROM customer_orders co
LEFT JOIN payments p ON co.customer_id = p.customer_id
LEFT JOIN interactions i ON co.customer_id = i.customer_id
