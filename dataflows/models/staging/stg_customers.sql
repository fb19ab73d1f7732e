WITH source AS (
    SELECT * FROM {{ source('raw_data', 'customers') }}
),
renamed AS (
    -- an import that ran twice leaves equal copies: one is enough
    SELECT DISTINCT
        customer_id,
        LOWER(email) AS email,
        first_name,
        last_name,
        phone,
        date_of_birth,
        created_at,
        COALESCE(city, 'unknown') AS city,
        COALESCE(state, 'unknown') AS state,
        COALESCE(employment_status, 'unknown') AS employment_status
    FROM source
)
SELECT * FROM renamed
