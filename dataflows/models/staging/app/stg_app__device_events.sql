SELECT
    event_id,
    device_id,
    COALESCE(event_type, 'unknown') AS event_type,
    COALESCE(event_type, 'unknown') = 'error' AS is_error,
    reading,
    occurred_at,
    CAST(occurred_at AS date) AS occurred_on
FROM {{ source('app', 'device_events') }}
