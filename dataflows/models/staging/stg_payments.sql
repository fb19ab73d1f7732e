WITH source AS (
    SELECT * FROM {{ source('raw_data', 'payments') }}
),
renamed AS (
    SELECT
        id AS payment_id,
        order_id,
        customer_id,
        CAST(amount / 100.0 AS numeric(12, 2)) AS payment_amount,
        payment_method,
        CASE
            WHEN payment_method IN ('credit_card', 'debit_card') THEN 'card'
            WHEN payment_method IN ('paypal', 'apple_pay') THEN 'wallet'
            WHEN payment_method = 'bank_transfer' THEN 'bank'
            ELSE 'other'
        END AS payment_method_category,
        payment_status,
        payment_date
    FROM source
)
SELECT * FROM renamed
