//! Who may publish: one owner, those who stand by, who takes over, who was stopped and wakes up, and who only looks.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::binary::{Live, WAIT, await_that};
use super::bystander::Bystander;
use super::history::{Dice, History};
use super::parts::{Client, postgres_url};
use super::shop::Shop;
use super::truth::marts_at;
use super::{OnDrop, await_all, drain};

/// Waits until a process that should end by itself has; gives the exit code and what it said.
fn end_of(mut live: Live) -> (Option<i32>, String) {
    let code = await_that("the process ends", || live.try_wait());
    (code, live.said())
}

fn is_owner(shop: &Shop, live: &Live) -> bool {
    let look = Bystander::new(shop).look();
    look.is_some_and(|look| look.owner.contains(&format!(":{}:", live.pid())))
}

#[test]
fn pipeline_younger_takes_over_without_a_gap() {
    let shop = Shop::new("younger", &postgres_url(), "40ms");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            let (mut history, mut dice) = (History::new(&shop, 3), Dice::new(4));
            while !is_over.load(Ordering::SeqCst) {
                (0..dice.between(1, 10)).for_each(|_| history.step());
                std::thread::sleep(Duration::from_millis(10));
            }
            shop.flush();
        });
        let reading = scope.spawn(|| {
            // Every cut that is seen is right, and follows the one before; the longest time without one is told.
            let mut bystander = Bystander::new(&shop);
            let (mut longest, mut last) = (Duration::ZERO, None::<(u64, Instant)>);
            while !is_over.load(Ordering::SeqCst) {
                let seq = bystander.check().map(|look| look.seq);
                if let Some(seq) = seq
                    && last.is_none_or(|(before, _)| before != seq)
                {
                    longest = longest.max(last.map_or(Duration::ZERO, |(_, at)| at.elapsed()));
                    last = Some((seq, Instant::now()));
                }
            }
            longest
        });
        let ends = OnDrop(&is_over);
        let mut elder = shop.folder.serve(&[]);
        elder.await_ready();
        await_that("the elder publishes", || is_owner(&shop, &elder).then_some(()));
        for _ in 0..3 {
            // State lags a second.
            std::thread::sleep(Duration::from_millis(1_500));
            let younger = shop.folder.serve(&["--take-over"]);
            let (code, said) = end_of(elder);
            assert_eq!(code, Some(0), "the elder drains: {said}");
            assert!(said.contains("Handed over to "), "{said}");
            await_that("the younger publishes", || is_owner(&shop, &younger).then_some(()));
            await_that("it says so", || younger.said().contains("Took over at cut").then_some(()));
            assert!(!younger.said().contains("starting again"), "it took over warm: {}", younger.said());
            elder = younger;
            elder.await_ready();
        }
        std::thread::sleep(Duration::from_millis(500));
        drop(ends);
        producing.join().expect("produced");
        let longest = reading.join().expect("the bystander saw nothing wrong");
        println!("the longest time between two cuts that were seen: {} ms", longest.as_millis());
        await_all(&mut Bystander::new(&shop), &shop);
        let last = drain(elder, &shop);
        assert_eq!(last.marts, marts_at(&shop.log(), &shop.ends()));
        assert!(longest < Duration::from_secs(5), "a gap of {longest:?}");
    });
    // What the heirs kept of the state is whole: records need not be there any more.
    for ((table, partition), end) in shop.ends() {
        shop.forget(table, partition as i32, end as i64);
    }
    let answer = shop.folder.livemart(&["run"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    assert_eq!(Bystander::new(&shop).check().expect("a cut").marts, marts_at(&shop.log(), &shop.ends()));
}

#[test]
fn pipeline_zombie_that_wakes_up_cannot_commit() {
    let shop = Shop::new("zombie", &postgres_url(), "40ms");
    let mut history = History::new(&shop, 5);
    (0..300).for_each(|_| history.step());
    shop.flush();
    let zombie = shop.folder.serve(&[]);
    await_all(&mut Bystander::new(&shop), &shop);
    zombie.signal(libc::SIGSTOP);
    (0..100).for_each(|_| history.step());
    shop.flush();
    // As on another machine: the same instance, state of its own.
    shop.folder.replace("livemart.yml", "    clock:", "    state: {path: \"other/state\"}\n    clock:");
    let younger = shop.folder.serve(&["--take-over"]);
    await_that("the younger publishes", || is_owner(&shop, &younger).then_some(()));
    let look = await_all(&mut Bystander::new(&shop), &shop);
    (0..100).for_each(|_| history.step());
    shop.flush();
    zombie.signal(libc::SIGCONT);
    let (code, said) = end_of(zombie);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&look.owner), "it names who owns the instance now: {said}");
    let look = await_all(&mut Bystander::new(&shop), &shop);
    assert!(look.owner.contains(&format!(":{}:", younger.pid())), "{}", look.owner);
    drain(younger, &shop);
}

