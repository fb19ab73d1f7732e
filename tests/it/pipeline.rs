//! From Kafka to PostgreSQL through the real binary: killed, restarted, doubled, cut off from its sink, and drained.
//!
//! ```text
//!   history ──> topics ──> livemart serve (killed and restarted) ──> PostgreSQL <── bystander: one transaction, many checks
//!      └──> log of records ──(prefix named by livemart.progress)──> plain maps ──────────┘ must be equal
//! ```

pub mod binary;
mod bystander;
mod changelog;
pub mod history;
mod kills;
mod ownership;
pub mod parts;
mod shop;
mod state;
mod transactions;
mod truth;
mod verify;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use binary::{Live, WAIT, await_that};
use bystander::{Bystander, Look};
use history::{Dice, History};
use parts::{Proxy, postgres_url};
use shop::{Said, Shop, Table};
use truth::marts_at;

/// How long records are produced while the process is killed again and again.
const CHURN: Duration = Duration::from_secs(15);
const KILLS_MIN: usize = 5;

/// Waits until the sink shows everything that was said, checking each cut on the way.
fn await_all(bystander: &mut Bystander<'_>, shop: &Shop) -> Look {
    let expected = marts_at(&shop.log(), &shop.ends());
    let deadline = Instant::now() + WAIT;
    loop {
        let look = bystander.check().cloned();
        let difference = match &look {
            Some(look) => look.marts.difference(&expected),
            None => Some("there is no cut".to_owned()),
        };
        match (look, difference) {
            (Some(look), None) => return look,
            (_, difference) => assert!(Instant::now() < deadline, "not everything came: {difference:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// SIGTERM; the process must end well and have published the end of every partition.
fn drain(live: Live, shop: &Shop) -> Look {
    let (code, said) = live.terminate();
    assert_eq!(code, Some(0), "{said}");
    let look = Bystander::new(shop).check().expect("a cut").clone();
    assert_eq!(look.positions, shop.ends(), "the last cut has all positions: {said}");
    look
}

#[test]
fn pipeline_kill_and_restart_loses_and_doubles_nothing() {
    let shop = Shop::new("killed", &postgres_url(), "40ms");
    let is_over = AtomicBool::new(false);
    let seed = 20_260_117;
    std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            let mut history = History::new(&shop, seed);
            let mut dice = Dice::new(seed + 1);
            let end = Instant::now() + CHURN;
            while Instant::now() < end && !is_over.load(Ordering::SeqCst) {
                (0..dice.between(1, 30)).for_each(|_| history.step());
                std::thread::sleep(Duration::from_millis(dice.between(0, 60) as u64));
            }
            shop.flush();
        });
        let reading = scope.spawn(|| {
            let mut bystander = Bystander::new(&shop);
            while !is_over.load(Ordering::SeqCst) {
                bystander.check();
            }
            bystander.cuts_seen
        });
        // A reader that found something wrong ends the test at once, not after the churn.
        let ends = OnDrop(&is_over);
        let (mut dice, mut kills) = (Dice::new(seed + 2), 0);
        while !producing.is_finished() || kills < KILLS_MIN {
            let live = shop.folder.serve(&[]);
            std::thread::sleep(Duration::from_millis(dice.between(100, 3_000) as u64));
            live.kill();
            kills += 1;
            assert!(!reading.is_finished(), "the bystander saw something wrong");
        }
        let mut live = shop.folder.serve(&[]);
        live.await_ready();
        let look = await_all(&mut Bystander::new(&shop), &shop);
        assert!(look.owner.contains(&format!(":{}:", live.pid())), "{} is not {}", look.owner, live.pid());
        let last = drain(live, &shop);
        assert_eq!(last.marts, marts_at(&shop.log(), &shop.ends()));
        drop(ends);
        let cuts_seen = reading.join().expect("the bystander saw nothing wrong");
        assert!(cuts_seen > 20, "the bystander saw only {cuts_seen} cuts");
        assert!(shop.len() > 1_000 && last.marts.0["errors"].len() > 20, "a history worth the name");
        println!("{} records, {kills} kills, {} cuts, {cuts_seen} of them checked", shop.len(), last.seq);

        // A run over the same topics finds nothing to do.
        let answer = shop.folder.livemart(&["run"]);
        assert_eq!(answer.code, 0, "{answer:#?}");
        let again = Bystander::new(&shop).check().expect("a cut").clone();
        assert_eq!((again.seq, &again.marts), (last.seq, &last.marts));
    });
}

