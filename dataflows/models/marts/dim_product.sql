WITH sales AS (
    SELECT
        i.product_id,
        COUNT(DISTINCT i.order_id) AS orders,
        CAST(SUM(i.quantity) AS bigint) AS units_sold,
        CAST(SUM(i.price * i.quantity) AS numeric(18, 2)) AS revenue,
        MIN(o.order_day) AS first_sold_on,
        MAX(o.order_day) AS last_sold_on
    FROM {{ ref('stg_order_items') }} i
    JOIN {{ ref('stg_orders') }} o ON i.order_id = o.order_id
    GROUP BY i.product_id
)
SELECT
    p.product_id,
    p.product_name,
    p.category,
    p.launched_at,
    COALESCE(s.orders, 0) AS orders,
    COALESCE(s.units_sold, 0) AS units_sold,
    COALESCE(s.revenue, 0.00) AS revenue,
    s.first_sold_on,
    s.last_sold_on
FROM {{ ref('stg_erp__products') }} p
LEFT JOIN sales s ON p.product_id = s.product_id
