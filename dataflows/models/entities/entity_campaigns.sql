WITH ads AS (
    SELECT
        platform,
        campaign_name,
        MIN(campaign_day) AS first_day,
        MAX(campaign_day) AS last_day,
        CAST(SUM(impressions) AS bigint) AS impressions,
        CAST(SUM(clicks) AS bigint) AS clicks,
        SUM(spend) AS spend,
        CAST(SUM(conversions) AS bigint) AS conversions
    FROM {{ ref('int_ads__campaign_days') }}
    WHERE campaign_name IS NOT NULL
    GROUP BY platform, campaign_name
),
emails AS (
    SELECT
        'email' AS platform,
        c.campaign_name,
        CAST(MIN(e.occurred_at) AS date) AS first_day,
        CAST(MAX(e.occurred_at) AS date) AS last_day,
        COUNT(CASE WHEN e.event_type = 'open' THEN 1 END) AS impressions,
        COUNT(CASE WHEN e.event_type = 'click' THEN 1 END) AS clicks,
        CAST(0 AS numeric(18, 2)) AS spend,
        COUNT(CASE WHEN e.event_type = 'conversion' THEN 1 END) AS conversions
    FROM {{ ref('stg_crm__iterable_campaigns') }} c
    JOIN {{ ref('stg_crm__iterable_email_events') }} e ON c.campaign_id = e.campaign_id
    WHERE c.campaign_name IS NOT NULL
    GROUP BY c.campaign_name
),
campaigns AS (
    SELECT * FROM ads
    UNION ALL
    SELECT * FROM emails
),
sessions AS (
    SELECT
        campaign AS campaign_name,
        COUNT(*) AS sessions
    FROM {{ ref('int_clickstream__sessions') }}
    WHERE campaign IS NOT NULL
    GROUP BY campaign
),
orders AS (
    SELECT
        campaign AS campaign_name,
        COUNT(*) AS orders,
        SUM(order_amount) AS revenue
    FROM {{ ref('int_attribution__touches') }}
    WHERE is_last_touch
      AND campaign IS NOT NULL
    GROUP BY campaign
)
SELECT
    c.platform || ':' || c.campaign_name AS campaign_key,
    c.platform,
    c.campaign_name,
    c.first_day,
    c.last_day,
    c.impressions,
    c.clicks,
    c.conversions,
    CAST(c.spend AS numeric(18, 2)) AS spend,
    {{ percent('c.clicks', 'c.impressions') }} AS click_through_rate_pct,
    {{ ratio('c.spend', 'c.clicks', 2) }} AS cost_per_click,
    {{ ratio('c.spend', 'c.conversions', 2) }} AS cost_per_conversion,
    COALESCE(s.sessions, 0) AS tagged_sessions,
    COALESCE(o.orders, 0) AS attributed_orders,
    CAST(COALESCE(o.revenue, 0) AS numeric(18, 2)) AS attributed_revenue
FROM campaigns c
LEFT JOIN sessions s ON c.campaign_name = s.campaign_name
LEFT JOIN orders o ON c.campaign_name = o.campaign_name
