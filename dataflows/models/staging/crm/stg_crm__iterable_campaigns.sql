SELECT
    campaign_id,
    campaign_name,
    COALESCE(channel, 'email') AS channel,
    sent_at
FROM {{ source('crm', 'iterable_campaigns') }}
