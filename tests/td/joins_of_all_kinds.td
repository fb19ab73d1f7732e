# Every kind of equi-join over keys that come, go, repeat and are NULL.
source a(id bigint, k bigint, x text)
source b(k bigint, y text)
model inner_join
  select a.id, a.x, b.y from a join b on a.k = b.k
model left_join
  select a.id, a.x, b.y from a left join b on a.k = b.k
model right_join
  select a.id, a.x, b.y from a right join b on a.k = b.k
model full_join
  select a.id, a.x, b.y from a full join b on a.k = b.k
model semi_join
  select a.id, a.x from a where exists (select 1 from b where b.k = a.k)
model anti_join
  select a.id, a.x from a where not exists (select 1 from b where b.k = a.k)
model in_list
  select a.id from a where a.k in (select k from b)
model not_in
  select a.id from a where a.k not in (select k from b)
+ a 1 10 one
+ a 2 10 two
+ a 3 null three
+ a 4 40 four
+ b 10 ten
+ b 50 fifty
@ 1
= inner_join
  1 one ten
  2 two ten
= left_join
  1 one ten
  2 two ten
  3 three null
  4 four null
= right_join
  1 one ten
  2 two ten
  null null fifty
= full_join
  1 one ten
  2 two ten
  3 three null
  4 four null
  null null fifty
= semi_join
  1 one
  2 two
= anti_join
  3 three
  4 four
= in_list
  1
  2
= not_in
  4
+ b 10 zehn
+ b null nothing
- b 50 fifty
@ 2
~ inner_join
  +1 1 one zehn
  +1 2 two zehn
~ left_join
  +1 1 one zehn
  +1 2 two zehn
~ right_join
  +1 1 one zehn
  +1 2 two zehn
  +1 null null nothing
  -1 null null fifty
~ full_join
  +1 1 one zehn
  +1 2 two zehn
  +1 null null nothing
  -1 null null fifty
~ semi_join
~ anti_join
~ in_list
~ not_in
  -1 4
- b 10 ten
- b 10 zehn
- a 1 10 one
@ 3
~ inner_join
  -1 1 one ten
  -1 1 one zehn
  -1 2 two ten
  -1 2 two zehn
~ left_join
  +1 2 two null
  -1 1 one ten
  -1 1 one zehn
  -1 2 two ten
  -1 2 two zehn
~ right_join
  -1 1 one ten
  -1 1 one zehn
  -1 2 two ten
  -1 2 two zehn
~ full_join
  +1 2 two null
  -1 1 one ten
  -1 1 one zehn
  -1 2 two ten
  -1 2 two zehn
~ semi_join
  -1 1 one
  -1 2 two
~ anti_join
  +1 2 two
~ in_list
  -1 1
  -1 2
~ not_in
- b null nothing
+ a 4 40 four
+ b 40 vierzig
@ 4
= inner_join
  4 four vierzig
  4 four vierzig
= left_join
  2 two null
  3 three null
  4 four vierzig
  4 four vierzig
= right_join
  4 four vierzig
  4 four vierzig
= full_join
  2 two null
  3 three null
  4 four vierzig
  4 four vierzig
= semi_join
  4 four
  4 four
= anti_join
  2 two
  3 three
= in_list
  4
  4
= not_in
  2
