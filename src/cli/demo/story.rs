//! What happens in the demo: one customer's story, told in change events as the shop's connector writes them, and one midnight.

use serde_json::{Value as Json, json};

/// The customer whose story it is, and the order that comes and goes.
const CUSTOMER: i64 = 900_001;
const ORDER: i64 = 900_001;
/// Microseconds.
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;

/// What makes tables move.
#[derive(Clone, Debug)]
pub enum Cause {
    /// Lines appended to the shop's events.
    Events(Vec<String>),
    /// The clock passes midnight; no event comes.
    Midnight,
}

/// One step of the story.
#[derive(Clone, Debug)]
pub struct Step {
    pub title: String,
    pub cause: Cause,
    /// Columns of tables whose changes are shown, and how many rows of each.
    pub shown: Vec<Shown>,
}

#[derive(Clone, Copy, Debug)]
pub struct Shown {
    pub table: &'static str,
    /// Of the select list.
    pub columns: &'static str,
    pub rows: usize,
}

fn shown(table: &'static str, columns: &'static str, rows: usize) -> Shown {
    Shown { table, columns, rows }
}

/// The test that is red while a customer has no order: its mart counts none as NULL, not as nought.
pub const TRAP: &str = "not_null_mart_customer_360_total_orders";

/// The story, beginning at the published clock (microseconds since 1970 UTC).
pub fn steps(now: i64) -> Vec<Step> {
    let at = |minutes: i64| now + minutes * MINUTE;
    let customer = |email: &str| {
        json!({"customer_id": CUSTOMER, "email": email, "first_name": "Grace", "last_name": "Novak", "phone": null,
               "date_of_birth": "1991-12-09", "city": "Denver", "state": "CO", "employment_status": "employed",
               "created_at": iso(at(1))})
    };
    let order = json!({"id": ORDER, "user_id": CUSTOMER, "cycle_name": "Refill", "status": "completed", "order_date": iso(at(2)), "channel": "web"});
    let item = |line: i64, product: i64, price: &str, quantity: i64| json!({"order_id": ORDER, "line_no": line, "product_id": product, "price": price, "quantity": quantity});
    let payment = |id: i64, cents: i64, paid_at: i64| {
        json!({"id": id, "order_id": ORDER, "customer_id": CUSTOMER, "amount": cents, "payment_method": "credit_card",
               "payment_status": "completed", "payment_date": iso(paid_at)})
    };
    let (first, second) = (item(1, 11, "24.90", 2), item(2, 12, "5.00", 1));
    let paid = payment(900_001, 5_480, at(3));
    let (typed, meant) = (customer("grace.novak@exampel.com"), customer("grace.novak@example.com"));
    vec![
        Step {
            title: "A customer signs up, and has not ordered yet".into(),
            cause: Cause::Events(vec![created("customers", &typed, at(1))]),
            shown: vec![shown("mart_customer_360", "customer_id, first_name, email, total_orders, total_spent", 2)],
        },
        Step {
            title: "The first order arrives: two things, paid at once (4 events)".into(),
            cause: Cause::Events(vec![
                created("orders", &order, at(2)),
                created("order_items", &first, at(2)),
                created("order_items", &second, at(2)),
                created("payments", &paid, at(3)),
            ]),
            shown: vec![
                shown("mart_customer_360", "customer_id, first_name, total_orders, total_spent, total_payments", 2),
                shown("customer_segmentation", "customer_id, frequency, monetary, customer_segment", 4),
                shown("product_performance", "product_name, revenue, cumulative_share_pct, abc_class", 4),
            ],
        },
        Step {
            title: "A payment of three months ago arrives late: the customer belongs to an older cohort".into(),
            cause: Cause::Events(vec![created("payments", &payment(900_002, 1_200, at(0) - 92 * DAY), at(4))]),
            shown: vec![shown(
                "customer_cohorts",
                "cohort_month, activity_month, cohort_size, active_customers, retention_rate_pct, cohort_ltv",
                6,
            )],
        },
        Step {
            title: "A mistyped e-mail is corrected".into(),
            cause: Cause::Events(vec![updated("customers", &typed, &meant, at(5))]),
            shown: vec![shown("mart_customer_360", "customer_id, first_name, email", 2)],
        },
        Step {
            title: "Midnight passes, and nothing else happens".into(),
            cause: Cause::Midnight,
            shown: vec![shown("customer_segmentation", "customer_id, last_order_day, days_since_last_order", 4)],
        },
        Step {
            title: "The order is deleted, with its items and its payment".into(),
            cause: Cause::Events(vec![
                deleted("payments", &paid, at(1_500)),
                deleted("order_items", &first, at(1_500)),
                deleted("order_items", &second, at(1_500)),
                deleted("orders", &order, at(1_500)),
            ]),
            shown: vec![
                shown("mart_customer_360", "customer_id, first_name, total_orders, total_spent, total_payments", 2),
                shown("customer_segmentation", "customer_id, frequency, monetary, customer_segment", 4),
            ],
        },
    ]
}

/// The first moment of the next day in UTC.
pub fn next_midnight(now: i64) -> i64 {
    (now.div_euclid(DAY) + 1) * DAY
}

fn created(table: &str, after: &Json, at: i64) -> String {
    change("c", table, &Json::Null, after, at)
}

fn updated(table: &str, before: &Json, after: &Json, at: i64) -> String {
    change("u", table, before, after, at)
}

fn deleted(table: &str, before: &Json, at: i64) -> String {
    change("d", table, before, &Json::Null, at)
}

fn change(op: &str, table: &str, before: &Json, after: &Json, at: i64) -> String {
    let ms = at / 1_000;
    json!({"op": op, "before": before, "after": after, "source": {"name": "shop", "table": table, "ts_ms": ms}, "ts_ms": ms}).to_string()
}

/// `2024-12-27T21:00:00Z`.
fn iso(micros: i64) -> String {
    let text = row::calendar::format_timestamptz(micros - micros.rem_euclid(1_000_000), chrono_tz::Tz::UTC);
    text.replacen(' ', "T", 1).replace("+00", "Z")
}
