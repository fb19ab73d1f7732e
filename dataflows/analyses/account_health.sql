-- Accounts that may leave, the most valuable first.
SELECT
    account_name,
    customer_health_score,
    churn_risk_score,
    monthly_recurring_revenue,
    device_events_30d
FROM {{ ref('entity_customers') }}
WHERE churn_risk_score > 0.7
ORDER BY monthly_recurring_revenue DESC, account_name
