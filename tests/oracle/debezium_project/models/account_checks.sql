-- What an account holds beside what its transfers say: `difference` is 0 in every cut that splits no transaction.
with moves as (
    select from_id as account_id, -amount as amount from {{ ref('all_transfers') }}
    union all
    select to_id, amount from {{ ref('all_transfers') }}
),
moved as (
    select account_id, sum(amount) as amount, count(*) as moves from moves group by account_id
)
select
    a.id,
    a.branch,
    a.balance,
    a.balance - a.opening - coalesce(m.amount, 0) as difference,
    coalesce(m.moves, 0) as moves
from {{ ref('all_accounts') }} as a
left join moved as m on m.account_id = a.id
