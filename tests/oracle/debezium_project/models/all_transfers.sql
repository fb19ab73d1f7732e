select id, from_id, to_id, amount, made from {{ source('raw', 'transfers') }}
