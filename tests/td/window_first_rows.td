# A filter by row_number keeps the first rows of each partition; one by rank keeps their peers; QUALIFY is such a filter.
source o(id bigint, c bigint, at timestamp, status text) key id
model latest
  select id, status from (select *, row_number() over (partition by c order by at desc, id) as n from o) x where n = 1
model latest_two
  select c, id from (select *, row_number() over (partition by c order by at desc, id) as n from o) x where n <= 2 and status <> 'lost'
model latest_two_numbered
  select * from (select c, id, row_number() over (partition by c order by at desc, id) as n from o) x where n <= 2
model earliest_and_peers
  select id from (select id, rank() over (partition by c order by at) as r from o) x where r = 1
model only_one
  select id, status from o qualify count(*) over (partition by c) = 1
model named
  select id, lag(status) over (partition by c order by at, id) as before from o where c < 9 qualify before <> status
+ o 1 1 '2024-01-01 00:00:00' new
+ o 2 1 '2024-01-02 00:00:00' paid
+ o 3 1 '2024-01-02 00:00:00' sent
+ o 4 2 '2024-01-01 00:00:00' new
+ o 5 null null new
@ 1
= latest
  2 paid
  4 new
  5 new
= latest_two
  1 2
  1 3
  2 4
  null 5
= latest_two_numbered
  1 2 1
  1 3 2
  2 4 1
  null 5 1
= earliest_and_peers
  1
  4
  5
= only_one
  4 new
  5 new
= named
  2 new
  3 paid
+ o 6 1 '2024-01-03 00:00:00' lost
+ o 7 2 '2024-01-01 00:00:00' paid
- o 2 1 '2024-01-02 00:00:00' paid
@ 2
= latest
  4 new
  5 new
  6 lost
= latest_two
  1 3
  2 4
  2 7
  null 5
= latest_two_numbered
  1 3 2
  1 6 1
  2 4 1
  2 7 2
  null 5 1
= earliest_and_peers
  1
  4
  5
  7
= only_one
  5 new
= named
  3 new
  6 sent
  7 new
- o 6 1 '2024-01-03 00:00:00' lost
- o 4 2 '2024-01-01 00:00:00' new
- o 5 null null new
+ o 5 1 '2023-01-01 00:00:00' new
@ 3
= latest
  3 sent
  7 paid
= latest_two
  1 1
  1 3
  2 7
= latest_two_numbered
  1 1 2
  1 3 1
  2 7 1
= earliest_and_peers
  5
  7
= only_one
  7 paid
= named
  3 new
