-- Retention list: customers who spend less and less, and are worth a call.
SELECT customer_id, full_name, email, lifetime_value
FROM {{ ref('customer_360_profile') }}
WHERE eligible_for_retention_campaign = TRUE
  AND lifetime_value >= 50000
ORDER BY lifetime_value DESC, customer_id
LIMIT 1000
