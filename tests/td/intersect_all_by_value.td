# INTERSECT ALL takes rows away by value, however their numbers are spelled.
source items(id bigint, price numeric)
source visits(id bigint, price numeric)
model common
  select price from items intersect all select price from visits
model one
  (select 1.00 as c from items) intersect all (select 2.0 as c from visits)
model rest
  select price from items except all select price from visits
+ items 1 1.00
+ items 2 1.0
+ items 3 5.50
@ 1
= common
= one
= rest
  1
  1
  5.5
+ visits 1 1
+ visits 2 5.5
@ 2
~ common
  +1 1
  +1 5.5
= one
~ rest
  -1 1
  -1 5.5
- items 1 1.00
@ 3
= common
  1
  5.5
= rest
!
