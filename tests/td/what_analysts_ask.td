# What analysts write: spines, MRR, cohorts, funnels, sessions, intervals of validity, pivots, islands, FULL JOIN chains, NOT IN with NULLs, LATERAL, trees, lists taken apart.
source o(id bigint, customer bigint, amount numeric(10,2), status text, day date, at timestamp) key id
source c(id bigint, name text, parent bigint, region text, since date) key id
source sub(id bigint, customer bigint, mrr numeric(10,2), from_day date, to_day date) key id
source ev(customer bigint, kind text, at timestamp)
source doc(id bigint, tags text[], props jsonb) key id
model spine
  with days as (select d::date as day from generate_series((select min(day) from o), (select max(day) from o), interval '1 day') as g(d))
  select days.day, count(o.id) as orders, coalesce(sum(o.amount), 0) as amount, sum(coalesce(sum(o.amount), 0)) over (order by days.day) as running
  from days left join o on o.day = days.day group by days.day
model mrr
  with months as (select generate_series(date '2025-01-01', date '2025-06-01', interval '1 month')::date as month),
  customer_months as (
    select m.month, s.customer, sum(s.mrr) as mrr from months m join sub s on s.from_day <= m.month and (s.to_day > m.month or s.to_day is null) group by 1, 2
  ), changes as (
    select month, customer, mrr, coalesce(lag(mrr) over (partition by customer order by month), 0) as before,
      lag(month) over (partition by customer order by month) as month_before from customer_months
  )
  select month, customer, mrr - before as change,
    case when month_before is null then 'new' when month_before < month - interval '1 month' then 'reactivation' when mrr > before then 'upgrade' when mrr < before then 'downgrade' else 'same' end as category
  from changes
model churned
  with m as (select customer, max(coalesce(to_day, date '9999-12-31')) as last_day from sub group by customer)
  select c.id, c.name, m.last_day from c join m on m.customer = c.id where m.last_day < date '2025-06-01'
model cohorts
  with firsts as (select customer, date_trunc('month', min(day))::date as cohort from o group by customer),
  activity as (select distinct o.customer, f.cohort, (extract(year from age(date_trunc('month', o.day), f.cohort)) * 12 + extract(month from age(date_trunc('month', o.day), f.cohort)))::int as n from o join firsts f on f.customer = o.customer)
  select cohort, n, count(*) as customers, round(100.0 * count(*) / first_value(count(*)) over (partition by cohort order by n), 1) as pct from activity group by cohort, n
model funnel
  select count(distinct customer) filter (where kind = 'view') as views,
    count(distinct customer) filter (where kind = 'cart' and exists (select 1 from ev v where v.customer = ev.customer and v.kind = 'view' and v.at <= ev.at)) as carts,
    count(distinct case when kind = 'buy' then customer end) as buys, count(*) as rows from ev
model sessions
  with gaps as (select *, case when at - lag(at) over (partition by customer order by at, kind) > interval '30 minutes' or lag(at) over (partition by customer order by at, kind) is null then 1 else 0 end as is_new from ev),
  numbered as (select *, sum(is_new) over (partition by customer order by at, kind rows unbounded preceding) as session from gaps)
  select customer, session, min(at) as started, max(at) - min(at) as length, count(*) as events, string_agg(kind, '>' order by at, kind) as path from numbered group by 1, 2
model scd
  select o.id, s.mrr, c.name from o left join sub s on s.customer = o.customer and o.day >= s.from_day and o.day < coalesce(s.to_day, date '9999-12-31') left join c on c.id = o.customer
model pivot
  select customer, sum(case when status = 'paid' then amount else 0 end) as paid, sum(case when status = 'open' then amount end) as open, count(case status when 'lost' then 1 end) as lost,
    max(amount) filter (where status = 'paid') as most_paid, bool_or(status = 'lost') as any_lost from o group by customer
model islands
  with g as (select customer, day, day - (dense_rank() over (partition by customer order by day))::int as grp from (select distinct customer, day from o) d)
  select customer, min(day) as first, max(day) as last, count(*) as days from g group by customer, grp
model full_chain
  select coalesce(a.customer, b.customer, k.customer) as customer, a.n as orders, b.n as subs, k.n as events from
    (select customer, count(*) as n from o group by 1) a full join (select customer, count(*) as n from sub group by 1) b on a.customer = b.customer
    full join (select customer, count(*) as n from ev group by 1) k on k.customer = coalesce(a.customer, b.customer)
