select id from {{ source('raw', 'markers') }}
