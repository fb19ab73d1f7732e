{{ config(materialized='incremental', unique_key='order_id', on_schema_change='append_new_columns', pre_hook="select 'before'", post_hook=["select 'after'"]) }}
-- a leading comment
with orders as (
    select * from {{ ref('eph_top') }}
), again as (
    select * from {{ ref('eph_base') }}
)
select
    o.*,
    {{ dbt.date_trunc('month', 'o.order_date') }} as order_month,
    {{ dbt.datediff('o.order_date', 'current_date', 'day') }} as age_days,
    {{ dbt.dateadd(datepart='week', interval=2, from_date_or_timestamp='o.order_date') }} as due,
    {{ dbt.safe_cast('o.amount', api.Column.translate_type('float')) }} as amount_float
from orders o
join again a using (order_id)
{% if is_incremental() %}
where o.order_date > (select max(order_date) from {{ this }})
{% endif %}
