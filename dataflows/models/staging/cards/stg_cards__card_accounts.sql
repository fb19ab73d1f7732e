SELECT
    customer_key,
    customer_id,
    COALESCE(card_type, 'unknown') AS card_type,
    credit_limit,
    account_open_date
FROM {{ source('cards', 'card_accounts') }}
