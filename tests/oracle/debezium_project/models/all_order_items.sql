select order_id, line, product, price, quantity from {{ source('raw', 'order_items') }}
