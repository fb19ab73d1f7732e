-- One row per account: its best subscription tells its status, all that are running add up to its revenue.
WITH ranked AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY account_id
            ORDER BY
                CASE subscription_status WHEN 'active' THEN 1 WHEN 'past_due' THEN 2 WHEN 'trialing' THEN 3 WHEN 'incomplete' THEN 4 ELSE 5 END,
                started_at DESC NULLS LAST,
                subscription_id
        ) AS rank_in_account
    FROM {{ ref('stg_stripe__subscriptions') }}
    WHERE account_id IS NOT NULL
),
invoices AS (
    SELECT
        account_id,
        SUM(amount_due - amount_paid) AS open_amount,
        BOOL_OR(invoice_status = 'open' AND due_date < {{ today() }}) AS is_delinquent
    FROM {{ ref('stg_stripe__invoices') }}
    WHERE invoice_status IN ('open', 'uncollectible')
    GROUP BY account_id
),
totals AS (
    SELECT
        account_id,
        COUNT(*) AS subscriptions,
        SUM(CASE WHEN subscription_status IN ('active', 'past_due') THEN mrr ELSE 0.00 END) AS mrr,
        MIN(started_at) AS first_subscribed_at
    FROM {{ ref('stg_stripe__subscriptions') }}
    WHERE account_id IS NOT NULL
    GROUP BY account_id
)
SELECT
    r.account_id,
    r.subscription_status,
    r.billing_interval,
    t.subscriptions,
    CAST(t.mrr AS numeric(18, 2)) AS mrr,
    t.first_subscribed_at,
    CAST(COALESCE(i.open_amount, 0) AS numeric(18, 2)) AS open_amount,
    COALESCE(i.is_delinquent, FALSE) OR r.subscription_status = 'past_due' AS is_delinquent
FROM ranked r
JOIN totals t ON r.account_id = t.account_id
LEFT JOIN invoices i ON r.account_id = i.account_id
WHERE r.rank_in_account = 1
