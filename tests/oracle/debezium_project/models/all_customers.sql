select id, name, vip, born, rating, code, nickname from {{ source('raw', 'customers') }}
