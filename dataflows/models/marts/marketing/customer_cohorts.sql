-- A customer is acquired with the first completed payment: a payment that arrives months late moves the customer to its month.
WITH paid AS (
    SELECT
        customer_id,
        {{ month_of('first_paid_at') }} AS activity_month,
        paid_amount
    FROM {{ ref('stg_customer_activity') }}
    WHERE first_paid_at IS NOT NULL
),
acquired AS (
    SELECT
        customer_id,
        MIN(activity_month) AS cohort_month
    FROM paid
    GROUP BY customer_id
),
cohorts AS (
    SELECT
        cohort_month,
        COUNT(*) AS cohort_size
    FROM acquired
    GROUP BY cohort_month
),
months AS (
    SELECT DISTINCT activity_month FROM paid
),
activity AS (
    SELECT
        a.cohort_month,
        p.activity_month,
        COUNT(DISTINCT p.customer_id) AS active_customers,
        SUM(p.paid_amount) AS revenue
    FROM paid p
    JOIN acquired a ON p.customer_id = a.customer_id
    GROUP BY a.cohort_month, p.activity_month
),
triangle AS (
    SELECT
        c.cohort_month,
        m.activity_month,
        {{ months_between('c.cohort_month', 'm.activity_month') }} AS months_since_acquisition,
        c.cohort_size,
        COALESCE(a.active_customers, 0) AS active_customers,
        CAST(COALESCE(a.revenue, 0) AS numeric(18, 2)) AS revenue
    FROM cohorts c
    JOIN months m ON m.activity_month >= c.cohort_month
    LEFT JOIN activity a ON a.cohort_month = c.cohort_month AND a.activity_month = m.activity_month
),
cumulated AS (
    SELECT
        *,
        SUM(revenue) OVER (
            PARTITION BY cohort_month
            ORDER BY activity_month
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS cumulative_revenue
    FROM triangle
)
SELECT
    cohort_month,
    months_since_acquisition,
    activity_month,
    cohort_size,
    active_customers,
    {{ percent('active_customers', 'cohort_size') }} AS retention_rate_pct,
    revenue,
    CAST(cumulative_revenue AS numeric(18, 2)) AS cumulative_revenue,
    {{ ratio('cumulative_revenue', 'cohort_size', 2) }} AS cohort_ltv,
    CASE
        WHEN months_since_acquisition = 0 THEN 'Acquired'
        WHEN activity_month >= {{ month_of(today()) }} THEN 'In progress'
        WHEN active_customers * 10 >= cohort_size * 4 THEN 'Strong'
        WHEN active_customers * 10 >= cohort_size * 2 THEN 'Healthy'
        WHEN active_customers > 0 THEN 'Weak'
        ELSE 'Silent'
    END AS retention_stage
FROM cumulated
