{#- Rows for which the expression is not true. On a column, the expression continues after the column's name. -#}
{% test expression_is_true(model, expression, column_name=none) %}

SELECT 1 AS violation
FROM {{ model }}
{%- if column_name is none %}
WHERE NOT ({{ expression }})
{%- else %}
WHERE NOT ({{ column_name }} {{ expression }})
{%- endif %}

{% endtest %}
