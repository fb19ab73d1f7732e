{#- Rows whose value is zero or less. NULL passes. -#}
{% test positive_value(model, column_name) %}

SELECT {{ column_name }}
FROM {{ model }}
WHERE {{ column_name }} <= 0

{% endtest %}
