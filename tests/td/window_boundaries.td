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
= leaders
= thirds
= shares
# A small amount at the end of the order moves a boundary by one row, or none.
+ sales 9 north 1.00
@ 2
~ abc
~ leaders
~ thirds
~ shares
# The greatest amount shifts every running sum.
- sales 6 north 10.00
+ sales 6 north 500.00
@ 3
~ abc
~ leaders
~ thirds
~ shares
# With a negative amount the running sum no longer only grows.
+ sales 10 north -30.00
@ 4
~ abc
= abc
~ shares
- sales 10 north -30.00
@ 5
~ abc
# Amounts that are all zero: nothing can be divided by their sum.
- sales 7 south 5.00
- sales 8 south 5.00
+ sales 7 south 0.00
+ sales 8 south 0.00
@ 6
~ abc
~ leaders
!
- sales 7 south 0.00
+ sales 7 south 3.00
@ 7
~ abc
= abc
!
# NULL amounts come first in a descending order, and have no share.
+ sales 11 south null
@ 8
~ abc
~ thirds
= abc
