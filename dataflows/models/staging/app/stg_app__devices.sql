SELECT
    device_id,
    location_id,
    account_id,
    COALESCE(device_type, 'unknown') AS device_type,
    COALESCE(firmware, 'unknown') AS firmware,
    COALESCE(status, 'offline') AS device_status,
    COALESCE(status, 'offline') <> 'retired' AS is_active,
    COALESCE(status, 'offline') = 'online' AS is_online,
    installed_at
FROM {{ source('app', 'devices') }}