model not_in_nulls
  select id from c where id not in (select customer from o)
model not_in_parents
  select id from c where id not in (select parent from c where parent is not null) and name <> all (select status from o)
model in_select
  select c.id, (select max(o.amount) from o where o.customer = c.id) as most, (select count(*) from sub s where s.customer = c.id and s.mrr > (select avg(mrr) from sub)) as above,
    exists (select 1 from ev where ev.customer = c.id and ev.kind = 'buy') as bought, c.id in (select customer from o where status = 'paid') as paid from c
model top_two
  select c.id, t.id as order_id, t.amount from c cross join lateral (select id, amount from o where o.customer = c.id order by amount desc nulls last, id limit 2) t
model top_left
  select c.id, t.n, t.total, l.kind from c left join lateral (select count(*) as n, sum(amount) as total from o where o.customer = c.id and o.day >= c.since) t on true
    left join lateral (select kind from ev where ev.customer = c.id order by at desc, kind limit 1) l on true
model tree
  with recursive t as (
    select id, name, parent, 1 as depth, name::text as path from c where parent is null
    union all select c.id, c.name, c.parent, t.depth + 1, t.path || '/' || c.name from c join t on c.parent = t.id where t.depth < 10)
  select t.id, t.depth, t.path, (select count(*) from c k where k.parent = t.id) as children from t
model latest
  select distinct on (customer) customer, id, amount, status from o order by customer, at desc nulls last, id desc
model tags
  select d.id, t.tag, t.n, cardinality(d.tags) as many from doc d cross join lateral unnest(d.tags) with ordinality as t(tag, n)
model tag_counts
  select tag, count(distinct id) as docs, array_agg(id order by id) as ids from (select id, unnest(tags) as tag from doc) x group by tag
model elements
  select d.id, e.value ->> 'sku' as sku, (e.value ->> 'qty')::int as qty from doc d, jsonb_array_elements(d.props -> 'items') as e(value)
model element_totals
  select d.props ->> 'channel' as channel, sum((e ->> 'qty')::int) as qty, count(distinct e -> 'sku') as skus from doc d left join lateral jsonb_array_elements(d.props -> 'items') e on true group by 1
model running
  select id, customer, sum(amount) over w as total, count(*) over w as n, amount - lag(amount, 1, 0) over w as step, amount / nullif(sum(amount) over (partition by customer), 0) as share,
    avg(amount) over (partition by customer order by at, id rows between 2 preceding and current row) as moving, ntile(2) over w as half from o window w as (partition by customer order by at, id)
model ranked_groups
  select customer, sum(amount) as total, rank() over (order by sum(amount) desc nulls last) as r, sum(sum(amount)) over () as everything from o group by customer having count(*) > 1
model unions
  select 'o' as src, customer, day from o union select 'sub', customer, from_day from sub union all select 'ev', customer, at::date from ev
model except_nulls
  select customer from o except select customer from sub
model intersect_all
  select customer from o intersect all select customer from ev
model nested
  with a as (with b as (select * from o where amount > 5) select customer, count(*) as n from b group by 1), z as (select a.*, (select count(*) from a x where x.n > a.n) as above from a) select * from z
model same_day
  select a.id as first, b.id as second from o a join o b on a.customer = b.customer and a.id < b.id and b.at - a.at between interval '0' and interval '1 day'
model months
  select to_char(day, 'YYYY-MM') as month, status, count(*) as n, sum(amount) as total, round(avg(amount), 2) as mean, percentile_cont(0.5) within group (order by amount) as median, mode() within group (order by customer) as who from o group by 1, 2
model null_safe
  select a.id, b.id as twin from o a left join o b on a.status is not distinct from b.status and a.day is not distinct from b.day and a.id <> b.id
model greatest_of
  select c.id, greatest(c.since, (select max(day) from o where o.customer = c.id), (select max(from_day) from sub s where s.customer = c.id)) as last_seen from c
model case_sub
  select id, case when amount > (select avg(amount) from o) then 'above' when amount is null then 'none' else 'below' end as class, amount > all (select mrr from sub where sub.customer = o.customer) as over_all from o
