SELECT
    campaign_id,
    campaign_name,
    day AS campaign_day,
    COALESCE(impressions, 0) AS impressions,
    COALESCE(clicks, 0) AS clicks,
    -- Google counts in millionths of the currency
    {{ ratio('COALESCE(cost_micros, 0)', '1000000', 2) }} AS spend,
    COALESCE(conversions, 0) AS conversions
FROM {{ source('ads', 'google_ads') }}
