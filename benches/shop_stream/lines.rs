//! How events and final tables are written down.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, Datelike, Timelike};

use super::draw::{Event, FIRST_NAMES, Item, LAST_NAMES, Order, STATES, Shop, Step, View};

/// Appends an event's line. The table comes first: readers may take it from the first bytes.
pub fn push_event(out: &mut Vec<u8>, shop: &Shop, event: &Event) {
    let at = event.index as usize;
    match event.step {
        Step::Customer => push(out, "customers", "c", event, &customer_key(at), None, Some(customer(shop, at))),
        Step::Placed => push(out, "orders", "c", event, &order_key(at), None, Some(order(shop, at, "placed"))),
        Step::Shipped => push_order(out, shop, event, "placed", "shipped"),
        Step::Completed => push_order(out, shop, event, "shipped", "completed"),
        Step::Returned => push_order(out, shop, event, "completed", "returned"),
        Step::OrderDeleted => {
            push(out, "orders", "d", event, &order_key(at), Some(order(shop, at, status(&shop.orders[at]))), None);
        }
        Step::Item => push(out, "order_items", "c", event, &item_key(shop, at), None, Some(item(&shop.items[at]))),
        Step::ItemDeleted => {
            push(out, "order_items", "d", event, &item_key(shop, at), Some(item(&shop.items[at])), None);
        }
        Step::Paid => push(out, "payments", "c", event, &payment_key(at), None, Some(payment(shop, at, "pending"))),
        Step::Settled => {
            let (before, after) = (payment(shop, at, "pending"), payment(shop, at, settled(&shop.orders[at])));
            push(out, "payments", "u", event, &payment_key(at), Some(before), Some(after));
        }
        Step::PaymentDeleted => {
            let before = payment(shop, at, payment_status(&shop.orders[at]));
            push(out, "payments", "d", event, &payment_key(at), Some(before), None);
        }
        Step::Viewed => {
            let key = format!("{{\"event_id\":{}}}", at + 1);
            push(out, "website_activity", "c", event, &key, None, Some(view(&shop.views[at], at)));
        }
    }
}

fn push_order(out: &mut Vec<u8>, shop: &Shop, event: &Event, before: &str, after: &str) {
    let at = event.index as usize;
    push(out, "orders", "u", event, &order_key(at), Some(order(shop, at, before)), Some(order(shop, at, after)));
}

fn push(
    out: &mut Vec<u8>,
    table: &str,
    op: &str,
    event: &Event,
    key: &str,
    before: Option<String>,
    after: Option<String>,
) {
    let (before, after) = (before.as_deref().unwrap_or("null"), after.as_deref().unwrap_or("null"));
    let ts_ms = event.at_ms;
    writeln!(out, r#"{{"table":"{table}","op":"{op}","ts_ms":{ts_ms},"key":{key},"before":{before},"after":{after}}}"#)
        .expect("memory takes every line");
}

fn customer_key(at: usize) -> String {
    format!("{{\"customer_id\":{}}}", at + 1)
}

fn order_key(at: usize) -> String {
    format!("{{\"order_id\":{}}}", at + 1)
}

fn payment_key(at: usize) -> String {
    format!("{{\"payment_id\":{}}}", at + 1)
}

fn item_key(shop: &Shop, at: usize) -> String {
    let Item { order, line, .. } = &shop.items[at];
    format!("{{\"order_id\":{},\"line_no\":{line}}}", order + 1)
}

fn email(shop: &Shop, at: usize) -> String {
    let customer = &shop.customers[at];
    format!("{}.{}{}@Example.com", FIRST_NAMES[customer.first_name], LAST_NAMES[customer.last_name], at + 1)
}

fn customer(shop: &Shop, at: usize) -> String {
    let it = &shop.customers[at];
    format!(
        r#"{{"customer_id":{},"email":"{}","first_name":"{}","last_name":"{}","state":"{}","created_at":"{}"}}"#,
        at + 1,
        email(shop, at),
        FIRST_NAMES[it.first_name],
        LAST_NAMES[it.last_name],
        STATES[it.state],
        Moment(it.created_ms)
    )
}

fn order(shop: &Shop, at: usize, status: &str) -> String {
    let it = &shop.orders[at];
    format!(
        r#"{{"order_id":{},"customer_id":{},"status":"{status}","order_date":"{}"}}"#,
        at + 1,
        it.customer + 1,
        Moment(it.placed_ms)
    )
}

fn item(it: &Item) -> String {
    format!(
        r#"{{"order_id":{},"line_no":{},"product_id":{},"price":"{}","quantity":{}}}"#,
        it.order + 1,
        it.line,
        it.product + 1,
        Money(it.price_cents),
        it.quantity
    )
}

fn payment(shop: &Shop, at: usize, status: &str) -> String {
    let it = &shop.orders[at];
    let (id, customer, amount, date) = (at + 1, it.customer + 1, Money(it.amount_cents), Moment(it.paid_ms));
    format!(
        r#"{{"payment_id":{id},"order_id":{id},"customer_id":{customer},"payment_amount":"{amount}","payment_status":"{status}","payment_date":"{date}"}}"#
    )
}

fn view(it: &View, at: usize) -> String {
    format!(
        r#"{{"event_id":{},"customer_id":{},"page":"{}","activity_at":"{}"}}"#,
        at + 1,
        it.customer + 1,
        Page(it.page),
        Moment(it.at_ms)
    )
}

/// Status of an order after its last step, or just before it was deleted.
fn status(order: &Order) -> &'static str {
    match order {
        Order { returned_ms: Some(_), .. } => "returned",
        Order { completed_ms: Some(_), .. } => "completed",
        Order { shipped_ms: Some(_), .. } => "shipped",
        _ => "placed",
    }
}