model counted_twice
  select region, count(*) filter (where since < date '2025-02-01') as early, count(*) as all_of, array_agg(distinct name order by name desc) as names from c group by region
+ c 1 ann null north 2025-01-03
+ c 2 bob 1 north 2025-02-03
+ c 3 cid 1 south null
+ c 4 dan 3 null 2025-01-15
+ c 5 eve 9 south 2025-03-01
+ o 1 1 10.00 paid 2025-01-05 '2025-01-05 10:00'
+ o 2 1 20.00 open 2025-01-06 '2025-01-06 09:00'
+ o 3 2 5.00 paid 2025-01-08 '2025-01-08 12:00'
+ o 4 null 7.50 lost 2025-01-08 null
+ o 5 3 null paid 2025-02-01 '2025-02-01 00:00'
+ o 6 1 10.00 lost 2025-02-10 '2025-02-10 10:00'
+ sub 1 1 30.00 2025-01-01 2025-03-01
+ sub 2 1 50.00 2025-03-01 null
+ sub 3 2 10.00 2025-01-01 2025-02-01
+ sub 4 2 12.00 2025-04-01 2025-05-15
+ sub 5 7 9.99 2025-02-01 null
+ ev 1 view '2025-01-05 09:00'
+ ev 1 cart '2025-01-05 09:10'
+ ev 1 buy '2025-01-05 09:45'
+ ev 2 cart '2025-01-07 10:00'
+ ev 2 view '2025-01-07 10:05'
+ ev null view '2025-01-01 00:00'
+ ev 2 view '2025-01-07 10:05'
+ doc 1 {a,b,a} '{"channel": "web", "items": [{"sku": "x", "qty": 2}, {"sku": "y", "qty": 1}]}'
+ doc 2 {} '{"channel": "app", "items": []}'
+ doc 3 null '{"channel": "web", "items": [{"sku": "x", "qty": 5}]}'
+ doc 4 {b,null} '{"items": [{"sku": 1, "qty": 1}, {"sku": 1.0, "qty": 1}]}'
@ 1
= spine
  2025-01-05 1 10.00 10.00
  2025-01-06 1 20.00 30.00
  2025-01-07 0 0 30.00
  2025-01-08 2 12.50 42.50
  2025-01-09 0 0 42.50
  2025-01-10 0 0 42.50
  2025-01-11 0 0 42.50
  2025-01-12 0 0 42.50
  2025-01-13 0 0 42.50
  2025-01-14 0 0 42.50
  2025-01-15 0 0 42.50
  2025-01-16 0 0 42.50
  2025-01-17 0 0 42.50
  2025-01-18 0 0 42.50
  2025-01-19 0 0 42.50
  2025-01-20 0 0 42.50
  2025-01-21 0 0 42.50
  2025-01-22 0 0 42.50
  2025-01-23 0 0 42.50
  2025-01-24 0 0 42.50
  2025-01-25 0 0 42.50
  2025-01-26 0 0 42.50
  2025-01-27 0 0 42.50
  2025-01-28 0 0 42.50
  2025-01-29 0 0 42.50
  2025-01-30 0 0 42.50
  2025-01-31 0 0 42.50
  2025-02-01 1 0 42.50
  2025-02-02 0 0 42.50
  2025-02-03 0 0 42.50
  2025-02-04 0 0 42.50
  2025-02-05 0 0 42.50
  2025-02-06 0 0 42.50
  2025-02-07 0 0 42.50
  2025-02-08 0 0 42.50
  2025-02-09 0 0 42.50
  2025-02-10 1 10.00 52.50
= mrr
  2025-01-01 1 30.00 new
  2025-01-01 2 10.00 new
  2025-02-01 1 0.00 same
  2025-02-01 7 9.99 new
  2025-03-01 1 20.00 upgrade
  2025-03-01 7 0.00 same
  2025-04-01 1 0.00 same
  2025-04-01 2 2.00 reactivation
  2025-04-01 7 0.00 same
  2025-05-01 1 0.00 same
  2025-05-01 2 0.00 same
  2025-05-01 7 0.00 same
  2025-06-01 1 0.00 same
  2025-06-01 7 0.00 same
= churned
  2 bob 2025-05-15
= cohorts
  2025-01-01 0 2 100.0
  2025-01-01 1 1 50.0
  2025-02-01 0 1 100.0
