-- What an account's users did in the app: page views and features, whatever device they used.
WITH activity AS (
    SELECT account_id, user_id, viewed_at AS active_at, viewed_on AS active_on, 1 AS page_views, 0 AS feature_uses
    FROM {{ ref('stg_clickstream__page_views') }}
    UNION ALL
    SELECT account_id, user_id, used_at AS active_at, used_on AS active_on, 0 AS page_views, 1 AS feature_uses
    FROM {{ ref('stg_clickstream__feature_usage') }}
)
SELECT
    account_id,
    CAST(SUM(page_views) AS bigint) AS page_views,
    CAST(SUM(feature_uses) AS bigint) AS feature_uses,
    COUNT(DISTINCT user_id) AS active_users,
    COUNT(DISTINCT CASE WHEN active_on > {{ today() }} - 30 THEN user_id END) AS active_users_30d,
    MAX(active_at) AS last_used_at
FROM activity
WHERE account_id IS NOT NULL
GROUP BY account_id
