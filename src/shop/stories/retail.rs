//! The shop's own database: customers, orders with their lines, payments, contacts with customer service.

use super::super::people::{Course, Person};
use super::super::random::Random;
use super::super::tables::{CUSTOMERS, INTERACTIONS, ORDER_ITEMS, ORDERS, Op, PAYMENTS, Row, Value, with};
use super::super::timeline::{DAY, HOUR, MINUTE, SECOND};
use super::{Scene, arrives_on, clicks, next};

pub const PRODUCTS: i64 = 80;
const PRODUCT_LINES: [&str; 6] = ["Starter Kit", "Refill", "Deluxe Box", "Gift Card", "Seasonal", "Subscription"];
const CHANNELS: [&str; 5] = ["web", "web", "app", "store", "phone"];
const METHODS: [&str; 7] =
    ["credit_card", "credit_card", "debit_card", "paypal", "apple_pay", "bank_transfer", "gift_card"];

/// On some days everybody wants the products of one category: an anomaly to be found.
pub fn rush(day: i64) -> Option<i64> {
    (day % 97 == 41).then_some(day / 97 % 6)
}

/// A product's price, in cents.
pub fn price_cents(product: i64) -> i64 {
    Random::new(0, "price", product as u64).between(199, 15_000)
}

pub fn day(scene: &mut Scene, person: &Person, day: i64) {
    let day_ms = scene.day_ms(day);
    if arrives_on(person, scene, day) {
        register(scene, person);
    }
    let appetite = person.appetite(day, day_ms);
    let mut random = scene.random("orders", person.number, day);
    let wish = if rush(day).is_some() { 8 } else { 1 };
    if random.between(0, 1_000_000) < person.orders_permille * appetite * wish {
        let at = (day_ms + random.between(6 * HOUR, 23 * HOUR) / SECOND * SECOND).max(person.joined_ms + MINUTE);
        order(scene, person, day, at, &mut random);
    }
    if random.between(0, 1_000_000) < 5 * appetite {
        let at = day_ms + random.between(8 * HOUR, 20 * HOUR) / SECOND * SECOND;
        let row = vec![
            ("interaction_id", next(&mut scene.ids.interaction).into()),
            ("customer_id", person.number.into()),
            ("channel", random.pick(&["email", "phone", "chat", "store"]).into()),
            ("interaction_at", Value::Moment(at)),
        ];
        scene.timeline.at(at, INTERACTIONS, Op::Create, row);
    }
}

/// A customer's row, and what is corrected in it later.
fn register(scene: &mut Scene, person: &Person) {
    let mut random = scene.random("customers", person.number, 0);
    let (city, state) = person.city();
    let born_ms = random.between(-9000, 12_500) * DAY;
    let right = vec![
        ("customer_id", person.number.into()),
        ("email", person.email().into()),
        ("first_name", person.first_name().into()),
        ("last_name", person.last_name().into()),
        ("phone", (!random.permille(300)).then(|| format!("+1-555-{:04}", random.between(0, 10_000))).into()),
        ("date_of_birth", if random.permille(100) { Value::Null } else { Value::Day(born_ms) }),
        ("city", city.into()),
        ("state", state.into()),
        ("employment_status", if random.permille(30) { Value::Null } else { person.employment().into() }),
        ("created_at", Value::Moment(person.joined_ms)),
    ];
    let op = if person.joined_ms < scene.begin_ms {
        scene.timeline.saw("snapshot read");
        Op::Read
    } else {
        Op::Create
    };
    let mut row = right.clone();
    let mut at = person.joined_ms.max(scene.begin_ms);
    let fate = random.between(0, 100);
    if fate < 4 {
        scene.timeline.saw("e-mail unknown at first");
        row = with(&row, "email", Value::Null);
    } else if fate < 14 {
        scene.timeline.saw("e-mail corrected");
        row = with(&row, "email", person.email().replace("@Example", "@exmaple"));
    }
    scene.timeline.at(at, CUSTOMERS, op, row.clone());
    if row != right {
        at += random.between(HOUR, 20 * DAY);
        scene.timeline.at(at, CUSTOMERS, Op::Update, right.clone());
    }
    row = right;
    if random.permille(80) {
        scene.timeline.saw("e-mail changed");
        at += random.between(5 * DAY, 90 * DAY);
        let address = format!("{}.{}@mail.example.org", person.first_name(), person.number);
        row = with(&row, "email", address);
        scene.timeline.at(at, CUSTOMERS, Op::Update, row.clone());
    }
    if random.permille(100) {
        scene.timeline.saw("customer moved");
        at += random.between(5 * DAY, 90 * DAY);
        row = with(&with(&row, "city", "Boston"), "state", "MA");
        scene.timeline.at(at, CUSTOMERS, Op::Update, row.clone());
    }
    if random.permille(20) {
        scene.timeline.saw("customer deleted");
        at += random.between(30 * DAY, 120 * DAY);
        scene.timeline.at(at, CUSTOMERS, Op::Delete, row.clone());
        if random.permille(400) {
            scene.timeline.saw("deleted customer comes back");
            at += random.between(DAY, 20 * DAY);
            scene.timeline.at(at, CUSTOMERS, Op::Create, with(&row, "phone", "+1-555-0100"));
        }
    }
}