= funnel
  2 1 1 7
= sessions
  1 1 '2025-01-05 09:00:00' 00:10:00 2 view>cart
  1 2 '2025-01-05 09:45:00' 00:00:00 1 buy
  2 1 '2025-01-07 10:00:00' 00:05:00 3 cart>view>view
  null 1 '2025-01-01 00:00:00' 00:00:00 1 view
= scd
  1 30.00 ann
  2 30.00 ann
  3 10.00 bob
  4 null null
  5 null cid
  6 30.00 ann
= pivot
  1 10.00 20.00 1 10.00 t
  2 5.00 null 0 5.00 f
  3 null null 0 null f
  null 0.00 null 1 null t
= islands
  1 2025-01-05 2025-01-06 2
  1 2025-02-10 2025-02-10 1
  2 2025-01-08 2025-01-08 1
  3 2025-02-01 2025-02-01 1
  null 2025-01-08 2025-01-08 1
= full_chain
  1 3 2 3
  2 1 2 3
  3 1 null null
  7 null 1 null
  null 1 null null
  null null null 1
= not_in_nulls
= not_in_parents
  2
  4
  5
= in_select
  1 20.00 2 t t
  2 5.00 0 f t
  3 null 0 f t
  4 null 0 f f
  5 null 0 f f
= top_two
  1 1 10.00
  1 2 20.00
  2 3 5.00
  3 5 null
= top_left
  1 3 40.00 buy
  2 0 null view
  3 0 null null
  4 0 null null
  5 0 null null
= tree
  1 1 ann 2
  2 2 ann/bob 0
  3 2 ann/cid 1
  4 3 ann/cid/dan 0
= latest
  1 6 10.00 lost
  2 3 5.00 paid
  3 5 null paid
  null 4 7.50 lost
= tags
  1 a 1 3
  1 a 3 3
  1 b 2 3
  4 b 1 2
  4 null 2 2
= tag_counts
  a 1 {1,1}
  b 2 {1,4}
  null 1 {4}
= elements
  1 x 2
  1 y 1
  3 x 5
  4 1 1
  4 1.0 1
= element_totals
  app null 0
  null 2 1
  web 8 2
= running
  1 1 10.00 1 10.00 0.25000000000000000000 10.0000000000000000 1
  2 1 30.00 2 10.00 0.50000000000000000000 15.0000000000000000 1
  3 2 5.00 1 5.00 1.00000000000000000000 5.0000000000000000 1
  4 null 7.50 1 7.50 1.00000000000000000000 7.5000000000000000 1
  5 3 null 1 null null null 1
  6 1 40.00 3 -10.00 0.25000000000000000000 13.3333333333333333 2
= ranked_groups
  1 40.00 1 40.00
= unions
  ev 1 2025-01-05
  ev 1 2025-01-05
  ev 1 2025-01-05
  ev 2 2025-01-07
  ev 2 2025-01-07
  ev 2 2025-01-07
  ev null 2025-01-01
  o 1 2025-01-05
  o 1 2025-01-06
  o 1 2025-02-10
  o 2 2025-01-08
  o 3 2025-02-01
  o null 2025-01-08
  sub 1 2025-01-01
  sub 1 2025-03-01
  sub 2 2025-01-01
  sub 2 2025-04-01
  sub 7 2025-02-01
= except_nulls
  3
  null
= intersect_all
  1
  1
  1
  2
  null
= nested
  1 3 0
  null 1 1
= same_day
  1 2
= months
  2025-01 lost 1 7.50 7.50 7.5 null
  2025-01 open 1 20.00 20.00 20 1
  2025-01 paid 2 15.00 7.50 7.5 1
  2025-02 lost 1 10.00 10.00 10 1
  2025-02 paid 1 null null null 3
= null_safe
  1 null
  2 null
  3 null
  4 null
  5 null
  6 null
= greatest_of
  1 2025-03-01
  2 2025-04-01
  3 2025-02-01
  4 2025-01-15
  5 2025-03-01
= case_sub
  1 below f
  2 above f
  3 below f
  4 below t
  5 none t
  6 below f
= counted_twice
  north 1 2 {bob,ann}
  null 1 1 {dan}
  south 0 2 {eve,cid}
