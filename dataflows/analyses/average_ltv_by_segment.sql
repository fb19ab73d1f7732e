SELECT customer_segment, AVG(lifetime_value) AS avg_ltv
FROM {{ ref('metric_customer_ltv') }}
GROUP BY customer_segment
ORDER BY customer_segment
