{{
  config(
    alias = ' STG_Orders_v ',
    tags = ['orders', 'all'],
    meta = {'level': 2, 'nested': {'a': [1, 2]}}
  )
}}
{%- set columns = ['id', 'user_id', 'status'] %}
{%- set renamed = {'id': 'order_id', 'user_id': 'customer_id'} -%}
select
    {% for column in columns -%}
    {{ column }} as {{ renamed.get(column, column) }},
    {% endfor -%}
    {{ cents_to_money('amount_cents') }} as amount,
    {{ status_group('status') }} as status_group,
    order_date
from {{ source('raw', 'orders') }}
where order_date >= '{{ var("start_date") }}'
  and status in ({% for s in var('status_list') %}'{{ s | replace("'", "''") }}'{% if not loop.last %}, {% endif %}{% endfor %})
