-- Approved card spending per customer: over all time, and in two windows of 90 days that end today.
SELECT
    customer_key,
    SUM(CASE WHEN status = 'approved' THEN transaction_amount ELSE 0.00 END) AS lifetime_value,
    COUNT(CASE WHEN status = 'approved' THEN 1 END) AS total_transactions,
    COUNT(CASE WHEN status = 'declined' THEN 1 END) AS declined_transactions,
    MIN(CASE WHEN status = 'approved' THEN transaction_date END) AS first_transaction_date,
    MAX(CASE WHEN status = 'approved' THEN transaction_date END) AS last_transaction_date,
    COUNT(DISTINCT CASE WHEN status = 'approved' THEN transaction_month END) AS active_months,
    SUM(CASE WHEN status = 'approved' AND transaction_date > {{ today() }} - 90 THEN transaction_amount ELSE 0.00 END) AS spend_last_90_days,
    SUM(CASE
        WHEN status = 'approved' AND transaction_date > {{ today() }} - 180 AND transaction_date <= {{ today() }} - 90 THEN transaction_amount
        ELSE 0.00
    END) AS spend_prior_90_days,
    COUNT(CASE WHEN status = 'approved' AND transaction_date > {{ today() }} - 90 THEN 1 END) AS transactions_last_90_days,
    SUM(CASE WHEN status = 'approved' AND category IN ('Travel', 'Hotels', 'Airlines') THEN transaction_amount ELSE 0.00 END) AS travel_spend,
    SUM(CASE
        WHEN status = 'approved' AND category IN ('Groceries', 'Utilities', 'Gas', 'Healthcare') THEN transaction_amount
        ELSE 0.00
    END) AS necessities_spend
FROM {{ ref('stg_cards__transactions') }}
GROUP BY customer_key
