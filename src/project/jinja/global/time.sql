{# Dates and times, in PostgreSQL's words. #}

{% macro current_timestamp() -%}{{ return(adapter.dispatch('current_timestamp', 'dbt')()) }}{%- endmacro %}
{% macro postgres__current_timestamp() -%}
    now()
{%- endmacro %}

{% macro current_timestamp_backcompat() -%}{{ return(adapter.dispatch('current_timestamp_backcompat', 'dbt')()) }}{%- endmacro %}
{% macro postgres__current_timestamp_backcompat() %}
    current_timestamp::{{ type_timestamp() }}
{% endmacro %}

{% macro current_timestamp_in_utc_backcompat() -%}{{ return(adapter.dispatch('current_timestamp_in_utc_backcompat', 'dbt')()) }}{%- endmacro %}
{% macro postgres__current_timestamp_in_utc_backcompat() %}
    (current_timestamp at time zone 'utc')::{{ type_timestamp() }}
{% endmacro %}

{% macro snapshot_get_time() -%}{{ return(adapter.dispatch('snapshot_get_time', 'dbt')()) }}{%- endmacro %}
{% macro postgres__snapshot_get_time() -%}
    {{ current_timestamp() }}::timestamp without time zone
{%- endmacro %}

{% macro date(year, month, day) %}{{ return(adapter.dispatch('date', 'dbt')(year, month, day)) }}{% endmacro %}
{% macro default__date(year, month, day) -%}
    to_date('{{ modules.datetime.date(year, month, day).strftime('%Y-%m-%d') }}', 'YYYY-MM-DD')
{%- endmacro %}

{% macro date_trunc(datepart, date) -%}{{ return(adapter.dispatch('date_trunc', 'dbt')(datepart, date)) }}{%- endmacro %}
{% macro default__date_trunc(datepart, date) -%}
    date_trunc('{{ datepart }}', {{ date }})
{%- endmacro %}

{% macro dateadd(datepart, interval, from_date_or_timestamp) %}
    {{ return(adapter.dispatch('dateadd', 'dbt')(datepart, interval, from_date_or_timestamp)) }}
{% endmacro %}
{% macro postgres__dateadd(datepart, interval, from_date_or_timestamp) %}
    {{ from_date_or_timestamp }} + ((interval '1 {{ datepart }}') * ({{ interval }}))
{% endmacro %}

{% macro datediff(first_date, second_date, datepart) %}
    {{ return(adapter.dispatch('datediff', 'dbt')(first_date, second_date, datepart)) }}
{% endmacro %}

{# The larger unit's difference, scaled, plus what this unit adds: the quarter of a year, the hour of a day, … #}
{% macro _datediff_step(first_date, second_date, larger, factor, part, type, rounding='') -%}
    {%- set add = "date_part('" ~ part ~ "', (" ~ second_date ~ ")::" ~ type ~ ")" -%}
    {%- set subtract = "date_part('" ~ part ~ "', (" ~ first_date ~ ")::" ~ type ~ ")" -%}
    {%- if rounding -%}
        {%- set add = rounding ~ "(" ~ add ~ ")" -%}
        {%- set subtract = rounding ~ "(" ~ subtract ~ ")" -%}
    {%- endif -%}
    ({{ dbt.datediff(first_date, second_date, larger) }} * {{ factor }} + {{ add }} - {{ subtract }})
{%- endmacro %}

{% macro postgres__datediff(first_date, second_date, datepart) -%}
    {% if datepart == 'year' %}
        (date_part('year', ({{ second_date }})::date) - date_part('year', ({{ first_date }})::date))
    {% elif datepart == 'quarter' %}
        {{ dbt._datediff_step(first_date, second_date, 'year', 4, 'quarter', 'date') }}
    {% elif datepart == 'month' %}
        {{ dbt._datediff_step(first_date, second_date, 'year', 12, 'month', 'date') }}
    {% elif datepart == 'day' %}
        (({{ second_date }})::date - ({{ first_date }})::date)
    {% elif datepart == 'week' %}
        ({{ dbt.datediff(first_date, second_date, 'day') }} / 7 + case
            when date_part('dow', ({{ first_date }})::timestamp) <= date_part('dow', ({{ second_date }})::timestamp) then
                case when {{ first_date }} <= {{ second_date }} then 0 else -1 end
            else
                case when {{ first_date }} <= {{ second_date }} then 1 else 0 end
        end)
    {% elif datepart == 'hour' %}
        {{ dbt._datediff_step(first_date, second_date, 'day', 24, 'hour', 'timestamp') }}
    {% elif datepart == 'minute' %}
        {{ dbt._datediff_step(first_date, second_date, 'hour', 60, 'minute', 'timestamp') }}
    {% elif datepart == 'second' %}
        {{ dbt._datediff_step(first_date, second_date, 'minute', 60, 'second', 'timestamp', 'floor') }}
    {% elif datepart == 'millisecond' %}
        {{ dbt._datediff_step(first_date, second_date, 'minute', 60000, 'millisecond', 'timestamp', 'floor') }}
    {% elif datepart == 'microsecond' %}
        {{ dbt._datediff_step(first_date, second_date, 'minute', 60000000, 'microsecond', 'timestamp', 'floor') }}
    {% else %}
        {{ exceptions.raise_compiler_error("Unsupported datepart for macro datediff in postgres: '" ~ datepart ~ "'") }}
    {% endif %}
{%- endmacro %}

{% macro last_day(date, datepart) %}{{ return(adapter.dispatch('last_day', 'dbt')(date, datepart)) }}{% endmacro %}
{% macro default_last_day(date, datepart) -%}
    cast(
        {{ dbt.dateadd('day', '-1',
        dbt.dateadd(datepart, '1', dbt.date_trunc(datepart, date))
        ) }}
        as date)
{%- endmacro %}
{% macro postgres__last_day(date, datepart) -%}
    {%- if datepart == 'quarter' -%}
    -- postgres dateadd does not support quarter interval.
    cast(
        {{ dbt.dateadd('day', '-1',
        dbt.dateadd('month', '3', dbt.date_trunc(datepart, date))
        ) }}
        as date)
    {%- else -%}
    {{ dbt.default_last_day(date, datepart) }}
    {%- endif -%}
{%- endmacro %}

{% macro get_intervals_between(start_date, end_date, datepart) -%}
    {{ return(adapter.dispatch('get_intervals_between', 'dbt')(start_date, end_date, datepart)) }}
{%- endmacro %}
{% macro default__get_intervals_between(start_date, end_date, datepart) -%}
    {%- call statement('get_intervals_between', fetch_result=True) %}
        select {{ dbt.datediff(start_date, end_date, datepart) }}
    {%- endcall -%}
    {%- set found = load_result('get_intervals_between') -%}
    {{ return(found['data'][0][0] | int if found and found['data'] else 1) }}
{%- endmacro %}

{% macro date_spine(datepart, start_date, end_date) %}
    {{ return(adapter.dispatch('date_spine', 'dbt')(datepart, start_date, end_date)) }}
{%- endmacro %}
{# The same rows without asking how many there are: a spine that ends today grows with the clock. #}
{% macro livemart__date_spine(datepart, start_date, end_date) %}
    {# Other warehouses add an interval to a quoted date. #}
    {%- set start_date = "timestamp " ~ start_date if start_date | trim | first == "'" else start_date %}
    select ({{ dbt.dateadd(datepart, 'spine.generated_number', start_date) }}) as date_{{ datepart }}
    from generate_series(0, cast({{ dbt.datediff(start_date, end_date, datepart) }} as integer) - 1) as spine(generated_number)
    where ({{ dbt.dateadd(datepart, 'spine.generated_number', start_date) }}) <= {{ end_date }}
{% endmacro %}
{% macro default__date_spine(datepart, start_date, end_date) %}

    with rawdata as (

        {{ dbt.generate_series(
            dbt.get_intervals_between(start_date, end_date, datepart)
        ) }}

    ),

    all_periods as (

        select (
            {{
                dbt.dateadd(
                    datepart,
                    "row_number() over (order by 1) - 1",
                    start_date
                )
            }}
        ) as date_{{ datepart }}
        from rawdata

    ),

    filtered as (

        select *
        from all_periods
        where date_{{ datepart }} <= {{ end_date }}

    )

    select * from filtered

{% endmacro %}

{% macro convert_datetime(date_str, date_fmt) %}
    {% set message = "The provided partition date '" ~ date_str ~ "' does not match the expected format '" ~ date_fmt ~ "'" %}
    {{ return(try_or_compiler_error(message, modules.datetime.datetime.strptime, date_str.strip(), date_fmt)) }}
{% endmacro %}

{% macro dates_in_range(start_date_str, end_date_str=none, in_fmt="%Y%m%d", out_fmt="%Y%m%d") %}
    {% set start = convert_datetime(start_date_str, in_fmt) %}
    {% set end = start if end_date_str is none else convert_datetime(end_date_str, in_fmt) %}
    {% set days = (end - start).days %}
    {% if days < 0 %}
        {{ exceptions.raise_compiler_error("Partition start date is after the end date (" ~ start ~ ", " ~ end ~ ")") }}
    {% endif %}
    {% set found = [] %}
    {% for day in range(0, days + 1) %}
        {% set date = start + modules.datetime.timedelta(days=day) %}
        {% do found.append(date.strftime(out_fmt) if out_fmt else date) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{% macro py_current_timestring() %}
    {{ return(modules.datetime.datetime.now().strftime("%Y%m%d%H%M%S%f")) }}
{% endmacro %}
