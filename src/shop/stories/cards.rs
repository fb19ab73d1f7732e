//! Credit cards of the shop's customers, and what they are used for.

use super::super::people::Person;
use super::super::random::Random;
use super::super::tables::{CARD_ACCOUNTS, Op, Row, TRANSACTIONS, Value, with};
use super::super::timeline::{DAY, HOUR, MINUTE, SECOND};
use super::{Scene, arrives_on, next};

/// Category, share in a hundred, least and most cents.
const CATEGORIES: [(&str, i64, i64, i64); 9] = [
    ("Groceries", 28, 900, 16_000),
    ("Dining", 18, 800, 12_000),
    ("Gas", 12, 2_000, 9_000),
    ("Utilities", 8, 4_000, 25_000),
    ("Healthcare", 5, 2_000, 40_000),
    ("Entertainment", 9, 500, 15_000),
    ("Electronics", 6, 3_000, 150_000),
    ("Travel", 8, 15_000, 240_000),
    ("Hotels", 6, 9_000, 90_000),
];

/// Three of five customers have a card; the account's key is their number beyond 100,000.
fn key_of(person: &Person) -> Option<i64> {
    (person.number % 5 <= 2).then_some(100_000 + person.number)
}

pub fn day(scene: &mut Scene, person: &Person, day: i64) {
    let Some(key) = key_of(person) else { return };
    if arrives_on(person, scene, day) {
        open(scene, person, key);
    }
    let day_ms = scene.day_ms(day);
    let appetite = person.appetite(day, day_ms);
    let mut random = scene.random("transactions", person.number, day);
    for _ in 0..3 {
        if random.between(0, 1_000_000) < 70 * appetite {
            use_card(scene, person, key, day_ms, &mut random);
        }
    }
}

fn open(scene: &mut Scene, person: &Person, key: i64) {
    let mut random = scene.random("cards", person.number, 0);
    let (card, limit) =
        random.pick(&[("standard", 3_000), ("standard", 5_000), ("gold", 12_000), ("platinum", 30_000)]);
    let at = person.joined_ms.max(scene.begin_ms);
    let row: Row = vec![
        ("customer_key", key.into()),
        ("customer_id", format!("CUST{:08}", person.number).into()),
        ("card_type", card.into()),
        ("credit_limit", Value::Cents(limit * 100)),
        ("account_open_date", Value::Day(person.joined_ms)),
    ];
    let op = if person.joined_ms < scene.begin_ms { Op::Read } else { Op::Create };
    scene.timeline.at(at, CARD_ACCOUNTS, op, row.clone());
    if random.permille(100) {
        scene.timeline.saw("credit limit raised");
        let raised = with(&row, "credit_limit", Value::Cents(limit * 150));
        scene.timeline.at(at + random.between(20 * DAY, 200 * DAY), CARD_ACCOUNTS, Op::Update, raised);
    }
}

fn use_card(scene: &mut Scene, person: &Person, key: i64, day_ms: i64, random: &mut Random) {
    let at = (day_ms + random.between(6 * HOUR, 23 * HOUR)).max(person.joined_ms + HOUR) / SECOND * SECOND;
    let (category, cents) = purchase(person, random);
    let row: Row = vec![
        ("transaction_id", next(&mut scene.ids.transaction).into()),
        ("customer_key", key.into()),
        ("transaction_amount", if random.permille(3) { Value::Null } else { Value::Cents(cents) }),
        ("category", if random.permille(5) { Value::Null } else { category.into() }),
        ("status", "pending".into()),
        ("transaction_date", Value::Moment(at)),
    ];
    scene.timeline.at(at, TRANSACTIONS, Op::Create, row.clone());
    let settled = at + random.between(MINUTE, 2 * DAY);
    let declined = random.permille(40);
    let row = with(&row, "status", if declined { "declined" } else { "approved" });
    scene.timeline.at(settled, TRANSACTIONS, Op::Update, row.clone());
    if !declined && random.permille(12) {
        scene.timeline.saw("transaction reversed");
        let reversed = settled + random.between(DAY, 30 * DAY);
        scene.timeline.at(reversed, TRANSACTIONS, Op::Update, with(&row, "status", "reversed"));
    }
}

fn purchase(person: &Person, random: &mut Random) -> (&'static str, i64) {
    let mut share = random.between(0, 100);
    if person.loves_travel && random.permille(450) {
        share = 90;
    }
    for (category, part, low, high) in CATEGORIES {
        if share < part {
            return (category, random.between(low, high));
        }
        share -= part;
    }
    (CATEGORIES[0].0, random.between(CATEGORIES[0].2, CATEGORIES[0].3))
}
