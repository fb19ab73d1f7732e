{{ config(schema='gold') }}

WITH measured AS (
    SELECT
        customer_key,
        COUNT(*) AS total_transactions,
        {{ ratio('SUM(transaction_amount)', 'COUNT(*)', 2) }} AS avg_transaction_value,
        -- to eight digits first: a warehouse that computes in doubles has 623.335 a little below that
        CAST(ROUND(CAST(STDDEV_SAMP(transaction_amount) AS numeric(18, 8)), 2) AS numeric(18, 2)) AS transaction_value_stddev,
        MIN(transaction_amount) AS min_transaction_value,
        MAX(transaction_amount) AS max_transaction_value,
        {{ median('transaction_amount') }} AS median_transaction_value
    FROM {{ ref('fct_transactions') }}
    WHERE status = 'approved'
    GROUP BY customer_key
)
SELECT
    g.customer_key,
    g.customer_id,
    g.customer_segment,
    COALESCE(m.total_transactions, 0) AS total_transactions,
    m.avg_transaction_value,
    m.transaction_value_stddev,
    m.min_transaction_value,
    m.max_transaction_value,
    m.median_transaction_value,
    -- by the coefficient of variation: spread against size
    CASE
        WHEN m.transaction_value_stddev IS NULL THEN NULL
        WHEN m.transaction_value_stddev * 10 <= m.avg_transaction_value * 4 THEN 'Consistent'
        WHEN m.transaction_value_stddev * 10 <= m.avg_transaction_value * 9 THEN 'Moderate'
        ELSE 'Variable'
    END AS spending_consistency
FROM {{ ref('customer_segments') }} g
LEFT JOIN measured m ON g.customer_key = m.customer_key
