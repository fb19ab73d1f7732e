use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Everything that was delivered, as lines.
#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    at_ms: Vec<i64>,
    live: BTreeMap<(&'static str, String), bool>,
    unreadable: u64,
}

impl Deliver for Heard {
    fn change(&mut self, change: &Change) -> io::Result<()> {
        self.at_ms.push(change.at_ms);
        if change.table.medium == Medium::Log {
            let wrong = columns::misfit(change.table, &change.row);
            assert_eq!(wrong, None, "a row of {}: {:?}", change.table.name, change.row);
        }
        if let Some(key) = change.key_json() {
            self.live.insert((change.table.name, key), change.op != Op::Delete);
        }
        self.lines.push(format!("{} {}", change.table.name, change.value_json()));
        Ok(())
    }

    fn unreadable(&mut self, table: &'static Table, _: i64, unreadable: &Unreadable<'_>) -> io::Result<()> {
        self.unreadable += 1;
        self.lines.push(match unreadable {
            Unreadable::Text(text) => format!("{} {text}", table.name),
            Unreadable::Value(wrong) => format!("{} {}", table.name, wrong.value_json()),
        });
        Ok(())
    }
}

fn heard(seed: u64, customers: i64, days: i64) -> (Heard, Summary) {
    heard_of(Scale { seed, customers, days, activity_percent: 100 })
}

fn heard_of(scale: Scale) -> (Heard, Summary) {
    let mut heard = Heard::default();
    let summary = generate(scale, &mut heard, &mut |_, _| {}).expect("memory takes it all");
    (heard, summary)
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let (first, second, other) = (heard(1, 60, 60).0, heard(1, 60, 60).0, heard(2, 60, 60).0);
    assert_eq!(first.lines, second.lines);
    assert_ne!(first.lines, other.lines);
}

#[test]
fn a_quieter_shop_has_the_same_customers_and_fewer_events() {
    let scale = Scale { seed: 1, customers: 200, days: 120, activity_percent: 100 };
    let (usual, quiet) = (heard_of(scale).1.by_table, heard_of(Scale { activity_percent: 20, ..scale }).1.by_table);
    for table in ["customers", "accounts", "locations", "card_accounts", "users"] {
        assert_eq!(usual[table], quiet[table], "{table}");
    }
    for table in ["orders", "website_activity", "transactions", "device_events", "page_views"] {
        let percent = quiet[table] * 100 / usual[table];
        assert!((10..=30).contains(&percent), "{table}: {percent} percent");
    }
}

#[test]
fn changes_come_in_the_order_of_their_delivery() {
    let (heard, summary) = heard(3, 100, 90);
    assert!(heard.at_ms.is_sorted());
    assert_eq!(summary.records, heard.lines.len() as u64);
}

#[test]
fn every_table_and_every_kind_of_change_is_there() {
    let (heard, summary) = heard(4, 400, 200);
    let missing: Vec<_> = tables::ALL.iter().filter(|table| !summary.by_table.contains_key(table.name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let planted = [
        "snapshot read",
        "order after its lines",
        "order without items",
        "status goes back",
        "order returned",
        "order deleted with its items",
        "deleted order comes back",
        "item corrected",
        "item without a price",
        "late payment",
        "payment refunded",
        "e-mail corrected",
        "e-mail unknown at first",
        "e-mail changed",
        "customer moved",
        "customer deleted",
        "anonymous click",
        "repeated click",
        "late click",
        "transaction reversed",
        "credit limit raised",
        "subscription canceled",
        "charge failed",
        "device offline",
        "device event repeated",
        "ad figures corrected",
        "product's category corrected",
        "rush on a category",
        "malformed: half a record",
        "malformed, then right",
    ];
    let seen: BTreeSet<_> = summary.situations.keys().copied().collect();
    assert_eq!(planted.iter().filter(|situation| !seen.contains(**situation)).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(heard.unreadable > 0, "{} records", summary.records);
}

#[test]
fn lines_of_deleted_orders_are_deleted_too() {
    let (heard, _) = heard(5, 300, 150);
    let gone = |table: &str| heard.live.iter().filter(|((of, _), alive)| *of == table && !**alive).count();
    assert!(gone("orders") > 0 && gone("order_items") > 0);
}

/// The small shop in the tree is what `demo generate` writes at this scale; `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn the_fixtures_are_what_the_generator_writes() {
    let scale = Scale { seed: 1, customers: 120, days: 180, activity_percent: 100 };
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop");
    let folder = match std::env::var_os("UPDATE_GOLDEN") {
        Some(_) => kept.clone(),
        None => std::env::temp_dir().join(format!("livemart-shop-{}", std::process::id())),
    };
    let mut files = Files::create(&folder, Form::Bare).expect("a writable folder");
    generate(scale, &mut files, &mut |_, _| {}).expect("a writable folder");
    files.finish().expect("a writable folder");
    let (made, expected) = (contents(&folder), contents(&kept));
    if folder != kept {
        fs::remove_dir_all(&folder).expect("our own folder");
    }
    assert_eq!(made.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let other: Vec<_> = made.iter().filter(|(name, bytes)| expected[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(other.is_empty(), "{other:?} differ; UPDATE_GOLDEN=1 writes them anew");
}

/// Every file below a folder, by its name from there.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_path_buf();
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn captured_records_carry_topic_offset_and_key() {
    let folder = std::env::temp_dir().join(format!("livemart-shop-captured-{}", std::process::id()));
    let mut files = Files::create(&folder, Form::Captured).expect("a writable folder");
    generate(Scale { seed: 1, customers: 5, days: 10, activity_percent: 100 }, &mut files, &mut |_, _| {})
        .expect("a writable folder");
    files.finish().expect("a writable folder");
    let text = fs::read_to_string(folder.join("raw_data.jsonl")).expect("a log");
    fs::remove_dir_all(&folder).expect("our own folder");
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap_or_default()).expect("JSON");
    assert_eq!(first["topic"], "shop.public.customers");
    assert_eq!((&first["offset"], &first["partition"]), (&0.into(), &0.into()));
    assert!(first["key"].as_str().is_some_and(|key| key.starts_with("{\"customer_id\":")), "{first}");
    assert!(first["value"].as_str().is_some_and(|value| value.contains("\"op\":\"r\"")), "{first}");
}
