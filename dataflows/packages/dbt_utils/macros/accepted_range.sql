{#- Rows whose value lies outside [min_value, max_value]; a bound that is left out is open. NULL passes. -#}
{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}

WITH measured AS (
    SELECT {{ column_name }} AS value
    FROM {{ model }}
)
SELECT value
FROM measured
WHERE false
{%- if min_value is not none %}
   OR NOT (value >{{ '=' if inclusive }} {{ min_value }})
{%- endif %}
{%- if max_value is not none %}
   OR NOT (value <{{ '=' if inclusive }} {{ max_value }})
{%- endif %}

{% endtest %}
