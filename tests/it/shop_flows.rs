//! What the shop's marts show live, each as a flow: an event (or midnight) comes, and the right tables move.
//!
//! ```text
//!   dataflows over a copy of fixtures ──served──> marts.db <── what a reader sees, before and after
//!                       ▲ one line appended, or the clock turned
//! ```

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use livemart::cli::keep::{KeepOptions, open};
use livemart::cli::verify::verified;
use livemart::engine::StopFlag;
use livemart::project::{ClockMode, Project, ProjectOptions, ResourceType, Selection};
use livemart::time::WallTime;
use rusqlite::{Connection, OpenFlags};

use crate::pipeline::binary::{Folder, await_that};

/// After the last event of the fixtures, and not yet midnight.
const EVENING: &str = "2024-12-27 22:00:00Z";
const NEXT_MORNING: &str = "2024-12-28 00:00:01Z";
const NEW_CUSTOMER: &str = r#"{"customer_id":900001,"email":"grace@exampel.com","first_name":"Grace","last_name":"Novak","phone":null,"date_of_birth":"1991-12-09","city":"Denver","state":"CO","employment_status":"employed","created_at":"2024-12-27T22:00:00Z"}"#;
const ORDER: &str = r#"{"id":900001,"user_id":900001,"cycle_name":"Refill","status":"completed","order_date":"2024-12-27T22:01:00Z","channel":"web"}"#;
const ITEM: &str = r#"{"order_id":900001,"line_no":1,"product_id":11,"price":"24.90","quantity":2}"#;
const PAYMENT: &str = r#"{"id":900001,"order_id":900001,"customer_id":900001,"amount":4980,"payment_method":"credit_card","payment_status":"completed","payment_date":"2024-12-27T22:02:00Z"}"#;
const TRAP: &str = "select failures from livemart_tests where test like '%not_null_mart_customer_360_total_orders'";

/// The shop, served in a thread by a wall clock that the test turns.
struct Shop {
    folder: Folder,
    models: Vec<String>,
    wall: Arc<AtomicI64>,
    stop: StopFlag,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Shop {
    /// Serves these models with all that they read and their tests.
    fn serve(name: &str, models: &[&str]) -> Shop {
        let folder = Folder::new(name);
        copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop"), &folder.path("."));
        let wall = Arc::new(AtomicI64::new(micros(EVENING)));
        let models: Vec<String> = models.iter().map(|model| format!("+{model}")).collect();
        let stop = StopFlag::default();
        let (told, read_all) = std::sync::mpsc::channel();
        let (read, flag, mut project) = (wall.clone(), stop.clone(), load(&folder));
        let resource_types = vec![ResourceType::Model, ResourceType::Test];
        let selection = Selection { select: models.clone(), resource_types, ..Selection::default() };
        let thread = std::thread::spawn(move || {
            let wall = WallTime::from_fn(move || read.load(Ordering::SeqCst));
            // First to the end of what is there, so that nothing of it is still to come when a flow begins.
            for follow in [false, true] {
                let options = KeepOptions { follow, tests: true, wall: wall.clone(), ..KeepOptions::default() };
                let (opened, _) = open(&mut project, &selection, &options).expect("it opens");
                opened.keep(&project, &options, flag.clone(), &mut |_| {}).expect("it runs");
                if !follow {
                    told.send(()).expect("the test waits");
                }
            }
        });
        let shop = Shop { folder, models, wall, stop, thread: Some(thread) };
        read_all.recv().expect("it runs to the end");
        shop
    }

    fn turn_to(&self, at: &str) {
        self.wall.store(micros(at), Ordering::SeqCst);
    }

    fn say(&self, lines: &[String]) {
        let mut file = OpenOptions::new().append(true).open(self.folder.path("raw_data.jsonl")).expect("the events");
        file.write_all(lines.concat().as_bytes()).expect("a line");
    }

    /// One value, as text.
    fn value(&self, sql: &str) -> Option<String> {
        let path = self.folder.path("marts.db");
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        let sql = format!("select cast(({sql}) as text)");
        database.query_row(&sql, [], |row| row.get::<_, Option<String>>(0)).ok()?
    }

    fn number(&self, sql: &str) -> i64 {
        self.value(sql).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no number: {sql}"))
    }

    fn await_value(&self, sql: &str, expected: &str) {
        await_that(sql, || (self.value(sql).as_deref() == Some(expected)).then_some(()));
    }

    /// All rows of a table, sorted.
    fn rows(&self, table: &str) -> Vec<String> {
        let database = Connection::open(self.folder.path("marts.db")).expect("the marts");
        let mut query = database.prepare(&format!("select * from {table}")).expect("a table");
        let width = query.column_count();
        let rows = query
            .query_map([], |row| Ok((0..width).map(|i| format!("{:?}|", row.get_ref(i).expect("a value"))).collect()));
        let mut rows: Vec<String> = rows.expect("rows").collect::<Result<_, _>>().expect("rows");
        rows.sort();
        rows
    }

    /// The engine ends, and a batch over all events gives the same tables.
    fn ends_equal_to_a_batch(mut self) {
        self.stop.stop();
        self.thread.take().expect("it runs").join().expect("the engine ends well");
        let selection = Selection {
            select: self.models.clone(),
            resource_types: vec![ResourceType::Model],
            ..Selection::default()
        };
        let verified = verified(&mut load(&self.folder), &selection).expect("it can be compared").expect("tables");
        assert!(verified.tables > 0 && verified.rows > 0 && verified.records > 0);
        assert_eq!(verified.differences, []);
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

fn load(folder: &Folder) -> Project {
    let mut options = ProjectOptions::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("dataflows"));
    let place = |name: &str| folder.path(name).display().to_string();
    options.env.insert("SHOP_DATA".to_owned(), place("."));
    options.env.insert("LIVEMART_DB".to_owned(), place("marts.db"));
    options.env.insert("LIVEMART_STATE".to_owned(), place("state"));
    options.target = Some("dev".to_owned());
    let mut project = Project::load(options).expect("the shop");
    project.target.clock.mode = ClockMode::Wall;
    project.target.commit_interval = Duration::from_millis(10);
    project
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path: PathBuf = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file");
        }
    }
}

