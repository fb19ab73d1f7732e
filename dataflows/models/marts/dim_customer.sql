SELECT
    a.customer_key,
    'CUST' || LPAD(CAST(c.customer_id AS text), 8, '0') AS customer_id,
    c.customer_id AS raw_customer_id,
    COALESCE(c.first_name || ' ' || c.last_name, c.first_name, c.last_name, 'Unknown') AS full_name,
    COALESCE(c.email, 'unknown') AS email,
    c.date_of_birth,
    {{ age_in_years('c.date_of_birth') }} AS age,
    c.state,
    c.city,
    c.employment_status,
    a.card_type,
    a.credit_limit,
    a.account_open_date
FROM {{ ref('stg_cards__card_accounts') }} a
JOIN {{ ref('stg_customers') }} c ON a.customer_id = 'CUST' || LPAD(CAST(c.customer_id AS text), 8, '0')
