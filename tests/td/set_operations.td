# UNION, EXCEPT and INTERSECT, with and without ALL.
source a(x int, y text)
source b(x int, y text)
model union_all
  select x, y from a union all select x, y from b
model union_distinct
  select x, y from a union select x, y from b
model except_distinct
  select x, y from a except select x, y from b
model except_all
  select x, y from a except all select x, y from b
model intersect_distinct
  select x, y from a intersect select x, y from b
model intersect_all
  select x, y from a intersect all select x, y from b
model distinct_rows
  select distinct y from a
+ a 1 one
+ a 1 one
+ a 2 two
+ a null null
+ b 1 one
+ b 3 three
+ b null null
@ 1
= union_all
  1 one
  1 one
  1 one
  2 two
  3 three
  null null
  null null
= union_distinct
  1 one
  2 two
  3 three
  null null
= except_distinct
  2 two
= except_all
  1 one
  2 two
= intersect_distinct
  1 one
  null null
= intersect_all
  1 one
  null null
= distinct_rows
  null
  one
  two
+ b 1 one
- b null null
@ 2
~ union_all
  +1 1 one
  -1 null null
~ union_distinct
~ except_distinct
  +1 null null
~ except_all
  +1 null null
  -1 1 one
~ intersect_distinct
  -1 null null
~ intersect_all
  +1 1 one
  -1 null null
- a 1 one
- a 1 one
@ 3
= union_all
  1 one
  1 one
  2 two
  3 three
  null null
= union_distinct
  1 one
  2 two
  3 three
  null null
= except_distinct
  2 two
  null null
= except_all
  2 two
  null null
= intersect_distinct
= intersect_all
= distinct_rows
  null
  two
