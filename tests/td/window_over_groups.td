# Windows over groups, after HAVING, over other windows, inside expressions, before DISTINCT.
source o(id bigint, c bigint, status text, cents bigint) key id
model by_customer
  select c, sum(cents) as cents, rank() over (order by sum(cents) desc) as r, sum(cents) * 100.0 / sum(sum(cents)) over () as share, count(*) over () as customers from o group by c having count(*) > 1
model streaks
  select c, status, count(*) as n from (select c, status, row_number() over (partition by c order by id) - row_number() over (partition by c, status order by id) as streak from o) x group by c, status, streak
model sums_of_ranks
  select id, sum(r) over (partition by status) as s from (select *, rank() over (partition by c order by cents) as r from o) x
model kinds
  select distinct c, case when count(*) over (partition by c) > 2 then 'many' else 'few' end as kind from o
model latest_of_each
  select distinct on (c) c, id, count(*) over (partition by status) as n from o order by c, count(*) over (partition by status) desc, id
+ o 1 1 new 100
+ o 2 1 new 200
+ o 3 2 new 50
+ o 4 2 paid 60
+ o 5 3 new 10
@ 1
= by_customer
  1 300 1 73.1707317073170732 2
  2 110 2 26.8292682926829268 2
= streaks
  1 new 2
  2 new 1
  2 paid 1
  3 new 1
= sums_of_ranks
  1 5
  2 5
  3 5
  4 2
  5 5
= kinds
  1 few
  2 few
  3 few
= latest_of_each
  1 1 4
  2 3 4
  3 5 4
+ o 6 3 new 900
+ o 7 1 paid 1
- o 4 2 paid 60
@ 2
= by_customer
  1 301 2 24.8554913294797688 2
  3 910 1 75.1445086705202312 2
= streaks
  1 new 2
  1 paid 1
  2 new 1
  3 new 2
= sums_of_ranks
  1 9
  2 9
  3 9
  5 9
  6 9
  7 1
= kinds
  1 many
  2 few
  3 few
= latest_of_each
  1 1 5
  2 3 5
  3 5 5
- o 2 1 new 200
+ o 2 1 paid 200
+ o 8 2 new 7
@ 3
= by_customer
  1 301 2 23.7381703470031546 3
  2 57 3 4.4952681388012618 3
  3 910 1 71.7665615141955836 3
= streaks
  1 new 1
  1 paid 2
  2 new 2
  3 new 2
= sums_of_ranks
  1 8
  2 4
  3 8
  5 8
  6 8
  7 4
  8 8
= kinds
  1 many
  2 few
  3 few
= latest_of_each
  1 1 5
  2 3 5
  3 5 5
