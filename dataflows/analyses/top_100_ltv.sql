SELECT customer_id, customer_segment, lifetime_value
FROM {{ ref('metric_customer_ltv') }}
ORDER BY lifetime_value DESC, customer_id
LIMIT 100
