# The same joins in other words: USING, NATURAL, self joins, LATERAL, conditions with OR, and subqueries whose rows are compared.
source a(id bigint, k bigint, v bigint)
source b(id bigint, k bigint, w bigint)
model natural
  select * from a natural join b
model using_full
  select id, k, v, w from a full join b using (id, k)
model self_join
  select x.id as x, y.id as y from a x join a y on y.k = x.k and y.id > x.id
model lateral_last
  select a.id, l.w from a left join lateral (select b.w from b where b.k = a.k and b.w <= a.v order by b.w desc limit 1) l on true
model lateral_sum
  select a.id, l.total from a cross join lateral (select sum(b.w) as total from b where b.w < a.v) l
model either
  select a.id as a, b.id as b from a join b on a.id = b.id or a.k = b.k
model either_left
  select a.id as a, b.id as b from a left join b on a.id = b.id or (a.k = b.k and a.v > b.w)
model either_full
  select a.id as a, b.id as b from a full join b on a.id = b.id or a.k = b.k
model not_either
  select a.id from a where not exists (select 1 from b where b.id = a.id or b.k = a.k)
model not_in
  select id from a where k not in (select k from b)
model not_in_correlated
  select id from a where k not in (select b.k from b where b.w > a.v)
model in_or_null
  select id, k in (select k from b) as found from a
model except_all
  select k from a except all select k from b
model intersect_all
  select k from a intersect all select k from b
model except_distinct
  select k from a except select k from b
model intersect_distinct
  select k from a intersect select k from b
model more_than
  select id, (select count(*) from b where b.w < a.v) as below, (select max(w) from b where b.w < a.v) as highest from a
model values_beside
  select a.id, x.low from a join (values (0, 5), (5, 10)) as x(low, high) on a.v >= x.low and a.v < x.high
+ a 1 1 3
+ a 2 1 7
+ a 3 2 null
+ a 3 2 null
+ a 4 null 5
+ b 1 1 2
+ b 5 1 6
+ b 6 2 1
@ 1
= natural
  1 1 3 2
= using_full
  1 1 3 2
  2 1 7 null
  3 2 null null
  3 2 null null
  4 null 5 null
  5 1 null 6
  6 2 null 1
= self_join
  1 2
= lateral_last
  1 2
  2 6
  3 null
  3 null
  4 null
= lateral_sum
  1 3
  2 9
  3 null
  3 null
  4 3
= either
  1 1
  1 5
  2 1
  2 5
  3 6
  3 6
= either_left
  1 1
  2 1
  2 5
  3 null
  3 null
  4 null
= either_full
  1 1
  1 5
  2 1
  2 5
  3 6
  3 6
  4 null
= not_either
  4
= not_in
= not_in_correlated
  2
  3
  3
= in_or_null
  1 t
  2 t
  3 t
  3 t
  4 null
= except_all
  2
  null
= intersect_all
  1
  1
  2
= except_distinct
  null
= intersect_distinct
  1
  2
= more_than
  1 2 2
  2 3 6
  3 0 null
  3 0 null
  4 2 2
= values_beside
  1 0
  2 5
  4 5
+ b 3 null 9
- b 6 2 1
+ a 5 3 6
@ 2
~ natural
~ using_full
  +1 3 null null 9
  +1 5 3 6 null
  -1 6 2 null 1
~ lateral_last
  +1 5 null
~ lateral_sum
  +1 1 2
  +1 2 8
  +1 4 2
  +1 5 2
  -1 1 3
  -1 2 9
  -1 4 3
~ either
  +1 5 5
  +2 3 3
  -2 3 6
~ either_left
  +1 5 5
  +2 3 3
  -2 3 null
~ either_full
  +1 5 5
  +2 3 3
  -2 3 6
~ not_either
~ not_in
~ not_in_correlated
  -1 2
~ in_or_null
  +1 5 null
  +2 3 null
  -2 3 t
~ except_all
  +1 2
  +1 3
  -1 null
~ intersect_all
  +1 null
  -1 2
~ except_distinct
  +1 2
  +1 3
  -1 null
~ intersect_distinct
  +1 null
  -1 2
~ more_than
  +1 1 1 2
  +1 2 2 6
  +1 4 1 2
  +1 5 1 2
  -1 1 2 2
  -1 2 3 6
  -1 4 2 2
~ values_beside
  +1 5 5
- b 1 1 2
- b 5 1 6
- b 3 null 9
@ 3
= using_full
  1 1 3 null
  2 1 7 null
  3 2 null null
  3 2 null null
  4 null 5 null
  5 3 6 null
= lateral_last
  1 null
  2 null
  3 null
  3 null
  4 null
  5 null
= either_left
  1 null
  2 null
  3 null
  3 null
  4 null
  5 null
= either_full
  1 null
  2 null
  3 null
  3 null
  4 null
  5 null
= not_either
  1
  2
  3
  3
  4
  5
= not_in
  1
  2
  3
  3
  4
  5
= not_in_correlated
  1
  2
  3
  3
  4
  5
= in_or_null
  1 f
  2 f
  3 f
  3 f
  4 f
  5 f
= more_than
  1 0 null
  2 0 null
  3 0 null
  3 0 null
  4 0 null
  5 0 null
