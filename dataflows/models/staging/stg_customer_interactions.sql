WITH source AS (
    SELECT * FROM {{ source('raw_data', 'customer_interactions') }}
),
renamed AS (
    SELECT
        interaction_id,
        customer_id,
        channel AS interaction_channel,
        interaction_at
    FROM source
)
SELECT * FROM renamed
