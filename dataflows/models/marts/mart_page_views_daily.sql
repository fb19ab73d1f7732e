WITH activity AS (
    SELECT * FROM {{ ref('stg_website_activity') }}
)
SELECT
    customer_id,
    activity_date,
    COUNT(*) AS page_views,
    COUNT(DISTINCT session_id) AS sessions
FROM activity
GROUP BY customer_id, activity_date
