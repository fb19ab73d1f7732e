{{ config(materialized='table', schema='gold', tags='revenue', grants={'select': ['reader']}) }}
{% set methods = ['card', "gift's", 'cash'] -%}
{%- set ns = namespace(total=0) -%}
{%- for m in methods %}{% set ns.total = ns.total + 1 %}{% endfor -%}
select
    customer_id,
    {{ toolbox.pivot('status', methods, then_value='amount', prefix='m_') }},
    {{ ns.total }} as methods,
    '{{ "%s-%05d" % ("n", 42) }}' as code,
    '{{ toolbox.greeting() }}' as greeting,
    '{{ count_args(1, 2, a=3) }}' as args,
    {{ 'discount' if var('use_discount') else 'null' }} as discount,
    '{{ target.name }}/{{ target.schema }}/{{ target.type }}' as target,
    '{{ this }}' as me,
    {{ dbt.listagg('status', "', '", 'order by status') }} as statuses,
    {{ dbt.length('status') }} as len,
    {{ dbt.any_value('status') }} as anyv,
    {{ dbt.bool_or('amount > 0') }} as some,
    {{ dbt.split_part('status', "'_'", 1) }} as first_part,
    {{ dbt.last_day('order_date', 'month') }} as month_end,
    {{ dbt.type_numeric() }} as t1
    {%- call with_caller('note') %}'in {{ methods | first }}' as caller_text{% endcall %}
from {{ ref('orders_enriched') }}
group by 1
{{ dbt.except() }}
select * from {{ ref('calendar') }}
