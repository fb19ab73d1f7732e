# A condition beyond the key decides which rows found a match.
source a(id bigint, k bigint, least bigint)
source b(k bigint, v bigint)
model left_join
  select a.id, b.v from a left join b on a.k = b.k and b.v >= a.least
model full_join
  select a.id, b.k, b.v from a full join b on a.k = b.k and b.v >= a.least
model semi_join
  select a.id from a where exists (select 1 from b where b.k = a.k and b.v >= a.least)
model anti_join
  select a.id from a where not exists (select 1 from b where b.k = a.k and b.v >= a.least)
+ a 1 1 5
+ a 1 1 5
+ a 2 1 50
+ a 3 2 0
+ b 1 10
@ 1
= left_join
  1 10
  1 10
  2 null
  3 null
= full_join
  1 1 10
  1 1 10
  2 null null
  3 null null
= semi_join
  1
  1
= anti_join
  2
  3
+ b 1 60
+ b 2 null
@ 2
~ left_join
  +1 2 60
  +2 1 60
  -1 2 null
~ full_join
  +1 2 1 60
  +1 null 2 null
  +2 1 1 60
  -1 2 null null
~ semi_join
  +1 2
~ anti_join
  -1 2
- b 1 10
- b 1 60
@ 3
= left_join
  1 null
  1 null
  2 null
  3 null
= full_join
  1 null null
  1 null null
  2 null null
  3 null null
  null 2 null
= semi_join
= anti_join
  1
  1
  2
  3
