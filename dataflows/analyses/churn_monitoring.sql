-- Who spends less than before, the steepest fall first.
SELECT customer_id, full_name, lifetime_value, spend_change_pct
FROM {{ ref('customer_360_profile') }}
WHERE customer_segment = 'Declining'
ORDER BY spend_change_pct ASC, customer_id
