# What reads the clock moves with it, also when no row comes.
source orders(id bigint, customer bigint, placed date, paid_at timestamptz) key id
model ages
  select id, current_date - placed as days, now() as at, localtimestamp as local, now()::date as today
  from orders
model customers
  select customer, max(placed) as last_order, current_date - max(placed) as days_since_last_order
  from orders group by customer
model this_month
  select count(*) as orders, current_date as today from orders
  where date_trunc('month', placed) = date_trunc('month', current_date)
model fresh
  select customer, count(*) filter (where paid_at >= now() - interval '1 day') as paid_today
  from orders group by customer
model by_age
  select current_date - placed as age, count(*) as orders, (current_date - placed) + 1 as next
  from orders group by current_date - placed having current_date - placed < 30
model today
  select current_date as today, extract(isodow from current_date) as weekday
model late
  select o.id from orders o
  where not exists (select 1 from orders p where p.customer = o.customer and p.placed > current_date - 2)
model joined
  select a.id, b.id as recent from orders a
  left join orders b on b.id = a.id and b.placed + 1 >= current_date
model one_month
  select id from orders where placed > current_date - interval '1 month'
clock 2025-01-30 10:00
+ orders 1 7 2025-01-30 '2025-01-30 09:00+00'
+ orders 2 7 2025-01-28 '2025-01-29 09:30+00'
+ orders 3 8 2025-01-02 null
@ 1
= ages
  1 0 '2025-01-30 10:00:00+00' '2025-01-30 10:00:00' 2025-01-30
  2 2 '2025-01-30 10:00:00+00' '2025-01-30 10:00:00' 2025-01-30
  3 28 '2025-01-30 10:00:00+00' '2025-01-30 10:00:00' 2025-01-30
= customers
  7 2025-01-30 0
  8 2025-01-02 28
= this_month
  3 2025-01-30
= fresh
  7 1
  8 0
= by_age
  0 1 1
  2 1 3
  28 1 29
= today
  2025-01-30 4
= late
  3
= joined
  1 1
  2 null
  3 null
= one_month
  1
  2
  3
# A minute before midnight only the time of day has moved.
clock 2025-01-30 23:59
@ 2
~ ages
  +1 1 0 '2025-01-30 23:59:00+00' '2025-01-30 23:59:00' 2025-01-30
  +1 2 2 '2025-01-30 23:59:00+00' '2025-01-30 23:59:00' 2025-01-30
  +1 3 28 '2025-01-30 23:59:00+00' '2025-01-30 23:59:00' 2025-01-30
  -1 1 0 '2025-01-30 10:00:00+00' '2025-01-30 10:00:00' 2025-01-30
  -1 2 2 '2025-01-30 10:00:00+00' '2025-01-30 10:00:00' 2025-01-30
  -1 3 28 '2025-01-30 10:00:00+00' '2025-01-30 10:00:00' 2025-01-30
~ customers
~ this_month
~ fresh
~ today
~ joined
clock 2025-01-31 00:00
@ 3
~ ages
  +1 1 1 '2025-01-31 00:00:00+00' '2025-01-31 00:00:00' 2025-01-31
  +1 2 3 '2025-01-31 00:00:00+00' '2025-01-31 00:00:00' 2025-01-31
  +1 3 29 '2025-01-31 00:00:00+00' '2025-01-31 00:00:00' 2025-01-31
  -1 1 0 '2025-01-30 23:59:00+00' '2025-01-30 23:59:00' 2025-01-30
  -1 2 2 '2025-01-30 23:59:00+00' '2025-01-30 23:59:00' 2025-01-30
  -1 3 28 '2025-01-30 23:59:00+00' '2025-01-30 23:59:00' 2025-01-30
~ customers
  +1 7 2025-01-30 1
  +1 8 2025-01-02 29
  -1 7 2025-01-30 0
  -1 8 2025-01-02 28
~ by_age
  +1 1 1 2
  +1 29 1 30
  +1 3 1 4
  -1 0 1 1
  -1 2 1 3
  -1 28 1 29
~ late
~ joined
~ today
  +1 2025-01-31 5
  -1 2025-01-30 4
~ fresh
# A row and midnight in one epoch.
clock 2025-02-01 08:00
+ orders 4 8 2025-02-01 '2025-02-01 08:00+00'
@ 4
~ customers
  +1 7 2025-01-30 2
  +1 8 2025-02-01 0
  -1 7 2025-01-30 1
  -1 8 2025-01-02 29
~ this_month
  +1 1 2025-02-01
  -1 3 2025-01-31
~ late
  +1 1
  +1 2
  -1 3
~ joined
  +1 1 null
  +1 4 4
  -1 1 1
~ one_month
  +1 4
clock 2025-03-01 00:00
- orders 4 8 2025-02-01 '2025-02-01 08:00+00'
@ 5
= customers
  7 2025-01-30 30
  8 2025-01-02 58
= this_month
  0 2025-03-01
= by_age
= late
  1
  2
  3
= one_month
!
