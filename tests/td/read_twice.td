# A window over a join that is read by a grouping and, below its projection, by another join: it is held once, and fails once.
source o(id bigint, customer bigint, amount bigint) key id
source s(customer bigint, page text, at bigint)
model touches
  with joined as (
    select o.id, o.customer, o.amount, s.page, s.at from o join s on o.customer = s.customer and s.at <= o.id and s.at > o.id - 10
  ), numbered as (
    select *, row_number() over (partition by id order by at, page) as n, count(*) over (partition by id) as many from joined
  )
  select page, id, n = 1 as is_first, amount / many as part, 100 / at as each from numbered
model by_page
  select page, count(*) as touches, sum(part) as parts from touches group by page
model untouched
  select count(*) as orders from o left join (select distinct id from touches) t on o.id = t.id where t.id is null
model beside
  select o.id, t.page, t.each from o left join touches t on t.id = o.id and t.is_first
+ o 1 7 100
+ o 2 7 50
+ o 12 8 10
+ s 7 a 1
+ s 7 b 2
+ s 8 a 0
+ s 8 a 5
@ 1
= touches
  a 1 t 100 100
  a 12 t 10 20
  a 2 t 25 100
  b 2 f 25 50
= by_page
  a 3 135
  b 1 25
= untouched
  0
= beside
  1 a 100
  12 a 20
  2 a 100
!
- o 2 7 50
+ s 8 b 0
- s 8 a 5
+ o 9 8 30
@ 2
~ touches
  -1 a 12 t 10 20
  -1 a 2 t 25 100
  -1 b 2 f 25 50
~ by_page
  +1 a 1 100
  -1 a 3 135
  -1 b 1 25
~ untouched
  +1 2
  -1 0
~ beside
  +1 12 null null
  +1 9 null null
  -1 12 a 20
  -1 2 a 100
!
  touches division by zero
  touches division by zero
- o 9 8 30
- s 8 b 0
- s 8 a 0
@ 3
= touches
  a 1 t 100 100
= by_page
  a 1 100
= untouched
  1
= beside
  1 a 100
  12 null null
!