!
- o 2 1 20.00 open 2025-01-06 '2025-01-06 09:00'
+ o 2 1 25.00 paid 2025-01-06 '2025-01-06 09:00'
- sub 1 1 30.00 2025-01-01 2025-03-01
+ sub 1 1 30.00 2025-01-01 2025-02-15
- c 3 cid 1 south null
+ c 3 cid 2 south 2025-01-02
+ ev 2 buy '2025-01-07 10:50'
- ev 2 view '2025-01-07 10:05'
- ev null view '2025-01-01 00:00'
- o 4 null 7.50 lost 2025-01-08 null
+ o 4 4 7.50 lost 2025-01-08 '2025-01-08 11:00'
+ o 7 4 7.50 paid 2025-01-07 '2025-01-07 11:00'
- doc 1 {a,b,a} '{"channel": "web", "items": [{"sku": "x", "qty": 2}, {"sku": "y", "qty": 1}]}'
+ doc 1 {c,b} '{"channel": "web", "items": [{"sku": "z", "qty": 2}]}'
+ doc 5 {a} '{"channel": "web"}'
@ 2
= spine
  2025-01-05 1 10.00 10.00
  2025-01-06 1 25.00 35.00
  2025-01-07 1 7.50 42.50
  2025-01-08 2 12.50 55.00
  2025-01-09 0 0 55.00
  2025-01-10 0 0 55.00
  2025-01-11 0 0 55.00
  2025-01-12 0 0 55.00
  2025-01-13 0 0 55.00
  2025-01-14 0 0 55.00
  2025-01-15 0 0 55.00
  2025-01-16 0 0 55.00
  2025-01-17 0 0 55.00
  2025-01-18 0 0 55.00
  2025-01-19 0 0 55.00
  2025-01-20 0 0 55.00
  2025-01-21 0 0 55.00
  2025-01-22 0 0 55.00
  2025-01-23 0 0 55.00
  2025-01-24 0 0 55.00
  2025-01-25 0 0 55.00
  2025-01-26 0 0 55.00
  2025-01-27 0 0 55.00
  2025-01-28 0 0 55.00
  2025-01-29 0 0 55.00
  2025-01-30 0 0 55.00
  2025-01-31 0 0 55.00
  2025-02-01 1 0 55.00
  2025-02-02 0 0 55.00
  2025-02-03 0 0 55.00
  2025-02-04 0 0 55.00
  2025-02-05 0 0 55.00
  2025-02-06 0 0 55.00
  2025-02-07 0 0 55.00
  2025-02-08 0 0 55.00
  2025-02-09 0 0 55.00
  2025-02-10 1 10.00 65.00
= mrr
  2025-01-01 1 30.00 new
  2025-01-01 2 10.00 new
  2025-02-01 1 0.00 same
  2025-02-01 7 9.99 new
  2025-03-01 1 20.00 upgrade
  2025-03-01 7 0.00 same
  2025-04-01 1 0.00 same
  2025-04-01 2 2.00 reactivation
  2025-04-01 7 0.00 same
  2025-05-01 1 0.00 same
  2025-05-01 2 0.00 same
  2025-05-01 7 0.00 same
  2025-06-01 1 0.00 same
  2025-06-01 7 0.00 same
= churned
  2 bob 2025-05-15
= cohorts
  2025-01-01 0 3 100.0
  2025-01-01 1 1 33.3
  2025-02-01 0 1 100.0
= funnel
  2 1 2 6
= sessions
  1 1 '2025-01-05 09:00:00' 00:10:00 2 view>cart
  1 2 '2025-01-05 09:45:00' 00:00:00 1 buy
  2 1 '2025-01-07 10:00:00' 00:05:00 2 cart>view
  2 2 '2025-01-07 10:50:00' 00:00:00 1 buy
= scd
  1 30.00 ann
  2 30.00 ann
  3 10.00 bob
  4 null dan
  5 null cid
  6 30.00 ann
  7 null dan
= pivot
  1 35.00 null 1 25.00 t
  2 5.00 null 0 5.00 f
  3 null null 0 null f
  4 7.50 null 1 7.50 t
= islands
  1 2025-01-05 2025-01-06 2
  1 2025-02-10 2025-02-10 1
  2 2025-01-08 2025-01-08 1
  3 2025-02-01 2025-02-01 1
  4 2025-01-07 2025-01-08 2
