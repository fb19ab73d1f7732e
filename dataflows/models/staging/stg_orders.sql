WITH source AS (
    SELECT * FROM {{ source('raw_data', 'orders') }}
),
renamed AS (
    SELECT
        id AS order_id,
        user_id AS customer_id,
        cycle_name AS product_name,
        status AS order_status,
        CASE
            WHEN status IN ('completed', 'shipped') THEN 'successful'
            WHEN status IN ('returned', 'return_pending') THEN 'returned'
            ELSE 'pending'
        END AS order_status_group,
        COALESCE(channel, 'unknown') AS channel,
        order_date,
        CAST(order_date AS date) AS order_day,
        CAST(DATE_TRUNC('month', order_date) AS date) AS order_month
    FROM source
)
SELECT * FROM renamed
