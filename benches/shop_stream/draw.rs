//! Draws a shop's whole history: who the customers are, what becomes of each order, when each page was viewed.

use super::random::{Random, Weighted, exp, zipf};

/// 2023-07-01 00:00:00 and 2024-12-31 23:59:59 UTC.
const BEGIN_MS: i64 = 1_688_169_600_000;
const END_MS: i64 = 1_735_689_599_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

const ORDERS_PER_CUSTOMER: usize = 10;
const VIEWS_PER_CUSTOMER: usize = 30;
const PRODUCTS: usize = 2_000;

pub const FIRST_NAMES: [&str; 20] = [
    "James",
    "Mary",
    "Robert",
    "Patricia",
    "John",
    "Jennifer",
    "Michael",
    "Linda",
    "David",
    "Elizabeth",
    "William",
    "Susan",
    "Joseph",
    "Sarah",
    "Thomas",
    "Karen",
    "Nancy",
    "Kevin",
    "Emily",
    "George",
];
pub const LAST_NAMES: [&str; 20] = [
    "Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller", "Davis", "Wilson", "Anderson", "Taylor",
    "Moore", "Jackson", "Martin", "Lee", "Perez", "Thompson", "White", "Harris", "Robinson",
];
pub const STATES: [&str; 12] = ["AZ", "CA", "CO", "FL", "GA", "IL", "MA", "NY", "OH", "TX", "VA", "WA"];

pub struct Customer {
    pub created_ms: i64,
    pub first_name: usize,
    pub last_name: usize,
    pub state: usize,
}

/// An order, its payment, and when each step was taken; `None` is never.
pub struct Order {
    pub customer: usize,
    pub placed_ms: i64,
    pub shipped_ms: Option<i64>,
    pub completed_ms: Option<i64>,
    pub returned_ms: Option<i64>,
    pub deleted_ms: Option<i64>,
    pub paid_ms: i64,
    pub settled_ms: Option<i64>,
    pub settles_well: bool,
    pub amount_cents: i64,
}

pub struct Item {
    pub order: usize,
    pub line: usize,
    pub product: usize,
    pub price_cents: i64,
    pub quantity: i64,
}

pub struct View {
    pub customer: usize,
    pub at_ms: i64,
    pub page: usize,
}

pub struct Shop {
    pub customers: Vec<Customer>,
    pub orders: Vec<Order>,
    pub items: Vec<Item>,
    pub views: Vec<View>,
}

/// What happens, in the order in which it happens at one moment: parents come first and go last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Customer,
    Placed,
    Item,
    Paid,
    Settled,
    Shipped,
    Completed,
    Returned,
    ItemDeleted,
    PaymentDeleted,
    OrderDeleted,
    Viewed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub at_ms: i64,
    pub step: Step,
    /// Place in the list that the step is about.
    pub index: u32,
}

impl Shop {
    pub fn draw(customers: u32, seed: u64) -> Shop {
        let customers = draw_customers(customers as usize, &mut Random::new(seed, "customers"));
        let buyers = zipf(&mut Random::new(seed, "buyers"), customers.len(), 10.0, true);
        let mut orders = draw_orders(&customers, &buyers, &mut Random::new(seed, "orders"));
        let items = draw_items(&mut orders, &mut Random::new(seed, "items"));
        let views = draw_views(&customers, &buyers, &mut Random::new(seed, "views"));
        Shop { customers, orders, items, views }
    }

    /// Everything that happens until the end of time, in order.
    pub fn events(&self) -> Vec<Event> {
        let mut events = Vec::with_capacity(self.customers.len() * 100);
        let mut add = |step: Step, index: usize, at_ms: Option<i64>| {
            if let Some(at_ms) = at_ms {
                events.push(Event { at_ms, step, index: u32::try_from(index).expect("a shop fits 32 bits") });
            }
        };
        for (i, customer) in self.customers.iter().enumerate() {
            add(Step::Customer, i, Some(customer.created_ms));
        }
        for (i, order) in self.orders.iter().enumerate() {
            add(Step::Placed, i, Some(order.placed_ms));
            add(Step::Paid, i, Some(order.paid_ms));
            add(Step::Settled, i, order.settled_ms);
            add(Step::Shipped, i, order.shipped_ms);
            add(Step::Completed, i, order.completed_ms);
            add(Step::Returned, i, order.returned_ms);
            add(Step::PaymentDeleted, i, order.deleted_ms);
            add(Step::OrderDeleted, i, order.deleted_ms);
        }
        for (i, item) in self.items.iter().enumerate() {
            let order = &self.orders[item.order];
            add(Step::Item, i, Some(order.placed_ms));
            add(Step::ItemDeleted, i, order.deleted_ms);
        }
        for (i, view) in self.views.iter().enumerate() {
            add(Step::Viewed, i, Some(view.at_ms));
        }
        events.sort_unstable();
        events
    }
}

