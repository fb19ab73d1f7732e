select broken from {{ ref('does_not_exist') }}
