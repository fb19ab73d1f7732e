# Aggregates that see their group in order: extremes, percentiles, the mode, lists; beside accumulated ones.
source p(id bigint, c text, n numeric(12,2), i int, f double precision, at timestamp, label text) key id
model extremes
  select c, min(n) as least, max(n) as most, min(at) as first_at, max(label) as last_label, sum(n) as total, count(*) as rows, count(distinct i) as kinds, sum(distinct n) as distinct_total, any_value(label) as some_label from p group by c
model percentiles
  select c, percentile_cont(0.5) within group (order by n) as middle, percentile_cont(0.25) within group (order by f desc) as upper, percentile_disc(0.5) within group (order by label) as disc, median(i) as med, percentile_cont(array[0, 0.5, 1]) within group (order by i) as several, percentile_disc(array[0.1, null, 0.9]) within group (order by at) as times, count(n) as rows from p group by c
model modes
  select c, mode() within group (order by i) as often, mode() within group (order by i desc) as often_last, mode() within group (order by n) as amount from p group by c
model lists
  select c, array_agg(i order by at desc, id) as ints, array_agg(label) as labels, array_agg(distinct i order by i desc nulls last) as kinds, string_agg(label, ', ' order by n desc, id) as texts, string_agg(distinct label, '') as parts, listagg(label, '|') within group (order by id) as listed, string_agg(label, label order by id) as own from p group by c
model documents
  select c, json_agg(n order by id) as j, jsonb_agg(label order by id) as jb, json_object_agg(id, label order by id) as o, jsonb_object_agg(id, n order by id) as ob from p group by c
model filtered
  select c, min(n) filter (where i > 2) as least, array_agg(id order by id) filter (where f > 0) as ids, mode() within group (order by label) filter (where n > 1) as often, count_if(i > 2) as big, count(*) filter (where f > 0) as positive from p group by c
model whole
  select min(n) as least, median(n) as middle, string_agg(label, ',' order by id) as labels, count(*) as rows, mode() within group (order by c) as often from p
model joined
  select a.c, a.most, b.total from (select c, max(n) as most from p group by c) a left join (select c, sum(i) as total from p group by c) b on a.c = b.c
model having_most
  select c, max(n) - min(n) as spread from p group by c having max(n) > 5
@ 0
= whole
  null null null 0 null
+ p 1 ada 10.50 3 0.1 '2024-01-01 00:00:00' x
+ p 2 ada 0.25 3 0.2 '2024-01-03 00:00:00' y
+ p 3 bob null null null null null
+ p 4 null 7.00 1 1e300 '2024-02-01 12:00:00' 'a b'
+ p 5 ada 0.25 1 -5 '2024-01-02 00:00:00' x
@ 1
= extremes
  ada 0.25 10.50 '2024-01-01 00:00:00' y 11.00 3 2 10.75 x
  bob null null null null null 1 0 null null
  null 7.00 7.00 '2024-02-01 12:00:00' 'a b' 7.00 1 1 7.00 'a b'
= percentiles
  ada 0.25 0.15000000000000002 x 3 {1,3,3} '{"2024-01-01 00:00:00",NULL,"2024-01-03 00:00:00"}' 3
  bob null null null null null null 0
  null 7 1e+300 'a b' 1 {1,1,1} '{"2024-02-01 12:00:00",NULL,"2024-02-01 12:00:00"}' 1
= modes
  ada 3 3 0.25
  bob null null null
  null 1 1 7.00
= lists
  ada {3,1,3} {x,x,y} {3,1} 'x, y, x' xy x|y|x xyyxx
  bob {NULL} {NULL} {NULL} null null null null
  null {1} '{"a b"}' {1} 'a b' 'a b' 'a b' 'a b'
= documents
  ada '[10.50, 0.25, 0.25]' '["x", "y", "x"]' '{ "1" : "x", "2" : "y", "5" : "x" }' '{"1": 10.50, "2": 0.25, "5": 0.25}'
  bob [null] [null] '{ "3" : null }' '{"3": null}'
  null [7.00] '["a b"]' '{ "4" : "a b" }' '{"4": 7.00}'
= filtered
  ada 0.25 {1,2} x 2 2
  bob null null null 0 0
  null null {4} 'a b' 0 1
= whole
  0.25 3.625 'x,y,a b,x' 5 ada
= joined
  ada 10.50 7
  bob null null
  null 7.00 null
= having_most
  ada 10.25
  null 0.00
