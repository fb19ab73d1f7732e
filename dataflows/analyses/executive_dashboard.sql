-- Executive page: the whole portfolio by segment.
SELECT
    customer_segment,
    COUNT(*) AS customer_count,
    SUM(lifetime_value) AS total_ltv,
    AVG(lifetime_value) AS avg_ltv,
    AVG(avg_transaction_value) AS avg_atv
FROM {{ ref('customer_360_profile') }}
GROUP BY customer_segment
ORDER BY total_ltv DESC, customer_segment
