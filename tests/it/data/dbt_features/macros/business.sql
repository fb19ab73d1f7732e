{% macro cents_to_money(column, scale=2) -%}
    ({{ column }} / 100.0)::numeric(16, {{ scale }})
{%- endmacro %}

{% macro features__greeting() %}unused{% endmacro %}
{% macro postgres__greeting() %}hello from postgres{% endmacro %}

{% macro status_group(column) %}
    case
    {%- for group, members in {'done': ['completed', 'shipped'], 'back': ['returned']}.items() %}
        when {{ column }} in ({% for m in members %}'{{ m }}'{{ ", " if not loop.last }}{% endfor %}) then '{{ group }}'
    {%- endfor %}
        else 'open'
    end
{% endmacro %}

{% macro with_caller(name) %}
/* {{ name }} */ {{ caller() }}
{% endmacro %}

{% macro count_args() %}{{ varargs | length }}+{{ kwargs | length }}{% endmacro %}
