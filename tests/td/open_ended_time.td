# A comparison with the clock beside a condition of the row that makes it true for ever: rows without an end stay, the others leave in their turn.
source prices(id bigint, valid_from date, valid_to date, kind text) key id
source buyers(id bigint, price bigint)
model current
  select id from prices where valid_from <= current_date and (valid_to > current_date or valid_to is null)
model kept
  select id from prices where valid_to >= current_date - 1 or kind in ('base', 'list') or id > 100
model bought
  select b.id, p.id as price from buyers b left join prices p on p.id = b.price and (p.valid_to is null or p.valid_to > current_date)
clock 2025-03-01 12:00
+ prices 1 2025-02-01 2025-03-02 x
+ prices 2 2025-02-01 null base
+ prices 3 2025-03-02 null null
+ prices 4 2025-01-01 2025-01-05 list
+ prices 101 null 2025-01-05 null
+ buyers 1 1
+ buyers 2 2
@ 1
= current
  1
  2
= kept
  1
  101
  2
  4
= bought
  1 1
  2 2
clock 2025-03-02 00:00
@ 2
~ current
  +1 3
  -1 1
~ kept
~ bought
  +1 1 null
  -1 1 1
clock 2025-03-04 00:00
- prices 2 2025-02-01 null base
+ prices 2 2025-02-01 2025-03-10 base
@ 3
~ current
~ kept
  -1 1
~ bought
clock 2025-03-11 00:00
@ 4
~ current
  -1 2
~ kept
~ bought
  +1 2 null
  -1 2 2
