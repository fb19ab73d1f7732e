-- The shop at a glance: sales by category and month, and what was unusual.
SELECT
    s.category,
    s.sales_month,
    s.orders,
    s.revenue,
    COUNT(CASE WHEN a.is_anomaly THEN 1 END) AS unusual_days
FROM {{ ref('product_category_sales') }} s
LEFT JOIN {{ ref('anomalies') }} a
    ON s.category = a.category
    AND SUBSTR(CAST(s.sales_month AS text), 1, 7) = SUBSTR(CAST(a.sales_day AS text), 1, 7)
GROUP BY s.category, s.sales_month, s.orders, s.revenue
ORDER BY s.sales_month, s.category
