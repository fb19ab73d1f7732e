WITH sessions AS (
    SELECT
        channel,
        session_day AS activity_day,
        COUNT(*) AS sessions,
        COUNT(CASE WHEN is_bounce THEN 1 END) AS bounces
    FROM {{ ref('int_clickstream__sessions') }}
    GROUP BY channel, session_day
),
orders AS (
    SELECT
        channel,
        CAST(touched_at AS date) AS activity_day,
        COUNT(*) AS orders,
        SUM(order_amount) AS revenue
    FROM {{ ref('int_attribution__touches') }}
    WHERE is_last_touch
    GROUP BY channel, CAST(touched_at AS date)
)
SELECT
    s.channel,
    s.activity_day,
    s.sessions,
    {{ percent('s.bounces', 's.sessions') }} AS bounce_rate_pct,
    COALESCE(o.orders, 0) AS orders,
    {{ percent('COALESCE(o.orders, 0)', 's.sessions') }} AS conversion_rate_pct,
    CAST(COALESCE(o.revenue, 0) AS numeric(18, 2)) AS revenue
FROM sessions s
LEFT JOIN orders o ON s.channel = o.channel AND s.activity_day = o.activity_day