= full_chain
  1 3 2 3
  2 1 2 3
  3 1 null null
  4 2 null null
  7 null 1 null
= not_in_nulls
  5
= not_in_parents
  4
  5
= in_select
  1 25.00 2 t t
  2 5.00 0 t t
  3 null 0 f t
  4 7.50 0 f t
  5 null 0 f f
= top_two
  1 1 10.00
  1 2 25.00
  2 3 5.00
  3 5 null
  4 4 7.50
  4 7 7.50
= top_left
  1 3 45.00 buy
  2 0 null buy
  3 1 null null
  4 0 null null
  5 0 null null
= tree
  1 1 ann 1
  2 2 ann/bob 1
  3 3 ann/bob/cid 1
  4 4 ann/bob/cid/dan 0
= latest
  1 6 10.00 lost
  2 3 5.00 paid
  3 5 null paid
  4 4 7.50 lost
= tags
  1 b 2 2
  1 c 1 2
  4 b 1 2
  4 null 2 2
  5 a 1 1
= tag_counts
  a 1 {5}
  b 2 {1,4}
  c 1 {1}
  null 1 {4}
= elements
  1 z 2
  3 x 5
  4 1 1
  4 1.0 1
= element_totals
  app null 0
  null 2 1
  web 7 2
= running
  1 1 10.00 1 10.00 0.22222222222222222222 10.0000000000000000 1
  2 1 35.00 2 15.00 0.55555555555555555556 17.5000000000000000 1
  3 2 5.00 1 5.00 1.00000000000000000000 5.0000000000000000 1
  4 4 15.00 2 0.00 0.50000000000000000000 7.5000000000000000 2
  5 3 null 1 null null null 1
  6 1 45.00 3 -15.00 0.22222222222222222222 15.0000000000000000 2
  7 4 7.50 1 7.50 0.50000000000000000000 7.5000000000000000 1
= ranked_groups
  1 45.00 1 60.00
  4 15.00 2 60.00
= unions
  ev 1 2025-01-05
  ev 1 2025-01-05
  ev 1 2025-01-05
  ev 2 2025-01-07
  ev 2 2025-01-07
  ev 2 2025-01-07
  o 1 2025-01-05
  o 1 2025-01-06
  o 1 2025-02-10
  o 2 2025-01-08
  o 3 2025-02-01
  o 4 2025-01-07
  o 4 2025-01-08
  sub 1 2025-01-01
  sub 1 2025-03-01
  sub 2 2025-01-01
  sub 2 2025-04-01
  sub 7 2025-02-01
= except_nulls
  3
  4
= intersect_all
  1
  1
  1
  2
= nested
  1 3 0
  4 2 1
= same_day
  1 2
= months
  2025-01 lost 1 7.50 7.50 7.5 4
  2025-01 paid 4 47.50 11.88 8.75 1
  2025-02 lost 1 10.00 10.00 10 1
  2025-02 paid 1 null null null 3
= null_safe
  1 null
  2 null
  3 null
  4 null
  5 null
  6 null
  7 null
= greatest_of
  1 2025-03-01
  2 2025-04-01
  3 2025-02-01
  4 2025-01-15
  5 2025-03-01
= case_sub
  1 below f
  2 above f
  3 below f
  4 below t
  5 none t
  6 below f
  7 below t
= counted_twice
  north 1 2 {bob,ann}
  null 1 1 {dan}
  south 1 2 {eve,cid}
!
- c 1 ann null north 2025-01-03
- o 1 1 10.00 paid 2025-01-05 '2025-01-05 10:00'
- o 6 1 10.00 lost 2025-02-10 '2025-02-10 10:00'
- sub 2 1 50.00 2025-03-01 null
+ o 8 null 1.00 null 2025-01-20 null
+ c 9 zoe null south 2025-01-20
+ sub 6 2 12.00 2025-02-01 2025-04-01
- ev 1 view '2025-01-05 09:00'
- doc 4 {b,null} '{"items": [{"sku": 1, "qty": 1}, {"sku": 1.0, "qty": 1}]}'
@ 3
= spine
  2025-01-06 1 25.00 25.00
  2025-01-07 1 7.50 32.50
  2025-01-08 2 12.50 45.00
  2025-01-09 0 0 45.00
  2025-01-10 0 0 45.00
  2025-01-11 0 0 45.00
  2025-01-12 0 0 45.00
  2025-01-13 0 0 45.00
  2025-01-14 0 0 45.00
  2025-01-15 0 0 45.00
  2025-01-16 0 0 45.00
  2025-01-17 0 0 45.00
  2025-01-18 0 0 45.00
  2025-01-19 0 0 45.00
  2025-01-20 1 1.00 46.00
  2025-01-21 0 0 46.00
  2025-01-22 0 0 46.00
  2025-01-23 0 0 46.00
  2025-01-24 0 0 46.00
  2025-01-25 0 0 46.00
  2025-01-26 0 0 46.00
  2025-01-27 0 0 46.00
  2025-01-28 0 0 46.00
  2025-01-29 0 0 46.00
  2025-01-30 0 0 46.00
  2025-01-31 0 0 46.00
  2025-02-01 1 0 46.00
