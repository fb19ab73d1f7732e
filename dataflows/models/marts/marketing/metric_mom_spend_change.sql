{{ config(schema='gold') }}

WITH months AS (
    SELECT
        customer_key,
        customer_id,
        transaction_month AS month,
        CAST(SUM(transaction_amount) AS numeric(18, 2)) AS monthly_spend,
        COUNT(*) AS monthly_transactions
    FROM {{ ref('fct_transactions') }}
    WHERE status = 'approved'
      AND transaction_month IS NOT NULL
    GROUP BY customer_key, customer_id, transaction_month
),
compared AS (
    SELECT
        *,
        LAG(monthly_spend) OVER (PARTITION BY customer_key ORDER BY month, customer_id) AS prior_month_spend,
        ROW_NUMBER() OVER (PARTITION BY customer_key ORDER BY month, customer_id) AS month_number
    FROM months
),
changed AS (
    SELECT
        *,
        {{ percent('monthly_spend - prior_month_spend', 'prior_month_spend') }} AS mom_change_pct
    FROM compared
)
SELECT
    customer_key,
    customer_id,
    month,
    month_number,
    monthly_transactions,
    monthly_spend,
    prior_month_spend,
    mom_change_pct,
    CASE
        WHEN mom_change_pct IS NULL THEN NULL
        WHEN mom_change_pct >= 50 THEN 'High Growth'
        WHEN mom_change_pct >= 10 THEN 'Growth'
        WHEN mom_change_pct > -10 THEN 'Flat'
        WHEN mom_change_pct > -50 THEN 'Decline'
        ELSE 'High Decline'
    END AS mom_trend_category
FROM changed
