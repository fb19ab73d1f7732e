select * from {{ ref('revenue') }} order by 2 desc limit 10
