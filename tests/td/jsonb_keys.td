# jsonb is compared by value: 1 and 1.0 are one key however they are printed, numbers stand in their order and not in their texts'.
source p(id bigint, doc jsonb, tag text) key id
source q(id bigint, doc jsonb) key id
model grouped
  select doc, count(*) as n, min(id) as first from p group by doc
model grouped_by_part
  select doc -> 'a' as a, tag, count(*) as n from p group by doc -> 'a', tag
model having_many
  select doc from p group by doc having count(*) > 1
model distinct_docs
  select distinct doc from p
model distinct_pairs
  select distinct tag, doc -> 'a' as a from p
model counted
  select tag, count(distinct doc) as docs, count(distinct doc -> 'a') as parts, count(doc) as rows from p group by tag
model counted_all
  select count(distinct doc) as docs, max(id) as most from p
model listed
  select array_agg(distinct doc) as docs, jsonb_agg(doc order by doc, id) as ordered, array_agg(id order by doc desc, id) as ids from p
model most_often
  select tag, mode() within group (order by doc) as doc from p group by tag
model middle
  select percentile_disc(0.5) within group (order by doc) as doc from p
model joined
  select p.id, q.id as other from p join q on p.doc = q.doc
model joined_by_part
  select p.id, q.id as other from p left join q on p.doc -> 'a' = q.doc -> 'a'
model using_doc
  select p.id, q.id as other from p join q using (doc)
model met
  select id from p where doc in (select doc from q)
model missed
  select id from p where doc not in (select doc from q where doc is not null)
model not_there
  select id from p where not exists (select 1 from q where q.doc = p.doc)
model beside
  select id, (select count(*) from q where q.doc = p.doc) as n, (select max(q.id) from q where q.doc is not distinct from p.doc) as m from p
model numbered
  select id, row_number() over (partition by doc order by id) as n, count(*) over (partition by doc) as many from p
model ranked
  select id, rank() over (order by doc) as r, dense_rank() over (order by doc desc nulls last) as d from p
model first_docs
  select id, doc from p order by doc desc nulls last, id limit 3
model first_of_tag
  select distinct on (tag) tag, id from p order by tag, doc, id
model first_of_doc
  select distinct on (doc) id from p order by doc, id
model either
  select doc from p union select doc from q
model both
  select doc from p intersect select doc from q
model only_left
  select doc from p except select doc from q
model everything
  select doc from p union all select doc from q
model chosen
  select id, doc in ('1', '{"a": 1}', 'null') as listed, doc = any (array['1', '[1]']::jsonb[]) as found,
    case doc when '1' then 'one' when '[]' then 'none' else 'other' end as named, nullif(doc, '1') as other,
    greatest(doc, '1.0') as most, least(doc, '"b"') as least, doc is distinct from '1' as differs, doc < '2' as small,
    (id, doc) = (1, '1') as is_first
  from p
@ 0
+ p 1 1 x
+ p 2 1.0 x
+ p 3 '{"a":1,"bb":[1,2]}' x
+ p 4 '{"bb":[1.0,2.00],"a":1.000}' y
+ p 5 10 y
+ p 6 9 y
+ p 7 null y
+ p 8 '"10"' x
+ p 9 '[]' x
+ q 1 1.00
+ q 2 '{"bb": [1, 2], "a": 1e0}'
+ q 3 null
+ q 4 '[1]'
@ 1
= grouped
  "10" 1 8
  '{"a": 1, "bb": [1, 2]}' 2 3
  1 2 1
  10 1 5
  9 1 6
  [] 1 9
  null 1 7
= grouped_by_part
  1 x 1
  1.000 y 1
  null x 4
  null y 3
= having_many
  '{"a": 1, "bb": [1, 2]}'
  1
= distinct_docs
  "10"
  '{"a": 1, "bb": [1, 2]}'
  1
  10
  9
  []
  null
= distinct_pairs
  x 1
  x null
  y 1.000
  y null
= counted
  x 4 1 5
  y 3 1 3
= counted_all
  6 9
= listed
  '{[],"\"10\"",1,9,10,"{\"a\": 1, \"bb\": [1, 2]}",NULL}' '[[], "10", 1, 1.0, 9, 10, {"a": 1, "bb": [1, 2]}, {"a": 1.000, "bb": [1.0, 2.00]}, null]' {7,3,4,5,6,1,2,8,9}
