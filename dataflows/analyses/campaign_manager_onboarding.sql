-- Onboarding list: new customers whose spending grows.
SELECT customer_id, full_name, email, tenure_months, spend_last_90_days
FROM {{ ref('customer_360_profile') }}
WHERE eligible_for_onboarding_campaign = TRUE
ORDER BY spend_last_90_days DESC, customer_id
LIMIT 1000
