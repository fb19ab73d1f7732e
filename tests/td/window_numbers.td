# Numbers within a partition: rows come in front, change their order term, change their partition, and go.
source p(id bigint, k text, v bigint) key id
model numbers
  select id, row_number() over w as n, rank() over w as r, dense_rank() over w as d from p window w as (partition by k order by v desc nulls last, id)
model with_ties
  select id, rank() over w as r, dense_rank() over w as d, percent_rank() over w as p, cume_dist() over w as c from p window w as (partition by k order by v nulls first)
model buckets
  select id, ntile(2) over (partition by k order by v, id) as half, ntile(3) over (order by id desc) as third from p
+ p 1 a 10
+ p 2 a 10
+ p 3 a 30
+ p 4 b null
+ p 5 null 5
@ 1
= numbers
  1 2 2 2
  2 3 3 3
  3 1 1 1
  4 1 1 1
  5 1 1 1
= with_ties
  1 1 1 0 0.6666666666666666
  2 1 1 0 0.6666666666666666
  3 3 2 1 1
  4 1 1 0 1
  5 1 1 0 1
= buckets
  1 1 3
  2 1 2
  3 2 2
  4 1 1
  5 1 1
+ p 6 a 40
+ p 7 null null
- p 3 a 30
+ p 3 a 5
@ 2
= numbers
  1 2 2 2
  2 3 3 3
  3 4 4 4
  4 1 1 1
  5 1 1 1
  6 1 1 1
  7 2 2 2
= with_ties
  1 2 2 0.3333333333333333 0.75
  2 2 2 0.3333333333333333 0.75
  3 1 1 0 0.25
  4 1 1 0 1
  5 2 2 1 1
  6 4 3 1 1
  7 1 1 0 0.5
= buckets
  1 1 3
  2 2 3
  3 1 2
  4 1 2
  5 1 1
  6 2 1
  7 2 1
- p 1 a 10
+ p 1 b 10
- p 5 null 5
@ 3
= numbers
  1 1 1 1
  2 2 2 2
  3 3 3 3
  4 2 2 2
  6 1 1 1
  7 1 1 1
= with_ties
  1 2 2 1 1
  2 2 2 0.5 0.6666666666666666
  3 1 1 0 0.3333333333333333
  4 1 1 0 0.5
  6 3 3 1 1
  7 1 1 0 1
= buckets
  1 1 3
  2 1 3
  3 1 2
  4 2 2
  6 2 1
  7 1 1
- p 1 b 10
- p 2 a 10
- p 3 a 5
- p 6 a 40
@ 4
= numbers
  4 1 1 1
  7 1 1 1
= with_ties
  4 1 1 0 1
  7 1 1 0 1
= buckets
  4 1 2
  7 1 1
