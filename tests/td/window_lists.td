# Lists over windows: whole partitions, running ones, frames of rows, of peers and of values; with FILTER, NULLs, copies and ties.
source p(id bigint, k text, n int, at date, label text, amount numeric(10,2)) key id
source loose(k text, v int)
model whole
  select id, array_agg(label) over (partition by k order by id rows between unbounded preceding and unbounded following) as labels, string_agg(label, ', ') over (partition by k order by id range between unbounded preceding and unbounded following) as text from p
model running
  select id, array_agg(n) over (partition by k order by id) as ns, string_agg(label, '>') over (partition by k order by id rows unbounded preceding) as path, count(*) over (partition by k order by id) as many from p
model around
  select id, array_agg(id) over (order by id rows between 1 preceding and 1 following) as ids, string_agg(label, label) over (order by id desc rows between current row and 2 following) as labels, array_agg(id) over (order by id rows between 2 following and 3 following) as ahead from p
model days
  select id, array_agg(id) over (order by at, id) as seen, array_agg(at) over (order by at range between '2 days' preceding and current row) as days from p
model filtered
  select id, array_agg(id) filter (where n > 2) over (order by id) as large, string_agg(label, '') filter (where amount > 1) over (partition by k order by id rows 1 preceding) as dear from p
model documents
  select id, json_agg(n) over (order by id rows 1 preceding) as j, jsonb_agg(label) over (partition by k order by id) as jb, jsonb_object_agg(id, n) over (order by id rows 1 preceding) as o from p
model after_the_list
  select id, array_length(ids, 1) as many, 'x' = any(ids) as has_x from (select id, array_agg(label) over (partition by k order by id) as ids from p) s where array_length(ids, 1) < 4
model copies
  select k, v, array_agg(v) over (partition by k order by v rows between unbounded preceding and unbounded following) as vs, array_agg(v) over (partition by k order by v rows 1 preceding) as two from loose
model of_groups
  select k, count(*) as many, array_agg(count(*)) over (order by count(*) desc, k) as counts, string_agg(k, ',') over (order by k) as names from p group by k
model failing
  select id, array_agg(10 / n) filter (where k = 'a') over (order by id) as parts from p
model spread
  select id, min(n) over (partition by k order by id rows 2 preceding) as least, max(label) filter (where n > 2) over (order by id) as last_label, bool_and(n > 1) over (partition by k order by id) as all_large, bool_or(n > 4) over (order by id rows 1 preceding) as some_large, stddev(n) over (partition by k order by id) as s, any_value(k) over (partition by k) as same from p
@ 0
+ p 1 a 1 '2024-01-01' x 1.50
+ p 2 a 3 '2024-01-02' null 2.00
+ p 3 b 5 '2024-01-02' z 0.50
+ p 4 a 2 '2024-01-05' y null
+ loose a 1
+ loose a 1
+ loose a null
+ loose b 2
@ 1
= whole
  1 {x,NULL,y} 'x, y'
  2 {x,NULL,y} 'x, y'
  3 {z} z
  4 {x,NULL,y} 'x, y'
= running
  1 {1} x 1
  2 {1,3} x 2
  3 {5} z 1
  4 {1,3,2} x>y 3
= around
  1 {1,2} x {3,4}
  2 {1,2,3} x {4}
  3 {2,3,4} zxx null
  4 {3,4} yzz null
= days
  1 {1} {2024-01-01}
  2 {1,2} {2024-01-01,2024-01-02,2024-01-02}
  3 {1,2,3} {2024-01-01,2024-01-02,2024-01-02}
  4 {1,2,3,4} {2024-01-05}
= filtered
  1 null x
  2 {2} x
  3 {2,3} null
  4 {2,3} null
= documents
  1 [1] ["x"] '{"1": 1}'
  2 '[1, 3]' '["x", null]' '{"1": 1, "2": 3}'
  3 '[3, 5]' ["z"] '{"2": 3, "3": 5}'
  4 '[5, 2]' '["x", null, "y"]' '{"3": 5, "4": 2}'
= after_the_list
  1 1 t
  2 2 t
  3 1 f
  4 3 t
