# FETCH FIRST … WITH TIES takes all rows that are equal to the last one in their order; more of them come and go together.
source o(id bigint, day date, amount int) key id
model best_days
  select day, id from o order by day desc fetch first 2 rows with ties
model behind_the_first
  select amount from o order by amount offset 1 fetch next 1 rows with ties
model of_both
  select id::text as word from o union all select amount::text from o order by word fetch first row with ties
+ o 1 2025-01-01 5
+ o 2 2025-01-02 5
+ o 3 2025-01-02 7
+ o 4 2025-01-02 7
@ 1
= best_days
  2025-01-02 2
  2025-01-02 3
  2025-01-02 4
= behind_the_first
  5
= of_both
  1
+ o 5 2025-01-03 5
@ 2
~ best_days
  +1 2025-01-03 5
~ behind_the_first
  +1 5
~ of_both
- o 2 2025-01-02 5
- o 3 2025-01-02 7
- o 4 2025-01-02 7
@ 3
~ best_days
  +1 2025-01-01 1
  -1 2025-01-02 2
  -1 2025-01-02 3
  -1 2025-01-02 4
~ behind_the_first
  -1 5
~ of_both
