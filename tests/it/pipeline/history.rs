//! A random history of the shop: orders come, change and go, records come twice, and some cannot be read.

use std::collections::BTreeMap;

use super::shop::{Said, Shop, Table, item_key, order_key};

/// A small generator of numbers, the same for the same seed everywhere (SplitMix64).
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to below `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low).unsigned_abs()) as i64
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.between(0, choices.len() as i64) as usize]
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.between(0, 100) < percent
    }
}

const CUSTOMERS: i64 = 40;
const PRODUCTS: [&str; 6] = ["bell", "chain", "frame", "lamp", "pedal", "saddle"];
const STATUSES: [&str; 4] = ["placed", "shipped", "completed", "cancelled"];

/// Goes through time step by step.
pub struct History<'a> {
    shop: &'a Shop,
    dice: Dice,
    orders_next: i64,
    payments_next: i64,
    /// Milliseconds since 1970; each payment's version has its own.
    now: i64,
    /// Said last in each partition of orders and items, to be said again.
    last: BTreeMap<Table, Said>,
}

impl<'a> History<'a> {
    pub fn new(shop: &'a Shop, seed: u64) -> History<'a> {
        let (dice, last) = (Dice::new(seed), BTreeMap::new());
        History { shop, dice, orders_next: 1, payments_next: 1, now: 1_750_000_000_000, last }
    }

    pub fn step(&mut self) {
        self.now += 1;
        match self.dice.between(0, 100) {
            0..12 => self.new_order(),
            12..28 => {
                let id = self.any_order();
                self.order(id);
            }
            28..33 => self.order_gone(),
            33..52 => self.item(),
            52..57 => self.item_gone(),
            57..74 => self.payment(),
            74..78 => self.payment_gone(),
            78..93 => {
                let said = Said::Transfer {
                    customer: self.dice.between(0, CUSTOMERS),
                    cents: self.dice.between(-50_000, 50_000),
                };
                let partition = self.dice.between(0, Table::Transfers.partitions() as i64);
                self.shop.say_in(partition as usize, said);
            }
            93..96 => self.again(),
            _ => self.unreadable(),
        }
    }

    fn any_order(&mut self) -> i64 {
        // Mostly a late one, so that orders change while they are young.
        let low = if self.dice.chance(70) { (self.orders_next - 40).max(1) } else { 1 };
        self.dice.between(low, self.orders_next + 1)
    }

    fn new_order(&mut self) {
        let id = self.orders_next;
        self.orders_next += 1;
        self.order(id);
        for line in 1..=self.dice.between(1, 4) {
            self.item_of(id, line);
        }
    }

    fn order(&mut self, id: i64) {
        let score = match self.dice.between(0, 20) {
            0 => Some("good".to_owned()),
            1..4 => None,
            score => Some((score * 5).to_string()),
        };
        let said =
            Said::Order { id, customer: self.dice.between(0, CUSTOMERS), status: self.dice.one_of(&STATUSES), score };
        self.say(said);
    }

    fn order_gone(&mut self) {
        let id = self.any_order();
        self.say(Said::OrderGone { id });
        self.say(Said::Tombstone { order: id });
        self.say(Said::ItemGone { order: id, line: 1 });
    }

    fn item(&mut self) {
        let (order, line) = (self.any_order(), self.dice.between(1, 5));
        self.item_of(order, line);
    }

    fn item_of(&mut self, order: i64, line: i64) {
        let product = self.dice.one_of(&PRODUCTS);
        let (price_cents, quantity) = (self.dice.between(1, 100_000), self.dice.between(1, 9));
        self.say(Said::Item { order, line, product, price_cents, quantity });
    }

    fn item_gone(&mut self) {
        let (order, line) = (self.any_order(), self.dice.between(1, 5));
        self.say(Said::ItemGone { order, line });
    }

    fn payment(&mut self) {
        let id = if self.dice.chance(50) {
            self.payments_next += 1;
            self.payments_next - 1
        } else {
            self.dice.between(1, self.payments_next + 1)
        };
        let (order, cents) = (self.any_order(), self.dice.between(1, 200_000));
        let status = self.dice.one_of(&["pending", "completed", "refunded"]);
        self.anywhere(Said::Payment { id, order, cents, status, at: self.now });
    }

    fn payment_gone(&mut self) {
        let id = self.dice.between(1, self.payments_next + 1);
        self.anywhere(Said::PaymentGone { id, at: self.now });
    }

    fn anywhere(&mut self, said: Said) {
        let partition = self.dice.between(0, said.table().partitions() as i64);
        self.shop.say_in(partition as usize, said);
    }

    /// A record that is delivered twice.
    fn again(&mut self) {
        let table = self.dice.one_of(&[Table::Orders, Table::Items]);
        if let Some(said) = self.last.get(&table).cloned() {
            self.shop.say(said);
        }
    }

    fn unreadable(&mut self) {
        let (id, line) = (self.any_order(), self.dice.between(1, 5));
        let said = match self.dice.between(0, 5) {
            0 => Said::Broken {
                table: Table::Orders,
                key: order_key(id),
                value: format!("{{\"op\":\"u\",\"after\":{{\"id\":{id},"),
            },
            1 => Said::Broken {
                table: Table::Orders,
                key: order_key(id),
                value: format!(
                    "{{\"op\":\"c\",\"after\":{{\"id\":{id},\"customer_id\":\"nobody\",\"status\":\"placed\",\"score\":null}}}}"
                ),
            },
            2 => Said::Broken {
                table: Table::Items,
                key: item_key(id, line),
                value: format!(
                    "{{\"order_id\":{id},\"line_no\":{line},\"product\":\"bell\",\"price\":\"free\",\"quantity\":1}}"
                ),
            },
            3 => Said::Noise { table: Table::Orders },
            _ => Said::Noise { table: Table::Transfers },
        };
        self.shop.say(said);
    }

    fn say(&mut self, said: Said) {
        self.last.insert(said.table(), said.clone());
        self.shop.say(said);
    }
}
