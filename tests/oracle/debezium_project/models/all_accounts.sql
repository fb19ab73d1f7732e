select id, branch, opening, balance, opened from {{ source('raw', 'accounts') }}
