SELECT
    subscription_id,
    account_id,
    COALESCE(status, 'incomplete') AS subscription_status,
    COALESCE(amount_cents, 0) AS amount_cents,
    COALESCE(billing_interval, 'month') AS billing_interval,
    COALESCE(NULLIF(interval_count, 0), 1) AS interval_count,
    started_at,
    canceled_at,
    COALESCE({{ normalize_to_mrr('COALESCE(amount_cents, 0)', "COALESCE(billing_interval, 'month')", 'COALESCE(NULLIF(interval_count, 0), 1)') }}, 0.00) AS mrr
FROM {{ source('stripe', 'subscriptions') }}
