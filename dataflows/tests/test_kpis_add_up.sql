-- The bands of the executive page add up to all customers.
SELECT *
FROM {{ ref('executive_customer_health_kpis') }}
WHERE healthy_customers + at_risk_customers + unhealthy_customers <> total_customers
   OR high_churn_risk_customers + medium_churn_risk_customers + low_churn_risk_customers <> total_customers