= most_often
  x 1
  y 9
= middle
  1.0
= joined
  1 1
  2 1
  3 2
  4 2
= joined_by_part
  1 null
  2 null
  3 2
  4 2
  5 null
  6 null
  7 null
  8 null
  9 null
= using_doc
  1 1
  2 1
  3 2
  4 2
= met
  1
  2
  3
  4
= missed
  5
  6
  8
  9
= not_there
  5
  6
  7
  8
  9
= beside
  1 1 1
  2 1 1
  3 1 2
  4 1 2
  5 0 null
  6 0 null
  7 0 3
  8 0 null
  9 0 null
= numbered
  1 1 2
  2 2 2
  3 1 2
  4 2 2
  5 1 1
  6 1 1
  7 1 1
  8 1 1
  9 1 1
= ranked
  1 3 4
  2 3 4
  3 7 1
  4 7 1
  5 6 2
  6 5 3
  7 9 7
  8 2 5
  9 1 6
= first_docs
  3 '{"a": 1, "bb": [1, 2]}'
  4 '{"a": 1.000, "bb": [1.0, 2.00]}'
  5 10
= first_of_tag
  x 9
  y 6
= first_of_doc
  1
  3
  5
  6
  7
  8
  9
= either
  "10"
  '{"a": 1, "bb": [1, 2]}'
  1
  10
  9
  [1]
  []
  null
= both
  '{"a": 1, "bb": [1, 2]}'
  1
  null
= only_left
  "10"
  10
  9
  []
= everything
  "10"
  '{"a": 1, "bb": [1, 2]}'
  '{"a": 1, "bb": [1, 2]}'
  '{"a": 1.000, "bb": [1.0, 2.00]}'
  1
  1.0
  1.00
  10
  9
  [1]
  []
  null
  null
= chosen
  1 t t one null 1 "b" f t t
  2 t t one null 1.0 "b" f t f
  3 f f other '{"a": 1, "bb": [1, 2]}' '{"a": 1, "bb": [1, 2]}' "b" t f f
  4 f f other '{"a": 1.000, "bb": [1.0, 2.00]}' '{"a": 1.000, "bb": [1.0, 2.00]}' "b" t f f
  5 f f other 10 10 "b" t f f
  6 f f other 9 9 "b" t f f
  7 null null other null 1.0 "b" t null f
  8 f f other "10" 1.0 "10" t t f
  9 f f none [] 1.0 [] t t f
- p 1 1 x
- q 2 '{"bb": [1, 2], "a": 1e0}'
+ p 10 'null' y
+ p 11 true x
+ p 12 '[1.0]' y
+ p 13 '{}' x
+ p 14 '{"c": {"d": [0.10, null]}}' x
+ p 15 '{"c": {"d": [0.1, null]}}' y
+ p 16 null x
@ 2
= grouped
  "10" 1 8
  'null' 1 10
  '{"a": 1, "bb": [1, 2]}' 2 3
  '{"c": {"d": [0.1, null]}}' 2 14
  1.0 1 2
  10 1 5
  9 1 6
  [1.0] 1 12
  [] 1 9
  null 2 7
  true 1 11
  {} 1 13
= grouped_by_part
  1 x 1
  1.000 y 1
  null x 7
  null y 6
= having_many
  '{"a": 1, "bb": [1, 2]}'
  '{"c": {"d": [0.1, null]}}'
  null
= distinct_docs
  "10"
  'null'
  '{"a": 1, "bb": [1, 2]}'
  '{"c": {"d": [0.1, null]}}'
  1.0
  10
  9
  [1.0]
  []
  null
  true
  {}
= distinct_pairs
  x 1
  x null
  y 1.000
  y null
= counted
  x 7 1 7
  y 6 1 6
= counted_all
  11 16
= listed
  '{[],"null","\"10\"",1.0,9,10,true,[1.0],"{}","{\"c\": {\"d\": [0.1, null]}}","{\"a\": 1, \"bb\": [1, 2]}",NULL}' '[[], null, "10", 1.0, 9, 10, true, [1.0], {}, {"c": {"d": [0.10, null]}}, {"c": {"d": [0.1, null]}}, {"a": 1, "bb": [1, 2]}, {"a": 1.000, "bb": [1.0, 2.00]}, null, null]' {7,16,3,4,14,15,13,12,11,5,6,2,8,10,9}