fn micros(text: &str) -> i64 {
    row::calendar::parse_timestamptz(text, chrono_tz::Tz::UTC).expect("a timestamp")
}

fn change(op: &str, table: &str, before: &str, after: &str) -> String {
    format!(
        "{{\"op\":\"{op}\",\"before\":{before},\"after\":{after},\"source\":{{\"name\":\"shop\",\"table\":\"{table}\",\"ts_ms\":1735336800000}},\"ts_ms\":1735336800000}}\n"
    )
}

fn created(table: &str, after: &str) -> String {
    change("c", table, "null", after)
}

fn deleted(table: &str, before: &str) -> String {
    change("d", table, before, "null")
}

#[test]
fn a_customer_without_an_order_turns_a_test_red_until_the_first_order() {
    let shop = Shop::serve("shop-trap", &["mart_customer_360"]);
    let before = shop.number(TRAP);
    shop.say(&[created("customers", NEW_CUSTOMER)]);
    shop.await_value(TRAP, &(before + 1).to_string());
    assert_eq!(shop.value("select total_orders from mart_customer_360 where customer_id = 900001"), None);
    shop.say(&[created("orders", ORDER), created("order_items", ITEM)]);
    shop.await_value(TRAP, &before.to_string());
    assert_eq!(
        shop.value("select total_orders from mart_customer_360 where customer_id = 900001").as_deref(),
        Some("1")
    );
    shop.ends_equal_to_a_batch();
}

#[test]
fn a_payment_that_arrives_late_moves_its_customer_to_an_older_cohort() {
    let shop = Shop::serve("shop-cohort", &["customer_cohorts"]);
    let size = |month: &str| {
        shop.number(&format!(
            "select coalesce(max(cohort_size), 0) from customer_cohorts where cohort_month = '{month}-01'"
        ))
    };
    shop.say(&[created("customers", NEW_CUSTOMER), created("orders", ORDER), created("order_items", ITEM)]);
    let (september, december) = (size("2024-09"), size("2024-12"));
    shop.say(&[created("payments", PAYMENT)]);
    let december_now = (december + 1).to_string();
    shop.await_value("select max(cohort_size) from customer_cohorts where cohort_month = '2024-12-01'", &december_now);
    assert_eq!(size("2024-09"), september);
    shop.say(&[created(
        "payments",
        &PAYMENT.replace("\"id\":900001", "\"id\":900002").replace("2024-12-27", "2024-09-14"),
    )]);
    let september_now = (september + 1).to_string();
    shop.await_value("select max(cohort_size) from customer_cohorts where cohort_month = '2024-09-01'", &september_now);
    assert_eq!(size("2024-12"), december);
    shop.ends_equal_to_a_batch();
}

#[test]
fn days_since_the_last_order_move_at_midnight_and_no_event_comes() {
    let shop = Shop::serve("shop-midnight", &["customer_segmentation"]);
    let days = "select sum(days_since_last_order) from customer_segmentation";
    let (before, customers) =
        (shop.number(days), shop.number("select count(days_since_last_order) from customer_segmentation"));
    let positions = shop.rows("livemart_progress");
    assert!(customers > 50, "{customers} customers have ordered");
    shop.turn_to(NEXT_MORNING);
    shop.await_value(days, &(before + customers).to_string());
    assert_eq!(shop.rows("livemart_progress"), positions);
    shop.ends_equal_to_a_batch();
}