/// An order's whole life.
fn order(scene: &mut Scene, person: &Person, day: i64, at: i64, random: &mut Random) {
    if random.permille(700) {
        clicks::visit_before_order(scene, person, at, random);
    }
    let id = next(&mut scene.ids.order);
    let row: Row = vec![
        ("id", id.into()),
        ("user_id", person.number.into()),
        ("cycle_name", PRODUCT_LINES[(random.between(0, 6).min(random.between(0, 6))) as usize].into()),
        ("status", "placed".into()),
        ("order_date", Value::Moment(at)),
        ("channel", if random.permille(30) { Value::Null } else { random.pick(&CHANNELS).into() }),
    ];
    // The order's record may overtake nothing, and be overtaken by its lines.
    let arrives = if random.permille(10) {
        scene.timeline.saw("order after its lines");
        at + random.between(MINUTE, HOUR)
    } else {
        at
    };
    scene.timeline.at(arrives, ORDERS, Op::Create, row.clone());
    let (lines, total_cents) = order_lines(scene, id, day, at, random);
    if random.permille(900) {
        payment(scene, person, id, at, total_cents, random);
    }
    let shipped = at + random.between(4 * HOUR, 72 * HOUR);
    let (mut last, mut settled) = (with(&row, "status", "shipped"), shipped);
    let step = |scene: &mut Scene, at: i64, status: &'static str| {
        let row = with(&row, "status", status);
        scene.timeline.at(at, ORDERS, Op::Update, row.clone());
        row
    };
    let fate = random.between(0, 1000);
    if fate < 40 {
        last = step(scene, shipped, "cancelled");
    } else {
        step(scene, shipped, "shipped");
        settled = shipped + random.between(DAY, 6 * DAY);
        last = if fate < 120 {
            scene.timeline.saw("order returned");
            step(scene, settled, "return_pending");
            settled += random.between(2 * DAY, 8 * DAY);
            step(scene, settled, "returned")
        } else if fate < 150 {
            scene.timeline.saw("status goes back");
            step(scene, settled, "completed");
            step(scene, settled + HOUR, "shipped");
            settled += 2 * DAY;
            step(scene, settled, "completed")
        } else if fate < 180 {
            last
        } else {
            step(scene, settled, "completed")
        };
    }
    if random.permille(25) {
        scene.timeline.saw("order deleted with its items");
        let gone = settled + random.between(DAY, 40 * DAY);
        for line in lines {
            scene.timeline.at(gone, ORDER_ITEMS, Op::Delete, line);
        }
        scene.timeline.at(gone, ORDERS, Op::Delete, last.clone());
        if random.permille(200) {
            scene.timeline.saw("deleted order comes back");
            scene.timeline.at(gone + random.between(HOUR, 5 * DAY), ORDERS, Op::Create, last);
        }
    }
}

/// The lines of an order, and what they come to in cents.
fn order_lines(scene: &mut Scene, order: i64, day: i64, at: i64, random: &mut Random) -> (Vec<Row>, i64) {
    let (mut lines, mut total_cents) = (Vec::new(), 0);
    if random.permille(20) {
        scene.timeline.saw("order without items");
        return (lines, 0);
    }
    for line_no in 1..=random.pick(&[1, 2, 2, 3, 3, 4]) {
        let mut product = random.between(1, PRODUCTS + 1);
        let mut quantity = random.pick(&[1, 1, 1, 2, 3]);
        if let (Some(category), 1) = (rush(day), line_no) {
            scene.timeline.saw("rush on a category");
            (product, quantity) = (product / 6 * 6 + category, 12);
            product = product.clamp(1, PRODUCTS);
        }
        let cents = price_cents(product);
        total_cents += cents * quantity;
        let right: Row = vec![
            ("order_id", order.into()),
            ("line_no", line_no.into()),
            ("product_id", product.into()),
            ("price", Value::Cents(cents)),
            ("quantity", quantity.into()),
        ];
        let wrong = match random.between(0, 1000) {
            0..30 => {
                scene.timeline.saw("item corrected");
                with(&right, "quantity", quantity * 10)
            }
            30..40 => {
                scene.timeline.saw("item without a price");
                with(&right, "price", Value::Null)
            }
            _ => right.clone(),
        };
        scene.timeline.at(at, ORDER_ITEMS, Op::Create, wrong.clone());
        if wrong != right {
            scene.timeline.at(at + random.between(10 * MINUTE, 3 * HOUR), ORDER_ITEMS, Op::Update, right.clone());
        }
        lines.push(right);
    }
    (lines, total_cents)
}

fn payment(scene: &mut Scene, person: &Person, order: i64, at: i64, total_cents: i64, random: &mut Random) {
    let paid = at + random.between(MINUTE, 2 * DAY) / SECOND * SECOND;
    let mut arrives = paid;
    if random.permille(50) {
        scene.timeline.saw("late payment");
        // Months after the order, dated when it was made.
        arrives = paid + random.between(30 * DAY, 120 * DAY);
    }
    let row = vec![
        ("id", next(&mut scene.ids.payment).into()),
        ("order_id", order.into()),
        ("customer_id", person.number.into()),
        ("amount", total_cents.into()),
        ("payment_method", random.pick(&METHODS).into()),
        ("payment_status", "pending".into()),
        ("payment_date", Value::Moment(paid)),
    ];
    scene.timeline.at(arrives, PAYMENTS, Op::Create, row.clone());
    let settled = arrives + random.between(5 * MINUTE, 30 * HOUR);
    let fails = random.permille(if person.course == Course::Declining { 80 } else { 30 });
    let row = with(&row, "payment_status", if fails { "failed" } else { "completed" });
    scene.timeline.at(settled, PAYMENTS, Op::Update, row.clone());
    if !fails && random.permille(22) {
        scene.timeline.saw("payment refunded");
        let refunded = settled + random.between(4 * DAY, 12 * DAY);
        scene.timeline.at(refunded, PAYMENTS, Op::Update, with(&row, "payment_status", "refunded"));
    }
}