#[test]
fn pipeline_session_that_is_ended_by_hand_is_taken_again() {
    let shop = Shop::new("ended", &postgres_url(), "40ms");
    let mut history = History::new(&shop, 6);
    (0..100).for_each(|_| history.step());
    shop.flush();
    let live = shop.folder.serve(&[]);
    for _ in 0..5 {
        let look = await_all(&mut Bystander::new(&shop), &shop);
        let name = format!("livemart {}", look.owner);
        Client::new().run(&format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = left('{name}', 63)"
        ));
        (0..50).for_each(|_| history.step());
        shop.flush();
    }
    await_all(&mut Bystander::new(&shop), &shop);
    drain(live, &shop);
}

#[test]
fn pipeline_test_beside_a_live_owner_tells_its_tests() {
    let shop = Shop::new("beside", &postgres_url(), "40ms");
    let mut history = History::new(&shop, 8);
    (0..200).for_each(|_| history.step());
    shop.flush();
    let live = shop.folder.serve(&[]);
    let look = await_all(&mut Bystander::new(&shop), &shop);
    let answer = shop.folder.livemart(&["test"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    let all = format!("{}{}", answer.out, answer.err);
    assert!(all.contains("2 of 2 tests are maintained by") && all.contains(&look.owner), "{answer:#?}");
    // Retention has taken what the tables were made of: what is shown comes from the owner's state.
    std::thread::sleep(Duration::from_millis(2_500));
    for ((table, partition), end) in shop.ends() {
        shop.forget(table, partition as i32, end as i64);
    }
    let answer = shop.folder.livemart(&["show", "--select", "totals", "--output", "json"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    let totals = look.marts.0["totals"][0].split(' ').next().expect("moves").to_owned();
    assert!(answer.out.contains(&format!("\"moves\": {totals}")), "{totals}: {answer:#?}");
    drain(live, &shop);
}

/// A project over files, into a SQLite file.
fn write_small_project(shop: &super::binary::Folder) {
    shop.write(
        "dbt_project.yml",
        "name: small\nversion: '1.0.0'\nconfig-version: 2\nmodels:\n  +materialized: table\n",
    );
    shop.write(
        "models/sources.yml",
        "version: 2\nsources:\n  - name: raw\n    tables:\n      - name: moves\n        columns:\n          - {name: id, data_type: bigint}\n",
    );
    shop.write("models/totals.sql", "select count(*) as moves from {{ source('raw', 'moves') }}");
    shop.write(
        "livemart.yml",
        "targets:\n  dev:\n    sources:\n      raw: {connector: file, path: \"{table}.jsonl\", format: json, envelope: append}\n    \
         sink: {type: sqlite, path: marts.db}\n    commit_interval: 20ms\n",
    );
    shop.write("moves.jsonl", "{\"id\":1}\n{\"id\":2}\n");
}

fn total(folder: &super::binary::Folder) -> Option<i64> {
    let connection = rusqlite::Connection::open(folder.path("marts.db")).ok()?;
    connection.query_row("select moves from totals", [], |row| row.get(0)).ok()
}

#[test]
fn owner_of_a_file_hands_over_and_one_that_is_stopped_is_named() {
    let folder = super::binary::Folder::new("small");
    write_small_project(&folder);
    let elder = folder.serve(&[]);
    await_that("a first cut", || (total(&folder) == Some(2)).then_some(()));
    let answer = folder.livemart(&["build"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains(&format!("pid {}", elder.pid())), "it names the owner: {answer:#?}");
    std::thread::sleep(Duration::from_millis(1_500));
    let younger = folder.serve(&["--take-over"]);
    let (code, said) = end_of(elder);
    assert_eq!(code, Some(0), "{said}");
    folder.append("moves.jsonl", "{\"id\":3}\n");
    await_that("the younger publishes", || (total(&folder) == Some(3)).then_some(()));

    younger.signal(libc::SIGSTOP);
    let asked = Instant::now();
    let third = folder.serve(&["--take-over"]);
    let (code, said) = end_of(third);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("pid {}", younger.pid())), "it names the stopped writer: {said}");
    assert!(asked.elapsed() < WAIT);
    younger.signal(libc::SIGCONT);
    folder.append("moves.jsonl", "{\"id\":4}\n");
    await_that("the younger goes on", || (total(&folder) == Some(4)).then_some(()));
    assert_eq!(younger.terminate().0, Some(0));
    let leftovers = Command::new("ls").arg(folder.path(".")).output().expect("a listing");
    let leftovers = String::from_utf8_lossy(&leftovers.stdout).into_owned();
    assert!(!leftovers.contains("-livemart."), "no lock stays behind: {leftovers}");
}
