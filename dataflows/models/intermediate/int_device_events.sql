{{
    config(
        materialized='incremental',
        unique_key='event_id',
        on_schema_change='append_new_columns'
    )
}}

SELECT
    e.event_id,
    e.device_id,
    d.location_id,
    d.account_id,
    d.device_type,
    e.event_type,
    e.is_error,
    e.reading,
    e.occurred_at,
    e.occurred_on
FROM {{ ref('stg_app__device_events') }} e
LEFT JOIN {{ ref('stg_app__devices') }} d ON e.device_id = d.device_id
{% if is_incremental() %}
WHERE e.occurred_at > (SELECT MAX(occurred_at) FROM {{ this }})
{% endif %}
