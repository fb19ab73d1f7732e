# What real projects write and no other file here does: inner joins of four tables, a WITH inside a WITH and inside a subquery, t.*, casts to boolean and real, joins and groups by expressions, a SELECT without FROM.
source o(id bigint, c bigint, n int) key id
source c(id bigint, name text) key id
source i(id bigint, o bigint, p bigint, price numeric(8,2)) key id
source p(id bigint, name text) key id
model four_tables
  select i.id, c.name, p.name as product, i.price from o inner join c on c.id = o.c inner join i on i.o = o.id inner join p on p.id = i.p
model nested
  with big as (with sums as (select o, sum(price) as total from i group by 1) select * from sums where total > 5)
  select q.* from (with again as (select b.* from big b) select again.* from again) q
model cast_values
  select id, (n > 1)::boolean::text as several, n::boolean as any_of, n::real as r, cast(n as real) / 2 as half from o
model by_expression
  select upper(left(p.name, 1)) as letter, count(*) as n, sum(i.price) as price from i join p on abs(i.p) = p.id + 0 group by upper(left(p.name, 1))
model constants
  select 'all' as what, 1 as n
model counted
  select c, count_if(n > 1) as several from o group by c
+ o 1 1 2
+ o 2 2 0
+ c 1 ann
+ i 10 1 7 4.00
+ i 11 1 8 3.50
+ p 7 tea
@ 1
= four_tables
  10 ann tea 4.00
= nested
  1 7.50
= cast_values
  1 true t 2 1
  2 false f 0 0
= by_expression
  T 1 4.00
= constants
  all 1
= counted
  1 1
  2 0
+ p 8 mate
- o 2 2 0
+ o 2 1 3
@ 2
~ four_tables
  +1 11 ann mate 3.50
~ nested
~ cast_values
  +1 2 true t 3 1.5
  -1 2 false f 0 0
~ by_expression
  +1 M 1 3.50
~ constants
~ counted
  +1 1 2
  -1 1 1
  -1 2 0
- c 1 ann
+ i 12 2 7 9.00
- i 10 1 7 4.00
@ 3
~ four_tables
  -1 10 ann tea 4.00
  -1 11 ann mate 3.50
~ nested
  +1 2 9.00
  -1 1 7.50
~ cast_values
~ by_expression
  +1 T 1 9.00
  -1 T 1 4.00
~ constants
~ counted
