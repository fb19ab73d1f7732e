WITH activity AS (
    SELECT * FROM {{ ref('stg_customer_activity') }}
),
totals AS (
    SELECT
        customer_id,
        COUNT(order_id) AS frequency,
        CAST(COALESCE(SUM(CASE WHEN order_status_group <> 'returned' THEN order_amount ELSE 0.00 END), 0) AS numeric(18, 2)) AS monetary,
        MIN(order_day) AS first_order_day,
        MAX(order_day) AS last_order_day
    FROM activity
    GROUP BY customer_id
),
-- quintiles over the customers who have ordered; ties go by the customer's number, so that every score is determined
scored AS (
    SELECT
        customer_id,
        NTILE(5) OVER (ORDER BY last_order_day, customer_id) AS recency_score,
        NTILE(5) OVER (ORDER BY frequency, customer_id) AS frequency_score,
        NTILE(5) OVER (ORDER BY monetary, customer_id) AS monetary_score
    FROM totals
    WHERE last_order_day IS NOT NULL
),
segmented AS (
    SELECT
        t.customer_id,
        t.first_order_day,
        t.last_order_day,
        {{ today() }} - t.last_order_day AS days_since_last_order,
        t.frequency,
        t.monetary,
        s.recency_score,
        s.frequency_score,
        s.monetary_score,
        CASE
            WHEN s.customer_id IS NULL THEN 'Prospects'
            WHEN s.recency_score >= 4 AND s.frequency_score >= 4 AND s.monetary_score >= 4 THEN 'Champions'
            WHEN s.recency_score >= 3 AND s.frequency_score >= 4 THEN 'Loyal Customers'
            WHEN s.recency_score >= 4 AND s.frequency_score >= 2 THEN 'Potential Loyalists'
            WHEN s.recency_score >= 4 THEN 'New Customers'
            WHEN s.recency_score = 3 THEN 'Need Attention'
            WHEN s.frequency_score >= 4 AND s.monetary_score >= 4 THEN 'Cannot Lose Them'
            WHEN s.frequency_score >= 3 OR s.monetary_score >= 3 THEN 'At Risk'
            WHEN s.recency_score = 2 THEN 'Hibernating'
            ELSE 'Lost'
        END AS customer_segment
    FROM totals t
    LEFT JOIN scored s ON t.customer_id = s.customer_id
)
SELECT
    customer_id,
    first_order_day,
    last_order_day,
    days_since_last_order,
    frequency,
    monetary,
    recency_score,
    frequency_score,
    monetary_score,
    customer_segment,
    CASE customer_segment
        WHEN 'Champions' THEN 'Reward them and ask for reviews'
        WHEN 'Loyal Customers' THEN 'Offer the loyalty programme'
        WHEN 'Potential Loyalists' THEN 'Recommend related products'
        WHEN 'New Customers' THEN 'Welcome them and help them start'
        WHEN 'Need Attention' THEN 'Remind them with a limited offer'
        WHEN 'Cannot Lose Them' THEN 'Call them in person'
        WHEN 'At Risk' THEN 'Send the win-back campaign'
        WHEN 'Hibernating' THEN 'Send a low-cost reminder'
        WHEN 'Lost' THEN 'Leave them out of paid campaigns'
        ELSE 'Invite them to a first order'
    END AS recommended_action
FROM segmented
