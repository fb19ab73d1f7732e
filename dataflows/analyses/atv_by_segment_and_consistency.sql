SELECT customer_segment, spending_consistency, AVG(avg_transaction_value) AS avg_atv
FROM {{ ref('metric_avg_transaction_value') }}
GROUP BY customer_segment, spending_consistency
ORDER BY customer_segment NULLS LAST, spending_consistency NULLS LAST
