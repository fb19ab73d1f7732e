# count, sum, avg, min, max and their DISTINCT and FILTER forms over values that change, repeat and are NULL.
source p(id bigint, c text, n numeric(12,2), i int, f double precision, ok boolean) key id
model by_customer
  select c, count(*) as rows, count(n) as counted, sum(n) as total, avg(n) as mean, sum(i) as ints, avg(i) as mean_int, sum(f) as doubles, avg(f) as mean_double from p group by c
model extremes
  select c, min(n) as least, max(n) as most, min(f) as f0, max(c) as last, count(*) as rows from p group by c
model distincts
  select c, count(distinct i) as kinds, sum(distinct n) as total, count(*) as rows, count(distinct n) filter (where ok) as ok_kinds from p group by c
model filtered
  select c, count(*) filter (where ok) as good, sum(n) filter (where not ok) as bad, bool_and(ok) as all_ok, bool_or(ok) as any_ok from p group by c
model whole
  select count(*) as rows, sum(n) as total, max(n) as most, count(distinct c) as customers from p
model whole_accumulated
  select count(*) as rows, sum(n) as total, avg(i) as mean from p
model big_groups
  select c, sum(n) as total from p group by c having sum(n) > 10
@ 0
= whole
  0 null null 0
= whole_accumulated
  0 null null
= by_customer
+ p 1 ada 10.50 3 0.1 true
+ p 2 ada 0.25 3 0.2 false
+ p 3 bob null null null null
+ p 4 null 7.00 1 1e300 true
@ 1
= by_customer
  ada 2 2 10.75 5.3750000000000000 6 3.0000000000000000 0.30000000000000004 0.15000000000000002
  bob 1 0 null null null null null null
  null 1 1 7.00 7.0000000000000000 1 1.00000000000000000000 1e+300 1e+300
= extremes
  ada 0.25 10.50 0.1 ada 2
  bob null null null bob 1
  null 7.00 7.00 1e+300 null 1
= distincts
  ada 1 10.75 2 1
  bob 0 null 1 0
  null 1 7.00 1 1
= filtered
  ada 1 0.25 f t
  bob 0 null null null
  null 1 null t t
= whole
  4 17.75 10.50 2
= whole_accumulated
  4 17.75 2.3333333333333333
= big_groups
  ada 10.75
- p 2 ada 0.25 3 0.2 false
+ p 2 ada 0.75 4 -1e300 true
+ p 5 ada 10.50 3 0.3 true
+ p 6 bob 1.00 2 5 false
@ 2
~ by_customer
  +1 ada 3 3 21.75 7.2500000000000000 10 3.3333333333333333 -1e+300 -3.3333333333333335e+299
  +1 bob 2 1 1.00 1.00000000000000000000 2 2.0000000000000000 5 5
  -1 ada 2 2 10.75 5.3750000000000000 6 3.0000000000000000 0.30000000000000004 0.15000000000000002
  -1 bob 1 0 null null null null null null
~ extremes
  +1 ada 0.75 10.50 -1e+300 ada 3
  +1 bob 1.00 1.00 5 bob 2
  -1 ada 0.25 10.50 0.1 ada 2
  -1 bob null null null bob 1
~ distincts
  +1 ada 2 11.25 3 2
  +1 bob 1 1.00 2 0
  -1 ada 1 10.75 2 1
  -1 bob 0 null 1 0
~ filtered
  +1 ada 3 null t t
  +1 bob 0 1.00 f f
  -1 ada 1 0.25 f t
  -1 bob 0 null null null
~ whole
  +1 6 29.75 10.50 2
  -1 4 17.75 10.50 2
~ big_groups
  +1 ada 21.75
  -1 ada 10.75
- p 1 ada 10.50 3 0.1 true
- p 5 ada 10.50 3 0.3 true
- p 4 null 7.00 1 1e300 true
@ 3
= by_customer
  ada 1 1 0.75 0.75000000000000000000 4 4.0000000000000000 -1e+300 -1e+300
  bob 2 1 1.00 1.00000000000000000000 2 2.0000000000000000 5 5
= extremes
  ada 0.75 0.75 -1e+300 ada 1
  bob 1.00 1.00 5 bob 2
= distincts
  ada 1 0.75 1 1
  bob 1 1.00 2 0
= filtered
  ada 1 null t t
  bob 0 1.00 f f
= whole
  3 1.75 1.00 2
= whole_accumulated
  3 1.75 3.0000000000000000
= big_groups
