SELECT customer_id, customer_segment, avg_transaction_value
FROM {{ ref('metric_avg_transaction_value') }}
ORDER BY avg_transaction_value DESC NULLS LAST, customer_id
LIMIT 100
