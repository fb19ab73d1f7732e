SELECT
    contact_id,
    LOWER(email) AS email,
    COALESCE(lifecycle_stage, 'unknown') AS lifecycle_stage,
    account_id,
    created_at
FROM {{ source('crm', 'hubspot_contacts') }}