/// Sets the flag however the scope is left.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn pipeline_second_owner_is_refused_or_stands_by() {
    let shop = Shop::new("owned", &postgres_url(), "50ms");
    let mut history = History::new(&shop, 7);
    (0..200).for_each(|_| history.step());
    shop.flush();
    let mut bystander = Bystander::new(&shop);
    let mut first = shop.folder.serve(&[]);
    first.await_ready();
    let look = await_all(&mut bystander, &shop);
    assert!(look.owner.contains(&format!(":{}:", first.pid())), "{}", look.owner);

    let answer = shop.folder.livemart(&["run"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains(&look.owner) && answer.err.contains("shop.prod"), "it names the owner: {answer:#?}");

    let mut second = shop.folder.serve(&[]);
    await_that("the second stands by", || second.said().contains("Standing by").then_some(()));
    assert!(second.said().contains(&look.owner), "{}", second.said());
    let (status, reasons) = second.get("/readyz");
    assert_eq!((status, reasons.contains("not the owner")), (503, true), "{reasons}");
    assert_eq!(second.get("/healthz").0, 200, "standing by is no fault");

    (0..100).for_each(|_| history.step());
    shop.flush();
    let look = await_all(&mut bystander, &shop);
    assert!(look.owner.contains(&format!(":{}:", first.pid())), "the first goes on: {}", look.owner);

    first.kill();
    (0..100).for_each(|_| history.step());
    shop.flush();
    let look = await_all(&mut bystander, &shop);
    assert!(look.owner.contains(&format!(":{}:", second.pid())), "the second took over: {}", look.owner);
    second.await_ready();
    drain(second, &shop);
}

/// Records that say something: tombstones do not count.
fn spoken(shop: &Shop) -> f64 {
    let log = shop.log();
    log.values().flatten().flatten().filter(|said| !matches!(said, Said::Tombstone { .. })).count() as f64
}

#[test]
fn pipeline_metrics_health_and_drain() {
    // A cut comes at once after a quiet time and then no sooner than this: what is said in between waits.
    let shop = Shop::new("drained", &postgres_url(), "20s");
    let mut history = History::new(&shop, 11);
    (0..300).for_each(|_| history.step());
    shop.flush();
    let mut live = shop.folder.serve(&[]);
    assert_eq!(live.get("/healthz").0, 200, "it lives while it hydrates");
    live.await_ready();
    let metric = |page: &str, name: &str| -> f64 {
        let values = page.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
        values.map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")).sum()
    };
    let read = "livemart_source_records_total";
    let said = spoken(&shop);
    await_that("all records are read", || (metric(&live.get("/metrics").1, read) == said).then_some(()));
    let first = await_that("a first cut", || Bystander::new(&shop).check().cloned());

    (0..100).for_each(|_| history.step());
    shop.flush();
    let said = spoken(&shop);
    await_that("the new records are read", || (metric(&live.get("/metrics").1, read) == said).then_some(()));
    let (status, page) = live.get("/metrics");
    assert_eq!(status, 200);
    assert_eq!(metric(&page, "livemart_ready"), 1.0);
    assert_eq!(metric(&page, "livemart_cut_seq"), first.seq as f64, "the interval is not over: {page}");
    assert!(metric(&page, "livemart_table_delta_rows_total{") > 0.0, "{page}");
    assert!(metric(&page, "livemart_epochs_total") >= 1.0, "{page}");
    assert!(metric(&page, "livemart_source_decode_errors_total") > 0.0, "{page}");
    assert!(metric(&page, "livemart_errors_rows{kind=\"decode\"}") > 0.0, "{page}");
    assert!(metric(&page, "livemart_sink_commit_seconds_count") >= 1.0, "{page}");
    assert!(metric(&page, "livemart_dataflow_operators") > 0.0, "{page}");
    assert!(page.contains("livemart_test_failures_rows{"), "{page}");
    assert_eq!(live.get("/readyz").0, 200);
    assert_eq!(live.get("/healthz").0, 200);
    assert_eq!(live.get("/elsewhere").0, 404);

    let asked = Instant::now();
    let last = drain(live, &shop);
    assert!(asked.elapsed() < Duration::from_secs(10), "a drain does not wait for the interval");
    assert!(last.seq > first.seq && last.marts == marts_at(&shop.log(), &shop.ends()));
}

