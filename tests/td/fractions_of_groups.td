# Percentiles whose fraction is decided by the group: a grouping column, an expression over such columns, an array of them.
source p(id bigint, g text, q double precision, x numeric(10,2), label text) key id
model by_column
  select g, q, percentile_cont(q) within group (order by x) as c, percentile_disc(q) within group (order by label) as d, percentile_disc(q) within group (order by x desc) as e from p group by g, q
model by_expression
  select q, percentile_cont(1 - q) within group (order by x) as c, percentile_cont(array[0, q, 1]) within group (order by x) as several, percentile_disc(q / 2) within group (order by x) filter (where x > 1) as half, percentile_cont(0.5) within group (order by x) as middle, max(x) as most from p group by q
model of_an_expression
  select length(g) as l, percentile_disc(length(g) / 4.0) within group (order by id) as d from p group by length(g)
@ 0
+ p 1 a 0.5 1.00 x
+ p 2 a 0.5 2.00 y
+ p 3 a 0.25 4.50 z
+ p 4 bb 0.5 null null
+ p 5 bb null 3.00 w
+ p 6 bb 0.25 8.00 q
@ 1
= by_column
  a 0.25 4.5 z 4.50
  a 0.5 1.5 x 2.00
  bb 0.25 8 q 8.00
  bb 0.5 null null null
  bb null null null null
= by_expression
  0.25 7.125 {4.5,5.375,8} 4.50 6.25 8.00
  0.5 1.5 {1,1.5,2} 2.00 1.5 2.00
  null null {3,NULL,3} null 3 3.00
= of_an_expression
  1 1
  2 5
!
+ p 7 a 0.5 7.25 a
+ p 8 bb 0.5 0.75 null
- p 3 a 0.25 4.50 z
+ p 9 a 1 6.00 m
+ p 10 a 1 5.00 n
@ 2
~ by_column
  +1 a 0.5 2 x 2.00
  +1 a 1 6 n 5.00
  +1 bb 0.5 0.75 null 0.75
  -1 a 0.25 4.5 z 4.50
  -1 a 0.5 1.5 x 2.00
  -1 bb 0.5 null null null
~ by_expression
  +1 0.25 8 {8,8,8} 8.00 8 8.00
  +1 0.5 1.5 {0.75,1.5,7.25} 2.00 1.5 7.25
  +1 1 5 {5,6,6} 5.00 5.5 6.00
  -1 0.25 7.125 {4.5,5.375,8} 4.50 6.25 8.00
  -1 0.5 1.5 {1,1.5,2} 2.00 1.5 2.00
~ of_an_expression
  +1 1 2
  -1 1 1
!
+ p 11 bb 1.5 1.00 b
@ 3
~ by_column
~ by_expression
!
  by_column percentile value 1.5 is not between 0 and 1
  by_expression percentile value -0.5 is not between 0 and 1
- p 11 bb 1.5 1.00 b
- p 7 a 0.5 7.25 a
@ 4
~ by_column
  +1 a 0.5 1.5 x 2.00
  -1 a 0.5 2 x 2.00
~ by_expression
  +1 0.5 1 {0.75,1,2} 2.00 1 2.00
  -1 0.5 1.5 {0.75,1.5,7.25} 2.00 1.5 7.25
~ of_an_expression
  +1 1 1
  +1 2 5
  -1 1 2
  -1 2 6
!
