WITH devices AS (
    SELECT
        location_id,
        COUNT(*) AS total_devices,
        COUNT(CASE WHEN is_active THEN 1 END) AS active_devices,
        COUNT(CASE WHEN is_online THEN 1 END) AS online_devices,
        CAST(SUM(events_30d) AS bigint) AS device_events_30d,
        MAX(last_event_at) AS last_event_at
    FROM {{ ref('entity_devices') }}
    GROUP BY location_id
)
SELECT
    l.location_id,
    l.account_id,
    l.location_name,
    l.city,
    l.state,
    l.is_active,
    l.opened_at,
    COALESCE(d.total_devices, 0) AS total_devices,
    COALESCE(d.active_devices, 0) AS active_devices,
    COALESCE(d.online_devices, 0) AS online_devices,
    COALESCE(d.device_events_30d, 0) AS device_events_30d,
    d.last_event_at,
    CASE
        WHEN NOT l.is_active THEN 'closed'
        WHEN COALESCE(d.device_events_30d, 0) = 0 THEN 'quiet'
        WHEN d.online_devices * 2 < d.active_devices THEN 'impaired'
        ELSE 'operational'
    END AS operational_status
FROM {{ ref('stg_app__locations') }} l
LEFT JOIN devices d ON l.location_id = d.location_id
