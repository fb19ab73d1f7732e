//! The tables of the shop's source systems, and rows of them on their way to a file or a topic.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Datelike, Timelike};

/// How a table's rows arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Change by change, in a log: Debezium's envelope.
    Log,
    /// In files that a system exports: CSV with a header, a later row of a key replacing an earlier one.
    Drop,
}

/// A table of a source system.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub source: &'static str,
    pub name: &'static str,
    /// Empty: rows are only added, and may come twice.
    pub key: &'static [&'static str],
    pub medium: Medium,
}

macro_rules! tables {
    ($($constant:ident = $source:literal . $name:literal [$($key:literal),*] $medium:ident;)*) => {
        $(pub const $constant: &Table =
            &Table { source: $source, name: $name, key: &[$($key),*], medium: Medium::$medium };)*
        /// Every table, by source system.
        pub const ALL: &[&Table] = &[$($constant),*];
    };
}

tables! {
    CUSTOMERS = "raw_data"."customers" ["customer_id"] Log;
    ORDERS = "raw_data"."orders" ["id"] Log;
    ORDER_ITEMS = "raw_data"."order_items" ["order_id", "line_no"] Log;
    PAYMENTS = "raw_data"."payments" ["id"] Log;
    INTERACTIONS = "raw_data"."customer_interactions" ["interaction_id"] Log;
    WEBSITE_ACTIVITY = "raw_data"."website_activity" [] Log;
    PAGE_VIEWS = "clickstream"."page_views" [] Log;
    FEATURE_USAGE = "clickstream"."feature_usage" [] Log;
    CARD_ACCOUNTS = "cards"."card_accounts" ["customer_key"] Log;
    TRANSACTIONS = "cards"."transactions" ["transaction_id"] Log;
    ACCOUNTS = "app"."accounts" ["account_id"] Log;
    LOCATIONS = "app"."locations" ["location_id"] Log;
    DEVICES = "app"."devices" ["device_id"] Log;
    DEVICE_EVENTS = "app"."device_events" ["event_id"] Log;
    USERS = "app"."users" ["user_id"] Log;
    SUBSCRIPTIONS = "stripe"."subscriptions" ["subscription_id"] Log;
    INVOICES = "stripe"."invoices" ["invoice_id"] Log;
    CHARGES = "stripe"."charges" ["charge_id"] Log;
    PRODUCTS = "erp"."products" ["product_id"] Drop;
    GOOGLE_ADS = "ads"."google_ads" ["campaign_id", "day"] Drop;
    META_ADS = "ads"."meta_ads" ["campaign_id", "day"] Drop;
    LINKEDIN_ADS = "ads"."linkedin_ads" ["campaign_id", "day"] Drop;
    HUBSPOT_CONTACTS = "crm"."hubspot_contacts" ["contact_id"] Drop;
    HUBSPOT_DEALS = "crm"."hubspot_deals" ["deal_id"] Drop;
    ITERABLE_CAMPAIGNS = "crm"."iterable_campaigns" ["campaign_id"] Drop;
    ITERABLE_EVENTS = "crm"."iterable_email_events" [] Drop;
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(Cow<'static, str>),
    /// Money, in cents.
    Cents(i64),
    Bool(bool),
    /// Milliseconds since 1970, UTC; written to the second.
    Moment(i64),
    /// The day of such a moment.
    Day(i64),
}

pub type Row = Vec<(&'static str, Value)>;

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Value {
        Value::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value.into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// The row with one column changed.
pub fn with(row: &Row, column: &'static str, value: impl Into<Value>) -> Row {
    let mut row = row.clone();
    if let Some(cell) = row.iter_mut().find(|(name, _)| *name == column) {
        cell.1 = value.into();
    }
    row
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A row that a snapshot found.
    Read,
    Create,
    Update,
    Delete,
}

/// One change of one row, at the time at which it is delivered.
#[derive(Clone, Debug)]
pub struct Change {
    pub at_ms: i64,
    pub table: &'static Table,
    pub op: Op,
    /// The row after the change; before a delete, the row that goes.
    pub row: Row,
}

impl Change {
    /// The record's key as JSON, where the table has one.
    pub fn key_json(&self) -> Option<String> {
        let cells: Vec<_> = self.row.iter().filter(|(name, _)| self.table.key.contains(name)).collect();
        (!self.table.key.is_empty()).then(|| object(cells.into_iter().map(|(name, value)| (*name, value))))
    }

    /// The row alone as JSON.
    pub fn row_json(&self) -> String {
        object(self.row.iter().map(|(name, value)| (*name, value)))
    }

    /// The Debezium value. As under PostgreSQL's default replica identity an update carries no `before`, and a delete's is true
    /// in its key columns only.
    pub fn value_json(&self) -> String {
        let (op, before, after) = match self.op {
            Op::Read => ("r", "null".to_owned(), self.row_json()),
            Op::Create => ("c", "null".to_owned(), self.row_json()),
            Op::Update => ("u", "null".to_owned(), self.row_json()),
            Op::Delete => {
                let is_key = |name: &str| self.table.key.contains(&name);
                let cells =
                    self.row.iter().map(|(name, value)| (*name, if is_key(name) { value } else { &Value::Null }));
                ("d", object(cells), "null".to_owned())
            }
        };
        let (table, at_ms) = (self.table.name, self.at_ms);
        format!(
            r#"{{"before":{before},"after":{after},"source":{{"name":"shop","ts_ms":{at_ms},"table":"{table}"}},"op":"{op}","ts_ms":{}}}"#,
            at_ms + 120
        )
    }

    /// One line of a CSV file, without its end.
    pub fn csv(&self) -> String {
        let cells: Vec<String> = self.row.iter().map(|(_, value)| csv_cell(value)).collect();
        cells.join(",")
    }

    pub fn csv_header(&self) -> String {
        let names: Vec<&str> = self.row.iter().map(|(name, _)| *name).collect();
        names.join(",")
    }
}

fn object<'a>(cells: impl Iterator<Item = (&'static str, &'a Value)>) -> String {
    let mut text = String::from("{");
    for (name, value) in cells {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&format!("\"{name}\":{}", Json(value)));
    }
    text.push('}');
    text
}

struct Json<'a>(&'a Value);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Text(text) => f.write_str(&serde_json::Value::from(text.as_ref()).to_string()),
            value => write!(f, "\"{}\"", Plain(value)),
        }
    }
}

fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) if text.is_empty() || text.contains(['"', ',', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        value => Plain(value).to_string(),
    }
}

struct Plain<'a>(&'a Value);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => Ok(()),
            Value::Int(number) => write!(f, "{number}"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Text(text) => f.write_str(text),
            Value::Cents(cents) => {
                let sign = if *cents < 0 { "-" } else { "" };
                write!(f, "{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
            }
            Value::Moment(ms) => {
                let it = DateTime::from_timestamp_millis(*ms).ok_or(fmt::Error)?;
                write!(f, "{}T{:02}:{:02}:{:02}Z", Plain(&Value::Day(*ms)), it.hour(), it.minute(), it.second())
            }
            Value::Day(ms) => {
                let it = DateTime::from_timestamp_millis(*ms).ok_or(fmt::Error)?;
                write!(f, "{:04}-{:02}-{:02}", it.year(), it.month(), it.day())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(op: Op) -> Change {
        let row: Row = vec![
            ("order_id", 4.into()),
            ("line_no", 2.into()),
            ("price", Value::Cents(-1250)),
            ("note", "a \"b\", c".into()),
            ("at", Value::Moment(1_735_689_661_000)),
            ("gone", Value::Null),
        ];
        Change { at_ms: 1_735_689_700_000, table: ORDER_ITEMS, op, row }
    }

    #[test]
    fn a_created_row_is_a_debezium_value() {
        assert_eq!(
            change(Op::Create).value_json(),
            r#"{"before":null,"after":{"order_id":4,"line_no":2,"price":"-12.50","note":"a \"b\", c","at":"2025-01-01T00:01:01Z","gone":null},"source":{"name":"shop","ts_ms":1735689700000,"table":"order_items"},"op":"c","ts_ms":1735689700120}"#
        );
    }

    #[test]
    fn a_delete_tells_the_key_alone() {
        let value = change(Op::Delete).value_json();
        assert!(value.starts_with(r#"{"before":{"order_id":4,"line_no":2,"price":null,"#), "{value}");
        assert!(value.contains(r#""after":null"#), "{value}");
        assert_eq!(change(Op::Delete).key_json().as_deref(), Some(r#"{"order_id":4,"line_no":2}"#));
    }

    #[test]
    fn a_csv_line_quotes_what_it_must() {
        assert_eq!(change(Op::Create).csv(), "4,2,-12.50,\"a \"\"b\"\", c\",2025-01-01T00:01:01Z,");
    }
}
