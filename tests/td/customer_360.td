# An order with three items counts three times; a customer without orders has NULLs, and the first order takes them back.
source customers(customer_id bigint, email text) key customer_id
source orders(order_id bigint, customer_id bigint) key order_id
source items(order_id bigint, line_no bigint, price numeric(12,2), quantity bigint) key order_id, line_no
source payments(id bigint, customer_id bigint, amount numeric(12,2), status text) key id
model customer_orders
  with joined as (
    select o.customer_id, count(o.order_id) as total_orders, sum(i.price * i.quantity) as total_spent
    from orders o left join items i on o.order_id = i.order_id group by o.customer_id
  )
  select c.customer_id, lower(c.email) as email, j.total_orders, j.total_spent from customers c left join joined j on c.customer_id = j.customer_id
model mart
  with p as (select customer_id, sum(amount) as total_payments from payments where status = 'completed' group by customer_id)
  select co.customer_id, co.email, co.total_orders, co.total_spent, p.total_payments from customer_orders co left join p on co.customer_id = p.customer_id
+ customers 1 Ada@X.io
+ customers 2 Bob@X.io
@ 1
= mart
  1 ada@x.io null null null
  2 bob@x.io null null null
+ orders 10 1
@ 2
~ mart
  +1 1 ada@x.io 1 null null
  -1 1 ada@x.io null null null
+ items 10 1 2.50 2
+ items 10 2 1.00 1
+ items 10 3 0.10 3
+ payments 1 1 6.30 pending
@ 3
~ mart
  +1 1 ada@x.io 3 6.30 null
  -1 1 ada@x.io 1 null null
- payments 1 1 6.30 pending
+ payments 1 1 6.30 completed
+ payments 2 2 1.00 completed
@ 4
~ mart
  +1 1 ada@x.io 3 6.30 6.30
  +1 2 bob@x.io null null 1.00
  -1 1 ada@x.io 3 6.30 null
  -1 2 bob@x.io null null null
- customers 2 Bob@X.io
- orders 10 1
- items 10 1 2.50 2
- items 10 2 1.00 1
- items 10 3 0.10 3
@ 5
= customer_orders
  1 ada@x.io null null
= mart
  1 ada@x.io null null 6.30
