-- the export repeats events of the last hours: equal copies count once
SELECT DISTINCT
    event_id,
    campaign_id,
    LOWER(email) AS email,
    event_type,
    occurred_at
FROM {{ source('crm', 'iterable_email_events') }}
WHERE event_id IS NOT NULL
