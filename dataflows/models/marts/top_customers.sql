SELECT
    customer_id,
    first_name,
    last_name,
    email,
    number_of_orders,
    customer_lifetime_value
FROM {{ ref('customers') }}
ORDER BY customer_lifetime_value DESC, customer_id
LIMIT 100
