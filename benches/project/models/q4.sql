-- What each product sold, and its class by the share of revenue that it and all larger ones have.
WITH base AS (
  SELECT oi.product_id, COUNT(*) AS lines, SUM(oi.quantity) AS units, SUM(oi.price * oi.quantity) AS revenue,
    SUM(CASE WHEN o.status = 'returned' THEN 1 ELSE 0 END) AS returned_lines
  FROM {{ source('shop', 'order_items') }} oi LEFT JOIN {{ source('shop', 'orders') }} o ON o.order_id = oi.order_id
  GROUP BY oi.product_id
), ranked AS (
  SELECT product_id, lines, units, revenue, returned_lines,
    SUM(revenue) OVER (ORDER BY revenue DESC, product_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS cum_revenue,
    SUM(revenue) OVER () AS all_revenue
  FROM base
)
SELECT product_id, lines, units, revenue, returned_lines,
  CASE WHEN cum_revenue <= all_revenue * 0.8 THEN 'A' WHEN cum_revenue <= all_revenue * 0.95 THEN 'B' ELSE 'C' END AS abc_class
FROM ranked
