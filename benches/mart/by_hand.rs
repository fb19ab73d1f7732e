//! Q1 by plain hash maps: the answer to compare with, and the floor under any engine's cost.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::{Answer, cents};

/// A change of one table: the row before and after.
pub enum Event {
    Customer(Option<Customer>, Option<Customer>),
    Order(Option<Order>, Option<Order>),
    Item(Option<Item>, Option<Item>),
    Payment(Option<Payment>, Option<Payment>),
    View(Option<View>, Option<View>),
}

#[derive(Deserialize)]
pub struct Customer {
    customer_id: i64,
    email: Box<str>,
    first_name: Box<str>,
    last_name: Box<str>,
}

#[derive(Deserialize)]
pub struct Order {
    pub order_id: i64,
    pub customer_id: i64,
    pub status: Box<str>,
    pub order_date: Box<str>,
}

#[derive(Deserialize)]
pub struct Item {
    pub order_id: i64,
    pub line_no: i64,
    pub product_id: i64,
    #[serde(deserialize_with = "money")]
    pub price: i64,
    pub quantity: i64,
}

#[derive(Deserialize)]
pub struct Payment {
    pub payment_id: i64,
    pub customer_id: i64,
    #[serde(deserialize_with = "money")]
    pub payment_amount: i64,
    #[serde(rename = "payment_status", deserialize_with = "is_completed")]
    pub completed: bool,
    pub payment_date: Box<str>,
}

#[derive(Deserialize)]
pub struct View {
    customer_id: i64,
}

#[derive(Deserialize)]
struct Named<'a> {
    table: &'a str,
}

#[derive(Deserialize)]
struct Change<T> {
    before: Option<T>,
    after: Option<T>,
}

fn money<'de, D: serde::Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = <&str>::deserialize(from)?;
    cents(text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no money")))
}

fn is_completed<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(<&str>::deserialize(from)? == "completed")
}

/// All events of a file of lines.
pub fn read_events(path: &Path) -> io::Result<Vec<Event>> {
    let mut lines = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut events, mut line) = (Vec::new(), Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        events.push(read_event(&line)?);
        line.clear();
    }
    Ok(events)
}

fn read_event(line: &[u8]) -> io::Result<Event> {
    fn change<'a, T: Deserialize<'a>>(line: &'a [u8], event: fn(Option<T>, Option<T>) -> Event) -> io::Result<Event> {
        let Change { before, after } = serde_json::from_slice(line)?;
        Ok(event(before, after))
    }
    let Named { table } = serde_json::from_slice(line)?;
    match table {
        "customers" => change(line, Event::Customer),
        "orders" => change(line, Event::Order),
        "order_items" => change(line, Event::Item),
        "payments" => change(line, Event::Payment),
        "website_activity" => change(line, Event::View),
        other => Err(io::Error::other(format!("there is no table {other}"))),
    }
}

/// Q1's state.
#[derive(Default)]
pub struct ByHand {
    customers: HashMap<i64, Totals>,
    orders: HashMap<i64, OrderState>,
}

#[derive(Default)]
struct Totals {
    names: Option<(Box<str>, Box<str>, String)>,
    orders: i64,
    order_cents: i64,
    payment_cents: i64,
    views: i64,
}

#[derive(Default)]
struct OrderState {
    customer: Option<i64>,
    cents: i64,
}

impl ByHand {
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Customer(before, after) => {
                before.iter().for_each(|it| self.totals(it.customer_id).names = None);
                after.iter().for_each(|it| self.totals(it.customer_id).names = Some(names(it)));
            }
            Event::Order(before, after) => {
                before.iter().for_each(|it| self.order(it, -1));
                after.iter().for_each(|it| self.order(it, 1));
            }
            Event::Item(before, after) => {
                before.iter().for_each(|it| self.item(it, -1));
                after.iter().for_each(|it| self.item(it, 1));
            }
            Event::Payment(before, after) => {
                let paid = |it: &&Payment| it.completed;
                before
                    .iter()
                    .filter(paid)
                    .for_each(|it| self.totals(it.customer_id).payment_cents -= it.payment_amount);
                after.iter().filter(paid).for_each(|it| self.totals(it.customer_id).payment_cents += it.payment_amount);
            }
            Event::View(before, after) => {
                before.iter().for_each(|it| self.totals(it.customer_id).views -= 1);
                after.iter().for_each(|it| self.totals(it.customer_id).views += 1);
            }
        }
    }

    fn totals(&mut self, customer: i64) -> &mut Totals {
        self.customers.entry(customer).or_default()
    }

    /// An order comes to its customer, or leaves, with all that its lines are worth.
    fn order(&mut self, order: &Order, diff: i64) {
        let state = self.orders.entry(order.order_id).or_default();
        state.customer = (diff > 0).then_some(order.customer_id);
        let cents = state.cents;
        let totals = self.totals(order.customer_id);
        totals.orders += diff;
        totals.order_cents += diff * cents;
    }

    fn item(&mut self, item: &Item, diff: i64) {
        let cents = diff * item.price * item.quantity;
        let state = self.orders.entry(item.order_id).or_default();
        state.cents += cents;
        if let Some(customer) = state.customer {
            self.totals(customer).order_cents += cents;
        }
    }

    pub fn answer(&self) -> Answer {
        let row = |(customer, totals): (&i64, &Totals)| {
            let (first, last, email) = totals.names.as_ref()?;
            let Totals { orders, order_cents, payment_cents, views, .. } = totals;
            let row =
                format!("{customer}\t{first}\t{last}\t{email}\t{orders}\t{order_cents}\t{payment_cents}\t{views}");
            Some((row, None))
        };
        self.customers.iter().filter_map(row).collect()
    }
}

fn names(customer: &Customer) -> (Box<str>, Box<str>, String) {
    (customer.first_name.clone(), customer.last_name.clone(), customer.email.to_lowercase())
}
