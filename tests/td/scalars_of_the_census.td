# The scalar units that real dbt projects use, over rows that change: casts, text, dates, numbers, json, arrays.
source raw(id bigint, name text, amount text, at text, tags text, doc text) key id
model typed
  select id,
         cast(nullif(trim(amount), '') as numeric(12, 2)) as amount,
         cast(at as timestamp) as at,
         cast(at as date) as day,
         lower(name) as name,
         cast(id as varchar(10)) || '-' || upper(left(name, 2)) as code
  from raw
model measures
  select id,
         round(amount * 1.2, 1) as gross,
         coalesce(amount, 0) / nullif(id, 0) as per_id,
         power(id, 2) as square,
         floor(amount) as whole,
         abs(amount) as size,
         greatest(amount, 10) as at_least_ten,
         least(amount, 10) as at_most_ten,
         cast(amount as double precision) as approximate,
         cast(amount as int) as rounded
  from typed
model calendar
  select id,
         date_trunc('month', at) as month,
         extract(dow from at) as weekday,
         date(at) as day,
         date(at) - date '2025-01-01' as days,
         at + interval '1 month' as next_month,
         at at time zone 'Europe/Berlin' as instant,
         to_char(at, 'YYYY-"Q"Q') as quarter,
         dateadd(day, 7, day) as week_later,
         datediff(month, date '2024-12-31', day) as months
  from typed
model words
  select id,
         md5(cast(coalesce(cast(id as text), '_null_') || '-' || coalesce(name, '_null_') as text)) as surrogate_key,
         replace(name, 'a', 'b') as replaced,
         split_part(tags, ',', 2) as second_tag,
         (string_to_array(tags, ','))[1] as first_tag,
         'red' = any (string_to_array(tags, ',')) as is_red,
         name like 'a%' as starts_with_a,
         name in ('anna', 'bob') as is_known,
         name between 'a' and 'b' as is_early
  from raw
model documents
  select id,
         cast(doc as jsonb) ->> 'city' as city,
         cast(doc as jsonb) #>> '{tags,0}' as first,
         json_build_object('id', id, 'name', name) as made
  from raw
model choices
  select id,
         case when amount > 100 then 'big' when amount is null then 'none' else 'small' end as size,
         case name when 'anna' then 1 else 2 end as rank,
         (amount > 10) is not true as is_little,
         iff(amount > 10, 'yes', 'no') as more_than_ten,
         nvl(amount, 0) as amount
  from typed
+ raw 1 Anna 10.50 '2025-01-31 10:00:00' red,blue '{"city": "Berlin", "tags": ["x"]}'
+ raw 2 bob 'not a number' '2025-02-28 23:59:59' blue '{"city": null}'
+ raw 3 null null null null null
@ 1
= typed
  1 10.50 '2025-01-31 10:00:00' 2025-01-31 anna 1-AN
  3 null null null null null
= measures
  1 12.6 10.5000000000000000 1 10 10.50 10.50 10 10.5 11
  3 null 0.00000000000000000000 9 null null 10 10 null null
= calendar
  1 '2025-01-01 00:00:00' 5 2025-01-31 30 '2025-02-28 10:00:00' '2025-01-31 09:00:00+00' 2025-Q1 2025-02-07 1
  3 null null null null null null null null null
= words
  1 96cddbfbb00538589bab4a736e684f43 Annb blue red t f f f
  2 8c235c5d5df1607450e9efda2a86fd22 bob '' blue f f t f
  3 5a9f0cc922291a1b25b1bbf6926cee03 null null null null null null null
= documents
  1 Berlin x '{"id" : 1, "name" : "Anna"}'
  2 null null '{"id" : 2, "name" : "bob"}'
  3 null null '{"id" : 3, "name" : null}'
= choices
  1 small 1 f yes 10.50
  3 none 2 t no 0
- raw 2 bob 'not a number' '2025-02-28 23:59:59' blue '{"city": null}'
+ raw 2 bob 1234.565 '2025-02-28 23:59:59' green,red '{"city": "Rome", "tags": []}'
- raw 1 Anna 10.50 '2025-01-31 10:00:00' red,blue '{"city": "Berlin", "tags": ["x"]}'
+ raw 1 Anna 10.50 '2025-02-30 10:00:00' red,blue '{"city": "Berlin"'
@ 2
~ typed
  +1 2 1234.57 '2025-02-28 23:59:59' 2025-02-28 bob 2-BO
  -1 1 10.50 '2025-01-31 10:00:00' 2025-01-31 anna 1-AN
~ measures
  +1 2 1481.5 617.2850000000000000 4 1234 1234.57 1234.57 10 1234.57 1235
  -1 1 12.6 10.5000000000000000 1 10 10.50 10.50 10 10.5 11
~ calendar
  +1 2 '2025-02-01 00:00:00' 5 2025-02-28 58 '2025-03-28 23:59:59' '2025-02-28 22:59:59+00' 2025-Q1 2025-03-07 2
  -1 1 '2025-01-01 00:00:00' 5 2025-01-31 30 '2025-02-28 10:00:00' '2025-01-31 09:00:00+00' 2025-Q1 2025-02-07 1
~ words
  +1 2 8c235c5d5df1607450e9efda2a86fd22 bob red green t f t f
  -1 2 8c235c5d5df1607450e9efda2a86fd22 bob '' blue f f t f
~ documents
  +1 2 Rome null '{"id" : 2, "name" : "bob"}'
  -1 1 Berlin x '{"id" : 1, "name" : "Anna"}'
  -1 2 null null '{"id" : 2, "name" : "bob"}'
~ choices
  +1 2 big 2 f yes 1234.57
  -1 1 small 1 f yes 10.50
- raw 1 Anna 10.50 '2025-02-30 10:00:00' red,blue '{"city": "Berlin"'
+ raw 1 Anna -3 '2024-02-29 00:00:00' '' '{"city": "Paris", "tags": [null, 2]}'
@ 3
~ typed
  +1 1 -3.00 '2024-02-29 00:00:00' 2024-02-29 anna 1-AN
~ measures
  +1 1 -3.6 -3.0000000000000000 1 -3 3.00 10 -3.00 -3 -3
~ calendar
  +1 1 '2024-02-01 00:00:00' 4 2024-02-29 -307 '2024-03-29 00:00:00' '2024-02-28 23:00:00+00' 2024-Q1 2024-03-07 -10
~ words
  +1 1 96cddbfbb00538589bab4a736e684f43 Annb '' null f f f f
  -1 1 96cddbfbb00538589bab4a736e684f43 Annb blue red t f f f
~ documents
  +1 1 Paris null '{"id" : 1, "name" : "Anna"}'
~ choices
  +1 1 small 1 t no -3.00
