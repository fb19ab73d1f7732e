SELECT
    product_id,
    COALESCE(NULLIF(name, ''), 'unnamed product') AS product_name,
    COALESCE(NULLIF(category, ''), 'Uncategorized') AS category,
    launched_at
FROM {{ source('erp', 'products') }}