#[test]
fn pipeline_records_just_before_the_signal_are_published() {
    let shop = Shop::new("signal", &postgres_url(), "20s");
    shop.say(Said::Transfer { customer: 1, cents: 100 });
    shop.flush();
    let live = shop.folder.serve(&[]);
    await_all(&mut Bystander::new(&shop), &shop);
    (2..50).for_each(|customer| shop.say(Said::Transfer { customer, cents: 100 }));
    shop.flush();
    // Time to read them, but not to publish them: the next cut is due in 20 s.
    std::thread::sleep(Duration::from_millis(300));
    let last = drain(live, &shop);
    assert_eq!(last.marts.0["totals"], ["49 4900"]);
}

#[test]
fn pipeline_sink_that_is_down_is_waited_for() {
    let proxy = Proxy::new();
    let shop = Shop::new("down", &proxy.url(), "50ms");
    let mut history = History::new(&shop, 13);
    (0..200).for_each(|_| history.step());
    shop.flush();
    let mut live = shop.folder.serve(&[]);
    live.await_ready();
    let mut bystander = Bystander::new(&shop);
    await_all(&mut bystander, &shop);
    for _ in 0..2 {
        proxy.go_down();
        for _ in 0..20 {
            (0..20).for_each(|_| history.step());
            std::thread::sleep(Duration::from_millis(100));
            bystander.check();
        }
        shop.flush();
        assert_eq!(live.get("/healthz").0, 200, "a sink that is down is no fault of ours");
        proxy.come_back();
        await_all(&mut bystander, &shop);
    }
    let (_, page) = live.get("/metrics");
    let retries = page.lines().find_map(|line| line.strip_prefix("livemart_sink_retries_total "));
    assert!(retries.expect("the counter").parse::<f64>().expect("a number") >= 1.0, "{page}");
    drain(live, &shop);
}

/// Resident memory of a process.
fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[test]
fn pipeline_outage_under_load_costs_little_memory_and_no_record() {
    const RECORDS: i64 = 400_000;
    let proxy = Proxy::new();
    let shop = Shop::new("outage", &proxy.url(), "50ms");
    let transfers = |from: i64, to: i64| {
        for n in from..to {
            shop.say_in((n % 2) as usize, Said::Transfer { customer: n % 5_000, cents: n });
        }
        shop.flush();
    };
    transfers(0, 10_000);
    let mut live = shop.folder.serve(&[]);
    live.await_ready();
    let bystander = Bystander::new(&shop);
    let totals = || bystander.look().map(|look| look.marts.0["totals"].clone());
    let sum = |records: i64| vec![format!("{records} {}", records * (records - 1) / 2)];
    await_that("the first records are published", || (totals()? == sum(10_000)).then_some(()));
    let before = resident_mib(live.pid());
    proxy.go_down();
    transfers(10_000, RECORDS);
    // Whatever is read meanwhile waits in queues that have ends.
    let mut most = before;
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(100));
        most = most.max(resident_mib(live.pid()));
    }
    assert_eq!(live.get("/healthz").0, 200, "a sink that is down is no fault of ours");
    assert!(most - before < 300, "{before} MiB became {most} MiB");
    proxy.come_back();
    await_that("everything is published", || (totals()? == sum(RECORDS)).then_some(()));
    let (code, said) = live.terminate();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn pipeline_stop_while_the_sink_is_away_ends_in_time_and_loses_nothing() {
    let proxy = Proxy::new();
    let shop = Shop::new("parting", &proxy.url(), "50ms");
    let mut history = History::new(&shop, 17);
    (0..100).for_each(|_| history.step());
    shop.flush();
    let mut live = shop.folder.serve(&[]);
    live.await_ready();
    let mut bystander = Bystander::new(&shop);
    await_all(&mut bystander, &shop);
    proxy.go_down();
    (0..100).for_each(|_| history.step());
    shop.flush();
    await_that("a cut is tried in vain", || {
        let (_, page) = live.get("/metrics");
        let retries = page.lines().find_map(|line| line.strip_prefix("livemart_sink_retries_total "))?;
        (retries.parse::<f64>().ok()? >= 1.0).then_some(())
    });
    let asked = std::time::Instant::now();
    let (code, said) = live.terminate();
    assert!(asked.elapsed() < std::time::Duration::from_secs(20), "{said}");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("was not published") && said.contains("nothing is lost"), "{said}");
    proxy.come_back();
    let mut live = shop.folder.serve(&[]);
    live.await_ready();
    await_all(&mut bystander, &shop);
    drain(live, &shop);
}

