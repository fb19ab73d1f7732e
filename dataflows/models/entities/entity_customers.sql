WITH locations AS (
    SELECT
        account_id,
        COUNT(*) AS total_locations,
        COUNT(CASE WHEN is_active THEN 1 END) AS active_locations
    FROM {{ ref('stg_app__locations') }}
    GROUP BY account_id
),
users AS (
    SELECT
        account_id,
        COUNT(*) AS total_users,
        COUNT(CASE WHEN is_active THEN 1 END) AS active_users
    FROM {{ ref('stg_app__users') }}
    GROUP BY account_id
),
deals AS (
    SELECT
        c.account_id,
        SUM(CASE WHEN d.stage = 'open' THEN d.amount ELSE 0.00 END) AS open_deals_amount,
        SUM(CASE WHEN d.is_won THEN d.amount ELSE 0.00 END) AS won_deals_amount
    FROM {{ ref('stg_crm__hubspot_contacts') }} c
    JOIN {{ ref('stg_crm__hubspot_deals') }} d ON c.contact_id = d.contact_id
    GROUP BY c.account_id
),
joined AS (
    SELECT
        a.account_id,
        a.account_name,
        a.industry,
        a.plan,
        a.raw_customer_id,
        a.customer_since,
        COALESCE(s.subscription_status, 'none') AS subscription_status,
        CAST(COALESCE(s.mrr, 0) AS numeric(18, 2)) AS monthly_recurring_revenue,
        COALESCE(s.is_delinquent, FALSE) AS is_delinquent,
        CAST(COALESCE(s.open_amount, 0) AS numeric(18, 2)) AS open_invoice_amount,
        COALESCE(l.total_locations, 0) AS total_locations,
        COALESCE(l.active_locations, 0) AS active_locations,
        COALESCE(d.total_devices, 0) AS total_devices,
        COALESCE(d.active_devices, 0) AS active_devices,
        CAST(COALESCE(d.device_online_ratio, 0) AS numeric(6, 4)) AS device_online_ratio,
        COALESCE(d.device_events_30d, 0) AS device_events_30d,
        COALESCE(u.total_users, 0) AS total_users,
        COALESCE(u.active_users, 0) AS active_users,
        COALESCE(g.active_users_30d, 0) AS active_users_30d,
        CAST(COALESCE(w.open_deals_amount, 0) AS numeric(18, 2)) AS open_deals_amount,
        CAST(COALESCE(w.won_deals_amount, 0) AS numeric(18, 2)) AS won_deals_amount,
        GREATEST(d.last_device_event_at, g.last_used_at) AS last_activity_at
    FROM {{ ref('stg_app__accounts') }} a
    LEFT JOIN {{ ref('int_accounts__subscriptions') }} s ON a.account_id = s.account_id
    LEFT JOIN {{ ref('int_accounts__devices') }} d ON a.account_id = d.account_id
    LEFT JOIN {{ ref('int_accounts__usage') }} g ON a.account_id = g.account_id
    LEFT JOIN locations l ON a.account_id = l.account_id
    LEFT JOIN users u ON a.account_id = u.account_id
    LEFT JOIN deals w ON a.account_id = w.account_id
),
aged AS (
    SELECT
        *,
        {{ today() }} - CAST(last_activity_at AS date) AS days_since_last_activity
    FROM joined
),
healthy AS (
    SELECT
        *,
        {{ calculate_customer_health_score('subscription_status', 'device_events_30d', 'device_online_ratio', 'is_delinquent', 'monthly_recurring_revenue') }} AS customer_health_score
    FROM aged
),
risky AS (
    SELECT
        *,
        {{ calculate_churn_risk_score('subscription_status', 'device_events_30d', 'days_since_last_activity', 'is_delinquent', 'customer_health_score') }} AS churn_risk_score
    FROM healthy
)
SELECT
    account_id,
    account_name,
    industry,
    plan,
    raw_customer_id,
    customer_since,
    subscription_status,
    monthly_recurring_revenue,
    is_delinquent,
    open_invoice_amount,
    total_locations,
    active_locations,
    total_devices,
    active_devices,
    device_online_ratio,
    device_events_30d,
    total_users,
    active_users,
    active_users_30d,
    open_deals_amount,
    won_deals_amount,
    last_activity_at,
    days_since_last_activity,
    customer_health_score,
    CASE WHEN customer_health_score >= 0.7 THEN 'healthy' WHEN customer_health_score >= 0.4 THEN 'at_risk' ELSE 'unhealthy' END AS health_band,
    churn_risk_score,
    CASE WHEN churn_risk_score > 0.7 THEN 'high' WHEN churn_risk_score > 0.3 THEN 'medium' ELSE 'low' END AS churn_risk_band
FROM risky
