SELECT
    campaign_id,
    campaign_name,
    day AS campaign_day,
    COALESCE(impressions, 0) AS impressions,
    COALESCE(link_clicks, 0) AS clicks,
    COALESCE(spend, 0.00) AS spend,
    COALESCE(purchases, 0) AS conversions
FROM {{ source('ads', 'meta_ads') }}
