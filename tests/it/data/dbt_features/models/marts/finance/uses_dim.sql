select * from {{ ref('dim') }} join {{ ref('dim', version=1) }} using (id)
