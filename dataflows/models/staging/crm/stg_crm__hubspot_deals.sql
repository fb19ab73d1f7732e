SELECT
    deal_id,
    contact_id,
    COALESCE(amount, 0.00) AS amount,
    COALESCE(stage, 'open') AS stage,
    COALESCE(stage, 'open') = 'won' AS is_won,
    closed_at
FROM {{ source('crm', 'hubspot_deals') }}
