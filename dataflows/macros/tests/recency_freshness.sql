{#- One row when the newest value of a date or timestamp is older than `max_days`, or when there is none. -#}
{% test recency_freshness(model, column_name, max_days=1) %}

SELECT CAST(MAX({{ column_name }}) AS date) AS newest
FROM {{ model }}
HAVING MAX({{ column_name }}) IS NULL
    OR CAST(MAX({{ column_name }}) AS date) < {{ shop.today() }} - {{ max_days }}

{% endtest %}
