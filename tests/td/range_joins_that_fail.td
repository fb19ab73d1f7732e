# A failing pair takes its preserved row away and heals when one of the two goes; an inner join loses the pair alone.
source a(id bigint, k bigint, at bigint)
source b(id bigint, k bigint, low bigint)
model inner_join
  select a.id as a, b.id as b from a join b on a.k = b.k and a.at > b.low and 12 / (a.at - b.id) > 0
model left_join
  select a.id as a, b.id as b from a left join b on a.k = b.k and a.at > b.low and 12 / (a.at - b.id) > 0
model right_join
  select a.id as a, b.id as b from b right join a on a.k = b.k and a.at > b.low and 12 / (a.at - b.id) > 0
model full_join
  select a.id as a, b.id as b from a full join b on a.k = b.k and a.at > b.low and 12 / (a.at - b.id) > 0
model semi_join
  select a.id from a where exists (select 1 from b where b.k = a.k and a.at > b.low and 12 / (a.at - b.id) > 0)
model anti_join
  select a.id from a where not exists (select 1 from b where b.k = a.k and a.at > b.low and 12 / (a.at - b.id) > 0)
model failing_end
  select a.id as a, b.id as b from a left join b on a.k = b.k and a.at > 10 / b.low
+ a 1 1 5
+ a 2 1 7
+ b 1 1 1
+ b 2 1 1
@ 1
= inner_join
  1 1
  1 2
  2 1
  2 2
= left_join
  1 1
  1 2
  2 1
  2 2
= right_join
  1 1
  1 2
  2 1
  2 2
= full_join
  1 1
  1 2
  2 1
  2 2
= semi_join
  1
  2
= anti_join
= failing_end
  1 null
  2 null
!
+ b 5 1 0
@ 2
= inner_join
  1 1
  1 2
  2 1
  2 2
  2 5
= left_join
  2 1
  2 2
  2 5
= right_join
  2 1
  2 2
  2 5
= full_join
  2 1
  2 2
  2 5
= semi_join
  1
  2
= anti_join
= failing_end
!
  failing_end division by zero
  failing_end division by zero
  full_join division by zero
  inner_join division by zero
  left_join division by zero
  right_join division by zero
  semi_join division by zero
+ b 7 1 9
+ a 5 1 9
@ 3
~ left_join
  +1 5 1
  +1 5 2
  +1 5 5
~ full_join
  +1 5 1
  +1 5 2
  +1 5 5
  +1 null 7
!
  failing_end division by zero
  failing_end division by zero
  failing_end division by zero
  full_join division by zero
  inner_join division by zero
  left_join division by zero
  right_join division by zero
  semi_join division by zero
- b 5 1 0
@ 4
= inner_join
  1 1
  1 2
  2 1
  2 2
  5 1
  5 2
= left_join
  1 1
  1 2
  2 1
  2 2
  5 1
  5 2
= right_join
  1 1
  1 2
  2 1
  2 2
  5 1
  5 2
= full_join
  1 1
  1 2
  2 1
  2 2
  5 1
  5 2
  null 7
= semi_join
  1
  2
  5
= anti_join
= failing_end
  1 7
  2 7
  5 7
!
+ a 9 1 null
+ b 6 1 0
@ 5
= failing_end
!
  failing_end division by zero
  failing_end division by zero
  failing_end division by zero
  failing_end division by zero
