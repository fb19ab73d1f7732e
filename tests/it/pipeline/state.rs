//! What state is good for: topics that forget, state that is torn, lost or old, sinks that are new, models that come later.

use std::fs;
use std::path::PathBuf;

use super::binary::{Answer, await_that};
use super::bystander::{Bystander, Look};
use super::history::History;
use super::parts::postgres_url;
use super::shop::{Said, Shop, Table};
use super::truth::marts_at;
use super::{await_all, drain};

fn run(shop: &Shop, args: &[&str]) -> Answer {
    shop.folder.livemart(&[&["run"], args].concat())
}

fn run_well(shop: &Shop, args: &[&str]) -> Look {
    let answer = run(shop, args);
    assert_eq!(answer.code, 0, "{answer:#?}");
    Bystander::new(shop).check().expect("a cut").clone()
}

fn state_folder(shop: &Shop) -> PathBuf {
    shop.folder.path(".livemart/prod/state")
}

/// The segment that was written last.
fn last_segment(shop: &Shop) -> PathBuf {
    let entries = fs::read_dir(state_folder(shop)).expect("a folder").map(|entry| entry.expect("an entry").path());
    let segments = entries.filter(|path| path.extension().is_some_and(|extension| extension == "segment"));
    segments.max().expect("a segment")
}

fn transfers(shop: &Shop, count: i64) {
    (0..count).for_each(|customer| shop.say_in(0, Said::Transfer { customer, cents: 100 }));
    shop.flush();
}

fn totals(shop: &Shop) -> Vec<String> {
    Bystander::new(shop).look().expect("a cut").marts.0["totals"].clone()
}

/// All that was said is forgotten by its topics, as retention does it.
fn forget_all(shop: &Shop) {
    for ((table, partition), end) in shop.ends() {
        shop.forget(table, partition as i32, end as i64);
    }
}

#[test]
fn pipeline_state_outlives_the_records_of_its_topics() {
    let shop = Shop::new("forgets", &postgres_url(), "40ms");
    let mut history = History::new(&shop, 31);
    for round in 0..4 {
        (0..150).for_each(|_| history.step());
        shop.flush();
        // Sometimes the process ends by itself, sometimes it is killed.
        if round % 2 == 0 {
            run_well(&shop, &[]);
        } else {
            let live = shop.folder.serve(&[]);
            await_all(&mut Bystander::new(&shop), &shop);
            drain(live, &shop);
        }
        forget_all(&shop);
    }
    (0..50).for_each(|_| history.step());
    shop.flush();
    let look = run_well(&shop, &[]);
    assert_eq!(look.marts, marts_at(&shop.log(), &shop.ends()));
}

#[test]
fn pipeline_log_that_lost_its_beginning_is_refused_without_state() {
    let shop = Shop::new("lost", &postgres_url(), "50ms");
    transfers(&shop, 20);
    let before = run_well(&shop, &[]);
    // Retention takes half of what the tables were built from: without the state they could not be rebuilt, only be made wrong.
    shop.forget(Table::Transfers, 0, 10);
    fs::remove_dir_all(state_folder(&shop)).expect("the state was there");
    transfers(&shop, 1);
    let answer = run(&shop, &[]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains(&shop.topic(Table::Transfers)), "it names the topic: {answer:#?}");
    assert!(answer.err.contains("--resnapshot"), "it says the way out: {answer:#?}");
    let after = Bystander::new(&shop).look().expect("a cut");
    assert_eq!((after.seq, after.positions, after.marts), (before.seq, before.positions, before.marts));
    assert_eq!(run(&shop, &["--resnapshot"]).code, 0);
    assert_eq!(totals(&shop), ["11 1100"], "what the topic holds is the truth now");
    transfers(&shop, 2);
    assert_eq!(run(&shop, &[]).code, 0);
    assert_eq!(totals(&shop), ["13 1300"], "and it goes on from there");
}

#[test]
fn pipeline_topic_that_forgot_what_was_not_read_yet_is_refused() {
    let shop = Shop::new("gap", &postgres_url(), "50ms");
    for id in 1..=50 {
        shop.say(Said::Order { id, customer: id % 7, status: "placed", score: None });
    }
    transfers(&shop, 20);
    run_well(&shop, &[]);
    let read = shop.ends()[&(Table::Transfers, 0)] as i64;
    transfers(&shop, 20);
    shop.forget(Table::Transfers, 0, read + 5);
    let answer = run(&shop, &[]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains(&shop.topic(Table::Transfers)) && answer.err.contains("--resnapshot"), "{answer:#?}");
    // Taken anew while it is served: the other tables are what they were.
    let others = Bystander::new(&shop).look().expect("a cut").marts.0["order_mart"].clone();
    let live = shop.folder.serve(&["--resnapshot"]);
    await_that("the tables are corrected", || totals(&shop)[0].starts_with("15 ").then_some(()));
    assert_eq!(live.terminate().0, Some(0));
    assert_eq!(Bystander::new(&shop).look().expect("a cut").marts.0["order_mart"], others);
}

#[test]
fn pipeline_state_that_is_torn_or_damaged_costs_only_time() {
    let shop = Shop::new("torn", &postgres_url(), "40ms");
    let mut history = History::new(&shop, 47);
    for round in 0..3 {
        (0..150).for_each(|_| history.step());
        shop.flush();
        let look = run_well(&shop, &[]);
        assert_eq!(look.marts, marts_at(&shop.log(), &shop.ends()), "round {round}");
        let segment = last_segment(&shop);
        let mut bytes = fs::read(&segment).expect("a segment");
        match round {
            // The last frame is cut: an older state.
            0 => bytes.truncate(bytes.len() - 7),
            // The segment is no segment any more: no state that could be read.
            1 => bytes[3] ^= 1,
            _ => continue,
        }
        fs::write(&segment, bytes).expect("written");
    }
}

#[test]
fn pipeline_new_sink_is_filled_from_the_state() {
    let shop = Shop::new("newsink", &postgres_url(), "40ms");
    let mut history = History::new(&shop, 53);
    (0..200).for_each(|_| history.step());
    shop.flush();
    run_well(&shop, &[]);
    let expected = marts_at(&shop.log(), &shop.ends());
    forget_all(&shop);
    // The sink is lost with everything in it; records were forgotten long ago.
    shop.drop_sink();
    let look = run_well(&shop, &[]);
    assert_eq!((look.seq, look.marts), (1, expected));
    assert_eq!(look.positions, shop.ends());
}

#[test]
fn pipeline_model_that_comes_later_finds_columns_that_nobody_read() {
    let shop = Shop::new("later", &postgres_url(), "40ms");
    for id in 1..=20 {
        shop.say(Said::Order { id, customer: 1, status: "placed", score: Some("5".to_owned()) });
    }
    shop.flush();
    // At first nobody reads the score.
    let scores = fs::read_to_string(shop.folder.path("models/order_scores.sql")).expect("a model");
    fs::remove_file(shop.folder.path("models/order_scores.sql")).expect("removed");
    assert_eq!(run(&shop, &[]).code, 0);
    forget_all(&shop);
    shop.folder.write("models/order_scores.sql", &scores);
    let look = run_well(&shop, &[]);
    assert_eq!(look.marts, marts_at(&shop.log(), &shop.ends()));
    assert_eq!(look.marts.0["order_scores"].len(), 20);
}
