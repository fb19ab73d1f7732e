-- First and last touch hand out the same orders, and all of them.
WITH handed_out AS (
    SELECT
        SUM(first_touch_orders) AS first_touch_orders,
        SUM(last_touch_orders) AS last_touch_orders
    FROM {{ ref('marketing_attribution') }}
),
ordered AS (
    SELECT COUNT(*) AS orders
    FROM {{ ref('int_orders') }}
)
SELECT h.first_touch_orders, h.last_touch_orders, o.orders
FROM handed_out h
CROSS JOIN ordered o
WHERE h.first_touch_orders <> o.orders
   OR h.last_touch_orders <> o.orders
