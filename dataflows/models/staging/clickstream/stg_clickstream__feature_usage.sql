-- at-least-once producers: equal copies of one use count once
SELECT DISTINCT
    event_id,
    user_id,
    account_id,
    COALESCE(feature, 'unknown') AS feature,
    COALESCE(is_premium, FALSE) AS is_premium,
    used_at,
    CAST(used_at AS date) AS used_on
FROM {{ source('clickstream', 'feature_usage') }}
WHERE event_id IS NOT NULL
