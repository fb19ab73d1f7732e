{#- Where a visit came from, by the referrer and the campaign tag of its first click. -#}
{% macro marketing_channel(referrer, campaign) -%}
    CASE
        WHEN {{ referrer }} = 'newsletter' THEN 'email'
        WHEN {{ referrer }} = 'google' AND {{ campaign }} IS NOT NULL THEN 'paid_search'
        WHEN {{ referrer }} IN ('facebook', 'instagram', 'linkedin') AND {{ campaign }} IS NOT NULL THEN 'paid_social'
        WHEN {{ referrer }} IN ('google', 'bing') THEN 'organic_search'
        WHEN {{ referrer }} IN ('facebook', 'instagram', 'linkedin') THEN 'organic_social'
        WHEN {{ referrer }} IS NOT NULL THEN 'referral'
        WHEN {{ campaign }} IS NOT NULL THEN 'campaign'
        ELSE 'direct'
    END
{%- endmacro %}
