SELECT
    campaign_id,
    campaign_name,
    day AS campaign_day,
    COALESCE(impressions, 0) AS impressions,
    COALESCE(clicks, 0) AS clicks,
    COALESCE(cost_in_usd, 0.00) AS spend,
    COALESCE(leads, 0) AS conversions
FROM {{ source('ads', 'linkedin_ads') }}
