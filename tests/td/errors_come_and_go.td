# A failing expression sets its row aside; the corrected row takes the error back. Other rows are not touched.
source p(id bigint, cents bigint, parts bigint, label text) key id
model shares
  select id, cents / parts as share from p
model labels
  select id, cast(label as int) as n from p where id < 100
model filtered
  select id from p where cents / parts > 10
model grouped
  select id % 2 as half, sum(cents / parts) as total from p group by id % 2
model having_fails
  select id % 2 as half, count(*) as n from p group by id % 2 having 10 / (sum(parts) - 4) > 0
model joined
  select a.id, b.cents / a.parts as share from p a left join p b on a.id = b.id
+ p 1 100 4 12
+ p 2 100 0 x
+ p 3 50 0 null
@ 1
= shares
  1 25
= labels
  1 12
  3 null
= filtered
  1
= grouped
  1 25
= having_fails
= joined
  1 25
!
  filtered division by zero
  filtered division by zero
  grouped division by zero
  grouped division by zero
  having_fails division by zero
  joined division by zero
  joined division by zero
  labels invalid input syntax for type integer: "x"
  shares division by zero
  shares division by zero
- p 2 100 0 x
+ p 2 100 5 7
@ 2
~ shares
  +1 2 20
~ labels
  +1 2 7
~ filtered
  +1 2
~ grouped
  +1 0 20
~ having_fails
  +1 0 1
~ joined
  +1 2 20
!
  filtered division by zero
  grouped division by zero
  having_fails division by zero
  joined division by zero
  shares division by zero
- p 3 50 0 null
@ 3
= shares
  1 25
  2 20
= having_fails
  0 1
!
  having_fails division by zero
