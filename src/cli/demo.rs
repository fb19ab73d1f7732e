//! `livemart demo`: the shop's events into SQLite, the marts, and one order arriving live.
//!
//! ```text
//!   fixtures ──copied──> demo folder ──kept──> shop.db ──> a look at each mart ──> one order, and what it moves in which tables
//! ```
//!
//! The demo works on a copy of the fixtures in a folder of its own, so that it may append to it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::args::{Args, DemoArgs};
use super::instance::VerbError;
use super::keep::{KeepOptions, open};
use super::refuse;
use super::show::table;
use super::talk::Speaker;
use crate::engine::{EngineEvent, StopFlag};
use crate::project::{Project, ResourceType, Selection};

/// The shop's own database: the source that the demo appends to.
const EVENTS: &str = "raw_data.jsonl";
/// What the demo keeps current, with all that it reads: a model, what to say of it, and how to look at its table.
const SHOWN: [Look; 8] = [
    Look {
        model: "mart_customer_360",
        title: "The whole customer in one row",
        sql: "select * from mart_customer_360 order by customer_id limit 5",
    },
    Look {
        model: "customer_segmentation",
        title: "Segments by recency, frequency and amount",
        sql: "select customer_segment, count(*) as customers, round(sum(monetary), 2) as spent, recommended_action \
              from customer_segmentation group by 1 order by 3 desc",
    },
    Look {
        model: "customer_cohorts",
        title: "The first cohort, month by month",
        sql: "select activity_month, active_customers || ' of ' || cohort_size as customers, retention_rate_pct, cohort_ltv, retention_stage \
              from customer_cohorts where cohort_month = (select min(cohort_month) from customer_cohorts) order by 1",
    },
    Look {
        model: "product_performance",
        title: "Products by ABC class",
        sql: "select product_name, revenue, return_rate_pct, cumulative_share_pct, abc_class, lifecycle_stage \
              from product_performance order by revenue_rank",
    },
    Look {
        model: "marketing_attribution",
        title: "What each channel brings, every order shared among the visits before it",
        sql: "select channel, sessions, last_touch_orders as orders, multi_touch_revenue, spend, efficiency_score, recommendation \
              from marketing_attribution order by multi_touch_revenue desc",
    },
    Look {
        model: "anomalies",
        title: "Unusual days, by robust z-score",
        sql: "select sales_day, category, revenue, median_revenue, robust_z_score, alert from anomalies \
              where is_anomaly = 1 order by robust_z_score desc limit 4",
    },
    Look {
        model: "entity_customers",
        title: "Business accounts that may leave",
        sql: "select account_name, subscription_status, monthly_recurring_revenue as mrr, customer_health_score as health, \
              churn_risk_score as churn, churn_risk_band from entity_customers order by churn_risk_score desc, account_id limit 4",
    },
    Look {
        model: "executive_customer_health_kpis",
        title: "For the board",
        sql: "select kpi_date, total_customers, healthy_customers, total_mrr, total_arr, device_uptime_pct \
              from executive_customer_health_kpis",
    },
];
/// Changed rows shown of a table when the order arrives.
const CHANGES_SHOWN: usize = 4;
/// How long the demo waits for its order to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);

struct Look {
    model: &'static str,
    title: &'static str,
    sql: &'static str,
}

/// The order that arrives: customer 1 buys two things and pays. Lines are Debezium changes, as the shop's connector writes them.
const ORDER: [&str; 4] = [
    r#"{"op":"c","before":null,"after":{"id":900001,"user_id":1,"cycle_name":"Refill","status":"completed","order_date":"2024-12-27T21:00:00Z","channel":"web"},"source":{"name":"shop","table":"orders","ts_ms":1735333200000},"ts_ms":1735333200000}"#,
    r#"{"op":"c","before":null,"after":{"order_id":900001,"line_no":1,"product_id":11,"price":"24.90","quantity":2},"source":{"name":"shop","table":"order_items","ts_ms":1735333200000},"ts_ms":1735333200000}"#,
    r#"{"op":"c","before":null,"after":{"order_id":900001,"line_no":2,"product_id":12,"price":"5.00","quantity":1},"source":{"name":"shop","table":"order_items","ts_ms":1735333200000},"ts_ms":1735333200000}"#,
    r#"{"op":"c","before":null,"after":{"id":900001,"order_id":900001,"customer_id":1,"amount":5480,"payment_method":"credit_card","payment_status":"completed","payment_date":"2024-12-27T21:01:00Z"},"source":{"name":"shop","table":"payments","ts_ms":1735333260000},"ts_ms":1735333260000}"#,
];

