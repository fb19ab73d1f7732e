# Variance and standard deviation of integers, numerics and doubles; the same digits and bits whatever came and went.
source p(id bigint, c text, n numeric(12,2), i int, b bigint, f double precision, av numeric, span interval) key id
model numerics
  select c, stddev(n) as s, stddev_pop(n) as sp, variance(n) as v, var_pop(n) as vp, stddev_samp(n * 2) filter (where i > 1) as twice from p group by c
model integers
  select c, stddev(i) as s, variance(b) as v, var_pop(i) as vp, stddev(distinct i) as d from p group by c
model doubles
  select c, stddev(f) as s, variance(f) as v, var_pop(f) as vp from p group by c
model any_scale
  select c, stddev(av) as s, var_samp(av) as v, avg(av) as mean from p group by c
model spans
  select c, avg(span) as mean, sum(span) as total, median(span) as middle, max(span) as most from p group by c
model beside
  select c, stddev(n) as s, max(n) as most, avg(f) as mean from p group by c
+ p 1 ada 10.25 3 9223372036854775807 0.1 1.5 '1 mon 2 days'
+ p 2 ada 0.10 5 -9223372036854775808 0.2 0.12345678901234567890 '3 days 04:05:06'
+ p 3 ada 5.55 5 7 1e200 -3 null
+ p 4 bob 1.00 2 5 7.5 100000000000000000000 '-1 day'
+ p 5 null null null null null null null
@ 1
= numerics
  ada 5.0796161272285133 4.1474892003074181 25.8025000000000000 17.2016666666666667 10.1592322544570266
  bob null 0 null 0 null
  null null null null null null
= integers
  ada 1.1547005383792515 85070591730234615856620279821087277075 0.88888888888888888889 1.4142135623730950
  bob null null 0 null
  null null null null null
= doubles
  bob null null 0
  null null null null
= any_scale
  ada 2.3058206610136124052840808093281463063295 5.3168089207572524517000635066625006350700 -0.45884773699588477370
  bob null null 100000000000000000000
  null null null null
= spans
  ada '17 days 14:02:33' '1 mon 5 days 04:05:06' '18 days -09:57:27' '1 mon 2 days'
  bob '-1 days' '-1 days' '-1 days' '-1 days'
  null null null null null
= beside
  ada 5.0796161272285133 10.25 3.3333333333333334e+199
  bob null 1.00 7.5
  null null null null
- p 3 ada 5.55 5 7 1e200 -3 null
+ p 3 ada 5.55 6 8 0.4 NaN '2 mons'
+ p 6 bob 3.00 2 5 Infinity 100000000000000000001 '1 day'
@ 2
= numerics
  ada 5.0796161272285133 4.1474892003074181 25.8025000000000000 17.2016666666666667 10.1592322544570266
  bob 1.4142135623730950 1.00000000000000000000 2.0000000000000000 1.00000000000000000000 2.8284271247461901
  null null null null null null
= integers
  ada 1.5275252316519467 85070591730234615856620279821087277080 1.5555555555555556 1.5275252316519467
  bob 0 0 0 null
  null null null null null
= doubles
  ada 0.15275252316519466 0.023333333333333334 0.015555555555555557
  bob NaN NaN NaN
  null null null null
= any_scale
  ada NaN NaN NaN
  bob 0.70710678118654752440 0.50000000000000000000 100000000000000000001
  null null null null
= spans
  ada '1 mon 1 day 17:21:42' '3 mons 5 days 04:05:06' '1 mon 2 days' '2 mons'
  bob 00:00:00 00:00:00 00:00:00 '1 day'
  null null null null null
= beside
  ada 5.0796161272285133 10.25 0.23333333333333334
  bob 1.4142135623730950 3.00 Infinity
  null null null null
- p 3 ada 5.55 6 8 0.4 NaN '2 mons'
- p 6 bob 3.00 2 5 Infinity 100000000000000000001 '1 day'
@ 3
= numerics
  ada 7.1771338290434574 5.0750000000000000 51.5112500000000000 25.7556250000000000 14.3542676580869147
  bob null 0 null 0 null
  null null null null null null
= integers
  ada 1.4142135623730950 170141183460469231713240559642174554113 1.00000000000000000000 1.4142135623730950
  bob null null 0 null
  null null null null null
= doubles
  ada 0.07071067811865477 0.005000000000000001 0.0025000000000000005
  bob null null 0
  null null null null
= any_scale
  ada 0.9733630390856748059742974725872128758240 0.9474356058581009000250952599937509526050 0.81172839450617283945
  bob null null 100000000000000000000
  null null null null
= spans
  ada '17 days 14:02:33' '1 mon 5 days 04:05:06' '18 days -09:57:27' '1 mon 2 days'
  bob '-1 days' '-1 days' '-1 days' '-1 days'
  null null null null null
= beside
  ada 7.1771338290434574 10.25 0.15000000000000002
  bob null 1.00 7.5
  null null null null
