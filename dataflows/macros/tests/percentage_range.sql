{#- Rows whose value is no percentage. NULL passes. -#}
{% test percentage_range(model, column_name, min_value=0, max_value=100) %}

SELECT {{ column_name }}
FROM {{ model }}
WHERE {{ column_name }} < {{ min_value }}
   OR {{ column_name }} > {{ max_value }}

{% endtest %}
