{% snapshot entity_customers_history %}

{{
    config(
        unique_key='account_id',
        strategy='check',
        check_cols=['subscription_status', 'monthly_recurring_revenue', 'health_band', 'churn_risk_band'],
        hard_deletes='invalidate'
    )
}}

SELECT
    account_id,
    account_name,
    subscription_status,
    monthly_recurring_revenue,
    health_band,
    churn_risk_band
FROM {{ ref('entity_customers') }}

{% endsnapshot %}
