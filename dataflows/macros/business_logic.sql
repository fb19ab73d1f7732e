{#- How well an account does, from 0 to 1: status 35 %, device activity 25 %, devices online 20 %, paid bills 10 %, revenue 10 %. -#}
{% macro calculate_customer_health_score(subscription_status, device_events_30d, device_online_ratio, is_delinquent, mrr) -%}
    CAST(ROUND(
        0.35 * CASE {{ subscription_status }} WHEN 'active' THEN 1.0 WHEN 'trialing' THEN 0.7 WHEN 'past_due' THEN 0.3 ELSE 0.0 END
        + 0.0025 * LEAST(COALESCE({{ device_events_30d }}, 0), 100)
        + 0.20 * COALESCE({{ device_online_ratio }}, 0.0)
        + CASE WHEN COALESCE({{ is_delinquent }}, FALSE) THEN 0.0 ELSE 0.10 END
        + CASE WHEN COALESCE({{ mrr }}, 0) > 0 THEN 0.10 ELSE 0.0 END
    , 3) AS numeric(4, 3))
{%- endmacro %}

{#- How likely an account is to leave, from 0 to 1. One that has left has nothing more to lose: 1. -#}
{% macro calculate_churn_risk_score(subscription_status, device_events_30d, days_since_last_activity, is_delinquent, customer_health_score) -%}
    CAST(CASE
        WHEN {{ subscription_status }} IN ('canceled', 'none') THEN 1.0
        ELSE ROUND(
            0.50 * (1.0 - {{ customer_health_score }})
            + CASE
                WHEN {{ days_since_last_activity }} IS NULL OR {{ days_since_last_activity }} > {{ var('churn_lookback_days') }} THEN 0.25
                WHEN {{ days_since_last_activity }} > 30 THEN 0.15
                WHEN {{ days_since_last_activity }} > 7 THEN 0.05
                ELSE 0.0
            END
            + CASE WHEN COALESCE({{ device_events_30d }}, 0) = 0 THEN 0.10 ELSE 0.0 END
            + CASE WHEN COALESCE({{ is_delinquent }}, FALSE) THEN 0.15 ELSE 0.0 END
        , 3)
    END AS numeric(4, 3))
{%- endmacro %}

{#- What a subscription brings in per month, in currency units, whatever its billing rhythm. -#}
{% macro normalize_to_mrr(amount_cents, billing_interval, interval_count) -%}
    CASE {{ billing_interval }}
        WHEN 'month' THEN {{ shop.ratio(amount_cents, "100 * " ~ interval_count, 2) }}
        WHEN 'year' THEN {{ shop.ratio(amount_cents, "1200 * " ~ interval_count, 2) }}
        WHEN 'week' THEN {{ shop.ratio("52 * " ~ amount_cents, "1200 * " ~ interval_count, 2) }}
        WHEN 'day' THEN {{ shop.ratio("365 * " ~ amount_cents, "1200 * " ~ interval_count, 2) }}
    END
{%- endmacro %}
