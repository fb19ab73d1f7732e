select
    o.id,
    o.customer_id,
    o.status,
    o.total,
    length(o.note) as note_length,
    (o.details ->> 'visits')::integer as visits,
    count(i.line) as lines,
    coalesce(sum(i.price * i.quantity), 0) as items_total
from {{ ref('all_orders') }} as o
left join {{ ref('all_order_items') }} as i on i.order_id = o.id
group by o.id, o.customer_id, o.status, o.total, o.note, o.details
