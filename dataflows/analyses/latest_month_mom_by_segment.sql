WITH latest_month AS (
    SELECT MAX(month) AS max_month
    FROM {{ ref('metric_mom_spend_change') }}
)
SELECT
    seg.customer_segment,
    AVG(m.mom_change_pct) AS avg_mom_change
FROM {{ ref('metric_mom_spend_change') }} m
JOIN {{ ref('customer_segments') }} seg ON m.customer_id = seg.customer_id
CROSS JOIN latest_month
WHERE m.month = latest_month.max_month
  AND m.mom_change_pct IS NOT NULL
GROUP BY seg.customer_segment
ORDER BY seg.customer_segment
