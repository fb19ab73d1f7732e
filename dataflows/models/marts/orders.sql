{{
    config(
        materialized='incremental',
        unique_key='order_id'
    )
}}

SELECT
    order_id,
    customer_id,
    product_name,
    order_status,
    order_status_group,
    channel,
    order_date,
    order_day,
    order_lines,
    units,
    order_amount,
    card_amount,
    wallet_amount,
    bank_amount,
    other_amount,
    paid_amount,
    paid_amount >= order_amount AS is_paid,
    first_paid_at
FROM {{ ref('int_orders') }}
{% if is_incremental() %}
WHERE order_date > (SELECT MAX(order_date) FROM {{ this }})
{% endif %}
