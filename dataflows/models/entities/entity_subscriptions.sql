WITH invoices AS (
    SELECT
        subscription_id,
        COUNT(*) AS invoices,
        COUNT(CASE WHEN invoice_status = 'paid' THEN 1 END) AS paid_invoices,
        SUM(amount_paid) AS lifetime_revenue,
        SUM(CASE WHEN invoice_status = 'open' THEN amount_due - amount_paid ELSE 0.00 END) AS open_amount,
        COUNT(CASE WHEN invoice_status = 'open' AND due_date < {{ today() }} THEN 1 END) AS overdue_invoices
    FROM {{ ref('stg_stripe__invoices') }}
    GROUP BY subscription_id
),
failures AS (
    SELECT
        i.subscription_id,
        COUNT(*) AS failed_charges
    FROM {{ ref('stg_stripe__charges') }} c
    JOIN {{ ref('stg_stripe__invoices') }} i ON c.invoice_id = i.invoice_id
    WHERE c.charge_status = 'failed'
    GROUP BY i.subscription_id
)
SELECT
    s.subscription_id,
    s.account_id,
    s.subscription_status,
    s.billing_interval,
    s.interval_count,
    CAST(s.mrr AS numeric(18, 2)) AS mrr,
    CAST(12 * s.mrr AS numeric(18, 2)) AS arr,
    s.started_at,
    s.canceled_at,
    {{ months_between('s.started_at', 'COALESCE(s.canceled_at, ' ~ today() ~ ')') }} AS lifetime_months,
    COALESCE(i.invoices, 0) AS invoices,
    COALESCE(i.paid_invoices, 0) AS paid_invoices,
    CAST(COALESCE(i.lifetime_revenue, 0) AS numeric(18, 2)) AS lifetime_revenue,
    CAST(COALESCE(i.open_amount, 0) AS numeric(18, 2)) AS open_amount,
    COALESCE(i.overdue_invoices, 0) AS overdue_invoices,
    COALESCE(f.failed_charges, 0) AS failed_charges,
    CASE
        WHEN s.subscription_status = 'canceled' THEN 'churned'
        WHEN COALESCE(i.overdue_invoices, 0) > 0 OR s.subscription_status = 'past_due' THEN 'delinquent'
        WHEN s.subscription_status = 'trialing' THEN 'trial'
        WHEN s.subscription_status = 'active' THEN 'paying'
        ELSE 'incomplete'
    END AS lifecycle_stage
FROM {{ ref('stg_stripe__subscriptions') }} s
LEFT JOIN invoices i ON s.subscription_id = i.subscription_id
LEFT JOIN failures f ON s.subscription_id = f.subscription_id
