with ordered as (
    select customer_id, count(*) as orders, sum(items_total) as amount
    from {{ ref('order_checks') }}
    where status <> 'cancelled'
    group by customer_id
),
clicked as (
    select customer_id, count(*) as clicks, min(page) as first_page, max(clicked) as last_click from {{ ref('all_clicks') }} group by customer_id
)
select
    c.id,
    coalesce(c.nickname, c.name) as called,
    c.vip,
    extract(year from c.born)::integer as year,
    coalesce(o.orders, 0) as orders,
    coalesce(o.amount, 0) as amount,
    coalesce(k.clicks, 0) as clicks,
    k.first_page,
    k.last_click,
    rank() over (partition by c.vip order by coalesce(o.amount, 0) desc, c.id) as place
from {{ ref('all_customers') }} as c
left join ordered as o on o.customer_id = c.id
left join clicked as k on k.customer_id = c.id
