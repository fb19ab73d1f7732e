//! What the tables must hold, computed from a prefix of the log with plain maps.

use std::collections::{BTreeMap, BTreeSet};

use super::shop::{Log, Positions, Said, Table};

/// Rows of every table as sorted texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marts(pub BTreeMap<&'static str, Vec<String>>);

/// The tables, and how each is read as texts. Amounts are in cents, so that 0 and 0.00 are one.
pub const QUERIES: [(&str, &str); 6] = [
    ("customer_totals", "concat_ws(' ', customer_id, orders, lines, (revenue * 100)::bigint)"),
    ("product_reach", "concat_ws(' ', product, customers, quantity)"),
    ("order_mart", "concat_ws(' ', id, customer_id, status, (items_amount * 100)::bigint, paid_cents::bigint)"),
    ("accounts_by_customer", "concat_ws(' ', customer_id, balance, moves)"),
    ("totals", "concat_ws(' ', moves, balance)"),
    ("order_scores", "concat_ws(' ', id, coalesce(score::text, 'null'))"),
];
pub const ERRORS_QUERY: &str = "concat_ws(' ', kind, coalesce(source, model), \"partition\", position)";

struct Order {
    customer: i64,
    status: &'static str,
    score: Option<String>,
}

struct Item {
    product: &'static str,
    cents: i64,
    quantity: i64,
}

struct Payment {
    order: i64,
    cents: i64,
    status: &'static str,
}

/// What the sources hold after a prefix.
#[derive(Default)]
struct Sources {
    orders: BTreeMap<i64, Order>,
    /// By order and line.
    items: BTreeMap<(i64, i64), Item>,
    payments: BTreeMap<i64, Payment>,
    transfers: Vec<(i64, i64)>,
    /// Set aside and not made good, by table and key.
    broken: BTreeMap<(Table, String), Vec<(usize, usize)>>,
    noise: Vec<(Table, usize, usize)>,
}

/// The tables after the records below `positions`.
pub fn marts_at(log: &Log, positions: &Positions) -> Marts {
    let sources = Sources::after(log, positions);
    let mut marts = Marts(BTreeMap::from([
        ("customer_totals", sources.customer_totals()),
        ("product_reach", sources.product_reach()),
        ("order_mart", sources.order_mart()),
        ("accounts_by_customer", sources.accounts()),
        (
            "totals",
            vec![format!(
                "{} {}",
                sources.transfers.len(),
                sources.transfers.iter().map(|(_, cents)| cents).sum::<i64>()
            )],
        ),
        ("order_scores", sources.scores()),
        ("errors", sources.errors()),
    ]));
    marts.0.values_mut().for_each(|rows| rows.sort());
    marts
}

impl Sources {
    fn after(log: &Log, positions: &Positions) -> Sources {
        let mut sources = Sources::default();
        // What each partition said last of a payment; the version with the greatest (at, partition) holds.
        let mut versions: BTreeMap<i64, BTreeMap<usize, (i64, Option<Payment>)>> = BTreeMap::new();
        for ((table, partition), end) in positions {
            let records = &log[table][*partition];
            assert!(*end <= records.len(), "{table:?} {partition} stands at {end} of {}", records.len());
            for (offset, said) in records[..*end].iter().enumerate() {
                match said {
                    Said::Payment { id, order, cents, status, at } => {
                        let payment = Payment { order: *order, cents: *cents, status };
                        versions.entry(*id).or_default().insert(*partition, (*at, Some(payment)));
                    }
                    Said::PaymentGone { id, at } => {
                        versions.entry(*id).or_default().insert(*partition, (*at, None));
                    }
                    said => sources.take(said, *partition, offset),
                }
            }
        }
        for (id, by_partition) in versions {
            let winner = by_partition.into_iter().max_by_key(|(partition, (at, _))| (*at, *partition));
            if let Some((_, (_, Some(payment)))) = winner {
                sources.payments.insert(id, payment);
            }
        }
        sources
    }

