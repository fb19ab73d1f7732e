-- One customer, everything that is known.
SELECT *
FROM {{ ref('customer_360_profile') }}
WHERE customer_id = 'CUST00000001'
