# Aggregates over the whole partition, up to the current row, and over frames of rows and of values.
source p(id bigint, k text, day date, amount numeric(12,2)) key id
model whole
  select id, sum(amount) over (partition by k) as s, count(*) over (partition by k) as n, avg(amount) over (partition by k) as a, min(amount) over (partition by k) as low, max(amount) over (partition by k) as high, amount / nullif(sum(amount) over (), 0) as share from p
model running
  select id, sum(amount) over w as s, count(amount) over w as n, max(amount) over w as high, sum(amount) filter (where amount > 15) over w as large from p window w as (partition by k order by day)
model rows_around
  select id, avg(amount) over (w rows between 1 preceding and 1 following) as a, min(amount) over (w rows 2 preceding) as low, count(*) over (w rows between 1 following and unbounded following) as later from p window w as (order by day, id)
model days_around
  select id, sum(amount) over (partition by k order by day range between interval '7 days' preceding and current row) as week, count(*) over (order by day desc range between '1 month' preceding and '1 day' following) as n from p
model amounts_around
  select id, count(*) over (order by amount range between 5 preceding and 5 following) as n, bool_and(amount > 0) over (partition by k) as all_paid from p
+ p 1 a 2024-01-01 10.00
+ p 2 a 2024-01-05 20.00
+ p 3 a 2024-01-05 15.50
+ p 4 b 2024-01-31 null
@ 1
= whole
  1 45.50 3 15.1666666666666667 10.00 20.00 0.21978021978021978022
  2 45.50 3 15.1666666666666667 10.00 20.00 0.43956043956043956044
  3 45.50 3 15.1666666666666667 10.00 20.00 0.34065934065934065934
  4 null 1 null null null null
= running
  1 10.00 1 10.00 null
  2 45.50 3 20.00 35.50
  3 45.50 3 20.00 35.50
  4 null 0 null null
= rows_around
  1 15.0000000000000000 10.00 3
  2 15.1666666666666667 10.00 2
  3 17.7500000000000000 10.00 1
  4 15.5000000000000000 15.50 0
= days_around
  1 10.00 4
  2 45.50 3
  3 45.50 3
  4 null 1
= amounts_around
  1 1 t
  2 2 t
  3 2 t
  4 1 null
+ p 5 a 2024-01-12 12.25
+ p 6 b null -3.00
- p 1 a 2024-01-01 10.00
+ p 1 a 2024-01-20 40.00
@ 2
= whole
  1 87.75 4 21.9375000000000000 12.25 40.00 0.47197640117994100295
  2 87.75 4 21.9375000000000000 12.25 40.00 0.23598820058997050147
  3 87.75 4 21.9375000000000000 12.25 40.00 0.18289085545722713864
  4 -3.00 2 -3.0000000000000000 -3.00 -3.00 null
  5 87.75 4 21.9375000000000000 12.25 40.00 0.14454277286135693215
  6 -3.00 2 -3.0000000000000000 -3.00 -3.00 -0.03539823008849557522
= running
  1 87.75 4 40.00 75.50
  2 35.50 2 20.00 35.50
  3 35.50 2 20.00 35.50
  4 null 0 null null
  5 47.75 3 20.00 35.50
  6 -3.00 1 -3.00 null
= rows_around
  1 26.1250000000000000 12.25 2
  2 17.7500000000000000 20.00 5
  3 15.9166666666666667 15.50 4
  4 18.5000000000000000 12.25 1
  5 22.5833333333333333 12.25 3
  6 -3.0000000000000000 -3.00 0
= days_around
  1 40.00 2
  2 35.50 5
  3 35.50 5
  4 null 1
  5 47.75 3
  6 -3.00 1
= amounts_around
  1 1 t
  2 2 t
  3 3 t
  4 1 f
  5 2 t
  6 1 f
- p 2 a 2024-01-05 20.00
- p 4 b 2024-01-31 null
+ p 4 b 2024-02-29 7.00
@ 3
= whole
  1 67.75 3 22.5833333333333333 12.25 40.00 0.55749128919860627178
  3 67.75 3 22.5833333333333333 12.25 40.00 0.21602787456445993031
  4 4.00 2 2.0000000000000000 -3.00 7.00 0.09756097560975609756
  5 67.75 3 22.5833333333333333 12.25 40.00 0.17073170731707317073
  6 4.00 2 2.0000000000000000 -3.00 7.00 -0.04181184668989547038
= running
  1 67.75 3 40.00 55.50
  3 15.50 1 15.50 15.50
  4 7.00 1 7.00 null
  5 27.75 2 15.50 15.50
  6 4.00 2 7.00 null
= rows_around
  1 19.7500000000000000 12.25 2
  3 13.8750000000000000 15.50 4
  4 14.6666666666666667 7.00 1
  5 22.5833333333333333 12.25 3
  6 2.0000000000000000 -3.00 0
= days_around
  1 40.00 1
  3 15.50 3
  4 7.00 1
  5 27.75 2
  6 -3.00 1
= amounts_around
  1 1 t
  3 2 t
  4 1 f
  5 2 t
  6 1 f
- p 1 a 2024-01-20 40.00
- p 3 a 2024-01-05 15.50
- p 5 a 2024-01-12 12.25
@ 4
= whole
  4 4.00 2 2.0000000000000000 -3.00 7.00 1.7500000000000000
  6 4.00 2 2.0000000000000000 -3.00 7.00 -0.75000000000000000000
= running
  4 7.00 1 7.00 null
  6 4.00 2 7.00 null
= rows_around
  4 2.0000000000000000 7.00 1
  6 2.0000000000000000 -3.00 0
= days_around
  4 7.00 1
  6 -3.00 1
= amounts_around
  4 1 f
  6 1 f