    fn take(&mut self, said: &Said, partition: usize, offset: usize) {
        match said {
            Said::Order { id, customer, status, score } => {
                self.orders.insert(*id, Order { customer: *customer, status, score: score.clone() });
            }
            Said::OrderGone { id } => drop(self.orders.remove(id)),
            Said::Item { order, line, product, price_cents, quantity } => {
                let item = Item { product, cents: price_cents * quantity, quantity: *quantity };
                self.items.insert((*order, *line), item);
            }
            Said::ItemGone { order, line } => drop(self.items.remove(&(*order, *line))),
            Said::Transfer { customer, cents } => self.transfers.push((*customer, *cents)),
            Said::Broken { table, key, .. } => {
                self.broken.entry((*table, key.clone())).or_default().push((partition, offset));
                return;
            }
            Said::Noise { table } => return self.noise.push((*table, partition, offset)),
            // A tombstone behind a delete says nothing new; it is no record that could make another good.
            Said::Tombstone { .. } => return,
            Said::Payment { .. } | Said::PaymentGone { .. } => unreachable!("dealt with by the caller"),
        }
        // A later good record of the key makes good what was set aside.
        if let Some(key) = said.key() {
            self.broken.remove(&(said.table(), key));
        }
    }

    fn items_of(&self, order: i64) -> impl Iterator<Item = &Item> {
        self.items.range((order, i64::MIN)..=(order, i64::MAX)).map(|(_, item)| item)
    }

    fn customer_totals(&self) -> Vec<String> {
        let mut totals: BTreeMap<i64, (BTreeSet<i64>, i64, i64)> = BTreeMap::new();
        for (id, order) in self.orders.iter().filter(|(_, order)| order.status != "cancelled") {
            for item in self.items_of(*id) {
                let total = totals.entry(order.customer).or_default();
                total.0.insert(*id);
                total.1 += 1;
                total.2 += item.cents;
            }
        }
        totals
            .iter()
            .map(|(customer, (orders, lines, cents))| format!("{customer} {} {lines} {cents}", orders.len()))
            .collect()
    }

    fn product_reach(&self) -> Vec<String> {
        let mut reach: BTreeMap<&str, (BTreeSet<i64>, i64)> = BTreeMap::new();
        for (id, order) in &self.orders {
            for item in self.items_of(*id) {
                let product = reach.entry(item.product).or_default();
                product.0.insert(order.customer);
                product.1 += item.quantity;
            }
        }
        reach
            .iter()
            .map(|(product, (customers, quantity))| format!("{product} {} {quantity}", customers.len()))
            .collect()
    }

    fn order_mart(&self) -> Vec<String> {
        let mut paid: BTreeMap<i64, i64> = BTreeMap::new();
        for payment in self.payments.values().filter(|payment| payment.status == "completed") {
            *paid.entry(payment.order).or_default() += payment.cents;
        }
        let row = |(id, order): (&i64, &Order)| {
            let items: i64 = self.items_of(*id).map(|item| item.cents).sum();
            format!("{id} {} {} {items} {}", order.customer, order.status, paid.get(id).copied().unwrap_or(0))
        };
        self.orders.iter().map(row).collect()
    }

    fn accounts(&self) -> Vec<String> {
        let mut accounts: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (customer, cents) in &self.transfers {
            let account = accounts.entry(*customer).or_default();
            account.0 += cents;
            account.1 += 1;
        }
        accounts.iter().map(|(customer, (balance, moves))| format!("{customer} {balance} {moves}")).collect()
    }

    fn scores(&self) -> Vec<String> {
        let row = |(id, order): (&i64, &Order)| match &order.score {
            None => Some(format!("{id} null")),
            Some(score) => score.parse::<i64>().ok().map(|score| format!("{id} {score}")),
        };
        self.orders.iter().filter_map(row).collect()
    }

    fn errors(&self) -> Vec<String> {
        let keyed = self.broken.iter().flat_map(|((table, _), places)| places.iter().map(|(p, o)| (*table, *p, *o)));
        let decode = keyed.chain(self.noise.iter().copied());
        let mut errors: Vec<String> = decode
            .map(|(table, partition, offset)| format!("decode {} {partition} {offset}", table.source()))
            .collect();
        let failing =
            self.orders.values().filter(|order| order.score.as_ref().is_some_and(|s| s.parse::<i64>().is_err()));
        errors.extend(failing.map(|_| "expression model.shop.order_scores".to_owned()));
        errors
    }
}

impl Marts {
    /// The first table that differs, and how.
    pub fn difference(&self, expected: &Marts) -> Option<String> {
        for (table, rows) in &expected.0 {
            let found = &self.0[table];
            if found != rows {
                let missing: Vec<_> = rows.iter().filter(|row| !found.contains(row)).take(5).collect();
                let extra: Vec<_> = found.iter().filter(|row| !rows.contains(row)).take(5).collect();
                return Some(format!(
                    "{table} has {} rows instead of {}; missing: {missing:?}, too much: {extra:?}",
                    found.len(),
                    rows.len()
                ));
            }
        }
        None
    }
}
