-- A gap of 30 minutes ends a session. A session is known by its visitor and its first moment, not by a running number:
-- a late click changes the session that it belongs to, and no other.
WITH clicks AS (
    SELECT
        event_id,
        customer_id,
        session_id,
        page,
        referrer,
        campaign,
        activity_at,
        -- visitors who are not signed in are told apart by what their browser calls its session
        COALESCE('customer-' || CAST(customer_id AS text), 'browser-' || session_id, 'nobody') AS visitor_id
    FROM {{ ref('stg_website_activity') }}
    WHERE activity_at IS NOT NULL
),
gaps AS (
    SELECT
        *,
        LAG(activity_at) OVER (
            PARTITION BY visitor_id
            ORDER BY activity_at, event_id, session_id, page, referrer, campaign
        ) AS previous_activity_at
    FROM clicks
),
starts AS (
    SELECT
        *,
        CASE
            WHEN previous_activity_at IS NULL OR activity_at > previous_activity_at + INTERVAL '30 minutes' THEN activity_at
        END AS started_here_at
    FROM gaps
),
assigned AS (
    SELECT
        *,
        MAX(started_here_at) OVER (
            PARTITION BY visitor_id
            ORDER BY activity_at, event_id, session_id, page, referrer, campaign
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS session_started_at
    FROM starts
),
sessions AS (
    SELECT
        visitor_id,
        session_started_at,
        MIN(customer_id) AS customer_id,
        MAX(activity_at) AS ended_at,
        COUNT(*) AS page_views,
        COUNT(DISTINCT page) AS distinct_pages
    FROM assigned
    GROUP BY visitor_id, session_started_at
),
landings AS (
    SELECT
        visitor_id,
        session_started_at,
        page AS landing_page,
        referrer,
        campaign
    FROM assigned
    WHERE started_here_at IS NOT NULL
)
SELECT
    s.visitor_id || '@' || CAST(s.session_started_at AS text) AS session_key,
    s.visitor_id,
    s.customer_id,
    s.session_started_at AS started_at,
    s.ended_at,
    CAST(s.session_started_at AS date) AS session_day,
    s.page_views,
    s.distinct_pages,
    s.page_views = 1 AS is_bounce,
    l.landing_page,
    l.referrer,
    l.campaign,
    {{ marketing_channel('l.referrer', 'l.campaign') }} AS channel
FROM sessions s
JOIN landings l ON s.visitor_id = l.visitor_id AND s.session_started_at = l.session_started_at
