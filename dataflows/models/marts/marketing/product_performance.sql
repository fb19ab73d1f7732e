WITH sales AS (
    SELECT
        COALESCE(product_name, 'unnamed') AS product_name,
        COUNT(order_id) AS total_orders,
        COUNT(CASE WHEN order_status_group = 'successful' THEN 1 END) AS successful_orders,
        COUNT(CASE WHEN order_status_group = 'returned' THEN 1 END) AS returned_orders,
        COUNT(DISTINCT customer_id) AS customers,
        CAST(SUM(CASE WHEN order_status_group <> 'returned' THEN order_amount ELSE 0.00 END) AS numeric(18, 2)) AS revenue,
        CAST(SUM(order_amount) AS numeric(18, 2)) AS ordered_amount,
        MIN(order_day) AS first_sold_on,
        MAX(order_day) AS last_sold_on,
        COUNT(CASE WHEN order_day > {{ today() }} - 30 THEN 1 END) AS orders_last_30_days,
        COUNT(CASE WHEN order_day > {{ today() }} - 60 AND order_day <= {{ today() }} - 30 THEN 1 END) AS orders_prior_30_days
    FROM {{ ref('stg_customer_activity') }}
    WHERE order_id IS NOT NULL
    GROUP BY COALESCE(product_name, 'unnamed')
),
shared AS (
    SELECT
        *,
        SUM(revenue) OVER () AS total_revenue,
        SUM(revenue) OVER (ORDER BY revenue DESC, product_name ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS cumulative_revenue,
        ROW_NUMBER() OVER (ORDER BY revenue DESC, product_name) AS revenue_rank
    FROM sales
)
SELECT
    product_name,
    total_orders,
    successful_orders,
    returned_orders,
    customers,
    revenue,
    {{ ratio('ordered_amount', 'total_orders', 2) }} AS average_order_value,
    {{ percent('returned_orders', 'total_orders') }} AS return_rate_pct,
    revenue_rank,
    {{ percent('revenue', 'total_revenue') }} AS revenue_share_pct,
    {{ percent('cumulative_revenue', 'total_revenue') }} AS cumulative_share_pct,
    -- the product that crosses a line still belongs to the better class
    CASE
        WHEN cumulative_revenue - revenue < 0.80 * total_revenue THEN 'A'
        WHEN cumulative_revenue - revenue < 0.95 * total_revenue THEN 'B'
        ELSE 'C'
    END AS abc_class,
    first_sold_on,
    last_sold_on,
    orders_last_30_days,
    orders_prior_30_days,
    CASE
        WHEN first_sold_on > {{ today() }} - 60 THEN 'Introduction'
        WHEN last_sold_on <= {{ today() }} - 90 THEN 'Discontinued'
        WHEN orders_last_30_days * 5 > orders_prior_30_days * 6 THEN 'Growth'
        WHEN orders_last_30_days * 5 < orders_prior_30_days * 4 THEN 'Decline'
        ELSE 'Maturity'
    END AS lifecycle_stage
FROM shared
