SELECT
    location_id,
    account_id,
    COALESCE(location_name, 'unnamed location') AS location_name,
    COALESCE(city, 'unknown') AS city,
    COALESCE(state, 'unknown') AS state,
    COALESCE(is_active, FALSE) AS is_active,
    opened_at
FROM {{ source('app', 'locations') }}
