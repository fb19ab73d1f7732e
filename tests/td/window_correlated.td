# Windows inside subqueries: the outer row is part of the partition.
source c(id bigint, state text) key id
source o(id bigint, c bigint, cents bigint) key id
model two_largest
  select c.id, x.id as o, x.n from c cross join lateral (select o.id, row_number() over (order by o.cents desc, o.id) as n from o where o.c = c.id) x where x.n <= 2
model largest_step
  select c.id, (select max(x.step) from (select o.cents - lag(o.cents) over (order by o.id) as step from o where o.c = c.id) x) as step from c
model grew_once
  select c.id from c where exists (select 1 from (select o.cents, lag(o.cents) over (order by o.id) as before from o where o.c = c.id) x where x.cents > x.before)
model numbered_by_payments
  select c.id, rank() over (partition by c.state order by (select count(*) from o where o.c = c.id) desc) as r from c
+ c 1 ny
+ c 2 ny
+ c 3 null
+ o 1 1 10
+ o 2 1 30
+ o 3 1 20
+ o 4 2 5
@ 1
= two_largest
  1 2 1
  1 3 2
  2 4 1
= largest_step
  1 20
  2 null
  3 null
= grew_once
  1
= numbered_by_payments
  1 1
  2 2
  3 1
+ o 5 2 6
+ o 6 3 1
- o 2 1 30
- c 3 null
+ c 3 ny
@ 2
= two_largest
  1 1 2
  1 3 1
  2 4 2
  2 5 1
  3 6 1
= largest_step
  1 10
  2 1
  3 null
= grew_once
  1
  2
= numbered_by_payments
  1 1
  2 1
  3 3
- c 1 ny
+ o 7 2 90
+ o 8 4 1
+ c 4 ca
@ 3
= two_largest
  2 5 2
  2 7 1
  3 6 1
  4 8 1
= largest_step
  2 84
  3 null
  4 null
= grew_once
  2
= numbered_by_payments
  2 1
  3 2
  4 1
