# What is seen of a running sum, a rank or a bucket is a class: only rows between the old and the new boundary change.
source sales(id bigint, region text, cents numeric(12,2)) key id
model abc
  select id, region,
         case when sum(cents) over (partition by region order by cents desc, id)
                   / sum(cents) over (partition by region) <= 0.5 then 'A'
              when sum(cents) over (partition by region order by cents desc, id)
                   / sum(cents) over (partition by region) <= 0.8 then 'B'
              else 'C' end as class
  from sales
model leaders
  select id, region, cents, rank() over (partition by region order by cents desc) as place
  from sales
  qualify rank() over (partition by region order by cents desc) <= 2
model thirds
  select id, ntile(3) over (order by cents desc, id) as third from sales
model shares
  with running as (
    select id, sum(cents) over (order by id rows unbounded preceding) as so_far, sum(cents) over () as whole from sales
  )
  select id, so_far / whole < 0.5 as in_first_half from running
+ sales 1 north 100.00
+ sales 2 north 80.00
+ sales 3 north 60.00
+ sales 4 north 40.00
+ sales 5 north 20.00
+ sales 6 north 10.00
+ sales 7 south 5.00
+ sales 8 south 5.00
@ 1
= abc
  1 north A
  2 north B
  3 north B
  4 north C
  5 north C
  6 north C
  7 south A
  8 south C
= leaders
  1 north 100.00 1
  2 north 80.00 2
  7 south 5.00 1
  8 south 5.00 1
= thirds
  1 1
  2 1
  3 1
  4 2
  5 2
  6 2
  7 3
  8 3
= shares
  1 t
  2 f
  3 f
  4 f
  5 f
  6 f
  7 f
  8 f
# A small amount at the end of the order moves a boundary by one row, or none.
+ sales 9 north 1.00
@ 2
~ abc
  +1 9 north C
~ leaders
~ thirds
  +1 9 3
~ shares
  +1 9 f
# The greatest amount shifts every running sum.
- sales 6 north 10.00
+ sales 6 north 500.00
@ 3
~ abc
  +1 1 north B
  +1 2 north C
  +1 3 north C
  +1 6 north B
  -1 1 north A
  -1 2 north B
  -1 3 north B
  -1 6 north C
~ leaders
  +1 1 north 100.00 2
  +1 6 north 500.00 1
  -1 1 north 100.00 1
  -1 2 north 80.00 2
~ thirds
  +1 3 2
  +1 6 1
  -1 3 1
  -1 6 2
~ shares
  +1 2 t
  +1 3 t
  +1 4 t
  +1 5 t
  -1 2 f
  -1 3 f
  -1 4 f
  -1 5 f
# With a negative amount the running sum no longer only grows.
+ sales 10 north -30.00
@ 4
~ abc
  +1 10 north C
= abc
  1 north B
  10 north C
  2 north C
  3 north C
  4 north C
  5 north C
  6 north B
  7 south A
  8 south C
  9 north C
~ shares
  +1 10 f
- sales 10 north -30.00
@ 5
~ abc
  -1 10 north C
# Amounts that are all zero: nothing can be divided by their sum.
- sales 7 south 5.00
- sales 8 south 5.00
+ sales 7 south 0.00
+ sales 8 south 0.00
@ 6
~ abc
  -1 7 south A
  -1 8 south C
~ leaders
  +1 7 south 0.00 1
  +1 8 south 0.00 1
  -1 7 south 5.00 1
  -1 8 south 5.00 1
!
  abc division by zero
  abc division by zero
- sales 7 south 0.00
+ sales 7 south 3.00
@ 7
~ abc
  +1 7 south C
  +1 8 south C
= abc
  1 north B
  2 north C
  3 north C
  4 north C
  5 north C
  6 north B
  7 south C
  8 south C
  9 north C
!
# NULL amounts come first in a descending order, and have no share.
+ sales 11 south null
@ 8
~ abc
  +1 11 south C
~ thirds
  +1 11 1
= abc
  1 north B
  11 south C
  2 north C
  3 north C
  4 north C
  5 north C
  6 north B
  7 south C
  8 south C
  9 north C
