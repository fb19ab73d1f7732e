# Queries that read themselves: series, hierarchies, and graphs with cycles whose edges come and go.
source edges(src bigint, dst bigint)
source staff(id bigint, boss bigint, name text)
source starts(n bigint)
model ten
  with recursive t(n) as (select 1 union all select n + 1 from t where n < 10) select n from t
model reachable
  with recursive r as (select src, dst from edges union select r.src, e.dst from r join edges e on e.src = r.dst) select * from r
model chain
  with recursive c(id, name, path, depth) as (
  select id, name, name, 1 from staff where boss is null
  union all
  select s.id, s.name, c.path || '/' || s.name, c.depth + 1 from staff s join c on s.boss = c.id)
  select * from c
model deepest
  with recursive c(id, depth) as (
  select id, 1 from staff where boss is null
  union all
  select s.id, c.depth + 1 from c join staff s on s.boss = c.id)
  select max(depth) as depth from c
model countdown
  with recursive t(n) as (select n from starts union all select n - 1 from t where n > 0) select n, count(*) as times from t group by n
model other_joins
  with recursive t(n, found) as (
  select n, 0::bigint from starts
  union
  select t.n - 1, coalesce(e.dst, -1) from t left join edges e on e.src = t.n
  where t.n > 0 and not exists (select 1 from staff s where s.id = t.n))
  select * from t
model split
  with recursive t(rest) as (
  select name from staff
  union all
  select substr(rest, 2) from t where length(rest) > 1)
  select left(rest, 1) as letter, count(*) as n from t group by 1
+ edges 1 2
+ edges 2 3
+ staff 1 null ada
+ staff 2 1 bob
+ staff 3 2 cy
+ starts 2
+ starts 2
@ 1
= ten
  1
  10
  2
  3
  4
  5
  6
  7
  8
  9
= reachable
  1 2
  1 3
  2 3
= chain
  1 ada ada 1
  2 bob ada/bob 2
  3 cy ada/bob/cy 3
= deepest
  3
= countdown
  0 2
  1 2
  2 2
= other_joins
  2 0
= split
  a 2
  b 2
  c 1
  d 1
  o 1
  y 1
+ edges 3 1
+ edges 3 4
- staff 2 1 bob
+ staff 2 null bob
+ starts 3
@ 2
~ reachable
  +1 1 1
  +1 1 4
  +1 2 1
  +1 2 2
  +1 2 4
  +1 3 1
  +1 3 2
  +1 3 3
  +1 3 4
~ chain
  +1 2 bob bob 1
  +1 3 cy bob/cy 2
  -1 2 bob ada/bob 2
  -1 3 cy ada/bob/cy 3
~ deepest
  +1 2
  -1 3
~ countdown
  +1 0 3
  +1 1 3
  +1 2 3
  +1 3 1
  -1 0 2
  -1 1 2
  -1 2 2
~ other_joins
  +1 3 0
~ split
- edges 2 3
- starts 2
@ 3
~ reachable
  -1 1 1
  -1 1 3
  -1 1 4
  -1 2 1
  -1 2 2
  -1 2 3
  -1 2 4
  -1 3 3
~ countdown
  +1 0 2
  +1 1 2
  +1 2 2
  -1 0 3
  -1 1 3
  -1 2 3
~ other_joins
- edges 1 2
- edges 3 1
- edges 3 4
@ 4
= reachable
= other_joins
  2 0
  3 0