- p 2 ada 0.25 3 0.2 '2024-01-03 00:00:00' y
+ p 2 ada 0.75 4 -1e300 '2023-12-31 00:00:00' null
+ p 6 bob 1.00 2 5 '2024-03-01 00:00:00' q
+ p 7 ada 10.50 1 2.5 '2024-01-01 00:00:00' z
@ 2
~ extremes
  +1 ada 0.25 10.50 '2023-12-31 00:00:00' z 22.00 4 3 11.50 x
  +1 bob 1.00 1.00 '2024-03-01 00:00:00' q 1.00 2 1 1.00 q
  -1 ada 0.25 10.50 '2024-01-01 00:00:00' y 11.00 3 2 10.75 x
  -1 bob null null null null null 1 0 null null
~ percentiles
  +1 ada 5.625 0.7000000000000002 x 2 {1,2,4} '{"2023-12-31 00:00:00",NULL,"2024-01-02 00:00:00"}' 4
  +1 bob 1 5 q 2 {2,2,2} '{"2024-03-01 00:00:00",NULL,"2024-03-01 00:00:00"}' 1
  -1 ada 0.25 0.15000000000000002 x 3 {1,3,3} '{"2024-01-01 00:00:00",NULL,"2024-01-03 00:00:00"}' 3
  -1 bob null null null null null null 0
~ modes
  +1 ada 1 1 10.50
  +1 bob 2 2 1.00
  -1 ada 3 3 0.25
  -1 bob null null null
~ lists
  +1 ada {1,3,1,4} {x,x,z,NULL} {4,3,1} 'x, z, x' xz x|x|z xxxzz
  +1 bob {NULL,2} {q,NULL} {2,NULL} q q q q
  -1 ada {3,1,3} {x,x,y} {3,1} 'x, y, x' xy x|y|x xyyxx
  -1 bob {NULL} {NULL} {NULL} null null null null
~ documents
  +1 ada '[10.50, 0.75, 0.25, 10.50]' '["x", null, "x", "z"]' '{ "1" : "x", "2" : null, "5" : "x", "7" : "z" }' '{"1": 10.50, "2": 0.75, "5": 0.25, "7": 10.50}'
  +1 bob '[null, 1.00]' '[null, "q"]' '{ "3" : null, "6" : "q" }' '{"3": null, "6": 1.00}'
  -1 ada '[10.50, 0.25, 0.25]' '["x", "y", "x"]' '{ "1" : "x", "2" : "y", "5" : "x" }' '{"1": 10.50, "2": 0.25, "5": 0.25}'
  -1 bob [null] [null] '{ "3" : null }' '{"3": null}'
~ filtered
  +1 ada 0.75 {1,7} x 2 2
  +1 bob null {6} null 0 1
  -1 ada 0.25 {1,2} x 2 2
  -1 bob null null null 0 0
~ whole
  +1 0.25 4 'x,a b,x,q,z' 7 ada
  -1 0.25 3.625 'x,y,a b,x' 5 ada
~ joined
  +1 ada 10.50 9
  +1 bob 1.00 2
  -1 ada 10.50 7
  -1 bob null null
~ having_most
- p 1 ada 10.50 3 0.1 '2024-01-01 00:00:00' x
- p 7 ada 10.50 1 2.5 '2024-01-01 00:00:00' z
- p 4 null 7.00 1 1e300 '2024-02-01 12:00:00' 'a b'
@ 3
= extremes
  ada 0.25 0.75 '2023-12-31 00:00:00' x 1.00 2 2 1.00 x
  bob 1.00 1.00 '2024-03-01 00:00:00' q 1.00 2 1 1.00 q
= percentiles
  ada 0.5 -2.5e+299 x 2.5 {1,2.5,4} '{"2023-12-31 00:00:00",NULL,"2024-01-02 00:00:00"}' 2
  bob 1 5 q 2 {2,2,2} '{"2024-03-01 00:00:00",NULL,"2024-03-01 00:00:00"}' 1
= modes
  ada 1 4 0.25
  bob 2 2 1.00
= lists
  ada {1,4} {x,NULL} {4,1} x x x x
  bob {NULL,2} {q,NULL} {2,NULL} q q q q
= documents
  ada '[0.75, 0.25]' '[null, "x"]' '{ "2" : null, "5" : "x" }' '{"2": 0.75, "5": 0.25}'
  bob '[null, 1.00]' '[null, "q"]' '{ "3" : null, "6" : "q" }' '{"3": null, "6": 1.00}'
= filtered
  ada 0.75 null null 1 0
  bob null {6} null 0 1
~ whole
  +1 0.25 0.75 x,q 4 ada
  -1 0.25 4 'x,a b,x,q,z' 7 ada
= joined
  ada 0.75 5
  bob 1.00 2
= having_most
- p 2 ada 0.75 4 -1e300 '2023-12-31 00:00:00' null
- p 3 bob null null null null null
- p 5 ada 0.25 1 -5 '2024-01-02 00:00:00' x
- p 6 bob 1.00 2 5 '2024-03-01 00:00:00' q
@ 4
= extremes
= lists
= whole
  null null null 0 null