#[test]
fn a_corrected_email_is_corrected_wherever_it_stands() {
    let shop = Shop::serve("shop-email", &["mart_customer_360", "customers", "top_customers", "int_customer_orders"]);
    let tables = ["mart_customer_360", "customers", "top_customers", "int_customer_orders"];
    let count = |email: &str| -> i64 {
        tables.iter().map(|table| shop.number(&format!("select count(*) from {table} where email = '{email}'"))).sum()
    };
    shop.say(&[
        created("customers", NEW_CUSTOMER),
        created("orders", ORDER),
        created("order_items", ITEM),
        created("payments", PAYMENT),
    ]);
    shop.await_value("select total_payments from mart_customer_360 where customer_id = 900001", "49.8");
    let stood = count("grace@exampel.com");
    assert!(stood >= 4, "the address stands in {stood} rows");
    let corrected = NEW_CUSTOMER.replace("exampel", "example");
    shop.say(&[change("u", "customers", NEW_CUSTOMER, &corrected)]);
    shop.await_value("select email from customers where customer_id = 900001", "grace@example.com");
    assert_eq!((count("grace@exampel.com"), count("grace@example.com")), (0, stood));
    shop.ends_equal_to_a_batch();
}

#[test]
fn a_deleted_order_leaves_every_mart_as_it_was() {
    let marts = ["mart_customer_360", "customer_segmentation", "product_performance", "customer_cohorts", "orders"];
    let shop = Shop::serve("shop-deleted", &marts);
    shop.say(&[created("customers", NEW_CUSTOMER)]);
    shop.await_value("select count(*) from mart_customer_360 where customer_id = 900001", "1");
    let before = marts.map(|mart| shop.rows(mart));
    shop.say(&[created("orders", ORDER), created("order_items", ITEM), created("payments", PAYMENT)]);
    shop.await_value("select total_payments from mart_customer_360 where customer_id = 900001", "49.8");
    assert!(marts.iter().zip(&before).all(|(mart, before)| shop.rows(mart) != *before), "every mart has moved");
    shop.say(&[deleted("payments", PAYMENT), deleted("order_items", ITEM), deleted("orders", ORDER)]);
    shop.await_value("select total_payments is null from mart_customer_360 where customer_id = 900001", "1");
    marts.iter().zip(&before).for_each(|(mart, before)| assert_eq!(shop.rows(mart), *before, "{mart}"));
    shop.ends_equal_to_a_batch();
}

#[test]
fn a_late_click_moves_attribution() {
    let shop = Shop::serve("shop-click", &["marketing_attribution"]);
    let revenue = "select round(sum(multi_touch_revenue), 2) from marketing_attribution";
    shop.say(&[
        created("customers", NEW_CUSTOMER),
        created("orders", ORDER),
        created("order_items", ITEM),
        created("payments", PAYMENT),
    ]);
    let untracked = "select round(last_touch_revenue, 2) from marketing_attribution where channel = 'untracked'";
    let email = "select round(last_touch_revenue, 2) from marketing_attribution where channel = 'email'";
    // An order without a visit before it is untracked, by the last event of four.
    await_that("the order", || {
        (shop.number("select count(*) from int_orders where order_id = 900001") == 1).then_some(())
    });
    let (all, before) = (shop.value(revenue), (shop.value(untracked), shop.value(email)));
    let click = r#"{"event_id":900001,"customer_id":900001,"session_id":"s900001","page":"/","referrer":"newsletter","campaign":"winter_gifts","activity_at":"2024-12-27T21:30:00Z"}"#;
    shop.say(&[created("website_activity", click)]);
    await_that("attribution moves", || {
        (shop.value(untracked) != before.0 && shop.value(email) != before.1).then_some(())
    });
    assert_eq!(shop.value(revenue), all, "what was attributed is attributed elsewhere");
    shop.ends_equal_to_a_batch();
}

#[test]
fn verify_names_the_rows_that_someone_else_wrote() {
    let shop = Shop::serve("shop-verify", &["mart_customer_360"]);
    shop.stop.stop();
    await_that("the engine ends", || {
        shop.thread.as_ref().is_some_and(std::thread::JoinHandle::is_finished).then_some(())
    });
    let found = || {
        let selection = Selection { resource_types: vec![ResourceType::Model], ..Selection::default() };
        let verified = verified(&mut load(&shop.folder), &selection).expect("it can be compared").expect("tables");
        let differences = verified.differences.into_iter();
        let sizes = differences.map(|found| (found.model, found.missing.len(), found.surplus.len()));
        sizes.collect::<Vec<_>>()
    };
    assert_eq!(found(), []);
    let database = Connection::open(shop.folder.path("marts.db")).expect("the marts");
    let run = |sql: &str| assert_eq!(database.execute(sql, []).expect("a statement"), 1);
    run("update mart_customer_360 set total_spent = total_spent + 0.01 where customer_id = 22");
    run("delete from mart_customer_360 where customer_id = 16");
    assert_eq!(found(), [("model.shop.mart_customer_360".to_owned(), 2, 1)]);
}
