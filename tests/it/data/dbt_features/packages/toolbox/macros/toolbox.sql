{% macro surrogate_key(fields) %}
    {{ return(adapter.dispatch('surrogate_key', 'toolbox')(fields)) }}
{% endmacro %}

{% macro default__surrogate_key(fields) -%}
    {%- set parts = [] -%}
    {%- for field in fields -%}
        {%- do parts.append("coalesce(cast(" ~ field ~ " as " ~ dbt.type_string() ~ "), '_null_')") -%}
        {%- if not loop.last %}{%- do parts.append("'-'") -%}{%- endif -%}
    {%- endfor -%}
    {{ dbt.hash(dbt.concat(parts)) }}
{%- endmacro %}

{% macro pivot(column, values, agg='sum', then_value=1, prefix='') %}
  {% for value in values %}
    {{ agg }}(case when {{ column }} = '{{ dbt.escape_single_quotes(value) }}' then {{ then_value }} else 0 end)
      as {{ adapter.quote(prefix ~ value) }}
    {%- if not loop.last %},{% endif %}
  {% endfor %}
{% endmacro %}

{% macro mode() %}{{ return(var('toolbox_mode')) }}{% endmacro %}

{% macro default__greeting() %}default{% endmacro %}
{% macro greeting() %}{{ return(adapter.dispatch('greeting', 'toolbox')()) }}{% endmacro %}

{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}
  {{ return(adapter.dispatch('test_accepted_range', 'toolbox')(model, column_name, min_value, max_value, inclusive)) }}
{% endtest %}

{% macro default__test_accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}
with meet_condition as (
  select * from {{ model }}
),
validation_errors as (
  select * from meet_condition
  where
    -- never true, defaults to an empty result set
    1 = 2
  {%- if min_value is not none %}
    or not {{ column_name }} > {{- "=" if inclusive }} {{ min_value }}
  {%- endif %}
  {%- if max_value is not none %}
    or not {{ column_name }} < {{- "=" if inclusive }} {{ max_value }}
  {%- endif %}
)
select * from validation_errors
{% endmacro %}

{% test expression_is_true(model, expression, column_name=None) %}
  {% set column_list = '*' if should_store_failures() else "1" %}
select
    {{ column_list }}
from {{ model }}
{% if column_name is none %}
where not({{ expression }})
{%- else %}
where not({{ column_name }} {{ expression }})
{%- endif %}
{% endtest %}
