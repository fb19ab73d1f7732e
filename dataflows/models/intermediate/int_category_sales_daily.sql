-- Sales per product category and day; lines of products that nobody described are a category of their own.
SELECT
    COALESCE(p.category, 'Uncategorized') AS category,
    o.order_day AS sales_day,
    COUNT(DISTINCT o.order_id) AS orders,
    CAST(SUM(i.quantity) AS bigint) AS units,
    CAST(SUM(i.price * i.quantity) AS numeric(18, 2)) AS revenue
FROM {{ ref('stg_orders') }} o
JOIN {{ ref('stg_order_items') }} i ON o.order_id = i.order_id
LEFT JOIN {{ ref('stg_erp__products') }} p ON i.product_id = p.product_id
WHERE o.order_day IS NOT NULL
  AND i.price IS NOT NULL
  AND i.quantity IS NOT NULL
GROUP BY COALESCE(p.category, 'Uncategorized'), o.order_day
