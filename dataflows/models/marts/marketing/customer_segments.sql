{{ config(schema='gold') }}

WITH customers AS (
    SELECT
        d.customer_key,
        d.customer_id,
        d.account_open_date,
        {{ months_between('d.account_open_date', today()) }} AS tenure_months,
        s.last_transaction_date,
        COALESCE(s.lifetime_value, 0) AS lifetime_value,
        COALESCE(s.travel_spend, 0) AS travel_spend,
        COALESCE(s.necessities_spend, 0) AS necessities_spend,
        COALESCE(s.spend_last_90_days, 0) AS spend_last_90_days,
        COALESCE(s.spend_prior_90_days, 0) AS spend_prior_90_days
    FROM {{ ref('dim_customer') }} d
    LEFT JOIN {{ ref('int_cards__customer_spend') }} s ON d.customer_key = s.customer_key
)
SELECT
    customer_key,
    customer_id,
    CASE
        WHEN spend_prior_90_days > 0 AND spend_last_90_days * 10 < spend_prior_90_days * 7 THEN 'Declining'
        WHEN lifetime_value >= 5000 AND travel_spend * 10 >= lifetime_value * 3 THEN 'High-Value Travelers'
        WHEN tenure_months <= 6 OR (spend_prior_90_days > 0 AND spend_last_90_days * 10 > spend_prior_90_days * 13) THEN 'New & Growing'
        WHEN lifetime_value > 0 AND necessities_spend * 2 >= lifetime_value THEN 'Budget-Conscious'
        ELSE 'Stable Mid-Spenders'
    END AS customer_segment,
    GREATEST(account_open_date, last_transaction_date) AS segment_assigned_date,
    tenure_months
FROM customers
