{% snapshot customers_history %}
{{ config(strategy='check', unique_key='customer_id', check_cols=['email']) }}
select * from {{ ref('stg_customers') }}
{% endsnapshot %}
