{#- The day on which a model is looked at. One place, so that unit tests can name a day of their own. -#}
{% macro today() -%}
    current_date
{%- endmacro %}
