//! The mart that Q1 keeps, in the one form in which all programs' results are compared, and how it is computed by hand.
//!
//! ```text
//!   events.jsonl ──serde──> events ──plain hash maps──> Mart     (no code of the engine)
//!   engine's rows, SQLite's rows, the limit's text ───> Mart ──> equal, and the fingerprint is printed
//! ```

mod by_hand;

use std::collections::BTreeSet;

pub use by_hand::{ByHand, read_events};

/// A customer's row; money in cents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MartRow {
    pub customer_id: i64,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub total_orders: i64,
    pub total_order_cents: i64,
    pub total_payment_cents: i64,
    pub page_views: i64,
}

pub type Mart = BTreeSet<MartRow>;

impl MartRow {
    fn line(&self) -> String {
        let MartRow { customer_id, first_name, last_name, email, .. } = self;
        let MartRow { total_orders, total_order_cents, total_payment_cents, page_views, .. } = self;
        format!(
            "{customer_id}\t{first_name}\t{last_name}\t{email}\t\
             {total_orders}\t{total_order_cents}\t{total_payment_cents}\t{page_views}\n"
        )
    }

    /// Reads the tab-separated columns in the order of the fields.
    pub fn from_line(line: &str) -> Option<MartRow> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, first, last, email, orders, order_cents, payment_cents, views] = fields[..] else { return None };
        Some(MartRow {
            customer_id: id.parse().ok()?,
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            email: email.to_owned(),
            total_orders: orders.parse().ok()?,
            total_order_cents: order_cents.parse().ok()?,
            total_payment_cents: payment_cents.parse().ok()?,
            page_views: views.parse().ok()?,
        })
    }
}

/// Cents of a decimal text with at most two digits after the point (`12`, `12.3`, `12.34`); `None` for anything else.
pub fn cents(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let digits = fraction.trim_end_matches('0');
    if digits.len() > 2 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let hundredths: i64 = format!("{digits:0<2}").parse().ok()?;
    Some(whole.parse::<i64>().ok()? * 100 + sign * hundredths)
}

pub fn fingerprint(mart: &Mart) -> u64 {
    let mut hash = Fingerprint::default();
    mart.iter().for_each(|row| hash.add(row.line().as_bytes()));
    hash.value()
}

/// What two results disagree about first, for a message.
pub fn first_difference(expected: &Mart, actual: &Mart) -> Option<String> {
    let missing = expected.difference(actual).next();
    let surplus = actual.difference(expected).next();
    if missing.is_none() && surplus.is_none() {
        return None;
    }
    Some(format!("{} rows expected, {} found; expected {missing:?}, found {surplus:?}", expected.len(), actual.len()))
}

/// FNV-1a over bytes: tells results apart, resists nobody.
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub fn value(&self) -> u64 {
        self.0
    }
}