fn settled(order: &Order) -> &'static str {
    if order.settles_well { "completed" } else { "failed" }
}

fn payment_status(order: &Order) -> &'static str {
    if order.settled_ms.is_some() { settled(order) } else { "pending" }
}

/// Writes what each table holds after the last event, as CSV with a header.
pub fn write_final(dir: &Path, shop: &Shop) -> io::Result<()> {
    let mut out = create(dir, "customers", "customer_id,email,first_name,last_name,state,created_at")?;
    for (at, it) in shop.customers.iter().enumerate() {
        let (first, last, state) = (FIRST_NAMES[it.first_name], LAST_NAMES[it.last_name], STATES[it.state]);
        writeln!(out, "{},{},{first},{last},{state},{}", at + 1, email(shop, at), Moment(it.created_ms))?;
    }
    out.flush()?;
    let live = || shop.orders.iter().enumerate().filter(|(_, order)| order.deleted_ms.is_none());
    let mut out = create(dir, "orders", "order_id,customer_id,status,order_date")?;
    for (at, it) in live() {
        writeln!(out, "{},{},{},{}", at + 1, it.customer + 1, status(it), Moment(it.placed_ms))?;
    }
    out.flush()?;
    let mut out =
        create(dir, "payments", "payment_id,order_id,customer_id,payment_amount,payment_status,payment_date")?;
    for (at, it) in live() {
        let (id, customer, amount) = (at + 1, it.customer + 1, Money(it.amount_cents));
        writeln!(out, "{id},{id},{customer},{amount},{},{}", payment_status(it), Moment(it.paid_ms))?;
    }
    out.flush()?;
    let mut out = create(dir, "order_items", "order_id,line_no,product_id,price,quantity")?;
    for it in shop.items.iter().filter(|item| shop.orders[item.order].deleted_ms.is_none()) {
        let price = Money(it.price_cents);
        writeln!(out, "{},{},{},{price},{}", it.order + 1, it.line, it.product + 1, it.quantity)?;
    }
    out.flush()?;
    let mut out = create(dir, "website_activity", "event_id,customer_id,page,activity_at")?;
    for (at, it) in shop.views.iter().enumerate() {
        writeln!(out, "{},{},{},{}", at + 1, it.customer + 1, Page(it.page), Moment(it.at_ms))?;
    }
    out.flush()
}

fn create(dir: &Path, table: &str, header: &str) -> io::Result<BufWriter<File>> {
    let mut out = BufWriter::with_capacity(1 << 18, File::create(dir.join(format!("{table}.csv")))?);
    writeln!(out, "{header}")?;
    Ok(out)
}

struct Money(i64);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// `2024-03-01 12:00:00`.
struct Moment(i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = DateTime::from_timestamp_millis(self.0).ok_or(fmt::Error)?;
        write!(f, "{:04}-{:02}-{:02} ", it.year(), it.month(), it.day())?;
        write!(f, "{:02}:{:02}:{:02}", it.hour(), it.minute(), it.second())
    }
}

struct Page(usize);

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..6 => f.write_str(["/", "/search", "/cart", "/checkout", "/account", "/help"][self.0]),
            6..16 => write!(f, "/c/{}", self.0 - 6),
            page => write!(f, "/p/{}", page - 16),
        }
    }
}
