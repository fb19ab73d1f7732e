-- Recency, frequency and money of each customer, in fifths, and the segment that they make.
WITH successful AS (
  SELECT order_id, customer_id, order_date FROM {{ source('shop', 'orders') }} WHERE status = 'completed'
), counted AS (
  SELECT customer_id, MAX(order_date) AS last_order_date, COUNT(*) AS frequency FROM successful GROUP BY customer_id
), spent AS (
  SELECT s.customer_id, SUM(i.price * i.quantity) AS monetary
  FROM successful s JOIN {{ source('shop', 'order_items') }} i ON i.order_id = s.order_id GROUP BY s.customer_id
), base AS (
  SELECT c.customer_id, c.last_order_date, c.frequency, COALESCE(s.monetary, 0) AS monetary
  FROM counted c LEFT JOIN spent s ON s.customer_id = c.customer_id
), scored AS (
  SELECT customer_id, last_order_date, frequency, monetary,
    NTILE(5) OVER (ORDER BY last_order_date, customer_id) AS r_score,
    NTILE(5) OVER (ORDER BY frequency, customer_id) AS f_score,
    NTILE(5) OVER (ORDER BY monetary, customer_id) AS m_score
  FROM base
)
SELECT customer_id, last_order_date, frequency, monetary, r_score, f_score, m_score,
  CASE WHEN r_score >= 4 AND f_score >= 4 AND m_score >= 4 THEN 'Champions'
       WHEN r_score <= 2 AND f_score >= 3 THEN 'At Risk'
       WHEN f_score >= 4 THEN 'Loyal'
       WHEN r_score >= 4 AND f_score <= 2 THEN 'New'
       ELSE 'Others' END AS segment
FROM scored
