SELECT
    account_id,
    COALESCE(NULLIF(account_name, ''), 'unnamed account') AS account_name,
    COALESCE(industry, 'unknown') AS industry,
    COALESCE(plan, 'free') AS plan,
    customer_id AS raw_customer_id,
    created_at,
    CAST(created_at AS date) AS customer_since
FROM {{ source('app', 'accounts') }}
