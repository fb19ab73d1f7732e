//! Columns of the tables that come as logs, as a database's catalog has them: what a schema of a topic is made from.
//!
//! A row has these columns in this order; each value is NULL or of its column's kind.

use super::tables::*;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Text,
    /// Money: a numeric with two digits after the point.
    Cents,
    Bool,
    /// A timestamp without time zone.
    Moment,
    Day,
}

macro_rules! columns {
    ($($table:ident: $($name:ident $kind:ident),*;)*) => {
        const COLUMNS: &[(&Table, &[(&str, Kind)])] = &[$(($table, &[$((stringify!($name), Kind::$kind)),*])),*];
    };
}

columns! {
    CUSTOMERS: customer_id Int, email Text, first_name Text, last_name Text, phone Text, date_of_birth Day, city Text, state Text, employment_status Text, created_at Moment;
    ORDERS: id Int, user_id Int, cycle_name Text, status Text, order_date Moment, channel Text;
    ORDER_ITEMS: order_id Int, line_no Int, product_id Int, price Cents, quantity Int;
    PAYMENTS: id Int, order_id Int, customer_id Int, amount Int, payment_method Text, payment_status Text, payment_date Moment;
    INTERACTIONS: interaction_id Int, customer_id Int, channel Text, interaction_at Moment;
    WEBSITE_ACTIVITY: event_id Int, customer_id Int, session_id Text, page Text, referrer Text, campaign Text, activity_at Moment;
    PAGE_VIEWS: event_id Int, user_id Int, account_id Int, page Text, platform Text, viewed_at Moment;
    FEATURE_USAGE: event_id Int, user_id Int, account_id Int, feature Text, is_premium Bool, used_at Moment;
    CARD_ACCOUNTS: customer_key Int, customer_id Text, card_type Text, credit_limit Cents, account_open_date Day;
    TRANSACTIONS: transaction_id Int, customer_key Int, transaction_amount Cents, category Text, status Text, transaction_date Moment;
    ACCOUNTS: account_id Int, account_name Text, industry Text, plan Text, customer_id Int, created_at Moment;
    LOCATIONS: location_id Int, account_id Int, location_name Text, city Text, state Text, is_active Bool, opened_at Moment;
    DEVICES: device_id Int, location_id Int, account_id Int, device_type Text, firmware Text, status Text, installed_at Moment;
    DEVICE_EVENTS: event_id Int, device_id Int, event_type Text, reading Cents, occurred_at Moment;
    USERS: user_id Int, account_id Int, email Text, role Text, is_active Bool, created_at Moment, last_login_at Moment;
    SUBSCRIPTIONS: subscription_id Int, account_id Int, status Text, amount_cents Int, billing_interval Text, interval_count Int, started_at Moment, canceled_at Moment;
    INVOICES: invoice_id Int, subscription_id Int, account_id Int, amount_due_cents Int, amount_paid_cents Int, status Text, due_date Day, paid_at Moment, created_at Moment;
    CHARGES: charge_id Int, invoice_id Int, account_id Int, amount_cents Int, status Text, failure_code Text, charged_at Moment;
}

/// The columns of a table that comes as a log; empty for others.
pub fn columns(table: &Table) -> &'static [(&'static str, Kind)] {
    COLUMNS.iter().find(|(of, _)| *of == table).map_or(&[], |(_, columns)| columns)
}

/// The first column of a row that is not as the table says.
#[cfg(test)]
pub fn misfit(table: &Table, row: &Row) -> Option<String> {
    let fits = |value: &Value, kind: Kind| {
        matches!(
            (value, kind),
            (Value::Null, _)
                | (Value::Int(_), Kind::Int)
                | (Value::Text(_), Kind::Text)
                | (Value::Cents(_), Kind::Cents)
                | (Value::Bool(_), Kind::Bool)
                | (Value::Moment(_), Kind::Moment)
                | (Value::Day(_), Kind::Day)
        )
    };
    let columns = columns(table);
    if columns.len() != row.len() {
        return Some(format!("{} columns, not {}", row.len(), columns.len()));
    }
    let wrong = row.iter().zip(columns).find(|((name, value), (column, kind))| name != column || !fits(value, *kind));
    wrong.map(|((name, _), _)| (*name).to_owned())
}