= most_often
  x []
  y 'null'
= middle
  true
= joined
  12 4
  2 1
= joined_by_part
  10 null
  11 null
  12 null
  13 null
  14 null
  15 null
  16 null
  2 null
  3 null
  4 null
  5 null
  6 null
  7 null
  8 null
  9 null
= using_doc
  12 4
  2 1
= met
  12
  2
= missed
  10
  11
  13
  14
  15
  3
  4
  5
  6
  8
  9
= not_there
  10
  11
  13
  14
  15
  16
  3
  4
  5
  6
  7
  8
  9
= beside
  10 0 null
  11 0 null
  12 1 4
  13 0 null
  14 0 null
  15 0 null
  16 0 3
  2 1 1
  3 0 null
  4 0 null
  5 0 null
  6 0 null
  7 0 3
  8 0 null
  9 0 null
= numbered
  10 1 1
  11 1 1
  12 1 1
  13 1 1
  14 1 2
  15 2 2
  16 2 2
  2 1 1
  3 1 2
  4 2 2
  5 1 1
  6 1 1
  7 1 2
  8 1 1
  9 1 1
= ranked
  10 2 10
  11 7 5
  12 8 4
  13 9 3
  14 10 2
  15 10 2
  16 14 12
  2 4 8
  3 12 1
  4 12 1
  5 6 6
  6 5 7
  7 14 12
  8 3 9
  9 1 11
= first_docs
  14 '{"c": {"d": [0.10, null]}}'
  3 '{"a": 1, "bb": [1, 2]}'
  4 '{"a": 1.000, "bb": [1.0, 2.00]}'
= first_of_tag
  x 9
  y 10
= first_of_doc
  10
  11
  12
  13
  14
  2
  3
  5
  6
  7
  8
  9
= either
  "10"
  'null'
  '{"a": 1, "bb": [1, 2]}'
  '{"c": {"d": [0.1, null]}}'
  1.0
  10
  9
  [1.0]
  []
  null
  true
  {}
= both
  1.0
  [1.0]
  null
= only_left
  "10"
  'null'
  '{"a": 1, "bb": [1, 2]}'
  '{"c": {"d": [0.1, null]}}'
  10
  9
  []
  true
  {}
= everything
  "10"
  'null'
  '{"a": 1, "bb": [1, 2]}'
  '{"a": 1.000, "bb": [1.0, 2.00]}'
  '{"c": {"d": [0.1, null]}}'
  '{"c": {"d": [0.10, null]}}'
  1.0
  1.00
  10
  9
  [1.0]
  [1]
  []
  null
  null
  null
  true
  {}
= chosen
  10 t f other 'null' 1.0 'null' t t f
  11 f f other true true "b" t f f
  12 f t other [1.0] [1.0] "b" t f f
  13 f f other {} {} "b" t f f
  14 f f other '{"c": {"d": [0.10, null]}}' '{"c": {"d": [0.10, null]}}' "b" t f f
  15 f f other '{"c": {"d": [0.1, null]}}' '{"c": {"d": [0.1, null]}}' "b" t f f
  16 null null other null 1.0 "b" t null f
  2 t t one null 1.0 "b" f t f
  3 f f other '{"a": 1, "bb": [1, 2]}' '{"a": 1, "bb": [1, 2]}' "b" t f f
  4 f f other '{"a": 1.000, "bb": [1.0, 2.00]}' '{"a": 1.000, "bb": [1.0, 2.00]}' "b" t f f
  5 f f other 10 10 "b" t f f
  6 f f other 9 9 "b" t f f
  7 null null other null 1.0 "b" t null f
  8 f f other "10" 1.0 "10" t t f
  9 f f none [] 1.0 [] t t f
- p 2 1.0 x
- p 4 '{"bb":[1.0,2.00],"a":1.000}' y
- p 14 '{"c": {"d": [0.10, null]}}' x
+ p 2 '[[], 1]' x
+ q 5 '{"a": 1.0, "bb": [1.0, 2]}'
@ 3
= grouped
  "10" 1 8
  '[[], 1]' 1 2
  'null' 1 10
  '{"a": 1, "bb": [1, 2]}' 1 3
  '{"c": {"d": [0.1, null]}}' 1 15
  10 1 5
  9 1 6
  [1.0] 1 12
  [] 1 9
  null 2 7
  true 1 11
  {} 1 13
