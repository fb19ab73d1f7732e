WITH source AS (
    SELECT * FROM {{ source('raw_data', 'order_items') }}
),
renamed AS (
    SELECT
        order_id,
        line_no,
        product_id,
        price,
        quantity
    FROM source
)
SELECT * FROM renamed
