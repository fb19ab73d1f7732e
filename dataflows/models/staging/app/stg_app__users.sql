SELECT
    user_id,
    account_id,
    LOWER(email) AS email,
    COALESCE(role, 'member') AS role,
    COALESCE(is_active, FALSE) AS is_active,
    created_at,
    last_login_at
FROM {{ source('app', 'users') }}
