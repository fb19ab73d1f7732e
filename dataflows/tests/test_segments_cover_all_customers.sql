-- Segmentation covers every customer: one segment each, none forgotten.
SELECT c.customer_id
FROM {{ ref('stg_customers') }} c
LEFT JOIN {{ ref('customer_segmentation') }} s ON c.customer_id = s.customer_id
WHERE s.customer_segment IS NULL
