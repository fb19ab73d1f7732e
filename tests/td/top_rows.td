# ORDER BY with LIMIT and DISTINCT ON keep the first rows; ties are broken by the whole row.
source o(id bigint, c bigint, amount numeric(12,2)) key id
model first_three
  select id, amount from o order by amount desc nulls last, id limit 3
model second_page
  select id, amount from o order by amount desc nulls last, id limit 2 offset 1
model latest
  select distinct on (c) c, id, amount from o order by c, amount desc, id
+ o 1 1 10
+ o 2 1 20
+ o 3 2 20
+ o 4 2 null
@ 1
= first_three
  1 10.00
  2 20.00
  3 20.00
= second_page
  1 10.00
  3 20.00
= latest
  1 2 20.00
  2 4 null
- o 2 1 20
+ o 5 1 5
@ 2
~ first_three
  +1 5 5.00
  -1 2 20.00
~ second_page
  +1 5 5.00
  -1 3 20.00
~ latest
  +1 1 1 10.00
  -1 1 2 20.00
- o 1 1 10
- o 3 2 20
@ 3
= first_three
  4 null
  5 5.00
= second_page
  4 null
= latest
  1 5 5.00
  2 4 null
