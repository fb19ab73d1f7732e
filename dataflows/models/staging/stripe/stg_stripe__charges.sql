SELECT
    charge_id,
    invoice_id,
    account_id,
    {{ ratio('COALESCE(amount_cents, 0)', '100', 2) }} AS amount,
    COALESCE(status, 'pending') AS charge_status,
    failure_code,
    charged_at
FROM {{ source('stripe', 'charges') }}
