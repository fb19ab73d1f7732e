SELECT
    transaction_id,
    customer_key,
    -- an amount that the terminal did not send counts as zero, and says so
    COALESCE(transaction_amount, 0.00) AS transaction_amount,
    transaction_amount IS NULL AS is_amount_imputed,
    COALESCE(NULLIF(category, ''), 'Uncategorized') AS category,
    COALESCE(status, 'unknown') AS status,
    transaction_date AS transaction_at,
    CAST(transaction_date AS date) AS transaction_date,
    {{ month_of('transaction_date') }} AS transaction_month
FROM {{ source('cards', 'transactions') }}
