WITH sessions AS (
    SELECT
        channel,
        COUNT(*) AS sessions,
        COUNT(DISTINCT visitor_id) AS visitors
    FROM {{ ref('int_clickstream__sessions') }}
    GROUP BY channel
),
touches AS (
    SELECT
        channel,
        COUNT(*) AS touches,
        COUNT(CASE WHEN is_first_touch THEN 1 END) AS first_touch_orders,
        COUNT(CASE WHEN is_last_touch THEN 1 END) AS last_touch_orders,
        SUM(CASE WHEN is_first_touch THEN order_amount ELSE 0.00 END) AS first_touch_revenue,
        SUM(CASE WHEN is_last_touch THEN order_amount ELSE 0.00 END) AS last_touch_revenue,
        SUM(linear_revenue) AS multi_touch_revenue
    FROM {{ ref('int_attribution__touches') }}
    GROUP BY channel
),
-- orders that no session explains: every order has a channel, if only this one
untracked AS (
    SELECT
        'untracked' AS channel,
        COUNT(*) AS orders,
        SUM(o.order_amount) AS revenue
    FROM {{ ref('int_orders') }} o
    LEFT JOIN (SELECT DISTINCT order_id FROM {{ ref('int_attribution__touches') }}) t ON o.order_id = t.order_id
    WHERE t.order_id IS NULL
),
spend AS (
    SELECT
        CASE WHEN platform = 'google' THEN 'paid_search' ELSE 'paid_social' END AS channel,
        SUM(spend) AS spend
    FROM {{ ref('int_ads__campaign_days') }}
    GROUP BY CASE WHEN platform = 'google' THEN 'paid_search' ELSE 'paid_social' END
),
channels AS (
    SELECT
        s.channel,
        s.sessions,
        s.visitors,
        COALESCE(t.touches, 0) AS touches,
        COALESCE(t.first_touch_orders, 0) AS first_touch_orders,
        COALESCE(t.last_touch_orders, 0) AS last_touch_orders,
        CAST(COALESCE(t.first_touch_revenue, 0) AS numeric(18, 2)) AS first_touch_revenue,
        CAST(COALESCE(t.last_touch_revenue, 0) AS numeric(18, 2)) AS last_touch_revenue,
        CAST(COALESCE(t.multi_touch_revenue, 0) AS numeric(18, 2)) AS multi_touch_revenue,
        CAST(COALESCE(p.spend, 0) AS numeric(18, 2)) AS spend
    FROM sessions s
    LEFT JOIN touches t ON s.channel = t.channel
    LEFT JOIN spend p ON s.channel = p.channel
    UNION ALL
    SELECT
        channel,
        0 AS sessions,
        0 AS visitors,
        0 AS touches,
        orders AS first_touch_orders,
        orders AS last_touch_orders,
        CAST(COALESCE(revenue, 0) AS numeric(18, 2)) AS first_touch_revenue,
        CAST(COALESCE(revenue, 0) AS numeric(18, 2)) AS last_touch_revenue,
        CAST(COALESCE(revenue, 0) AS numeric(18, 2)) AS multi_touch_revenue,
        CAST(0 AS numeric(18, 2)) AS spend
    FROM untracked
),
-- what an average session brings in: the measure that each channel is held against
overall AS (
    SELECT
        SUM(sessions) AS sessions,
        SUM(multi_touch_revenue) AS revenue
    FROM channels
    WHERE channel <> 'untracked'
),
scored AS (
    SELECT
        c.*,
        LEAST(CAST(100 AS numeric(24, 2)), {{ ratio('50 * c.multi_touch_revenue * o.sessions', 'c.sessions * o.revenue', 2) }}) AS efficiency_score
    FROM channels c
    CROSS JOIN overall o
)
SELECT
    channel,
    sessions,
    visitors,
    touches,
    first_touch_orders,
    last_touch_orders,
    first_touch_revenue,
    last_touch_revenue,
    multi_touch_revenue,
    {{ percent('last_touch_orders', 'sessions') }} AS conversion_rate_pct,
    {{ ratio('multi_touch_revenue', 'sessions', 2) }} AS revenue_per_session,
    spend,
    {{ ratio('spend', 'last_touch_orders', 2) }} AS cost_per_order,
    {{ ratio('multi_touch_revenue', 'spend', 2) }} AS return_on_ad_spend,
    efficiency_score,
    CASE
        WHEN channel = 'untracked' THEN 'Improve tracking'
        WHEN spend > 0 AND multi_touch_revenue < spend THEN 'Reduce spend'
        WHEN efficiency_score >= 60 THEN 'Invest more'
        WHEN efficiency_score >= 40 THEN 'Keep as it is'
        ELSE 'Improve or reduce'
    END AS recommendation
FROM scored
