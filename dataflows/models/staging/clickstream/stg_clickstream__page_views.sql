-- at-least-once producers: equal copies of one view count once
SELECT DISTINCT
    event_id,
    user_id,
    account_id,
    COALESCE(NULLIF(page, ''), '/') AS page,
    COALESCE(platform, 'unknown') AS platform,
    viewed_at,
    CAST(viewed_at AS date) AS viewed_on
FROM {{ source('clickstream', 'page_views') }}
WHERE event_id IS NOT NULL
