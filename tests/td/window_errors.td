# A row whose argument fails leaves its partition with an error, and comes back when it is corrected.
source p(id bigint, k text, v bigint) key id
model ratios
  select id, sum(10 / v) over (partition by k order by id) as s, count(*) over (partition by k) as n from p
model positions
  select id, lag(v) over (partition by k order by 10 / v, id) as before from p
+ p 1 a 2
+ p 2 a 0
+ p 3 a 5
@ 1
= ratios
  1 5 2
  3 7 2
= positions
  1 5
  3 null
!
  positions division by zero
  ratios division by zero
- p 2 a 0
+ p 2 a 1
@ 2
= ratios
  1 5 3
  2 15 3
  3 17 3
= positions
  1 5
  2 2
  3 null
!
+ p 4 b 0
- p 1 a 2
+ p 1 a 0
@ 3
= ratios
  2 10 2
  3 12 2
= positions
  2 5
  3 null
!
  positions division by zero
  positions division by zero
  ratios division by zero
  ratios division by zero
- p 1 a 0
- p 4 b 0
@ 4
= ratios
  2 10 2
  3 12 2
= positions
  2 5
  3 null
!