= grouped_by_part
  1 x 1
  null x 6
  null y 6
= having_many
  null
= distinct_docs
  "10"
  '[[], 1]'
  'null'
  '{"a": 1, "bb": [1, 2]}'
  '{"c": {"d": [0.1, null]}}'
  10
  9
  [1.0]
  []
  null
  true
  {}
= distinct_pairs
  x 1
  x null
  y null
= counted
  x 6 1 6
  y 5 0 5
= counted_all
  11 16
= listed
  '{[],"null","\"10\"",9,10,true,[1.0],"[[], 1]","{}","{\"c\": {\"d\": [0.1, null]}}","{\"a\": 1, \"bb\": [1, 2]}",NULL}' '[[], null, "10", 9, 10, true, [1.0], [[], 1], {}, {"c": {"d": [0.1, null]}}, {"a": 1, "bb": [1, 2]}, null, null]' {7,16,3,15,13,2,12,11,5,6,8,10,9}
= most_often
  x []
  y 'null'
= middle
  true
= joined
  12 4
  3 5
= joined_by_part
  10 null
  11 null
  12 null
  13 null
  15 null
  16 null
  2 null
  3 5
  5 null
  6 null
  7 null
  8 null
  9 null
= using_doc
  12 4
  3 5
= met
  12
  3
= missed
  10
  11
  13
  15
  2
  5
  6
  8
  9
= not_there
  10
  11
  13
  15
  16
  2
  5
  6
  7
  8
  9
= beside
  10 0 null
  11 0 null
  12 1 4
  13 0 null
  15 0 null
  16 0 3
  2 0 null
  3 1 5
  5 0 null
  6 0 null
  7 0 3
  8 0 null
  9 0 null
= numbered
  10 1 1
  11 1 1
  12 1 1
  13 1 1
  15 1 1
  16 2 2
  2 1 1
  3 1 1
  5 1 1
  6 1 1
  7 1 2
  8 1 1
  9 1 1
= ranked
  10 2 10
  11 6 6
  12 7 5
  13 9 3
  15 10 2
  16 12 12
  2 8 4
  3 11 1
  5 5 7
  6 4 8
  7 12 12
  8 3 9
  9 1 11
= first_docs
  13 {}
  15 '{"c": {"d": [0.1, null]}}'
  3 '{"a": 1, "bb": [1, 2]}'
= first_of_tag
  x 9
  y 10
= first_of_doc
  10
  11
  12
  13
  15
  2
  3
  5
  6
  7
  8
  9
= either
  "10"
  '[[], 1]'
  'null'
  '{"a": 1, "bb": [1, 2]}'
  '{"c": {"d": [0.1, null]}}'
  1.00
  10
  9
  [1.0]
  []
  null
  true
  {}
= both
  '{"a": 1, "bb": [1, 2]}'
  [1.0]
  null
= only_left
  "10"
  '[[], 1]'
  'null'
  '{"c": {"d": [0.1, null]}}'
  10
  9
  []
  true
  {}
= everything
  "10"
  '[[], 1]'
  'null'
  '{"a": 1, "bb": [1, 2]}'
  '{"a": 1.0, "bb": [1.0, 2]}'
  '{"c": {"d": [0.1, null]}}'
  1.00
  10
  9
  [1.0]
  [1]
  []
  null
  null
  null
  true
  {}
= chosen
  10 t f other 'null' 1.0 'null' t t f
  11 f f other true true "b" t f f
  12 f t other [1.0] [1.0] "b" t f f
  13 f f other {} {} "b" t f f
  15 f f other '{"c": {"d": [0.1, null]}}' '{"c": {"d": [0.1, null]}}' "b" t f f
  16 null null other null 1.0 "b" t null f
  2 f f other '[[], 1]' '[[], 1]' "b" t f f
  3 f f other '{"a": 1, "bb": [1, 2]}' '{"a": 1, "bb": [1, 2]}' "b" t f f
  5 f f other 10 10 "b" t f f
  6 f f other 9 9 "b" t f f
  7 null null other null 1.0 "b" t null f
  8 f f other "10" 1.0 "10" t t f
  9 f f none [] 1.0 [] t t f
