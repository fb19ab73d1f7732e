# DISTINCT ON an expression, which ORDER BY begins with: the first row of each value of it.
source views(id bigint, page text, ms bigint) key id
model longest
  select distinct on (upper(page)) id, page, ms from views order by upper(page), ms desc, id
model shown
  select distinct on (upper(page)) upper(page) as name, ms from views order by upper(page) desc, ms, id
+ views 1 home 10
+ views 2 Home 30
+ views 3 cart 5
+ views 4 null 7
@ 1
= longest
  2 Home 30
  3 cart 5
  4 null 7
= shown
  CART 5
  HOME 10
  null 7
- views 2 Home 30
+ views 5 CART 9
@ 2
~ longest
  +1 1 home 10
  +1 5 CART 9
  -1 2 Home 30
  -1 3 cart 5
~ shown
