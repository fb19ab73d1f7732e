# 1.0 and 1.00 are one key, and so are -0.0 and 0.0; NULLs are one group but match nothing.
source a(n numeric, f double precision)
source b(n numeric, f double precision)
model grouped
  select n, count(*) as rows from a group by n
model grouped_doubles
  select f, count(*) as rows from a group by f
model joined
  select a.n as left_n, b.n as right_n from a join b on a.n = b.n
model joined_doubles
  select a.f as left_f from a join b on a.f = b.f
model distinct_numbers
  select distinct n from a
+ a 1.0 0.0
+ a 1.00 -0.0
+ a null NaN
+ a null NaN
+ b 1.000 0
+ b null NaN
@ 1
= grouped
  1 2
  null 2
= grouped_doubles
  0 2
  NaN 2
= joined
  1.0 1.000
  1.00 1.000
= joined_doubles
  -0
  0
  NaN
  NaN
= distinct_numbers
  1
  null
- a 1.0 0.0
@ 2
~ grouped
  +1 1 1
  -1 1 2
~ joined
  -1 1.0 1.000
~ distinct_numbers
