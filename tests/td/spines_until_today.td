# Series that end at the clock's day grow when it moves, by recursion and by generate_series.
source starts(day date) key day
model by_recursion
  with recursive d(day) as (select day from starts union select day + 1 from d where day < current_date) select day from d
model by_series
  select d::date as day from generate_series(date '2025-01-29', current_date, interval '1 day') as d
clock 2025-01-30 10:00
+ starts 2025-01-29
@ 1
= by_recursion
  2025-01-29
  2025-01-30
= by_series
  2025-01-29
  2025-01-30
clock 2025-01-31 00:00
@ 2
~ by_recursion
  +1 2025-01-31
~ by_series
  +1 2025-01-31
