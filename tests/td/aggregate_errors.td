# A failing argument, order term or filter drops its row from the group; a failing result drops the group. Both heal.
source p(id bigint, c text, a bigint, b bigint, f double precision, k text) key id
model arguments
  select c, max(a / b) as most, count(*) as rows, sum(a) as total from p group by c
model order_terms
  select c, array_agg(id order by a / b) as ids from p group by c
model filters
  select c, min(id) filter (where a / b > 1) as least, string_agg(k, ',') as keys from p group by c
model results
  select c, json_object_agg(k, a order by id) as o, count(*) as rows from p group by c
model overflows
  select c, var_pop(f) as v from p group by c
model finals
  select c, 10 / (max(a) - min(a)) as spread from p group by c
+ p 1 x 10 5 1 k
+ p 2 x 20 0 2 l
+ p 3 y 7 1 3 null
@ 1
= arguments
  x 2 1 10
  y 7 1 7
= order_terms
  x {1}
  y {3}
= filters
  x 1 k
  y 3 null
= results
  x '{ "k" : 10, "l" : 20 }' 2
= overflows
  x 0.25
  y 0
= finals
  x 1
!
  arguments division by zero
  filters division by zero
  finals division by zero
  order_terms division by zero
  results field name must not be null
- p 2 x 20 0 2 l
+ p 2 x 20 4 1e300 l
- p 3 y 7 1 3 null
+ p 3 y 7 0 3 m
@ 2
~ arguments
  +1 x 5 2 30
  -1 x 2 1 10
  -1 y 7 1 7
~ order_terms
  +1 x {1,2}
  -1 x {1}
  -1 y {3}
~ filters
  +1 x 1 k,l
  -1 x 1 k
  -1 y 3 null
~ results
  +1 y '{ "m" : 7 }' 1
~ overflows
  -1 x 0.25
~ finals
!
  arguments division by zero
  filters division by zero
  finals division by zero
  order_terms division by zero
  overflows value out of range: overflow
- p 2 x 20 4 1e300 l
- p 3 y 7 0 3 m
@ 3
= arguments
  x 2 1 10
= order_terms
  x {1}
= filters
  x 1 k
= results
  x '{ "k" : 10 }' 1
= overflows
  x 0
= finals
!
  finals division by zero
