//! Random groupings and top-k over random histories, each replayed in all ways of a flow file: among them against the batch answer.

use std::fmt::Write;

use livemart::testkit::flow_file::{FlowFile, WAYS};

const FILES: u64 = 12;
const MODELS: usize = 6;
const EPOCHS: usize = 5;

const SOURCE: &str = "source p(id bigint, g text, n numeric(12,2), v numeric, i int, f double precision, d date, t text, s interval) key id";

const AGGREGATES: [&str; 40] = [
    "count(*)",
    "count(t)",
    "count(distinct i)",
    "sum(n)",
    "sum(distinct n)",
    "sum(v)",
    "sum(f)",
    "avg(n)",
    "avg(f)",
    "avg(s)",
    "stddev(n)",
    "var_pop(i)",
    "variance(distinct v)",
    "stddev_pop(f)",
    "min(n)",
    "max(t)",
    "min(d)",
    "max(f)",
    "min(s)",
    "any_value(t)",
    "bool_or(i > 2)",
    "count_if(n > 1)",
    "percentile_cont(0.5) within group (order by n)",
    "percentile_cont(0.3) within group (order by f desc)",
    "percentile_cont(array[0, 0.5, 0.9]) within group (order by i)",
    "percentile_cont(0.5) within group (order by s)",
    "percentile_disc(0.5) within group (order by t)",
    "percentile_disc(0.9) within group (order by v desc)",
    "median(i)",
    "mode() within group (order by i)",
    "mode() within group (order by t desc)",
    "mode() within group (order by v)",
    "array_agg(i order by n desc, id)",
    "array_agg(d)",
    "array_agg(distinct t order by t desc nulls last)",
    "string_agg(t, ',' order by v nulls first, id)",
    "string_agg(distinct t, t order by t)",
    "json_agg(n order by i, id)",
    "jsonb_agg(t order by id)",
    "jsonb_object_agg(id, f order by t, id)",
];

const TOPS: [&str; 4] = [
    "select id, n, t from p order by n desc nulls last, t limit 3",
    "select id, i, f from p order by i, f desc limit 4 offset 2",
    "select distinct on (g) g, d, id from p order by g, d desc, id",
    "select t, v from p order by t nulls first offset 3",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn model(&mut self) -> String {
        if self.below(5) == 0 {
            return self.of(&TOPS).to_owned();
        }
        let group = self.of(&["g", "g", "i % 3", "t", ""]);
        let mut select = if group.is_empty() { String::new() } else { format!("{group} as k, ") };
        for at in 0..=self.below(4) {
            let aggregate = self.of(&AGGREGATES);
            let filter = self.of(&["", "", "", " filter (where i > 1)", " filter (where t is not null)"]);
            let separator = if at == 0 { "" } else { ", " };
            let _ = write!(select, "{separator}{aggregate}{filter} as a{at}");
        }
        let having = self.of(&["", "", "", " having count(*) > 1", " having max(n) > 0"]);
        let group = if group.is_empty() { String::new() } else { format!(" group by {group}") };
        format!("select {select} from p{group}{having}")
    }

    fn row(&mut self, id: usize) -> String {
        let g = self.of(&["a", "b", "b", "null"]);
        let n = self.of(&["0.50", "-3.25", "7.00", "7.00", "1000000.01", "null"]);
        let v = self.of(&["1", "1.0", "1.00", "-2.5", "0.000000000000000001", "12345678901234567890", "null", "null"]);
        let i = self.of(&["0", "1", "2", "3", "4", "-7", "null"]);
        let f = self.of(&["0.1", "0.2", "-2.5", "1e100", "1e-300", "7", "7", "NaN", "null"]);
        let d = self.of(&["2024-01-01", "2024-02-29", "1999-12-31", "null"]);
        let t = self.of(&["x", "xy", "''", "'a b'", "Z", "ü", "null"]);
        let s = self.of(&["'1 day'", "'24:00:00'", "'1 mon -3 days'", "'-5 days 00:10:00'", "null"]);
        format!("p {id} {g} {n} {v} {i} {f} {d} {t} {s}")
    }

    fn file(&mut self) -> String {
        let mut text = format!("{SOURCE}\n");
        for model in 0..MODELS {
            let _ = writeln!(text, "model m{model}\n  {}", self.model());
        }
        let mut rows: Vec<Option<String>> = vec![None; 30];
        for epoch in 0..EPOCHS {
            for _ in 0..self.below(25) {
                let id = self.below(rows.len());
                if let Some(old) = rows[id].take() {
                    let _ = writeln!(text, "- {old}");
                }
                if self.below(4) > 0 {
                    let new = self.row(id);
                    let _ = writeln!(text, "+ {new}");
                    rows[id] = Some(new);
                }
            }
            let _ = writeln!(text, "@ {}", epoch + 1);
        }
        (0..MODELS).for_each(|model| text += &format!("= m{model}\n"));
        text
    }
}

#[test]
fn random_aggregates_hold_in_all_ways() {
    let mut failures = Vec::new();
    for seed in 0..FILES {
        let text = Random(seed * 7919 + 1).file();
        let parse = |text: &str| FlowFile::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        // What comes of it as written is what every other way must come to.
        let text = parse(&text).complete(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let file = parse(&text);
        for way in WAYS {
            if let Err(error) = file.check(way) {
                failures.push(format!("seed {seed}, {way:?}: {error}\n{text}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures, the first:\n{}", failures.len(), failures[0]);
}
