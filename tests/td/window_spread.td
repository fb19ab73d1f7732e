# Standard deviations and variances over windows move with each row, of integers, numerics and doubles; equal values have none.
source p(id bigint, k text, n int, amount numeric(12,2), f double precision) key id
model whole
  select id, stddev(amount) over (partition by k) as s, var_pop(n) over (partition by k) as v, variance(f) over () as f from p
model running
  select id, stddev_samp(n) over (partition by k order by id) as s, stddev_pop(amount) filter (where n > 1) over (order by id) as large from p
model around
  select id, var_samp(amount) over (order by id rows between 1 preceding and 1 following) as v from p
+ p 1 a 1 10.00 0.5
+ p 2 a 3 20.00 1.5
+ p 3 b 5 20.00 null
@ 1
= whole
  1 7.0710678118654752 1.00000000000000000000 0.5
  2 7.0710678118654752 1.00000000000000000000 0.5
  3 null 0 0.5
= running
  1 null null
  2 1.4142135623730950 0
  3 null 0
= around
  1 50.0000000000000000
  2 33.3333333333333333
  3 0
+ p 4 a 8 null 4.25
- p 3 b 5 20.00 null
+ p 3 b 5 20.50 2.0
@ 2
~ whole
  +1 1 7.0710678118654752 8.6666666666666667 2.515625
  +1 2 7.0710678118654752 8.6666666666666667 2.515625
  +1 3 null 0 2.515625
  +1 4 7.0710678118654752 8.6666666666666667 2.515625
  -1 1 7.0710678118654752 1.00000000000000000000 0.5
  -1 2 7.0710678118654752 1.00000000000000000000 0.5
  -1 3 null 0 0.5
~ running
  +1 3 null 0.25000000000000000000
  +1 4 3.6055512754639893 0.25000000000000000000
  -1 3 null 0
~ around
  +1 2 35.0833333333333333
  +1 3 0.12500000000000000000
  +1 4 null
  -1 2 33.3333333333333333
  -1 3 0
- p 1 a 1 10.00 0.5
- p 2 a 3 20.00 1.5
@ 3
~ whole
  +1 3 null 0 2.53125
  +1 4 null 0 2.53125
  -1 1 7.0710678118654752 8.6666666666666667 2.515625
  -1 2 7.0710678118654752 8.6666666666666667 2.515625
  -1 3 null 0 2.515625
  -1 4 7.0710678118654752 8.6666666666666667 2.515625
~ running
  +1 3 null 0
  +1 4 null 0
  -1 1 null null
  -1 2 1.4142135623730950 0
  -1 3 null 0.25000000000000000000
  -1 4 3.6055512754639893 0.25000000000000000000
~ around
  +1 3 null
  -1 1 50.0000000000000000
  -1 2 35.0833333333333333
  -1 3 0.12500000000000000000
