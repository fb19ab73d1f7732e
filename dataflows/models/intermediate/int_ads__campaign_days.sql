-- The three ad platforms in one shape.
SELECT 'google' AS platform, campaign_id, campaign_name, campaign_day, impressions, clicks, CAST(spend AS numeric(18, 2)) AS spend, conversions
FROM {{ ref('stg_ads__google_ads') }}
UNION ALL
SELECT 'meta' AS platform, campaign_id, campaign_name, campaign_day, impressions, clicks, CAST(spend AS numeric(18, 2)) AS spend, conversions
FROM {{ ref('stg_ads__meta_ads') }}
UNION ALL
SELECT 'linkedin' AS platform, campaign_id, campaign_name, campaign_day, impressions, clicks, CAST(spend AS numeric(18, 2)) AS spend, conversions
FROM {{ ref('stg_ads__linkedin_ads') }}
