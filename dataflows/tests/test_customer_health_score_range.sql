-- Scores of health and of risk lie between 0 and 1.
SELECT
    account_id,
    customer_health_score,
    churn_risk_score
FROM {{ ref('entity_customers') }}
WHERE customer_health_score NOT BETWEEN 0 AND 1
   OR churn_risk_score NOT BETWEEN 0 AND 1
   OR customer_health_score IS NULL
   OR churn_risk_score IS NULL
