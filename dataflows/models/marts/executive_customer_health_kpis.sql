WITH customers AS (
    SELECT * FROM {{ ref('entity_customers') }}
)
SELECT
    {{ today() }} AS kpi_date,
    COUNT(*) AS total_customers,
    COUNT(CASE WHEN health_band = 'healthy' THEN 1 END) AS healthy_customers,
    COUNT(CASE WHEN health_band = 'at_risk' THEN 1 END) AS at_risk_customers,
    COUNT(CASE WHEN health_band = 'unhealthy' THEN 1 END) AS unhealthy_customers,
    COUNT(CASE WHEN churn_risk_band = 'high' THEN 1 END) AS high_churn_risk_customers,
    COUNT(CASE WHEN churn_risk_band = 'medium' THEN 1 END) AS medium_churn_risk_customers,
    COUNT(CASE WHEN churn_risk_band = 'low' THEN 1 END) AS low_churn_risk_customers,
    COUNT(CASE WHEN is_delinquent THEN 1 END) AS delinquent_customers,
    CAST(COALESCE(SUM(monthly_recurring_revenue), 0) AS numeric(18, 2)) AS total_mrr,
    CAST(12 * COALESCE(SUM(monthly_recurring_revenue), 0) AS numeric(18, 2)) AS total_arr,
    CAST(COALESCE(SUM(CASE WHEN churn_risk_band = 'high' THEN monthly_recurring_revenue ELSE 0.00 END), 0) AS numeric(18, 2)) AS mrr_at_high_risk,
    {{ ratio('SUM(monthly_recurring_revenue)', 'COUNT(*)', 2) }} AS average_mrr_per_customer,
    {{ ratio('SUM(customer_health_score)', 'COUNT(*)', 3) }} AS average_health_score,
    {{ ratio('SUM(churn_risk_score)', 'COUNT(*)', 3) }} AS average_churn_risk_score,
    CAST(COALESCE(SUM(active_devices), 0) AS bigint) AS active_devices,
    {{ percent('SUM(device_online_ratio * active_devices)', 'SUM(active_devices)') }} AS device_uptime_pct,
    CAST(COALESCE(SUM(device_events_30d), 0) AS bigint) AS device_events_30d,
    CAST(COALESCE(SUM(total_locations), 0) AS bigint) AS total_locations,
    {{ percent('SUM(active_locations)', 'SUM(total_locations)') }} AS location_activity_pct
FROM customers