= mrr
  2025-01-01 1 30.00 new
  2025-01-01 2 10.00 new
  2025-02-01 1 0.00 same
  2025-02-01 2 2.00 upgrade
  2025-02-01 7 9.99 new
  2025-03-01 2 0.00 same
  2025-03-01 7 0.00 same
  2025-04-01 2 0.00 same
  2025-04-01 7 0.00 same
  2025-05-01 2 0.00 same
  2025-05-01 7 0.00 same
  2025-06-01 7 0.00 same
= churned
  2 bob 2025-05-15
= cohorts
  2025-01-01 0 3 100.0
  2025-02-01 0 1 100.0
= funnel
  1 0 2 5
= sessions
  1 1 '2025-01-05 09:10:00' 00:00:00 1 cart
  1 2 '2025-01-05 09:45:00' 00:00:00 1 buy
  2 1 '2025-01-07 10:00:00' 00:05:00 2 cart>view
  2 2 '2025-01-07 10:50:00' 00:00:00 1 buy
= scd
  2 30.00 null
  3 10.00 bob
  4 null dan
  5 null cid
  7 null dan
  8 null null
= pivot
  1 25.00 null 0 25.00 f
  2 5.00 null 0 5.00 f
  3 null null 0 null f
  4 7.50 null 1 7.50 t
  null 0.00 null 0 null null
= islands
  1 2025-01-06 2025-01-06 1
  2 2025-01-08 2025-01-08 1
  3 2025-02-01 2025-02-01 1
  4 2025-01-07 2025-01-08 2
  null 2025-01-20 2025-01-20 1
= full_chain
  1 1 1 2
  2 1 3 3
  3 1 null null
  4 2 null null
  7 null 1 null
  null 1 null null
= not_in_nulls
= not_in_parents
= in_select
  2 5.00 0 t t
  3 null 0 f t
  4 7.50 0 f t
  5 null 0 f f
  9 null 0 f f
= top_two
  2 3 5.00
  3 5 null
  4 4 7.50
  4 7 7.50
= top_left
  2 0 null buy
  3 1 null null
  4 0 null null
  5 0 null null
  9 0 null null
= tree
  5 2 zoe/eve 0
  9 1 zoe 1
= latest
  1 2 25.00 paid
  2 3 5.00 paid
  3 5 null paid
  4 4 7.50 lost
  null 8 1.00 null
= tags
  1 b 2 2
  1 c 1 2
  5 a 1 1
= tag_counts
  a 1 {5}
  b 1 {1}
  c 1 {1}
= elements
  1 z 2
  3 x 5
= element_totals
  app null 0
  web 7 2
= running
  2 1 25.00 1 25.00 1.00000000000000000000 25.0000000000000000 1
  3 2 5.00 1 5.00 1.00000000000000000000 5.0000000000000000 1
  4 4 15.00 2 0.00 0.50000000000000000000 7.5000000000000000 2
  5 3 null 1 null null null 1
  7 4 7.50 1 7.50 0.50000000000000000000 7.5000000000000000 1
  8 null 1.00 1 1.00 1.00000000000000000000 1.00000000000000000000 1
= ranked_groups
  4 15.00 1 15.00
= unions
  ev 1 2025-01-05
  ev 1 2025-01-05
  ev 2 2025-01-07
  ev 2 2025-01-07
  ev 2 2025-01-07
  o 1 2025-01-06
  o 2 2025-01-08
  o 3 2025-02-01
  o 4 2025-01-07
  o 4 2025-01-08
  o null 2025-01-20
  sub 1 2025-01-01
  sub 2 2025-01-01
  sub 2 2025-02-01
  sub 2 2025-04-01
  sub 7 2025-02-01
