select id, 2 as two from {{ ref('dim', v=1) }} union all select x, 1 from {{ ref('prices') }}
