# Keys of JSON objects: each is a row; jsonb has them in its own order, json as they are written; what is no object fails.
source p(id bigint, b jsonb, j json) key id
model keys
  select p.id, k.key, k.n from p cross join lateral jsonb_object_keys(p.b) with ordinality as k(key, n)
model written
  select p.id, k from p, json_object_keys(p.j) as k
model counted
  select k.key, count(*) as n from p, jsonb_object_keys(p.b) as k(key) group by k.key
@ 0
+ p 1 '{"bb": 1, "a": {"z": 2}}' '{"b":1,"a":{"z":2},"b":3}'
+ p 2 '{}' null
+ p 3 null '{"é":[]}'
@ 1
= keys
  1 a 1
  1 bb 2
= written
  1 a
  1 b
  1 b
  3 é
= counted
  a 1
  bb 1
!
- p 1 '{"bb": 1, "a": {"z": 2}}' '{"b":1,"a":{"z":2},"b":3}'
+ p 1 '{"a": 2, "c": null}' '{"x":1}'
@ 2
~ keys
  +1 1 c 2
  -1 1 bb 2
~ written
  +1 1 x
  -1 1 a
  -2 1 b
~ counted
  +1 c 1
  -1 bb 1
!
+ p 4 '[1]' '1'
@ 3
~ keys
~ written
!
  counted cannot call jsonb_object_keys on an array
  keys cannot call jsonb_object_keys on an array
  written cannot call json_object_keys on a scalar
- p 4 '[1]' '1'
@ 4
~ keys
!