/// A minute without PostgreSQL while 2,000 records a second come.
#[test]
#[ignore = "takes minutes: cargo test --test it -- --ignored --nocapture pipeline_minute_without_postgresql"]
fn pipeline_minute_without_postgresql_costs_little_memory_and_no_record() {
    const PER_SECOND: i64 = 2_000;
    let proxy = Proxy::new();
    let shop = Shop::new("minute", &proxy.url(), "50ms");
    let transfers = |from: i64, to: i64| {
        for n in from..to {
            shop.say_in((n % 2) as usize, Said::Transfer { customer: n % 5_000, cents: n });
        }
        shop.flush();
    };
    transfers(0, 20_000);
    let mut live = shop.folder.serve(&[]);
    live.await_ready();
    let bystander = Bystander::new(&shop);
    let totals = || bystander.look().map(|look| look.marts.0["totals"].clone());
    let sum = |records: i64| vec![format!("{records} {}", records * (records - 1) / 2)];
    await_that("the first records are published", || (totals()? == sum(20_000)).then_some(()));
    let before = resident_mib(live.pid());
    proxy.go_down();
    let (began, mut said, mut most) = (std::time::Instant::now(), 20_000, before);
    while began.elapsed().as_secs() < 60 {
        let due = 20_000 + (began.elapsed().as_secs_f64() * PER_SECOND as f64) as i64;
        transfers(said, due);
        said = due;
        most = most.max(resident_mib(live.pid()));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(live.get("/healthz").0, 200, "a sink that is down is no fault of ours");
    proxy.come_back();
    let back = std::time::Instant::now();
    await_that("everything is published", || (totals()? == sum(said)).then_some(()));
    println!(
        "a minute without PostgreSQL, {} records meanwhile: resident {before} MiB before, {most} MiB at most; all published {:.1} s after it was back",
        said - 20_000,
        back.elapsed().as_secs_f64()
    );
    assert!(most - before < 300, "{before} MiB became {most} MiB");
    let (code, said) = live.terminate();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn pipeline_topic_that_was_created_anew_is_refused() {
    let shop = Shop::new("anew", &postgres_url(), "50ms");
    let transfers = |cents: i64| {
        (0..20).for_each(|customer| shop.say_in(0, Said::Transfer { customer, cents }));
        shop.flush();
    };
    transfers(100);
    assert_eq!(shop.folder.livemart(&["run"]).code, 0);
    let before = Bystander::new(&shop).check().expect("a cut").clone();
    shop.create_anew(Table::Transfers);
    transfers(200);
    let answer = shop.folder.livemart(&["run"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains(&shop.topic(Table::Transfers)), "it names the topic: {answer:#?}");
    let after = Bystander::new(&shop).look().expect("a cut");
    assert_eq!((after.seq, after.positions, after.marts), (before.seq, before.positions, before.marts));
}
