WITH source AS (
    SELECT * FROM {{ source('raw_data', 'website_activity') }}
),
-- producers deliver at least once: equal copies of one click count once
deduplicated AS (
    SELECT DISTINCT
        event_id,
        customer_id,
        session_id,
        page,
        referrer,
        campaign,
        activity_at
    FROM source
)
SELECT
    event_id,
    customer_id,
    session_id,
    page,
    referrer,
    campaign,
    activity_at,
    CAST(activity_at AS date) AS activity_date
FROM deduplicated
