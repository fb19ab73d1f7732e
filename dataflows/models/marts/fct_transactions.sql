SELECT
    t.transaction_id,
    t.customer_key,
    d.customer_id,
    t.transaction_amount,
    t.is_amount_imputed,
    t.category,
    t.status,
    t.transaction_at,
    t.transaction_date,
    t.transaction_month
FROM {{ ref('stg_cards__transactions') }} t
JOIN {{ ref('dim_customer') }} d ON t.customer_key = d.customer_key
