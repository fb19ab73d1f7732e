# A subquery used as an expression may have one row. An outer row that meets several is set aside until only one is left.
source a(id bigint, k bigint)
source b(k bigint, w text)
model beside
  select a.id, (select w from b where b.k = a.k) as w from a
model alone
  select a.id, (select w from b) as w from a
+ a 1 1
+ a 2 2
+ b 1 x
@ 1
= beside
  1 x
  2 null
= alone
  1 x
  2 x
!
+ b 1 y
@ 2
= beside
  2 null
= alone
!
  alone more than one row returned by a subquery used as an expression
  alone more than one row returned by a subquery used as an expression
  beside more than one row returned by a subquery used as an expression
- b 1 x
+ b 2 null
@ 3
= beside
  1 y
  2 null
= alone
!
  alone more than one row returned by a subquery used as an expression
  alone more than one row returned by a subquery used as an expression
- b 1 y
@ 4
= beside
  1 null
  2 null
= alone
  1 null
  2 null
!