= copies
  a 1 {1,1,NULL} {1,1}
  a 1 {1,1,NULL} {1}
  a null {1,1,NULL} {1,NULL}
  b 2 {2} {2}
= of_groups
  a 3 {3} a
  b 1 {3,1} a,b
= failing
  1 {10}
  2 {10,3}
  3 {10,3}
  4 {10,3,5}
= spread
  1 1 null f f null a
  2 1 null f f 1.4142135623730950 a
  3 5 z t t null b
  4 1 z f t 1.00000000000000000000 a
!
+ p 5 a 4 '2024-01-04' w 9.00
- p 2 a 3 '2024-01-02' null 2.00
+ p 2 a 3 '2024-01-02' v 0.25
+ loose a 1
+ loose b 3
- loose b 2
@ 2
~ whole
  +1 1 {x,v,y,w} 'x, v, y, w'
  +1 2 {x,v,y,w} 'x, v, y, w'
  +1 4 {x,v,y,w} 'x, v, y, w'
  +1 5 {x,v,y,w} 'x, v, y, w'
  -1 1 {x,NULL,y} 'x, y'
  -1 2 {x,NULL,y} 'x, y'
  -1 4 {x,NULL,y} 'x, y'
~ running
  +1 2 {1,3} x>v 2
  +1 4 {1,3,2} x>v>y 3
  +1 5 {1,3,2,4} x>v>y>w 4
  -1 2 {1,3} x 2
  -1 4 {1,3,2} x>y 3
~ around
  +1 2 {1,2,3} vxx {4,5}
  +1 3 {2,3,4} zvvxx {5}
  +1 4 {3,4,5} yzzvv null
  +1 5 {4,5} wyyzz null
  -1 2 {1,2,3} x {4}
  -1 3 {2,3,4} zxx null
  -1 4 {3,4} yzz null
~ days
  +1 4 {1,2,3,5,4} {2024-01-04,2024-01-05}
  +1 5 {1,2,3,5} {2024-01-02,2024-01-02,2024-01-04}
  -1 4 {1,2,3,4} {2024-01-05}
~ filtered
  +1 5 {2,3,5} w
~ documents
  +1 2 '[1, 3]' '["x", "v"]' '{"1": 1, "2": 3}'
  +1 4 '[5, 2]' '["x", "v", "y"]' '{"3": 5, "4": 2}'
  +1 5 '[2, 4]' '["x", "v", "y", "w"]' '{"4": 2, "5": 4}'
  -1 2 '[1, 3]' '["x", null]' '{"1": 1, "2": 3}'
  -1 4 '[5, 2]' '["x", null, "y"]' '{"3": 5, "4": 2}'
~ after_the_list
~ copies
  +1 a 1 {1,1,1,NULL} {1}
  +1 a null {1,1,1,NULL} {1,NULL}
  +1 b 3 {3} {3}
  +2 a 1 {1,1,1,NULL} {1,1}
  -1 a 1 {1,1,NULL} {1,1}
  -1 a 1 {1,1,NULL} {1}
  -1 a null {1,1,NULL} {1,NULL}
  -1 b 2 {2} {2}
~ of_groups
  +1 a 4 {4} a
  +1 b 1 {4,1} a,b
  -1 a 3 {3} a
  -1 b 1 {3,1} a,b
~ failing
  +1 5 {10,3,5,2}
~ spread
  +1 2 1 v f f 1.4142135623730950 a
  +1 5 2 z f f 1.2909944487358056 a
  -1 2 1 null f f 1.4142135623730950 a
!
+ p 6 b 0 '2024-01-03' q 3.00
+ p 7 a 0 null null 3.00
- loose a 1
- loose a 1
@ 3
~ whole
  +1 1 {x,v,y,w,NULL} 'x, v, y, w'
  +1 2 {x,v,y,w,NULL} 'x, v, y, w'
  +1 3 {z,q} 'z, q'
  +1 4 {x,v,y,w,NULL} 'x, v, y, w'
  +1 5 {x,v,y,w,NULL} 'x, v, y, w'
  +1 6 {z,q} 'z, q'
  +1 7 {x,v,y,w,NULL} 'x, v, y, w'
  -1 1 {x,v,y,w} 'x, v, y, w'
  -1 2 {x,v,y,w} 'x, v, y, w'
  -1 3 {z} z
  -1 4 {x,v,y,w} 'x, v, y, w'
  -1 5 {x,v,y,w} 'x, v, y, w'