/// Most customers come early; the last after fifteen months.
fn draw_customers(count: usize, random: &mut Random) -> Vec<Customer> {
    let draw = |_| {
        let unit = random.unit();
        Customer {
            created_ms: BEGIN_MS + (unit * unit * unit.sqrt() * (450 * DAY_MS) as f64) as i64,
            first_name: random.index(&FIRST_NAMES),
            last_name: random.index(&LAST_NAMES),
            state: random.index(&STATES),
        }
    };
    (0..count).map(draw).collect()
}

fn draw_orders(customers: &[Customer], buyers: &Weighted, random: &mut Random) -> Vec<Order> {
    let mut placed: Vec<(i64, usize)> = (0..customers.len() * ORDERS_PER_CUSTOMER)
        .map(|_| {
            let customer = buyers.pick(random);
            let earliest = customers[customer].created_ms + 60_000;
            (between(random, earliest, END_MS - 2 * HOUR_MS), customer)
        })
        .collect();
    placed.sort_unstable();
    placed.into_iter().map(|(placed_ms, customer)| draw_order(customer, placed_ms, random)).collect()
}

/// What becomes of an order: 14 % stay placed, 27 % shipped, 51 % completed, 5 % come back, 3 % are deleted. What would happen
/// after the end of time does not happen.
fn draw_order(customer: usize, placed_ms: i64, random: &mut Random) -> Order {
    let fates = Weighted::new([14, 27, 51, 5, 3]);
    let fate = fates.pick(random);
    let shipped = between(random, placed_ms + HOUR_MS, placed_ms + HOUR_MS + 3 * DAY_MS);
    let completed = between(random, shipped + DAY_MS, shipped + 6 * DAY_MS);
    let returned = between(random, completed + DAY_MS, completed + 21 * DAY_MS);
    let paid_ms = between(random, placed_ms + 1_000, placed_ms + 61_000);
    let unit = random.unit();
    let settled = paid_ms + 60_000 + (unit * unit * unit * (2 * DAY_MS) as f64) as i64;
    let settles_well = random.below(100) < 97;
    let waits_for_shipping = random.below(2) == 0;
    let last = if waits_for_shipping { settled.max(shipped) } else { settled };
    let deleted = between(random, last + HOUR_MS, last + HOUR_MS + 5 * DAY_MS);
    let in_time = |at_ms: i64, happens: bool| (happens && at_ms <= END_MS).then_some(at_ms);
    Order {
        customer,
        placed_ms,
        shipped_ms: in_time(shipped, matches!(fate, 1..=3) || fate == 4 && shipped < deleted),
        completed_ms: in_time(completed, matches!(fate, 2 | 3)),
        returned_ms: in_time(returned, fate == 3),
        deleted_ms: in_time(deleted, fate == 4),
        paid_ms,
        settled_ms: in_time(settled, true),
        settles_well,
        amount_cents: 0,
    }
}

/// Draws the lines of each order and adds up what is to be paid.
fn draw_items(orders: &mut [Order], random: &mut Random) -> Vec<Item> {
    let lines = Weighted::new([35, 35, 25, 5]);
    let quantities = Weighted::new([60, 20, 10, 6, 4]);
    let popular = zipf(random, PRODUCTS, 0.0, false);
    let list_price = |_| ((exp(3.2 + 0.9 * random.normal()) * 100.0) as i64).clamp(199, 99_999);
    let list_prices: Vec<i64> = (0..PRODUCTS).map(list_price).collect();
    let mut items = Vec::with_capacity(orders.len() * 2);
    for (at, order) in orders.iter_mut().enumerate() {
        for line in 1..=lines.pick(random) + 1 {
            let product = popular.pick(random);
            let price_cents = list_prices[product] * (900 + random.below(200) as i64) / 1000;
            let quantity = quantities.pick(random) as i64 + 1;
            order.amount_cents += price_cents * quantity;
            items.push(Item { order: at, line, product, price_cents, quantity });
        }
    }
    items
}

/// Half of the views are by those who buy much, half by anyone.
fn draw_views(customers: &[Customer], buyers: &Weighted, random: &mut Random) -> Vec<View> {
    let draw = |_| {
        let customer = if random.below(2) == 0 { buyers.pick(random) } else { random.index(customers) };
        let at_ms = between(random, customers[customer].created_ms + 1_000, END_MS);
        View { customer, at_ms, page: random.below(56) as usize }
    };
    let mut views: Vec<View> = (0..customers.len() * VIEWS_PER_CUSTOMER).map(draw).collect();
    views.sort_by_key(|view| view.at_ms);
    views
}

fn between(random: &mut Random, low_ms: i64, high_ms: i64) -> i64 {
    low_ms + random.below((high_ms - low_ms) as u64) as i64
}
