SELECT
    customer_id,
    customer_segment,
    recommended_action
FROM {{ ref('customer_segmentation') }}
WHERE customer_segment = 'Champions'
ORDER BY customer_id