~ running
  +1 6 {5,0} z>q 2
  +1 7 {1,3,2,4,0} x>v>y>w 5
~ around
  +1 3 {2,3,4} zvvxx {5,6}
  +1 4 {3,4,5} yzzvv {6,7}
  +1 5 {4,5,6} wyyzz {7}
  +1 6 {5,6,7} qwwyy null
  +1 7 {6,7} qww null
  -1 3 {2,3,4} zvvxx {5}
  -1 4 {3,4,5} yzzvv null
  -1 5 {4,5} wyyzz null
~ days
  +1 4 {1,2,3,6,5,4} {2024-01-03,2024-01-04,2024-01-05}
  +1 5 {1,2,3,6,5} {2024-01-02,2024-01-02,2024-01-03,2024-01-04}
  +1 6 {1,2,3,6} {2024-01-01,2024-01-02,2024-01-02,2024-01-03}
  +1 7 {1,2,3,6,5,4,7} {NULL}
  -1 4 {1,2,3,5,4} {2024-01-04,2024-01-05}
  -1 5 {1,2,3,5} {2024-01-02,2024-01-02,2024-01-04}
~ filtered
  +1 6 {2,3,5} q
  +1 7 {2,3,5} w
~ documents
  +1 6 '[4, 0]' '["z", "q"]' '{"5": 4, "6": 0}'
  +1 7 '[0, 0]' '["x", "v", "y", "w", null]' '{"6": 0, "7": 0}'
~ after_the_list
  +1 6 2 f
~ copies
  +1 a 1 {1,NULL} {1}
  +1 a null {1,NULL} {1,NULL}
  -1 a 1 {1,1,1,NULL} {1}
  -1 a null {1,1,1,NULL} {1,NULL}
  -2 a 1 {1,1,1,NULL} {1,1}
~ of_groups
  +1 a 5 {5} a
  +1 b 2 {5,2} a,b
  -1 a 4 {4} a
  -1 b 1 {4,1} a,b
~ failing
  +1 6 {10,3,5,2}
~ spread
  +1 6 0 z f f 3.5355339059327376 b
  +1 7 0 z f f 1.5811388300841897 a
!
  failing division by zero
- p 7 a 0 null null 3.00
+ p 7 b 7 null null 3.00
- p 1 a 1 '2024-01-01' x 1.50
- p 3 b 5 '2024-01-02' z 0.50
@ 4
~ whole
  +1 2 {v,y,w} 'v, y, w'
  +1 4 {v,y,w} 'v, y, w'
  +1 5 {v,y,w} 'v, y, w'
  +1 6 {q,NULL} q
  +1 7 {q,NULL} q
  -1 1 {x,v,y,w,NULL} 'x, v, y, w'
  -1 2 {x,v,y,w,NULL} 'x, v, y, w'
  -1 3 {z,q} 'z, q'
  -1 4 {x,v,y,w,NULL} 'x, v, y, w'
  -1 5 {x,v,y,w,NULL} 'x, v, y, w'
  -1 6 {z,q} 'z, q'
  -1 7 {x,v,y,w,NULL} 'x, v, y, w'
~ running
  +1 2 {3} v 1
  +1 4 {3,2} v>y 2
  +1 5 {3,2,4} v>y>w 3
  +1 6 {0} q 1
  +1 7 {0,7} q 2
  -1 1 {1} x 1
  -1 2 {1,3} x>v 2
  -1 3 {5} z 1
  -1 4 {1,3,2} x>v>y 3
  -1 5 {1,3,2,4} x>v>y>w 4
  -1 6 {5,0} z>q 2
  -1 7 {1,3,2,4,0} x>v>y>w 5
~ around
  +1 2 {2,4} v {5,6}
  +1 4 {2,4,5} yvv {6,7}
  +1 5 {4,5,6} wyyvv {7}
  -1 1 {1,2} x {3,4}
  -1 2 {1,2,3} vxx {4,5}
  -1 3 {2,3,4} zvvxx {5,6}
  -1 4 {3,4,5} yzzvv {6,7}
  -1 5 {4,5,6} wyyzz {7}
