-- The robust z-score of a category's day: how many (scaled) median deviations its revenue is away from the category's median.
WITH medians AS (
    SELECT
        category,
        {{ median('revenue') }} AS median_revenue
    FROM {{ ref('int_category_sales_daily') }}
    GROUP BY category
),
deviations AS (
    SELECT
        s.category,
        s.sales_day,
        s.orders,
        s.revenue,
        m.median_revenue,
        s.revenue - m.median_revenue AS deviation
    FROM {{ ref('int_category_sales_daily') }} s
    JOIN medians m ON s.category = m.category
),
spreads AS (
    SELECT
        category,
        {{ median('ABS(deviation)') }} AS median_absolute_deviation
    FROM deviations
    GROUP BY category
),
scored AS (
    SELECT
        d.category,
        d.sales_day,
        d.orders,
        d.revenue,
        d.median_revenue,
        s.median_absolute_deviation,
        {{ ratio('6745 * d.deviation', '10000 * s.median_absolute_deviation', 2) }} AS robust_z_score
    FROM deviations d
    JOIN spreads s ON d.category = s.category
)
SELECT
    category,
    sales_day,
    orders,
    revenue,
    median_revenue,
    median_absolute_deviation,
    robust_z_score,
    COALESCE(ABS(robust_z_score) > 3.5, FALSE) AS is_anomaly,
    CASE
        WHEN robust_z_score > 3.5 THEN 'ALERT: unusually high sales of ' || category
        WHEN robust_z_score < -3.5 THEN 'ALERT: unusually low sales of ' || category
    END AS alert
FROM scored
