//! The answers over the tables as the events leave them: each query once, by plain sorting and hash maps.

use std::collections::{BTreeMap, HashMap};

use super::answer::{deviation, month, monthly, payments, product, scored};
use super::by_hand::{Event, Item, Order, Payment};
use super::{Answer, Answers, ByHand, Query};

/// The rows of each table after some events, and Q1 kept current.
#[derive(Default)]
pub struct Tables<'a> {
    glance: ByHand,
    orders: HashMap<i64, &'a Order>,
    items: HashMap<(i64, i64), &'a Item>,
    payments: HashMap<i64, &'a Payment>,
}

impl<'a> Tables<'a> {
    pub fn of(events: &'a [Event]) -> Tables<'a> {
        let mut tables = Tables::default();
        for event in events {
            tables.glance.apply(event);
            match event {
                Event::Customer(..) | Event::View(..) => {}
                Event::Order(before, after) => change(&mut tables.orders, before, after, |it| it.order_id),
                Event::Item(before, after) => change(&mut tables.items, before, after, |it| (it.order_id, it.line_no)),
                Event::Payment(before, after) => change(&mut tables.payments, before, after, |it| it.payment_id),
            }
        }
        tables
    }

    pub fn answers(&self, queries: &[Query]) -> Answers {
        let answer = |query: Query| match query {
            Query::CustomerAtAGlance => self.glance.answer(),
            Query::MonthlySpend => self.monthly_spend(),
            Query::Segments => self.segments(),
            Query::Products => self.products(),
            Query::Payments => self.payments(),
        };
        queries.iter().map(|query| (*query, answer(*query))).collect()
    }

    fn completed_payments(&self) -> impl Iterator<Item = &&'a Payment> {
        self.payments.values().filter(|payment| payment.completed)
    }

    fn monthly_spend(&self) -> Answer {
        let mut customers: HashMap<i64, BTreeMap<i64, i64>> = HashMap::new();
        for payment in self.completed_payments() {
            let months = customers.entry(payment.customer_id).or_default();
            *months.entry(month(&payment.payment_date).unwrap_or(0)).or_default() += payment.payment_amount;
        }
        let mut answer = Answer::new();
        for (customer, months) in customers {
            let mut prior: Option<i64> = None;
            for (number, (month, spend)) in (1..).zip(months) {
                let change = prior.filter(|prior| *prior != 0);
                let change = change.map(|prior| (spend - prior) as f64 * 100.0 / prior as f64);
                answer.extend([monthly(customer, month, spend, prior, number, change)]);
                prior = Some(spend);
            }
        }
        answer
    }

    fn segments(&self) -> Answer {
        #[derive(Default)]
        struct Customer<'a> {
            last: &'a str,
            frequency: i64,
            monetary: i64,
        }
        let mut customers: BTreeMap<i64, Customer<'a>> = BTreeMap::new();
        let successful: HashMap<i64, &Order> =
            self.orders.iter().filter(|(_, it)| &*it.status == "completed").map(|(id, it)| (*id, *it)).collect();
        for order in successful.values() {
            let customer = customers.entry(order.customer_id).or_default();
            customer.last = customer.last.max(&order.order_date);
            customer.frequency += 1;
        }
        for item in self.items.values() {
            if let Some(order) = successful.get(&item.order_id) {
                customers.entry(order.customer_id).or_default().monetary += item.price * item.quantity;
            }
        }
        let fifths = |key: &dyn Fn(&Customer<'a>) -> (i64, &'a str)| {
            let mut order: Vec<_> = customers.iter().map(|(id, customer)| (key(customer), *id)).collect();
            order.sort_unstable();
            let (least, larger) = (order.len() / 5, order.len() % 5);
            let fifth = |at: usize| match larger * (least + 1) {
                above if at < above => at / (least + 1),
                above => larger + (at - above) / least,
            };
            let numbered = order.iter().enumerate().map(|(at, (_, id))| (*id, fifth(at) as i64 + 1));
            numbered.collect::<HashMap<i64, i64>>()
        };
        let scores = [fifths(&|it| (0, it.last)), fifths(&|it| (it.frequency, "")), fifths(&|it| (it.monetary, ""))];
        let row = |(id, it): (&i64, &Customer<'a>)| {
            let score = [&scores[0], &scores[1], &scores[2]].map(|scores| scores.get(id).copied().unwrap_or(0));
            scored(*id, it.last, it.frequency, it.monetary, score)
        };
        customers.iter().map(row).collect()
    }

    fn products(&self) -> Answer {
        let mut products: BTreeMap<i64, [i64; 4]> = BTreeMap::new();
        for item in self.items.values() {
            let [lines, units, revenue, returned] = products.entry(item.product_id).or_default();
            *lines += 1;
            *units += item.quantity;
            *revenue += item.price * item.quantity;
            *returned += i64::from(self.orders.get(&item.order_id).is_some_and(|order| &*order.status == "returned"));
        }
        let mut by_revenue: Vec<_> = products.iter().collect();
        by_revenue.sort_unstable_by_key(|(id, counts)| (std::cmp::Reverse(counts[2]), **id));
        let all: i64 = products.values().map(|counts| counts[2]).sum();
        let mut sum = 0;
        let row = |(id, counts): (&i64, &[i64; 4])| {
            let [lines, units, revenue, returned] = *counts;
            sum += revenue;
            let class = match () {
                () if sum * 100 <= all * 80 => "A",
                () if sum * 100 <= all * 95 => "B",
                () => "C",
            };
            product([*id, lines, units, revenue, returned], class)
        };
        by_revenue.into_iter().map(row).collect()
    }

    fn payments(&self) -> Answer {
        let mut customers: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for payment in self.completed_payments() {
            customers.entry(payment.customer_id).or_default().push(payment.payment_amount);
        }
        let row = |(id, mut amounts): (i64, Vec<i64>)| {
            amounts.sort_unstable();
            let count = amounts.len();
            let sum = amounts.iter().sum();
            let squares = amounts.iter().map(|amount| i128::from(*amount) * i128::from(*amount)).sum();
            let median_twice = amounts[(count - 1) / 2] + amounts[count / 2];
            let exact = [id, count as i64, sum, amounts[0], amounts[count - 1], median_twice];
            payments(exact, deviation(count as i64, sum, squares))
        };
        customers.into_iter().map(row).collect()
    }
}

fn change<'a, K: std::hash::Hash + Eq, T>(
    table: &mut HashMap<K, &'a T>,
    before: &'a Option<T>,
    after: &'a Option<T>,
    key: impl Fn(&T) -> K,
) {
    before.iter().for_each(|row| {
        table.remove(&key(row));
    });
    after.iter().for_each(|row| {
        table.insert(key(row), row);
    });
}
