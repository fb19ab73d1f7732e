//! A reader of the sink, as a BI tool is one: what it sees in one REPEATABLE READ transaction must be one prefix of the sources.

use super::parts::Client;
use super::shop::{Positions, Shop, TABLES};
use super::truth::{ERRORS_QUERY, Marts, QUERIES, marts_at};

/// One look at the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub seq: u64,
    pub owner: String,
    pub positions: Positions,
    pub marts: Marts,
}

pub struct Bystander<'a> {
    shop: &'a Shop,
    client: Client,
    last: Option<Look>,
    /// Cuts that were seen and found right.
    pub cuts_seen: u64,
}

impl<'a> Bystander<'a> {
    pub fn new(shop: &'a Shop) -> Bystander<'a> {
        Bystander { shop, client: Client::new(), last: None, cuts_seen: 0 }
    }

    /// Reads everything in one transaction; none before the first cut.
    pub fn look(&self) -> Option<Look> {
        let (marts, meta) = (&self.shop.schemas.marts, &self.shop.schemas.meta);
        self.client.run("begin isolation level repeatable read read only");
        let there = self.client.column(&format!("select to_regclass('{meta}.cut') is not null")).concat() == "t";
        let cut =
            if there { self.client.column(&format!("select seq || ' ' || owner from {meta}.cut")) } else { vec![] };
        let look = cut.first().map(|cut| {
            let (seq, owner) = cut.split_once(' ').expect("two columns");
            let read = |schema: &str, table: &str, row: &str| {
                let mut rows = self.client.column(&format!("select {row} from {schema}.{table}"));
                rows.sort();
                rows
            };
            let mut tables = QUERIES.map(|(table, row)| (table, read(marts, table, row))).to_vec();
            tables.push(("errors", read(meta, "errors", ERRORS_QUERY)));
            let progress = read(meta, "progress", "concat_ws(' ', source, \"partition\", position)");
            Look {
                seq: seq.parse().expect("a number"),
                owner: owner.to_owned(),
                positions: progress.iter().map(|row| position(row)).collect(),
                marts: Marts(tables.into_iter().collect()),
            }
        });
        self.client.run("commit");
        look
    }

    /// Looks, and checks what it sees against the last look and against the records that were sent.
    pub fn check(&mut self) -> Option<&Look> {
        let look = self.look()?;
        if let Some(last) = &self.last {
            assert!(look.seq >= last.seq, "cut {} came after {}", look.seq, last.seq);
            if look.seq == last.seq {
                let Look { positions, marts, .. } = &look;
                assert!(positions == &last.positions && marts == &last.marts, "cut {} changed", look.seq);
                return self.last.as_ref();
            }
            for (place, position) in &last.positions {
                let now = look.positions.get(place).copied().unwrap_or(0);
                assert!(now >= *position, "{place:?} went back from {position} to {now} in cut {}", look.seq);
            }
        }
        assert_marts_agree(&look);
        let expected = marts_at(&self.shop.log(), &look.positions);
        if let Some(difference) = look.marts.difference(&expected) {
            panic!("cut {} of {} at {:?}: {difference}", look.seq, look.owner, look.positions);
        }
        self.cuts_seen += 1;
        self.last = Some(look);
        self.last.as_ref()
    }
}

/// `raw.orders 2 17`
fn position(row: &str) -> ((super::shop::Table, usize), usize) {
    let parts: Vec<&str> = row.split(' ').collect();
    let [source, partition, position] = parts[..] else { panic!("{row}") };
    let table = TABLES.iter().find(|(table, _, _)| table.source() == source).expect("a source of ours").0;
    ((table, partition.parse().expect("a number")), position.parse().expect("a number"))
}

/// The marts agree with each other, whatever the records were.
fn assert_marts_agree(look: &Look) {
    let sum = |table: &str, column: usize, with: &dyn Fn(&[&str]) -> bool| -> i64 {
        let rows = look.marts.0[table].iter().map(|row| row.split(' ').collect::<Vec<_>>());
        rows.filter(|cells| with(cells)).map(|cells| cells[column].parse::<i64>().expect("a number")).sum()
    };
    let all = |_: &[&str]| true;
    let seq = look.seq;
    assert_eq!(sum("accounts_by_customer", 1, &all), sum("totals", 1, &all), "the ledger balances in cut {seq}");
    assert_eq!(sum("accounts_by_customer", 2, &all), sum("totals", 0, &all), "no move is missing in cut {seq}");
    let by_order = sum("order_mart", 3, &|cells| cells[2] != "cancelled");
    assert_eq!(sum("customer_totals", 3, &all), by_order, "revenue comes with its orders in cut {seq}");
}
