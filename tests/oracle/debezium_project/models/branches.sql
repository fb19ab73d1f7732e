select branch, count(*) as accounts, sum(balance) as balance, sum(moves) as moves, max(balance) as largest
from {{ ref('account_checks') }}
group by branch
