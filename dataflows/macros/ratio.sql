{#-
    numerator / denominator, rounded half away from zero to `scale` digits; NULL when the denominator is 0.
    DuckDB divides decimals in doubles, so there the same quotient is made of whole numbers: both arguments need at most four
    digits behind the point.
-#}
{% macro ratio(numerator, denominator, scale=4) -%}
    {{ return(adapter.dispatch('ratio', 'shop')(numerator, denominator, scale)) }}
{%- endmacro %}

{% macro default__ratio(numerator, denominator, scale) -%}
    CAST(ROUND(CAST({{ numerator }} AS numeric) / NULLIF(CAST({{ denominator }} AS numeric), 0), {{ scale }}) AS numeric(24, {{ scale }}))
{%- endmacro %}

{% macro duckdb__ratio(numerator, denominator, scale) -%}
    {%- set n = "CAST(CAST(" ~ numerator ~ " AS decimal(28, 4)) * 10000 AS hugeint)" -%}
    {%- set d = "CAST(CAST(" ~ denominator ~ " AS decimal(28, 4)) * 10000 AS hugeint)" -%}
    CAST(CAST(SIGN({{ n }}) * SIGN({{ d }}) * ((2 * ABS({{ n }}) * {{ 10 ** scale }} + ABS({{ d }})) // NULLIF(2 * ABS({{ d }}), 0)) AS decimal(24, 0))
        * CAST({{ '%.*f' | format(scale, 10 ** -scale) }} AS decimal({{ scale + 1 }}, {{ scale }})) AS decimal(24, {{ scale }}))
{%- endmacro %}

{#- A part as percent of a whole, with two digits. -#}
{% macro percent(part, whole) -%}
    {{ shop.ratio("100 * (" ~ part ~ ")", whole, 2) }}
{%- endmacro %}

{#- The middle of an ordered set of amounts in cents; a half cent is kept, so that no rounding depends on the database. -#}
{% macro median(amount) -%}
    CAST(PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY CAST({{ amount }} AS double precision)) AS numeric(16, 3))
{%- endmacro %}
