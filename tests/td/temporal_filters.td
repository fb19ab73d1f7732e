# Filters by the clock: rows come and go when their time does.
source events(id bigint, at timestamptz, day date) key id
source offers(id bigint, starts date, ends date, price numeric(8,2)) key id
source buyers(id bigint, offer bigint)
source texts(id bigint, until text)
model recent
  select id from events where at > now() - interval '90 minutes'
model last_week
  select day, count(*) as events from events
  where day between current_date - 6 and current_date group by day
model running
  select id, price from offers where starts <= current_date and (current_date <= ends)
model bought
  select b.id, o.price from buyers b join offers o on o.id = b.offer
  where o.starts <= current_date and o.ends > current_date - 1
model with_recent
  select e.id, r.id as recent from events e left join events r on r.id = e.id and r.at >= now() - interval '1 hour'
model young
  select id from events where now() - at < interval '2 hours' and day > current_date - 2
model parsed
  select id from texts where until::timestamptz > now()
model total
  select coalesce(sum(price), 0) as price, count(*) as offers from offers where ends >= current_date
clock 2025-03-01 12:00
+ events 1 '2025-03-01 11:00+00' 2025-03-01
+ events 2 '2025-03-01 10:30+00' 2025-02-22
+ events 3 '2025-03-01 12:30+00' 2025-03-02
+ events 4 null null
+ offers 1 2025-02-01 2025-03-01 10
+ offers 2 2025-03-02 2025-03-03 20
+ offers 3 2025-02-01 infinity 30
+ offers 4 2025-02-01 null 40
+ buyers 1 1
+ buyers 2 2
+ buyers 2 2
+ texts 1 '2025-03-01 13:00+00'
+ texts 2 soon
@ 1
= recent
  1
  3
= last_week
  2025-03-01 1
= running
  1 10.00
  3 30.00
= bought
  1 10.00
= with_recent
  1 1
  2 null
  3 3
  4 null
= young
  1
  3
= parsed
  1
= total
  60.00 3
!
  parsed invalid input syntax for type timestamp with time zone: "soon"
clock 2025-03-01 12:30
@ 2
~ recent
  -1 1
~ last_week
~ running
~ with_recent
  +1 1 null
  -1 1 1
~ young
~ parsed
# At midnight; a row that waits is taken back, and one that is over is corrected.
clock 2025-03-02 00:00
- events 2 '2025-03-01 10:30+00' 2025-02-22
+ events 2 '2025-03-01 23:59+00' 2025-02-22
- texts 2 soon
+ texts 2 tomorrow
@ 3
~ recent
  +1 2
  -1 3
~ last_week
  +1 2025-03-02 1
~ running
  +1 2 20.00
  -1 1 10.00
~ bought
  +2 2 20.00
  -1 1 10.00
~ with_recent
  +1 2 2
  +1 3 null
  -1 2 null
  -1 3 3
~ young
  -1 1
  -1 3
~ parsed
  -1 1
~ total
  +1 50.00 2
  -1 60.00 3
!
  parsed "tomorrow" depends on the clock: use now() or current_date
- texts 2 tomorrow
- events 2 '2025-03-01 23:59+00' 2025-02-22
+ offers 5 2025-03-01 2025-03-02 50
- offers 2 2025-03-02 2025-03-03 20
@ 4
~ recent
  -1 2
~ running
  +1 5 50.00
  -1 2 20.00
~ bought
  -2 2 20.00
~ total
  +1 80.00 2
  -1 50.00 2
!
clock 2025-03-10 00:00
+ offers 6 2025-03-01 2025-03-02 60
@ 5
= recent
= last_week
= running
  3 30.00
= bought
= with_recent
  1 null
  3 null
  4 null
= young
= parsed
= total
  30.00 1
!
