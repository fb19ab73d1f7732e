-- Size and spread of the completed payments of each customer.
SELECT customer_id, COUNT(*) AS transactions,
  AVG(CAST(payment_amount AS DOUBLE PRECISION)) AS avg_value,
  STDDEV_SAMP(CAST(payment_amount AS DOUBLE PRECISION)) AS stddev_value,
  MIN(payment_amount) AS min_value, MAX(payment_amount) AS max_value,
  PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY CAST(payment_amount AS DOUBLE PRECISION)) AS median_value
FROM {{ source('shop', 'payments') }} WHERE payment_status = 'completed'
GROUP BY customer_id
