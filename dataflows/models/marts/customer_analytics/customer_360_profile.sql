{{ config(schema='gold') }}

WITH latest_month AS (
    SELECT
        customer_key,
        MAX(month_number) AS month_number
    FROM {{ ref('metric_mom_spend_change') }}
    GROUP BY customer_key
),
latest_change AS (
    SELECT
        m.customer_key,
        m.mom_change_pct,
        m.mom_trend_category
    FROM {{ ref('metric_mom_spend_change') }} m
    JOIN latest_month l ON m.customer_key = l.customer_key AND m.month_number = l.month_number
),
profile AS (
    SELECT
        d.*,
        {{ today() }} - d.account_open_date AS account_age_days,
        g.customer_segment,
        g.segment_assigned_date,
        g.tenure_months,
        l.lifetime_value,
        l.total_transactions,
        l.customer_age_days,
        l.avg_spend_per_day,
        a.avg_transaction_value,
        a.transaction_value_stddev,
        a.min_transaction_value,
        a.max_transaction_value,
        a.median_transaction_value,
        a.spending_consistency,
        COALESCE(s.declined_transactions, 0) AS declined_transactions,
        CAST(COALESCE(s.spend_last_90_days, 0) AS numeric(18, 2)) AS spend_last_90_days,
        CAST(COALESCE(s.spend_prior_90_days, 0) AS numeric(18, 2)) AS spend_prior_90_days,
        COALESCE(s.transactions_last_90_days, 0) AS transactions_last_90_days,
        COALESCE(s.active_months, 0) AS active_months,
        c.mom_change_pct AS latest_mom_change_pct,
        c.mom_trend_category AS latest_mom_trend_category,
        l.first_transaction_date,
        l.last_transaction_date,
        {{ today() }} - l.last_transaction_date AS days_since_last_transaction,
        CAST(COALESCE(s.travel_spend, 0) AS numeric(18, 2)) AS travel_spend,
        CAST(COALESCE(s.necessities_spend, 0) AS numeric(18, 2)) AS necessities_spend
    FROM {{ ref('dim_customer') }} d
    JOIN {{ ref('customer_segments') }} g ON d.customer_key = g.customer_key
    JOIN {{ ref('metric_customer_ltv') }} l ON d.customer_key = l.customer_key
    JOIN {{ ref('metric_avg_transaction_value') }} a ON d.customer_key = a.customer_key
    LEFT JOIN {{ ref('int_cards__customer_spend') }} s ON d.customer_key = s.customer_key
    LEFT JOIN latest_change c ON d.customer_key = c.customer_key
)
SELECT
    -- 1 identifiers
    customer_id,
    customer_key,
    raw_customer_id,
    -- 2 demographics
    full_name,
    email,
    age,
    CASE WHEN age < 25 THEN '18-24' WHEN age < 35 THEN '25-34' WHEN age < 50 THEN '35-49' WHEN age < 65 THEN '50-64' WHEN age >= 65 THEN '65+' ELSE 'unknown' END AS age_group,
    state,
    city,
    employment_status,
    -- 3 account
    card_type,
    credit_limit,
    account_open_date,
    account_age_days,
    -- 4 segmentation
    customer_segment,
    segment_assigned_date,
    tenure_months,
    -- 5 lifetime metrics
    lifetime_value,
    total_transactions,
    declined_transactions,
    {{ percent('total_transactions', 'total_transactions + declined_transactions') }} AS approval_rate_pct,
    customer_age_days,
    avg_spend_per_day,
    active_months,
    -- 6 average transaction
    avg_transaction_value,
    transaction_value_stddev,
    min_transaction_value,
    max_transaction_value,
    median_transaction_value,
    spending_consistency,
    -- 7 recent activity
    spend_last_90_days,
    spend_prior_90_days,
    transactions_last_90_days,
    {{ percent('spend_last_90_days - spend_prior_90_days', 'spend_prior_90_days') }} AS spend_change_pct,
    {{ ratio('lifetime_value', 'active_months', 2) }} AS avg_monthly_spend,
    {{ percent('spend_last_90_days', '3 * credit_limit') }} AS credit_utilization_pct,
    latest_mom_change_pct,
    latest_mom_trend_category,
    -- 8 timeline
    first_transaction_date,
    last_transaction_date,
    days_since_last_transaction,
    CASE
        WHEN days_since_last_transaction IS NULL THEN 'Never'
        WHEN days_since_last_transaction <= 30 THEN 'Active'
        WHEN days_since_last_transaction <= 60 THEN 'Recent'
        WHEN days_since_last_transaction <= {{ var('churn_lookback_days') }} THEN 'At Risk'
        ELSE 'Inactive'
    END AS recency_status,
    -- 9 category preferences
    travel_spend,
    {{ percent('travel_spend', 'lifetime_value') }} AS travel_spend_pct,
    necessities_spend,
    {{ percent('necessities_spend', 'lifetime_value') }} AS necessities_spend_pct,
    CASE
        WHEN lifetime_value <= 0 THEN 'No Spending'
        WHEN travel_spend * 10 >= lifetime_value * 3 THEN 'Traveler'
        WHEN necessities_spend * 2 >= lifetime_value THEN 'Necessities'
        ELSE 'Mixed'
    END AS spending_profile,
    -- 10 campaign flags
    customer_segment = 'Declining' AND lifetime_value >= 1000 AS eligible_for_retention_campaign,
    customer_segment = 'New & Growing' AND tenure_months <= 6 AS eligible_for_onboarding_campaign,
    customer_segment = 'High-Value Travelers' AND COALESCE(card_type, '') <> 'platinum' AS eligible_for_premium_campaign,
    -- 11 churn risk: a model fills these one day
    CAST(NULL AS numeric(5, 4)) AS churn_risk_score,
    CAST(NULL AS text) AS churn_risk_category,
    -- 12 metadata
    {{ today() }} AS profile_updated_date
FROM profile
