-- Whoever has an active subscription pays for it.
SELECT
    account_id,
    subscription_status,
    monthly_recurring_revenue
FROM {{ ref('entity_customers') }}
WHERE subscription_status = 'active'
  AND monthly_recurring_revenue <= 0
