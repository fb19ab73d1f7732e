# A numeric of more than 131,072 digits before the point is an error of its row, whoever computes it, and heals with the row.
source n(id bigint, k text, digits int) key id
model products
  select id, length((repeat('9', digits)::numeric * repeat('9', digits)::numeric)::text) as l from n
model as_keys
  select count(*) as rows from n a join n b on repeat('9', a.digits)::numeric * repeat('9', a.digits)::numeric = b.id where b.id > 0
model as_arguments
  select k, count(repeat('9', digits)::numeric * repeat('9', digits)::numeric) as c from n group by k
model as_filters
  select id from n where repeat('9', digits)::numeric * repeat('9', digits)::numeric > 10
model sums_of_many
  select k, sum(repeat('9', digits)::numeric) * max(repeat('9', digits)::numeric) > 0 as positive from n group by k
+ n 1 a 2
+ n 2 a 70000
+ n 3 b 3
@ 1
= products
  1 4
  3 6
= as_keys
  0
= as_arguments
  a 1
  b 1
= as_filters
  1
  3
= sums_of_many
  b t
- n 2 a 70000
+ n 2 a 1
@ 2
~ products
  +1 2 2
~ as_keys
~ as_arguments
  +1 a 2
  -1 a 1
~ as_filters
  +1 2
~ sums_of_many
  +1 a t
+ n 4 b 66000
@ 3
~ products
~ as_keys
~ as_arguments
~ as_filters
~ sums_of_many
  -1 b t
