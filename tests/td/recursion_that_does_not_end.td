# A recursion that does not end gives an error instead of rows for ever, and heals when its cause goes.
source starts(n bigint)
source stops(n bigint)
model upwards
  with recursive t(n) as (select n from starts union all select t.n + 1 from t where not exists (select 1 from stops s where s.n = t.n)) select count(*) as n from t
+ starts 1
+ stops 5
@ 1
= upwards
  5
!
- stops 5
@ 2
= upwards
  10001
!
  upwards recursive query "t" goes on after 10000 rounds
+ stops 3
@ 3
= upwards
  3
!