~ days
  +1 2 {2} {2024-01-02}
  +1 4 {2,6,5,4} {2024-01-03,2024-01-04,2024-01-05}
  +1 5 {2,6,5} {2024-01-02,2024-01-03,2024-01-04}
  +1 6 {2,6} {2024-01-02,2024-01-03}
  +1 7 {2,6,5,4,7} {NULL}
  -1 1 {1} {2024-01-01}
  -1 2 {1,2} {2024-01-01,2024-01-02,2024-01-02}
  -1 3 {1,2,3} {2024-01-01,2024-01-02,2024-01-02}
  -1 4 {1,2,3,6,5,4} {2024-01-03,2024-01-04,2024-01-05}
  -1 5 {1,2,3,6,5} {2024-01-02,2024-01-02,2024-01-03,2024-01-04}
  -1 6 {1,2,3,6} {2024-01-01,2024-01-02,2024-01-02,2024-01-03}
  -1 7 {1,2,3,6,5,4,7} {NULL}
~ filtered
  +1 2 {2} null
  +1 4 {2} null
  +1 5 {2,5} w
  +1 6 {2,5} q
  +1 7 {2,5,7} q
  -1 1 null x
  -1 2 {2} x
  -1 3 {2,3} null
  -1 4 {2,3} null
  -1 5 {2,3,5} w
  -1 6 {2,3,5} q
  -1 7 {2,3,5} w
~ documents
  +1 2 [3] ["v"] '{"2": 3}'
  +1 4 '[3, 2]' '["v", "y"]' '{"2": 3, "4": 2}'
  +1 5 '[2, 4]' '["v", "y", "w"]' '{"4": 2, "5": 4}'
  +1 6 '[4, 0]' ["q"] '{"5": 4, "6": 0}'
  +1 7 '[0, 7]' '["q", null]' '{"6": 0, "7": 7}'
  -1 1 [1] ["x"] '{"1": 1}'
  -1 2 '[1, 3]' '["x", "v"]' '{"1": 1, "2": 3}'
  -1 3 '[3, 5]' ["z"] '{"2": 3, "3": 5}'
  -1 4 '[5, 2]' '["x", "v", "y"]' '{"3": 5, "4": 2}'
  -1 5 '[2, 4]' '["x", "v", "y", "w"]' '{"4": 2, "5": 4}'
  -1 6 '[4, 0]' '["z", "q"]' '{"5": 4, "6": 0}'
  -1 7 '[0, 0]' '["x", "v", "y", "w", null]' '{"6": 0, "7": 0}'
~ after_the_list
  +1 2 1 f
  +1 4 2 f
  +1 5 3 f
  +1 6 1 f
  +1 7 2 null
  -1 1 1 t
  -1 2 2 t
  -1 3 1 f
  -1 4 3 t
  -1 6 2 f
~ copies
~ of_groups
  +1 a 3 {3} a
  +1 b 2 {3,2} a,b
  -1 a 5 {5} a
  -1 b 2 {5,2} a,b
~ failing
  +1 2 {3}
  +1 4 {3,5}
  +1 5 {3,5,2}
  +1 6 {3,5,2}
  +1 7 {3,5,2}
  -1 1 {10}
  -1 2 {10,3}
  -1 3 {10,3}
  -1 4 {10,3,5}
  -1 5 {10,3,5,2}
  -1 6 {10,3,5,2}
~ spread
  +1 2 3 v t f null a
  +1 4 2 v t f 0.70710678118654752440 a
  +1 5 2 w t f 1.00000000000000000000 a
  +1 6 0 w f f null b
  +1 7 0 w f t 4.9497474683058327 b
  -1 1 1 null f f null a
  -1 2 1 v f f 1.4142135623730950 a
  -1 3 5 z t t null b
  -1 4 1 z f t 1.00000000000000000000 a
  -1 5 2 z f f 1.2909944487358056 a
  -1 6 0 z f f 3.5355339059327376 b
  -1 7 0 z f f 1.5811388300841897 a
!
