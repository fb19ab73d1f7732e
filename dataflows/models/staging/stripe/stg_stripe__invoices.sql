SELECT
    invoice_id,
    subscription_id,
    account_id,
    {{ ratio('COALESCE(amount_due_cents, 0)', '100', 2) }} AS amount_due,
    {{ ratio('COALESCE(amount_paid_cents, 0)', '100', 2) }} AS amount_paid,
    COALESCE(status, 'draft') AS invoice_status,
    due_date,
    paid_at,
    created_at
FROM {{ source('stripe', 'invoices') }}
