{{ config(schema='gold') }}

SELECT
    d.customer_key,
    d.customer_id,
    g.customer_segment,
    CAST(COALESCE(s.lifetime_value, 0) AS numeric(18, 2)) AS lifetime_value,
    COALESCE(s.total_transactions, 0) AS total_transactions,
    s.first_transaction_date,
    s.last_transaction_date,
    COALESCE(s.last_transaction_date - s.first_transaction_date, 0) AS customer_age_days,
    -- a customer of a single day has spent everything on it
    {{ ratio('COALESCE(s.lifetime_value, 0)', 'GREATEST(COALESCE(s.last_transaction_date - s.first_transaction_date, 0), 1)', 2) }} AS avg_spend_per_day
FROM {{ ref('dim_customer') }} d
JOIN {{ ref('customer_segments') }} g ON d.customer_key = g.customer_key
LEFT JOIN {{ ref('int_cards__customer_spend') }} s ON d.customer_key = s.customer_key
