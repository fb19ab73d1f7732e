-- What a customer spent in each month, and how that compares with the month before.
WITH monthly AS (
  SELECT customer_id, CAST(DATE_TRUNC('month', payment_date) AS DATE) AS month, SUM(payment_amount) AS monthly_spend
  FROM {{ source('shop', 'payments') }} WHERE payment_status = 'completed'
  GROUP BY customer_id, CAST(DATE_TRUNC('month', payment_date) AS DATE)
), w AS (
  SELECT customer_id, month, monthly_spend,
    LAG(monthly_spend) OVER (PARTITION BY customer_id ORDER BY month) AS prior_month_spend,
    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY month) AS month_number
  FROM monthly
)
SELECT customer_id, month, monthly_spend, prior_month_spend,
  CAST((monthly_spend - prior_month_spend) AS DOUBLE PRECISION) * 100.0 / NULLIF(CAST(prior_month_spend AS DOUBLE PRECISION), 0) AS mom_change_pct,
  month_number
FROM w
