WITH source AS (
    SELECT * FROM {{ source('raw_data', 'customers') }}
),
renamed AS (
    SELECT
        customer_id,
        LOWER(email) AS email,
        first_name,
        last_name,
        phone,
        date_of_birth,
        created_at
    FROM source
)
SELECT * FROM renamed
