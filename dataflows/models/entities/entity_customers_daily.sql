-- A function of what happened on each day, not of when a job ran: a late event finds its day.
WITH device_days AS (
    SELECT
        account_id,
        occurred_on AS day,
        COUNT(*) AS device_events,
        COUNT(CASE WHEN is_error THEN 1 END) AS device_errors,
        COUNT(DISTINCT device_id) AS devices_seen
    FROM {{ ref('int_device_events') }}
    WHERE account_id IS NOT NULL
    GROUP BY account_id, occurred_on
),
view_days AS (
    SELECT account_id, viewed_on AS day, COUNT(*) AS page_views, COUNT(DISTINCT user_id) AS users_seen
    FROM {{ ref('stg_clickstream__page_views') }}
    WHERE account_id IS NOT NULL
    GROUP BY account_id, viewed_on
),
feature_days AS (
    SELECT account_id, used_on AS day, COUNT(*) AS feature_uses
    FROM {{ ref('stg_clickstream__feature_usage') }}
    WHERE account_id IS NOT NULL
    GROUP BY account_id, used_on
),
days AS (
    SELECT day FROM device_days
    UNION
    SELECT day FROM view_days
    UNION
    SELECT day FROM feature_days
),
account_days AS (
    SELECT
        a.account_id,
        a.account_name,
        d.day
    FROM {{ ref('stg_app__accounts') }} a
    JOIN days d ON d.day >= a.customer_since
    WHERE d.day >= CAST('{{ var("start_date") }}' AS date)
      AND d.day > {{ today() }} - {{ var('churn_lookback_days') }}
      AND d.day <= {{ today() }}
)
SELECT
    a.account_id,
    a.account_name,
    a.day,
    COALESCE(d.device_events, 0) AS device_events,
    COALESCE(d.device_errors, 0) AS device_errors,
    COALESCE(d.devices_seen, 0) AS devices_seen,
    COALESCE(v.page_views, 0) AS page_views,
    COALESCE(v.users_seen, 0) AS users_seen,
    COALESCE(f.feature_uses, 0) AS feature_uses,
    COALESCE(d.device_events, 0) + COALESCE(v.page_views, 0) + COALESCE(f.feature_uses, 0) > 0 AS is_active
FROM account_days a
LEFT JOIN device_days d ON a.account_id = d.account_id AND a.day = d.day
LEFT JOIN view_days v ON a.account_id = v.account_id AND a.day = v.day
LEFT JOIN feature_days f ON a.account_id = f.account_id AND a.day = f.day
