# The row before, the row after, the ends of the frame.
source o(id bigint, c bigint, at timestamp, cents bigint) key id
model gaps
  select id, at - lag(at) over w as gap, lag(cents, 2, 0) over w as before, lead(id) over w as next from o window w as (partition by c order by at, id)
model ends
  select id, first_value(id) over w as first, last_value(id) over w as last, nth_value(id, 2) over w as second, last_value(id) over (w rows between unbounded preceding and unbounded following) as latest from o window w as (partition by c order by at, id)
model near
  select id, first_value(cents) over (w rows between 1 preceding and 1 following) as a, nth_value(cents, 3) over (w rows between 1 preceding and 1 following) as b from o window w as (order by at desc, id)
+ o 1 1 '2024-01-01 10:00:00' 100
+ o 2 1 '2024-01-03 12:00:00' 200
+ o 3 1 '2024-01-02 00:00:00' 300
+ o 4 2 '2024-01-02 00:00:00' 400
@ 1
= gaps
  1 null 0 3
  2 '1 day 12:00:00' 100 null
  3 14:00:00 0 2
  4 null 0 null
= ends
  1 1 1 null 2
  2 1 2 3 2
  3 1 3 3 2
  4 4 4 null 4
= near
  1 400 null
  2 200 null
  3 200 400
  4 300 100
+ o 5 1 '2023-12-31 00:00:00' null
- o 2 1 '2024-01-03 12:00:00' 200
+ o 2 1 '2024-01-01 09:00:00' 250
@ 2
= gaps
  1 01:00:00 null 3
  2 '1 day 09:00:00' 0 1
  3 14:00:00 250 null
  4 null 0 null
  5 null 0 2
= ends
  1 5 1 2 3
  2 5 2 2 3
  3 5 3 2 3
  4 4 4 null 4
  5 5 5 null 3
= near
  1 400 250
  2 100 null
  3 300 null
  4 300 100
  5 250 null
- o 3 1 '2024-01-02 00:00:00' 300
+ o 3 2 '2024-01-02 00:00:00' 300
- o 1 1 '2024-01-01 10:00:00' 100
@ 3
= gaps
  2 '1 day 09:00:00' 0 null
  3 null 0 4
  4 00:00:00 0 null
  5 null 0 2
= ends
  2 5 2 2 2
  3 3 3 null 4
  4 3 4 4 4
  5 5 5 null 2
= near
  2 400 null
  3 300 null
  4 300 250
  5 250 null
