# Scalar and correlated subqueries wherever they stand.
source c(id bigint, name text) key id
source o(id bigint, c bigint, amount numeric(12,2)) key id
model above_average
  select id, amount from o where amount > (select avg(amount) from o)
model with_total
  select c.name, (select sum(o.amount) from o where o.c = c.id) as total, (select count(*) from o where o.c = c.id) as n from c
model has_order
  select c.name, exists (select 1 from o where o.c = c.id) as has from c
model share
  select o.id, o.amount / t.total as share from o cross join (select sum(amount) as total from o) t
+ c 1 ada
+ c 2 bob
+ o 1 1 10
+ o 2 1 30
@ 1
= above_average
  2 30.00
= with_total
  ada 40.00 2
  bob null 0
= has_order
  ada t
  bob f
= share
  1 0.25000000000000000000
  2 0.75000000000000000000
+ o 3 2 20.5
@ 2
~ above_average
  +1 3 20.50
~ with_total
  +1 bob 20.50 1
  -1 bob null 0
~ has_order
  +1 bob t
  -1 bob f
~ share
  +1 1 0.16528925619834710744
  +1 2 0.49586776859504132231
  +1 3 0.33884297520661157025
  -1 1 0.25000000000000000000
  -1 2 0.75000000000000000000
- o 1 1 10
- o 2 1 30
- o 3 2 20.5
@ 3
= above_average
= with_total
  ada null 0
  bob null 0
= has_order
  ada f
  bob f
= share
