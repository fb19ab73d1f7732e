select id, customer_id, status, total, placed, note, details from {{ source('raw', 'orders') }}
