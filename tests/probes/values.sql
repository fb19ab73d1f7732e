--! int_div
SELECT 7/2, -7/2, 7%3, -7%3
--! int_mul_overflow
SELECT 2147483647 + 1
--! bigint_overflow
SELECT 9223372036854775807 + 1
--! dec_div_12_2_by_int
SELECT CAST('10.00' AS numeric(12,2)) / CAST(3 AS bigint)
--! dec_div_dec
SELECT CAST('10.00' AS numeric(12,2)) / CAST('3.00' AS numeric(12,2))
--! dec_mul
SELECT CAST('10.25' AS numeric(12,2)) * CAST('3.10' AS numeric(12,2)), CAST('10.25' AS numeric(12,2)) * CAST(3 AS bigint)
--! dec_mul_literal
SELECT CAST('10.25' AS numeric(12,2)) * 1.1, 0.1 + 0.2, 1.5 * 2
--! dec_div_literal
SELECT 100.0 / 3, 1.0/3, 2/3.0, 10 * 100.0 / 7
--! dec_chain_pct
SELECT ROUND((CAST('10.25' AS numeric(12,2)) - CAST('3.10' AS numeric(12,2))) / NULLIF(CAST('3.10' AS numeric(12,2)),0) * 100, 2)
--! dec_tiny_share
SELECT CAST('1.00' AS numeric(12,2)) / CAST('9999999.00' AS numeric(12,2))
--! numeric_noarg
SELECT CAST('10.123456' AS numeric), CAST(10 AS numeric) / 4
--! sum_type
SELECT SUM(x), AVG(x) FROM (VALUES (CAST('10.25' AS numeric(12,2))),(CAST('0.10' AS numeric(12,2))),(CAST('0.10' AS numeric(12,2)))) t(x)
--! sum_bigint
SELECT SUM(x), AVG(x) FROM (VALUES (CAST(9223372036854775807 AS bigint)),(CAST(1 AS bigint))) t(x)
--! avg_int
SELECT AVG(x) FROM (VALUES (1),(2),(2)) t(x)
--! div_zero_int
SELECT x/0 FROM (VALUES (1)) t(x)
--! div_zero_dec
SELECT CAST('1.00' AS numeric(12,2)) / CAST('0.00' AS numeric(12,2))
--! div_zero_float
SELECT CAST(1 AS double precision) / CAST(0 AS double precision)
--! stddev
SELECT STDDEV(x), STDDEV_SAMP(x), STDDEV_POP(x), VARIANCE(x) FROM (VALUES (CAST('10.25' AS numeric(12,2))),(CAST('0.10' AS numeric(12,2))),(CAST('5.55' AS numeric(12,2)))) t(x)
--! stddev_one
SELECT STDDEV_SAMP(x) FROM (VALUES (CAST('10.25' AS numeric(12,2)))) t(x)
--! pctl_cont
SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x) FROM (VALUES (CAST('10.25' AS numeric(12,2))),(CAST('0.10' AS numeric(12,2)))) t(x)
--! pctl_cont_desc
SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY x DESC) FROM (VALUES (1.0),(2.0),(3.0),(10.0)) t(x)
--! pctl_disc
SELECT PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY x) FROM (VALUES (1),(2),(3),(10)) t(x)
--! date_sub
SELECT DATE '2025-01-01' - DATE '2024-12-01'
--! ts_sub
SELECT TIMESTAMP '2025-01-01 12:00:00' - TIMESTAMP '2024-11-01 10:30:00'
--! date_plus_int
SELECT DATE '2025-01-01' + 7, DATE '2025-01-01' - 1
--! date_plus_interval
SELECT DATE '2025-01-31' + INTERVAL '1 month', TIMESTAMP '2025-01-31 00:00:00' + INTERVAL '1 month'
--! extract_epoch_interval
SELECT EXTRACT(EPOCH FROM (TIMESTAMP '2025-01-02 12:00:00' - TIMESTAMP '2025-01-01 00:00:00'))
--! extract_day_interval
SELECT EXTRACT(DAY FROM (TIMESTAMP '2025-02-02 12:00:00' - TIMESTAMP '2025-01-01 00:00:00'))
--! extract_types
SELECT EXTRACT(YEAR FROM TIMESTAMP '2025-02-02 12:34:56.789'), EXTRACT(SECOND FROM TIMESTAMP '2025-02-02 12:34:56.789'), EXTRACT(EPOCH FROM TIMESTAMP '2025-02-02 12:34:56.789'), EXTRACT(DOW FROM DATE '2025-02-02'), EXTRACT(WEEK FROM DATE '2025-01-01'), EXTRACT(ISODOW FROM DATE '2025-02-02')
--! date_trunc_type
SELECT DATE_TRUNC('month', DATE '2025-02-17'), DATE_TRUNC('week', TIMESTAMP '2025-02-16 10:00:00'), DATE_TRUNC('quarter', TIMESTAMP '2025-02-16 10:00:00')
--! age
SELECT AGE(TIMESTAMP '2025-03-01', TIMESTAMP '2024-01-31')
--! to_char_fmt
SELECT TO_CHAR(TIMESTAMP '2025-03-01 14:05:06', 'YYYY-MM-DD HH24:MI:SS'), TO_CHAR(TIMESTAMP '2025-03-01 14:05:06', 'Mon YYYY')
--! to_date_fmt
SELECT TO_DATE('2024-01-31','YYYY-MM-DD')
--! to_timestamp
SELECT TO_TIMESTAMP(1700000000)
--! max_date
SELECT CAST('9999-12-31' AS timestamp), CAST('0001-01-01' AS date)
--! ts_text
SELECT CAST(TIMESTAMP '2025-03-01 14:05:06' AS text), CAST(DATE '2025-03-01' AS text), CAST(true AS text), CAST(CAST('1.50' AS numeric(12,2)) AS text), CAST(CAST(1.0 AS double precision) AS text), CAST(CAST(1e20 AS double precision) AS text)
--! float_text
SELECT CAST(0.1 AS double precision) + CAST(0.2 AS double precision)
--! cast_round_int
SELECT CAST(2.5 AS int), CAST(3.5 AS int), CAST(-2.5 AS int), CAST(CAST(2.5 AS double precision) AS int), CAST(CAST('2.567' AS numeric(10,3)) AS numeric(10,2))
--! round_half
SELECT ROUND(2.5), ROUND(-2.5), ROUND(CAST('2.675' AS numeric(10,3)), 2), ROUND(CAST(2.5 AS double precision))
--! cast_bad
SELECT CAST('abc' AS int)
--! cast_space
SELECT CAST(' 42 ' AS int), CAST('t' AS boolean), CAST('yes' AS boolean)
--! varchar_trunc
SELECT CAST('abcdef' AS varchar(3))
--! concat_null
SELECT 'a' || NULL, CONCAT('a', NULL, 'b'), CONCAT_WS('-', 'a', NULL, 'b')
--! concat_num
SELECT 'a' || 1, 1 || 'a'
--! substr
SELECT SUBSTRING('hello' FROM 0 FOR 3), SUBSTR('hello', -1, 3), LEFT('hello', -2), RIGHT('hello', 2), SPLIT_PART('a,b,c', ',', -1), SPLIT_PART('a', ',', 5)
--! initcap
SELECT INITCAP('hello wORLD-foo'), LENGTH('héllo'), OCTET_LENGTH('héllo'), UPPER('straße'), LOWER('ÀÉ')
--! trim
SELECT TRIM('  a  '), TRIM(BOTH 'x' FROM 'xxaxx'), LTRIM('xxa','x'), BTRIM('xax','x')
--! lpad_pos
SELECT LPAD('7', 3, '0'), POSITION('l' IN 'hello'), STRPOS('hello','z'), REPEAT('ab', 2), REVERSE('abc')
--! regexp
SELECT REGEXP_REPLACE('a1b2','[0-9]','#'), REGEXP_REPLACE('a1b2','[0-9]','#','g'), 'abc' ~ 'B', 'abc' ~* 'B'
--! like_escape
SELECT 'a_b' LIKE 'a\_b', 'abc' ILIKE 'A%', 'abc' SIMILAR TO 'a(b|x)c'
--! md5
SELECT MD5('abc')
--! null_cmp
SELECT NULL = NULL, 1 IN (2, NULL), NOT (1 IN (2, NULL)), NULL IS DISTINCT FROM 1
--! greatest_null
SELECT GREATEST(1, NULL, 3), LEAST(NULL, 2), COALESCE(NULL, 2), NULLIF(1,1)
--! order_nulls_asc
SELECT x FROM (VALUES (1),(NULL),(3)) t(x) ORDER BY x
--! order_nulls_desc
SELECT x FROM (VALUES (1),(NULL),(3)) t(x) ORDER BY x DESC
--! order_text
SELECT x FROM (VALUES ('b'),('A'),('a'),('B')) t(x) ORDER BY x
--! ntile
SELECT x, NTILE(3) OVER (ORDER BY x) FROM (VALUES (1),(2),(3),(4),(5)) t(x) ORDER BY x
--! running_sum_ties
SELECT x, SUM(x) OVER (ORDER BY x) FROM (VALUES (1),(2),(2),(3)) t(x) ORDER BY x
--! window_nulls
SELECT x, ROW_NUMBER() OVER (ORDER BY x DESC) FROM (VALUES (1),(NULL),(3)) t(x) ORDER BY 2
--! count_empty
SELECT COUNT(*), SUM(x), AVG(x), MAX(x) FROM (SELECT 1 AS x WHERE false) t
--! string_agg
SELECT STRING_AGG(x, ',' ORDER BY x) FROM (VALUES ('b'),(NULL),('a')) t(x)
--! bool_agg
SELECT BOOL_OR(x), BOOL_AND(x) FROM (VALUES (true),(NULL),(false)) t(x)
--! generate_series
SELECT COUNT(*) FROM generate_series(1, 5) g(n)
--! generate_series_ts
SELECT COUNT(*), MAX(d) FROM generate_series(CAST('2023-07-01' AS timestamp), CAST('2023-12-31' AS timestamp), INTERVAL '1 month') g(d)
--! mod_neg
SELECT MOD(-7, 3), ABS(-3), SIGN(-2.5), POWER(2, 3), SQRT(2), CEIL(1.2), FLOOR(-1.2), TRUNC(1.29, 1)
--! case_type
SELECT CASE WHEN true THEN 1 ELSE 2.5 END, COALESCE(NULL, 1, 2.5)
--! str_num_compare
SELECT '10' > 9
--! date_str_compare
SELECT DATE '2025-01-01' > '2024-12-31', TIMESTAMP '2025-01-01 00:00:00' >= '2025-01-01'
--! json
SELECT CAST('{"a":{"b":1}}' AS json) -> 'a' ->> 'b'
--! lower_ident
SELECT "X" FROM (SELECT 1 AS "X", 2 AS x) t
--! upper_alias_unquoted
SELECT MyCol FROM (SELECT 1 AS MyCol) t
--! current_date_type
SELECT pg_typeof(current_date)
--! interval_lit
SELECT INTERVAL '1 day 2 hours', INTERVAL '90 days', INTERVAL '1' MONTH
--! count_distinct_null
SELECT COUNT(DISTINCT x), COUNT(x), COUNT(*) FROM (VALUES (1),(NULL),(1)) t(x)
--! group_null
SELECT x, COUNT(*) FROM (VALUES (1),(NULL),(NULL)) t(x) GROUP BY x ORDER BY x
--! dense
SELECT x, RANK() OVER (ORDER BY x), DENSE_RANK() OVER (ORDER BY x), PERCENT_RANK() OVER (ORDER BY x) FROM (VALUES (1),(1),(3)) t(x) ORDER BY x
--! corr_count_zero
SELECT a.x, (SELECT COUNT(*) FROM (VALUES (1)) b(y) WHERE b.y=a.x) FROM (VALUES (1),(2)) a(x) ORDER BY 1
--! not_in_null
SELECT COUNT(*) FROM (VALUES (1),(2)) a(x) WHERE a.x NOT IN (SELECT y FROM (VALUES (1),(NULL)) b(y))
--! in_null_select
SELECT a.x IN (SELECT y FROM (VALUES (1),(NULL)) b(y)) FROM (VALUES (1),(2)) a(x) ORDER BY 1
--! scalar_two_rows
SELECT (SELECT y FROM (VALUES (1),(2)) b(y))
--! lag_default
SELECT x, LAG(x, 1, 0) OVER (ORDER BY x), LAST_VALUE(x) OVER (ORDER BY x) FROM (VALUES (1),(2)) t(x) ORDER BY x
--! bigdec
SELECT CAST('1234567890123456789012345678.1234567891' AS numeric(38,10)) * CAST('10.00' AS numeric(12,2))
--! nested_div
SELECT CAST('100.00' AS numeric(12,2)) / CAST('7.00' AS numeric(12,2)) / CAST('3.00' AS numeric(12,2)) * 100
--! sum_div_count
SELECT SUM(x)/COUNT(*), SUM(x)*100.0/SUM(SUM(x)) OVER () FROM (VALUES (CAST('10.25' AS numeric(12,2))),(CAST('0.10' AS numeric(12,2))),(CAST('0.10' AS numeric(12,2)))) t(x)
--! cast_round
SELECT CAST(2.5 AS int) AS a, CAST(3.5 AS int) AS b, CAST(-2.5 AS int) AS c, CAST(CAST(2.5 AS double precision) AS int) AS d, CAST(CAST('2.567' AS numeric(10,3)) AS numeric(10,2)) AS e
--! round_half_named
SELECT ROUND(2.5) AS a, ROUND(-2.5) AS b, ROUND(CAST('2.675' AS numeric(10,3)), 2) AS c, ROUND(CAST(2.5 AS double precision)) AS d
--! except_all
SELECT x FROM (VALUES (1),(1),(2)) t(x) EXCEPT ALL SELECT x FROM (VALUES (1)) u(x) ORDER BY 1
--! intersect_all
SELECT x FROM (VALUES (1),(1),(2)) t(x) INTERSECT ALL SELECT x FROM (VALUES (1)) u(x) ORDER BY 1
--! rownum_minus_one
SELECT ROW_NUMBER() OVER (ORDER BY x) - 1 AS a, NTILE(2) OVER (ORDER BY x) / 2 AS b FROM (VALUES (1)) t(x)
--! count_minus
SELECT COUNT(*) - 1 AS a, COUNT(*) / 2 AS b FROM (VALUES (1),(2),(3)) t(x)
--! bad_cast_in_rows
SELECT CAST(x AS int) AS a FROM (VALUES ('1'),('abc')) t(x)
--! case_guard_div
SELECT CASE WHEN x = 0 THEN 0 ELSE 10 / x END AS a FROM (VALUES (0),(5)) t(x) ORDER BY 1
--! stddev_val
SELECT STDDEV_SAMP(x) AS a, VAR_SAMP(x) AS b FROM (VALUES (CAST('10.25' AS numeric(12,2))),(CAST('0.10' AS numeric(12,2))),(CAST('5.55' AS numeric(12,2)))) t(x)
--! like_case
SELECT 'Abc' LIKE 'a%' AS a, 'a' = 'a ' AS b
--! dup_names
SELECT SUM(x), SUM(x) FROM (VALUES (1)) t(x)
