select customer_id, count(*) as carts, sum(amount) as amount from {{ ref('all_carts') }} group by customer_id
