# A row whose series cannot be made is set aside, with its diff; its neighbours are not touched.
source t(id bigint, low bigint, high bigint, step bigint, doc text)
model series
  select id, g from t, generate_series(low, high, step) as g
model elements
  select t.id, e.value #>> '{}' as v from t, jsonb_array_elements(t.doc::jsonb) as e
+ t 1 1 3 1 [1,2]
+ t 2 1 3 0 {}
@ 1
= series
  1 1
  1 2
  1 3
= elements
  1 1
  1 2
!
  elements cannot extract elements from an object
  series step size cannot equal zero
- t 2 1 3 0 {}
+ t 2 1 3 2 ["x",null]
@ 2
~ series
  +1 2 1
  +1 2 3
~ elements
  +1 2 null
  +1 2 x
!
