# Functions that give rows: in FROM, beside the rows they read, and in the select list.
source t(id bigint, n bigint, tags text[])
source days(low date, high date)
model series
  select g.n, g.n * 2 as twice from generate_series(1, 3) as g(n)
model down
  select * from generate_series(10, 1, -4) as n
model numerics
  select * from generate_series(0.5, 2, 0.75)
model months
  select d from generate_series(timestamp '2024-01-31', timestamp '2024-04-30', interval '1 month') as d
model spine_of_the_data
  select d::date as day from generate_series((select min(low) from days), (select max(high) from days), interval '1 day') as d
model tags
  select t.id, tag from t, unnest(t.tags) as tag
model tags_numbered
  select t.id, u.tag, u.n from t cross join lateral unnest(t.tags) with ordinality as u(tag, n)
model tags_or_null
  select t.id, tag from t left join lateral unnest(t.tags) as tag on true
model counted
  select id, generate_series(1, n) as i from t
model side_by_side
  select id, generate_series(1, 2) as i, unnest(tags) as tag from t
model in_an_expression
  select id, upper(unnest(tags)) || '!' as tag from t
model grouped_by_tag
  select unnest(tags) as tag, count(*) as n from t group by 1
model after_groups
  select n, generate_series(1, count(*)) as i from t group by n
model two_arrays
  select * from unnest(array[1, 2, 3], array['a', 'b']) with ordinality as u(i, t, n)
model with_condition
  select t.id, g from t join lateral generate_series(1, t.n) as g on g % 2 = 1
model left_with_condition
  select t.id, g from t left join lateral generate_series(1, t.n) as g on g % 2 = 0
model exists_in_array
  select id from t where exists (select 1 from unnest(tags) as x where x like 'b%')
+ t 1 2 {a,b}
+ t 2 0 {}
+ t 3 null null
+ days 2024-02-27 2024-03-01
@ 1
= series
  1 2
  2 4
  3 6
= down
  10
  2
  6
= numerics
  0.5
  1.25
  2.00
= months
  '2024-01-31 00:00:00'
  '2024-02-29 00:00:00'
  '2024-03-29 00:00:00'
  '2024-04-29 00:00:00'
= spine_of_the_data
  2024-02-27
  2024-02-28
  2024-02-29
  2024-03-01
= tags
  1 a
  1 b
= tags_numbered
  1 a 1
  1 b 2
= tags_or_null
  1 a
  1 b
  2 null
  3 null
= counted
  1 1
  1 2
= side_by_side
  1 1 a
  1 2 b
  2 1 null
  2 2 null
  3 1 null
  3 2 null
= in_an_expression
  1 A!
  1 B!
= grouped_by_tag
  a 1
  b 1
= after_groups
  0 1
  2 1
  null 1
= two_arrays
  1 a 1
  2 b 2
  3 null 3
= with_condition
  1 1
= left_with_condition
  1 2
  2 null
  3 null
= exists_in_array
  1
+ t 1 2 {a,b}
- t 2 0 {}
+ t 2 3 {b,b,null}
+ days 2024-02-26 2024-02-26
@ 2
~ series
~ spine_of_the_data
  +1 2024-02-26
~ tags
  +1 1 a
  +1 1 b
  +1 2 null
  +2 2 b
~ tags_numbered
  +1 1 a 1
  +1 1 b 2
  +1 2 b 1
  +1 2 b 2
  +1 2 null 3
~ tags_or_null
  +1 1 a
  +1 1 b
  +2 2 b
~ counted
  +1 1 1
  +1 1 2
  +1 2 1
  +1 2 2
  +1 2 3
~ side_by_side
  +1 1 1 a
  +1 1 2 b
  +1 2 1 b
  +1 2 2 b
  +1 2 null null
  -1 2 1 null
  -1 2 2 null
~ grouped_by_tag
  +1 a 2
  +1 b 4
  +1 null 1
  -1 a 1
  -1 b 1
~ after_groups
  +1 2 2
  +1 3 1
  -1 0 1
~ with_condition
  +1 1 1
  +1 2 1
  +1 2 3
~ left_with_condition
  +1 1 2
  +1 2 2
  -1 2 null
~ exists_in_array
  +1 1
  +1 2
- t 1 2 {a,b}
- days 2024-02-27 2024-03-01
@ 3
= spine_of_the_data
  2024-02-26
= tags
  1 a
  1 b
  2 b
  2 b
  2 null
= tags_or_null
  1 a
  1 b
  2 b
  2 b
  2 null
  3 null
= side_by_side
  1 1 a
  1 2 b
  2 1 b
  2 2 b
  2 null null
  3 1 null
  3 2 null
= exists_in_array
  1
  2
