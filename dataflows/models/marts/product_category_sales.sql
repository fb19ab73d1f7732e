SELECT
    category,
    {{ month_of('sales_day') }} AS sales_month,
    CAST(SUM(orders) AS bigint) AS orders,
    CAST(SUM(units) AS bigint) AS units,
    CAST(SUM(revenue) AS numeric(18, 2)) AS revenue,
    {{ ratio('SUM(revenue)', 'SUM(units)', 2) }} AS average_unit_price
FROM {{ ref('int_category_sales_daily') }}
GROUP BY category, {{ month_of('sales_day') }}
