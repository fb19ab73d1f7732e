-- Premium list: travellers who do not have the premium card yet.
SELECT customer_id, full_name, email, travel_spend, card_type
FROM {{ ref('customer_360_profile') }}
WHERE eligible_for_premium_campaign = TRUE
ORDER BY travel_spend DESC, customer_id
LIMIT 1000
