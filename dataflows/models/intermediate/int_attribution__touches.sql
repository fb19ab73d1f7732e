-- Sessions up to 30 days before an order of the same customer: what may have led to it.
WITH touches AS (
    SELECT
        o.order_id,
        o.customer_id,
        o.order_date,
        o.order_day,
        o.order_amount,
        s.session_key,
        s.channel,
        s.campaign,
        s.started_at AS touched_at
    FROM {{ ref('int_orders') }} o
    JOIN {{ ref('int_clickstream__sessions') }} s
        ON o.customer_id = s.customer_id
        AND s.started_at <= o.order_date
        AND s.started_at >= o.order_date - INTERVAL '30 days'
),
numbered AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY touched_at, session_key) AS touch_number,
        COUNT(*) OVER (PARTITION BY order_id) AS touch_count
    FROM touches
)
SELECT
    order_id,
    session_key,
    customer_id,
    channel,
    campaign,
    touched_at,
    order_date,
    order_day,
    order_amount,
    touch_number,
    touch_count,
    touch_number = 1 AS is_first_touch,
    touch_number = touch_count AS is_last_touch,
    {{ ratio('order_amount', 'touch_count', 4) }} AS linear_revenue
FROM numbered
