WITH page_views AS (
    SELECT
        user_id,
        COUNT(*) AS page_views,
        COUNT(CASE WHEN viewed_on > {{ today() }} - 30 THEN 1 END) AS page_views_30d,
        MAX(viewed_at) AS last_viewed_at
    FROM {{ ref('stg_clickstream__page_views') }}
    GROUP BY user_id
),
features AS (
    SELECT
        user_id,
        COUNT(*) AS feature_uses,
        COUNT(DISTINCT feature) AS distinct_features,
        COUNT(CASE WHEN is_premium THEN 1 END) AS premium_uses,
        COUNT(CASE WHEN used_on > {{ today() }} - 30 THEN 1 END) AS feature_uses_30d,
        MAX(used_at) AS last_used_at
    FROM {{ ref('stg_clickstream__feature_usage') }}
    GROUP BY user_id
),
joined AS (
    SELECT
        u.user_id,
        u.account_id,
        u.email,
        u.role,
        u.is_active,
        u.created_at,
        COALESCE(p.page_views, 0) AS page_views,
        COALESCE(p.page_views_30d, 0) AS page_views_30d,
        COALESCE(f.feature_uses, 0) AS feature_uses,
        COALESCE(f.feature_uses_30d, 0) AS feature_uses_30d,
        COALESCE(f.distinct_features, 0) AS distinct_features,
        COALESCE(f.premium_uses, 0) AS premium_uses,
        GREATEST(u.last_login_at, p.last_viewed_at, f.last_used_at) AS last_active_at
    FROM {{ ref('stg_app__users') }} u
    LEFT JOIN page_views p ON u.user_id = p.user_id
    LEFT JOIN features f ON u.user_id = f.user_id
)
SELECT
    *,
    CASE
        WHEN NOT is_active THEN 'deactivated'
        WHEN page_views_30d + feature_uses_30d >= 20 THEN 'power'
        WHEN page_views_30d + feature_uses_30d > 0 THEN 'active'
        ELSE 'dormant'
    END AS engagement_level
FROM joined
