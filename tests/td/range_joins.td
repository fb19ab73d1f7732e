# Joins by order: a point within the other side's span, one inequality, with and without an equal key.
source a(id bigint, k bigint, at bigint)
source b(id bigint, k bigint, low bigint, high bigint)
model within
  select a.id as a, b.id as b from a join b on a.k = b.k and a.at between b.low and b.high
model within_left
  select a.id as a, b.id as b from a left join b on a.k = b.k and a.at >= b.low and a.at < b.high
model within_right
  select a.id as a, b.id as b from a right join b on a.k = b.k and a.at >= b.low and a.at < b.high
model within_full
  select a.id as a, b.id as b from a full join b on a.k = b.k and a.at > b.low and a.at < b.high and a.id <> b.id
model around
  select a.id from a where exists (select 1 from b where b.k = a.k and b.low <= a.at and a.at <= b.high)
model outside
  select a.id from a where not exists (select 1 from b where b.k = a.k and b.low <= a.at and a.at <= b.high)
model no_key
  select a.id as a, b.id as b from a join b on a.at < b.low
model no_key_left
  select b.id as b, a.id as a from b left join a on a.at > b.low and a.at <= b.high
model any_condition
  select a.id as a, b.id as b from a left join b on a.at % 2 = b.low % 2
model every_pair
  select a.id as a, b.id as b from a cross join b
model earlier
  select a.id, count(e.id) as earlier from a left join a e on e.k = a.k and e.at < a.at group by a.id
model sum_before
  select a.id, (select sum(e.at) from a e where e.k = a.k and e.at <= a.at) as total from a
+ a 1 1 10
+ a 2 1 20
+ a 3 2 10
+ a 4 null 10
+ a 5 1 null
+ b 1 1 10 20
+ b 2 1 15 30
+ b 3 2 50 60
+ b 4 null 0 100
+ b 5 1 null 100
@ 1
= within
  1 1
  2 1
  2 2
= within_left
  1 1
  2 2
  3 null
  4 null
  5 null
= within_right
  1 1
  2 2
  null 3
  null 4
  null 5
= within_full
  1 null
  2 null
  3 null
  4 null
  5 null
  null 1
  null 2
  null 3
  null 4
  null 5
= around
  1
  2
= outside
  3
  4
  5
= no_key
  1 2
  1 3
  2 3
  3 2
  3 3
  4 2
  4 3
= no_key_left
  1 2
  2 2
  3 null
  4 1
  4 2
  4 3
  4 4
  5 null
= any_condition
  1 1
  1 3
  1 4
  2 1
  2 3
  2 4
  3 1
  3 3
  3 4
  4 1
  4 3
  4 4
  5 null
= every_pair
  1 1
  1 2
  1 3
  1 4
  1 5
  2 1
  2 2
  2 3
  2 4
  2 5
  3 1
  3 2
  3 3
  3 4
  3 5
  4 1
  4 2
  4 3
  4 4
  4 5
  5 1
  5 2
  5 3
  5 4
  5 5
= earlier
  1 0
  2 1
  3 0
  4 0
  5 0
= sum_before
  1 10
  2 30
  3 10
  4 null
  5 null
+ b 3 2 50 60
- b 2 1 15 30
+ a 2 1 20
+ a 6 2 55
@ 2
~ within
  +1 2 1
  +2 6 3
  -1 2 2
~ within_left
  +2 2 null
  +2 6 3
  -1 2 2
~ within_right
  +2 6 3
  -1 2 2
  -1 null 3
~ within_full
  +1 2 null
  +2 6 3
  -1 null 2
  -1 null 3
~ around
  +1 2
  +1 6
~ outside
~ no_key
  +1 1 3
  +1 3 3
  +1 4 3
  +3 2 3
  -1 1 2
  -1 3 2
  -1 4 2
~ no_key_left
  +1 1 2
  +1 4 2
  +1 4 6
  +2 3 6
  -1 2 2
  -1 3 null
~ any_condition
  +1 1 3
  +1 2 1
  +1 2 4
  +1 3 3
  +1 4 3
  +1 6 null
  +3 2 3
~ earlier
  +1 2 2
  +1 6 1
  -1 2 1
~ sum_before
  +1 6 65
  +2 2 50
  -1 2 30
- a 2 1 20
- a 2 1 20
- b 3 2 50 60
+ b 2 1 20 20
@ 3
~ within
  -1 6 3
  -2 2 1
~ within_left
  -1 6 3
  -2 2 null
~ within_right
  +1 null 2
  -1 6 3
~ within_full
  +1 null 2
  -1 6 3
  -2 2 null
~ around
  -2 2
~ outside
= no_key
  1 2
  1 3
  3 2
  3 3
  4 2
  4 3
= no_key_left
  1 null
  2 null
  3 6
  4 1
  4 3
  4 4
  4 6
  5 null
= earlier
  1 0
  3 0
  4 0
  5 0
  6 1
= sum_before
  1 10
  3 10
  4 null
  5 null
  6 65
- b 1 1 10 20
- b 2 1 20 20
- b 3 2 50 60
- b 4 null 0 100
- b 5 1 null 100
@ 4
= within
= within_left
  1 null
  3 null
  4 null
  5 null
  6 null
= within_right
= within_full
  1 null
  3 null
  4 null
  5 null
  6 null
= around
= outside
  1
  3
  4
  5
  6
= no_key_left
