//! The five marts, in the one form in which all programs' results are compared, and how they are computed by hand.
//!
//! ```text
//!   events.jsonl ──serde──> events ──plain hash maps──> Answers     (no code of the engine)
//!   engine's rows, SQLite's rows, the limit's text ───> Answers ──> equal, and the fingerprint is printed
//! ```
//!
//! 1. What is exact is compared exactly, as text: money in cents, counts, classes.
//! 2. One double per row (a percentage, a deviation) is compared up to what rounding may do to it.

mod answer;
mod by_hand;
mod tables;

use std::collections::BTreeMap;
use std::str::FromStr;

pub use answer::Columns;
pub use by_hand::{ByHand, read_events};
pub use tables::Tables;

/// A query of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    CustomerAtAGlance,
    MonthlySpend,
    Segments,
    Products,
    Payments,
}

/// The exact part of each row, with the double beside it.
pub type Answer = BTreeMap<String, Option<f64>>;
pub type Answers = BTreeMap<Query, Answer>;

impl Query {
    pub const ALL: [Query; 5] =
        [Query::CustomerAtAGlance, Query::MonthlySpend, Query::Segments, Query::Products, Query::Payments];

    /// Of the model, and of the limit's program.
    pub fn name(self) -> &'static str {
        match self {
            Query::CustomerAtAGlance => "q1",
            Query::MonthlySpend => "q2",
            Query::Segments => "q3",
            Query::Products => "q4",
            Query::Payments => "q5",
        }
    }

    pub fn model(self) -> String {
        format!("model.shop_stream.{}", self.name())
    }
}

/// The queries that run together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub name: String,
    pub queries: Vec<Query>,
}

impl FromStr for Case {
    type Err = String;

    fn from_str(name: &str) -> Result<Case, String> {
        let queries = match name {
            "all" => Query::ALL.to_vec(),
            _ => {
                let found = Query::ALL.into_iter().find(|query| query.name() == name);
                vec![found.ok_or_else(|| format!("there is no query \"{name}\"; take q1, q2, q3, q4, q5 or all"))?]
            }
        };
        Ok(Case { name: name.to_owned(), queries })
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

/// Of the exact parts.
pub fn fingerprint(answers: &Answers) -> u64 {
    let mut hash = Fingerprint::default();
    for row in answers.values().flat_map(BTreeMap::keys) {
        hash.add(row.as_bytes());
        hash.add(b"\n");
    }
    hash.value()
}

/// What two results disagree about first, for a message.
pub fn first_difference(expected: &Answers, actual: &Answers) -> Option<String> {
    expected.iter().find_map(|(query, expected)| {
        let Some(actual) = actual.get(query) else { return Some(format!("{} is missing", query.name())) };
        let missing = expected.iter().find(|(row, _)| !actual.contains_key(*row));
        let surplus = actual.iter().find(|(row, _)| !expected.contains_key(*row));
        let differs = expected.iter().find(|(row, about)| actual.get(*row).is_some_and(|it| !is_about(**about, *it)));
        if missing.is_none() && surplus.is_none() && differs.is_none() {
            return None;
        }
        let beside = differs.and_then(|(row, _)| actual.get(row));
        Some(format!(
            "{}: {} rows expected, {} found; expected {missing:?}, found {surplus:?}; of equal rows {differs:?} and {beside:?}",
            query.name(),
            expected.len(),
            actual.len()
        ))
    })
}

/// The limit's program rounds to a hundredth of a hundredth.
fn is_about(expected: Option<f64>, actual: Option<f64>) -> bool {
    match (expected, actual) {
        (None, None) => true,
        (Some(expected), Some(actual)) => (expected - actual).abs() <= 6e-5 + 1e-9 * expected.abs(),
        _ => false,
    }
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
