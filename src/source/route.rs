//! Which table a record belongs to.
//!
//! A record names its table by its topic, else by the value's `source.table`, else by a top-level `table`.
//! A topic that no table was configured with names the table by its last dotted part (`shop.public.orders`: `orders`).

use std::collections::{BTreeMap, HashMap};

/// What the name in a record led to; the number is the reader's own count of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routed<'a> {
    Table(usize),
    /// A table that nobody declared.
    Unknown(&'a str),
    /// No name, and several tables that it could be.
    Nameless,
}

#[derive(Debug, Default)]
pub struct Routes {
    by_topic: HashMap<String, Vec<usize>>,
    by_name: HashMap<String, usize>,
    tables: usize,
    /// Records of undeclared tables, by name.
    pub skipped: BTreeMap<String, u64>,
}

/// Names that are counted one by one; more of them are counted together.
const SKIPPED_NAMES_MAX: usize = 256;

impl Routes {
    /// Adds the next table; `topic` is the one it was configured with, if any.
    pub fn add(&mut self, identifier: &str, topic: Option<&str>) {
        let table = self.tables;
        self.tables += 1;
        self.by_name.entry(identifier.to_string()).or_insert(table);
        if let Some(topic) = topic {
            self.by_topic.entry(topic.to_string()).or_default().push(table);
        }
    }

    /// The table when only one reads this place: it owns whatever carries no name.
    pub fn only(&self) -> Option<usize> {
        (self.tables == 1).then_some(0)
    }

    /// The table that the topic alone decides.
    pub fn by_topic(&self, topic: &str) -> Option<usize> {
        match self.by_topic.get(topic).map(Vec::as_slice) {
            Some([table]) => Some(*table),
            Some(_) => None,
            None => self.by_name.get(topic.rsplit('.').next()?).copied(),
        }
    }

    pub fn route<'a>(&self, topic: Option<&'a str>, table: Option<&'a str>) -> Routed<'a> {
        if let Some(topic) = topic {
            match self.by_topic(topic) {
                Some(table) => return Routed::Table(table),
                None if !self.by_topic.contains_key(topic) => return Routed::Unknown(topic),
                None => {}
            }
        }
        match (table, self.only()) {
            (Some(name), _) => match self.by_name.get(name) {
                Some(table) => Routed::Table(*table),
                None => Routed::Unknown(name),
            },
            (None, Some(table)) => Routed::Table(table),
            (None, None) => Routed::Nameless,
        }
    }

    /// Counts a record of an undeclared table; the first of each name is logged.
    pub fn skip(&mut self, name: &str) {
        if let Some(count) = self.skipped.get_mut(name) {
            *count += 1;
            return;
        }
        if self.skipped.len() >= SKIPPED_NAMES_MAX {
            *self.skipped.entry("(others)".into()).or_default() += 1;
            return;
        }
        tracing::info!(table = name, "records of a table that no source declares are skipped");
        self.skipped.insert(name.to_string(), 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let mut routes = Routes::default();
        routes.add("orders", Some("shop.public.orders"));
        routes.add("customers", Some("legacy-customers"));
        routes
    }

    #[test]
    fn a_topic_decides_before_the_value() {
        assert_eq!(routes().route(Some("shop.public.orders"), Some("customers")), Routed::Table(0));
        assert_eq!(routes().route(Some("legacy-customers"), None), Routed::Table(1));
        assert_eq!(routes().route(Some("other.public.customers"), None), Routed::Table(1));
        assert_eq!(
            routes().route(Some("other.__hb.heartbeat"), Some("orders")),
            Routed::Unknown("other.__hb.heartbeat")
        );
    }

    #[test]
    fn without_a_topic_the_value_decides() {
        assert_eq!(routes().route(None, Some("customers")), Routed::Table(1));
        assert_eq!(routes().route(None, Some("refunds")), Routed::Unknown("refunds"));
        assert_eq!(routes().route(None, None), Routed::Nameless);
    }

    #[test]
    fn the_only_table_owns_what_carries_no_name() {
        let mut routes = Routes::default();
        routes.add("orders", None);
        assert_eq!(routes.route(None, None), Routed::Table(0));
        assert_eq!(routes.route(None, Some("customers")), Routed::Unknown("customers"));
    }

    #[test]
    fn a_topic_of_several_tables_leaves_it_to_the_value() {
        let mut routes = Routes::default();
        routes.add("orders", Some("events"));
        routes.add("customers", Some("events"));
        assert_eq!(routes.route(Some("events"), Some("customers")), Routed::Table(1));
        assert_eq!(routes.route(Some("events"), None), Routed::Nameless);
    }

    #[test]
    fn skipped_names_are_bounded() {
        let mut routes = routes();
        for name in 0..1000 {
            routes.skip(&name.to_string());
        }
        assert!(routes.skipped.len() <= SKIPPED_NAMES_MAX + 1);
        assert_eq!(routes.skipped.values().sum::<u64>(), 1000);
    }
}
