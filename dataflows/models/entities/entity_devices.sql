WITH events AS (
    SELECT
        device_id,
        COUNT(*) AS total_events,
        COUNT(CASE WHEN occurred_on > {{ today() }} - 30 THEN 1 END) AS events_30d,
        COUNT(CASE WHEN occurred_on > {{ today() }} - 30 AND is_error THEN 1 END) AS errors_30d,
        MAX(occurred_at) AS last_event_at
    FROM {{ ref('int_device_events') }}
    GROUP BY device_id
),
joined AS (
    SELECT
        d.device_id,
        d.account_id,
        d.location_id,
        d.device_type,
        d.firmware,
        d.device_status,
        d.is_active,
        d.is_online,
        d.installed_at,
        COALESCE(e.total_events, 0) AS total_events,
        COALESCE(e.events_30d, 0) AS events_30d,
        COALESCE(e.errors_30d, 0) AS errors_30d,
        {{ percent('COALESCE(e.errors_30d, 0)', 'e.events_30d') }} AS error_rate_pct,
        e.last_event_at,
        {{ today() }} - CAST(e.last_event_at AS date) AS days_since_last_event
    FROM {{ ref('stg_app__devices') }} d
    LEFT JOIN events e ON d.device_id = e.device_id
)
SELECT
    *,
    CASE
        WHEN NOT is_active THEN 'retired'
        WHEN days_since_last_event IS NULL OR days_since_last_event > 7 THEN 'silent'
        WHEN error_rate_pct > 20 THEN 'failing'
        WHEN error_rate_pct > 5 THEN 'degraded'
        ELSE 'healthy'
    END AS device_health
FROM joined
