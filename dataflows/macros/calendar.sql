{#- The first day of a moment's month. -#}
{% macro month_of(moment) -%}
    CAST(DATE_TRUNC('month', {{ moment }}) AS date)
{%- endmacro %}

{#- Calendar months from one day to another, counted by the turn of the month. -#}
{% macro months_between(earlier, later) -%}
    CAST((EXTRACT(year FROM {{ later }}) - EXTRACT(year FROM {{ earlier }})) * 12
        + EXTRACT(month FROM {{ later }}) - EXTRACT(month FROM {{ earlier }}) AS integer)
{%- endmacro %}

{#- Whole years since a date of birth. -#}
{% macro age_in_years(date_of_birth) -%}
    CAST(EXTRACT(year FROM {{ shop.today() }}) - EXTRACT(year FROM {{ date_of_birth }})
        - CASE
            WHEN EXTRACT(month FROM {{ shop.today() }}) * 100 + EXTRACT(day FROM {{ shop.today() }})
                < EXTRACT(month FROM {{ date_of_birth }}) * 100 + EXTRACT(day FROM {{ date_of_birth }}) THEN 1
            ELSE 0
        END AS integer)
{%- endmacro %}
