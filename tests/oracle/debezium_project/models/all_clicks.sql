select customer_id, page, clicked from {{ source('raw', 'clicks') }}
