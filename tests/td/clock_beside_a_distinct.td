# A set that the clock's row stands beside, and that others group, is arranged once by nothing and once by itself.
source views(user_id bigint, account_id bigint, viewed_on date)
model seen
  select distinct user_id, account_id, viewed_on from views
model users
  select user_id, count(case when viewed_on > current_date - 30 then 1 end) as views, max(viewed_on) as last_on
  from (select distinct user_id, account_id, viewed_on from views) d group by user_id
model accounts
  select account_id, count(distinct case when viewed_on > current_date - 30 then user_id end) as users
  from (select distinct user_id, account_id, viewed_on from views) d where account_id is not null group by account_id
model days
  select viewed_on, (select max(user_id) from (select distinct user_id, account_id, viewed_on from views) d) as greatest
  from (select distinct user_id, account_id, viewed_on from views) d
clock 2024-03-05 10:00
+ views 1 10 2024-03-01
+ views 1 10 2024-03-01
+ views 2 10 2024-01-01
+ views 3 null 2024-03-02
@ 1
= users
  1 1 2024-03-01
  2 0 2024-01-01
  3 1 2024-03-02
= accounts
  10 1
= days
  2024-01-01 3
  2024-03-01 3
  2024-03-02 3
- views 1 10 2024-03-01
+ views 2 11 2024-03-03
@ 2
~ users
  +1 2 1 2024-03-03
  -1 2 0 2024-01-01
~ accounts
  +1 11 1
~ days
  +1 2024-03-03 3
- views 1 10 2024-03-01
clock 2024-04-03 10:00
@ 3
= users
  2 0 2024-03-03
  3 0 2024-03-02
= accounts
  10 0
  11 0
= days
  2024-01-01 3
  2024-03-02 3
  2024-03-03 3
!
