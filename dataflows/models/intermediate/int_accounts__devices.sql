WITH devices AS (
    SELECT
        account_id,
        COUNT(*) AS total_devices,
        COUNT(CASE WHEN is_active THEN 1 END) AS active_devices,
        COUNT(CASE WHEN is_online THEN 1 END) AS online_devices
    FROM {{ ref('stg_app__devices') }}
    WHERE account_id IS NOT NULL
    GROUP BY account_id
),
events AS (
    SELECT
        account_id,
        COUNT(CASE WHEN occurred_on > {{ today() }} - 30 THEN 1 END) AS device_events_30d,
        COUNT(CASE WHEN occurred_on > {{ today() }} - 30 AND is_error THEN 1 END) AS device_errors_30d,
        MAX(occurred_at) AS last_device_event_at
    FROM {{ ref('int_device_events') }}
    WHERE account_id IS NOT NULL
    GROUP BY account_id
)
SELECT
    d.account_id,
    d.total_devices,
    d.active_devices,
    d.online_devices,
    {{ ratio('d.online_devices', 'd.active_devices', 4) }} AS device_online_ratio,
    COALESCE(e.device_events_30d, 0) AS device_events_30d,
    COALESCE(e.device_errors_30d, 0) AS device_errors_30d,
    e.last_device_event_at
FROM devices d
LEFT JOIN events e ON d.account_id = e.account_id
