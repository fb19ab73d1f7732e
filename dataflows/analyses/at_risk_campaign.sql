-- Automated action: customers at risk who have been away for two months.
SELECT *
FROM {{ ref('customer_segmentation') }}
WHERE customer_segment = 'At Risk'
  AND days_since_last_order > 60
ORDER BY monetary DESC, customer_id