= except_nulls
  3
  4
  null
= intersect_all
  1
  2
= nested
  1 1 1
  4 2 0
= same_day
= months
  2025-01 lost 1 7.50 7.50 7.5 4
  2025-01 null 1 1.00 1.00 1 null
  2025-01 paid 3 37.50 12.50 7.5 1
  2025-02 paid 1 null null null 3
= null_safe
  2 null
  3 null
  4 null
  5 null
  7 null
  8 null
= greatest_of
  2 2025-04-01
  3 2025-02-01
  4 2025-01-15
  5 2025-03-01
  9 2025-01-20
= case_sub
  2 above f
  3 below f
  4 below t
  5 none t
  7 below t
  8 below t
= counted_twice
  north 0 1 {bob}
  null 1 1 {dan}
  south 2 3 {zoe,eve,cid}
!
- o 2 1 25.00 paid 2025-01-06 '2025-01-06 09:00'
- o 3 2 5.00 paid 2025-01-08 '2025-01-08 12:00'
- o 4 4 7.50 lost 2025-01-08 '2025-01-08 11:00'
- o 5 3 null paid 2025-02-01 '2025-02-01 00:00'
- o 7 4 7.50 paid 2025-01-07 '2025-01-07 11:00'
- o 8 null 1.00 null 2025-01-20 null
- sub 3 2 10.00 2025-01-01 2025-02-01
- sub 6 2 12.00 2025-02-01 2025-04-01
+ c 1 ann null north 2025-01-03
@ 4
= spine
= mrr
  2025-01-01 1 30.00 new
  2025-02-01 1 0.00 same
  2025-02-01 7 9.99 new
  2025-03-01 7 0.00 same
  2025-04-01 2 12.00 new
  2025-04-01 7 0.00 same
  2025-05-01 2 0.00 same
  2025-05-01 7 0.00 same
  2025-06-01 7 0.00 same
= churned
  1 ann 2025-02-15
  2 bob 2025-05-15
= cohorts
= funnel
  1 0 2 5
= sessions
  1 1 '2025-01-05 09:10:00' 00:00:00 1 cart
  1 2 '2025-01-05 09:45:00' 00:00:00 1 buy
  2 1 '2025-01-07 10:00:00' 00:05:00 2 cart>view
  2 2 '2025-01-07 10:50:00' 00:00:00 1 buy
= scd
= pivot
= islands
= full_chain
  1 null 1 2
  2 null 1 3
  7 null 1 null
= not_in_nulls
  1
  2
  3
  4
  5
  9
= not_in_parents
  4
  5
= in_select
  1 null 1 t f
  2 null 0 t f
  3 null 0 f f
  4 null 0 f f
  5 null 0 f f
  9 null 0 f f
= top_two
= top_left
  1 0 null buy
  2 0 null buy
  3 0 null null
  4 0 null null
  5 0 null null
  9 0 null null
= tree
  1 1 ann 1
  2 2 ann/bob 1
  3 3 ann/bob/cid 1
  4 4 ann/bob/cid/dan 0
  5 2 zoe/eve 0
  9 1 zoe 1
= latest
= tags
  1 b 2 2
  1 c 1 2
  5 a 1 1
= tag_counts
  a 1 {5}
  b 1 {1}
  c 1 {1}
= elements
  1 z 2
  3 x 5
= element_totals
  app null 0
  web 7 2
= running
= ranked_groups
= unions
  ev 1 2025-01-05
  ev 1 2025-01-05
  ev 2 2025-01-07
  ev 2 2025-01-07
  ev 2 2025-01-07
  sub 1 2025-01-01
  sub 2 2025-04-01
  sub 7 2025-02-01
= except_nulls
= intersect_all
= nested
= same_day
= months
= null_safe
= greatest_of
  1 2025-01-03
  2 2025-04-01
  3 2025-01-02
  4 2025-01-15
  5 2025-03-01
  9 2025-01-20
= case_sub
= counted_twice
  north 1 2 {bob,ann}
  null 1 1 {dan}
  south 2 3 {zoe,eve,cid}
!