/// Exit code 0 when the demo ran.
pub fn run(args: &Args, demo: &DemoArgs, speaker: &Speaker) -> i32 {
    match show(args, demo) {
        Ok(()) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

struct Stage {
    events: PathBuf,
    database: PathBuf,
}

impl Stage {
    fn folder(&self) -> &Path {
        self.events.parent().unwrap_or(&self.events)
    }
}

/// The models that the demo shows.
fn selection() -> Selection {
    let select = SHOWN.iter().map(|look| format!("+{}", look.model)).collect();
    Selection { select, ..Selection::default() }
}

fn show(args: &Args, demo: &DemoArgs) -> Result<(), VerbError> {
    let stage = set_up(demo)?;
    let mut project = load(args, demo, &stage)?;
    println!("A dbt project, untouched: {} models in {}\n", models(&project), demo.shop.display());
    let started = Instant::now();
    let options = KeepOptions::default();
    let (opened, _) = open(&mut project, &selection(), &options)?;
    let report = opened.keep(&project, &options, StopFlag::default(), &mut |_| {})?;
    println!(
        "Read {} change events in {:.2} s; {} could not be decoded and are set aside in livemart_errors, \
         where they heal when a corrected record arrives.\n",
        report.records,
        started.elapsed().as_secs_f64(),
        report.set_aside
    );
    let tables = published_tables(&stage.database)?;
    for look in &SHOWN {
        let (head, rows) = query(&stage.database, look.sql)?;
        println!("{} ({})", look.title, look.model);
        println!("{}", table(&head, &rows));
    }
    arrive(&mut project, &stage, &tables)?;
    println!(
        "The database is {}: open it with any SQLite client, even while livemart writes to it.\n",
        stage.database.display()
    );
    let environment = format!("SHOP_DATA={} LIVEMART_DB={}", stage.folder().display(), stage.database.display());
    // The binary that runs now, as it may not be on the PATH.
    let binary = std::env::current_exe().map_or_else(|_| "livemart".to_owned(), |path| path.display().to_string());
    println!("Try next:");
    println!(
        "  {environment} {binary} serve --project-dir {} --select {}    # then append lines to {EVENTS}",
        demo.shop.display(),
        selection().select.join(" ")
    );
    println!(
        "  {environment} {binary} test --project-dir {}     # dbt's tests at the published cut",
        demo.shop.display()
    );
    println!("  {binary} explain mart_customer_360 --project-dir {}", demo.shop.display());
    Ok(())
}

fn failed(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> VerbError {
    let text = format!("could not {what} {}", path.display());
    move |cause| VerbError::new(format!("{text}: {cause}"))
}

/// A fresh folder with a copy of the fixtures.
fn set_up(demo: &DemoArgs) -> Result<Stage, VerbError> {
    let fixtures = demo.shop.join("../fixtures/shop").join(EVENTS);
    if !fixtures.is_file() {
        return Err(VerbError::new(format!("there are no events at {}", fixtures.display()))
            .with_hint("run it in a checkout of livemart, or name the shop's project: --shop DIR"));
    }
    std::fs::create_dir_all(&demo.folder).map_err(failed("create", &demo.folder))?;
    let folder = demo.folder.canonicalize().map_err(failed("find", &demo.folder))?;
    let stage = Stage { events: folder.join(EVENTS), database: folder.join("shop.db") };
    for suffix in ["", "-wal", "-shm"] {
        let mut name = stage.database.clone().into_os_string();
        name.push(suffix);
        let old = PathBuf::from(name);
        if old.exists() {
            std::fs::remove_file(&old).map_err(failed("remove", &old))?;
        }
    }
    copy_tree(&demo.shop.join("../fixtures/shop"), &folder)?;
    Ok(stage)
}

/// Copies a folder's files and folders; files of the same names are replaced.
fn copy_tree(from: &Path, to: &Path) -> Result<(), VerbError> {
    std::fs::create_dir_all(to).map_err(failed("create", to))?;
    for entry in std::fs::read_dir(from).map_err(failed("read", from))? {
        let path = entry.map_err(failed("read", from))?.path();
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() {
            copy_tree(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).map_err(failed("copy events to", &target))?;
        }
    }
    Ok(())
}

fn load(args: &Args, demo: &DemoArgs, stage: &Stage) -> Result<Project, VerbError> {
    let mut options = args.project_options()?;
    options.project_dir = options.current_dir.join(&demo.shop);
    options.profiles_dir = None;
    options.target = Some("dev".to_owned());
    options.env.insert("SHOP_DATA".to_owned(), stage.folder().display().to_string());
    options.env.insert("LIVEMART_DB".to_owned(), stage.database.display().to_string());
    Ok(Project::load(options)?)
}

fn models(project: &Project) -> usize {
    project.nodes.values().filter(|node| node.resource_type == ResourceType::Model).count()
}

/// One order arrives while livemart serves: which rows change, in one transaction, and how soon.
fn arrive(project: &mut Project, stage: &Stage, tables: &[String]) -> Result<(), VerbError> {
    let before = tables.iter().map(|name| read(&stage.database, name)).collect::<Result<Vec<_>, _>>()?;
    let options = KeepOptions { follow: true, ..KeepOptions::default() };
    project.target.commit_interval = Duration::from_millis(10);
    let (opened, _) = open(project, &selection(), &options)?;
    let stop = StopFlag::default();
    let (told, events) = mpsc::channel();
    let project = &*project;
    let took = std::thread::scope(|scope| {
        let flag = stop.clone();
        let options = &options;
        let thread = scope.spawn(move || {
            opened.keep(project, options, flag, &mut |event| {
                let _ = match event {
                    EngineEvent::Hydrated { .. } => told.send(None),
                    EngineEvent::Committed(report) => told.send(Some((report.seq, Instant::now()))),
                    _ => Ok(()),
                };
            })
        });
        let outcome = append_and_wait(stage, &events);
        stop.stop();
        match thread.join() {
            Ok(kept) => kept.map(|_| ()).and(outcome),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    let (seq, milliseconds) = took;
    println!(
        "One order arrives: customer 1 buys two things and pays (4 change events). {milliseconds:.1} ms later, cut {seq}, in one transaction:"
    );
    let mut untouched = Vec::new();
    for (name, (head, old)) in tables.iter().zip(before) {
        let (_, new) = read(&stage.database, name)?;
        let changed = net_changes(old, new);
        if changed.is_empty() {
            untouched.push(name.as_str());
            continue;
        }
        println!("  {name}:");
        let head: Vec<String> = [" ".to_owned()].into_iter().chain(head).collect();
        let shown = &changed[..changed.len().min(CHANGES_SHOWN)];
        table(&head, shown).lines().for_each(|line| println!("  {line}"));
        if shown.len() < changed.len() {
            println!("  … and {} more", changed.len() - shown.len());
        }
    }
    println!(
        "  {} of {} tables changed; not touched: {}\n",
        tables.len() - untouched.len(),
        tables.len(),
        untouched.join(", ")
    );
    Ok(())
}

/// What went (-) and what came (+), rows that start alike beside each other.
fn net_changes(old: Vec<Vec<String>>, new: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut net: BTreeMap<Vec<String>, i64> = BTreeMap::new();
    old.into_iter().for_each(|row| *net.entry(row).or_default() -= 1);
    new.into_iter().for_each(|row| *net.entry(row).or_default() += 1);
    let mut changed: Vec<Vec<String>> = Vec::new();
    for (row, count) in net.into_iter().filter(|(_, count)| *count != 0) {
        let sign = if count > 0 { "+" } else { "-" };
        changed.push([sign.to_owned()].into_iter().chain(row).collect());
    }
    changed.sort_by(|a, b| (a.get(1), &b[0]).cmp(&(b.get(1), &a[0])));
    changed
}

/// Appends the order once the engine follows; gives the cut that has it and the milliseconds until then.
fn append_and_wait(stage: &Stage, events: &mpsc::Receiver<Option<(u64, Instant)>>) -> Result<(u64, f64), VerbError> {
    let late = |_| VerbError::new("the order did not arrive in time");
    while events.recv_timeout(ARRIVAL_MAX).map_err(late)?.is_some() {}
    std::thread::sleep(Duration::from_millis(100));
    let mut file: File =
        OpenOptions::new().append(true).open(&stage.events).map_err(failed("append to", &stage.events))?;
    let lines = ORDER.map(|line| format!("{line}\n")).concat();
    let appended = Instant::now();
    file.write_all(lines.as_bytes()).map_err(failed("append to", &stage.events))?;
    loop {
        if let Some((seq, at)) = events.recv_timeout(ARRIVAL_MAX).map_err(late)? {
            return Ok((seq, at.duration_since(appended).as_secs_f64() * 1e3));
        }
    }
}

fn database_error(cause: rusqlite::Error) -> VerbError {
    VerbError::new(format!("could not read the demo's database: {cause}"))
}

fn published_tables(database: &Path) -> Result<Vec<String>, VerbError> {
    let connection = Connection::open(database).map_err(database_error)?;
    let mut statement =
        connection.prepare("select relation from livemart_models order by relation").map_err(database_error)?;
    let names = statement.query_map([], |row| row.get(0)).map_err(database_error)?;
    names.collect::<Result<Vec<String>, _>>().map_err(database_error)
}

/// The columns and rows of a table, as text.
fn read(database: &Path, name: &str) -> Result<(Vec<String>, Vec<Vec<String>>), VerbError> {
    query(database, &format!("select * from \"{}\" order by 1", name.replace('"', "\"\"")))
}

/// What a query gives, as text.
fn query(database: &Path, sql: &str) -> Result<(Vec<String>, Vec<Vec<String>>), VerbError> {
    let connection = Connection::open(database).map_err(database_error)?;
    let mut statement = connection.prepare(sql).map_err(database_error)?;
    let head: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).map_err(database_error)?;
    let mut texts = Vec::new();
    while let Some(row) = rows.next().map_err(database_error)? {
        let mut cells = Vec::new();
        for i in 0..head.len() {
            cells.push(match row.get_ref(i).map_err(database_error)? {
                ValueRef::Null => String::new(),
                ValueRef::Integer(value) => value.to_string(),
                ValueRef::Real(value) => value.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
            });
        }
        texts.push(cells);
    }
    Ok((head, texts))
}
