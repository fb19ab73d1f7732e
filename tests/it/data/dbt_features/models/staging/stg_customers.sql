{#- a comment
    over two lines -#}
with source as (

    select * from {{ source('raw', 'customers') }}

)

select
    id as customer_id,
    lower(email) as email,
    '{{ var("region") }}' as region,
    {{ toolbox.surrogate_key(['id', 'email']) }} as customer_key
from source;
