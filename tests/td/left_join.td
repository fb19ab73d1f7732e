# A left join takes back its NULL row when a match comes, and gives it again when the match goes.
source orders(id bigint) key id
source payments(order_id bigint, cents bigint)
model paid_orders
  select o.id, p.cents from orders o left join payments p on p.order_id = o.id
+ orders 7
@ 1
= paid_orders
  7 null
+ payments 7 500
@ 2
~ paid_orders
  +1 7 500
  -1 7 null
+ payments 7 300
+ payments null 9
@ 3
= paid_orders
  7 300
  7 500
- payments 7 500
- payments 7 300
@ 4
= paid_orders
  7 null
- orders 7
@ 5
= paid_orders
