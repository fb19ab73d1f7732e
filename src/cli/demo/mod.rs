//! `livemart demo`: the shop's events into SQLite, the marts, and one customer's story live.
//!
//! ```text
//!   fixtures ──copied──> demo folder ──kept──> shop.db ──> a look at each mart ──> the story, step by step: what moves, in which
//!   tables, how soon, in one transaction ──> every table compared with a batch over all events
//! ```
//!
//! The demo works on a copy of the fixtures in a folder of its own, so that it may append to it. Its clock is its own, too: it
//! begins where the events end.

mod changes;
mod story;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use self::changes::Published;
use self::story::Cause;
use super::args::{Args, DemoArgs};
use super::instance::VerbError;
use super::keep::{KeepOptions, open};
use super::preview::table;
use super::refuse;
use super::talk::Speaker;
use super::verify;
use crate::engine::{EngineEvent, StopFlag};
use crate::project::{ClockMode, Project, ResourceType, Selection};
use crate::time::WallTime;

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
/// How long the demo waits for a step to be published.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);

/// How long nothing happens before the next step begins.
const REST: Duration = Duration::from_millis(100);

/// What the engine tells: None when it has hydrated, then each cut.
type Events = mpsc::Receiver<Option<(u64, Instant)>>;

struct Look {
    model: &'static str,
    title: &'static str,
    sql: &'static str,
}

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

    fn state(&self) -> PathBuf {
        self.folder().join("state")
    }
}

/// All of the shop.
fn selection() -> Selection {
    let resource_types = vec![ResourceType::Model, ResourceType::Seed, ResourceType::Snapshot, ResourceType::Test];
    Selection { resource_types, ..Selection::default() }
}

fn show(args: &Args, demo: &DemoArgs) -> Result<(), VerbError> {
    let stage = set_up(demo)?;
    let mut project = load(args, demo, &stage)?;
    println!("A dbt project, untouched: {} in {}\n", nodes(&project), demo.shop.display());
    let started = Instant::now();
    let options = KeepOptions { tests: true, ..KeepOptions::default() };
    let (opened, _) = open(&mut project, &selection(), &options)?;
    let report = opened.keep(&project, &options, StopFlag::default(), &mut |_| {})?;
    println!(
        "Read {} change events in {:.2} s; {} could not be decoded and are set aside in livemart_errors, \
         where they heal when a corrected record arrives.\n",
        report.records,
        started.elapsed().as_secs_f64(),
        report.set_aside
    );
    for look in &SHOWN {
        let (head, rows) = query(&stage.database, look.sql)?;
        println!("{} ({})", look.title, look.model);
        println!("{}", table(&head, &rows));
    }
    tell(&mut project, &stage)?;
    compare(&mut project)?;
    println!(
        "The database is {}: open it with any SQLite client, even while livemart writes to it.\n",
        stage.database.display()
    );
    let (folder, database, state) = (stage.folder().display(), stage.database.display(), stage.state());
    // The binary that runs now, as it may not be on the PATH.
    let binary = std::env::current_exe().map_or_else(|_| "livemart".to_owned(), |path| path.display().to_string());
    println!("Try next:");
    println!("  cd {}", demo.shop.display());
    println!("  export SHOP_DATA={folder} LIVEMART_DB={database} LIVEMART_STATE={}", state.display());
    println!("  {binary} serve                       # then append lines to {EVENTS}");
    println!("  {binary} test                        # dbt's tests at the published cut");
    println!("  {binary} verify                      # every table against a batch over all events");
    println!("  {binary} explain mart_customer_360   # how it is maintained");
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
    if stage.state().is_dir() {
        std::fs::remove_dir_all(stage.state()).map_err(failed("remove", &stage.state()))?;
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
    options.env.insert("LIVEMART_STATE".to_owned(), stage.state().display().to_string());
    Ok(Project::load(options)?)
}

fn nodes(project: &Project) -> String {
    let count = |wanted| project.nodes.values().filter(|node| node.resource_type == wanted).count();
    format!("{} models with {} tests", count(ResourceType::Model), count(ResourceType::Test))
}

/// The story while livemart serves: what each step moves, in one transaction, and how soon.
fn tell(project: &mut Project, stage: &Stage) -> Result<(), VerbError> {
    let now = clock(&stage.database)?;
    let wall = Arc::new(AtomicI64::new(now));
    let read_wall = wall.clone();
    let options = KeepOptions {
        follow: true,
        tests: true,
        wall: WallTime::from_fn(move || read_wall.load(Ordering::SeqCst)),
        ..KeepOptions::default()
    };
    project.target.commit_interval = Duration::from_millis(10);
    project.target.clock.mode = ClockMode::Wall;
    let (opened, _) = open(project, &selection(), &options)?;
    let stop = StopFlag::default();
    let (told, events) = mpsc::channel();
    let project = &*project;
    std::thread::scope(|scope| {
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
        let outcome = tell_steps(stage, &wall, &events);
        stop.stop();
        match thread.join() {
            Ok(kept) => kept.map(|_| ()).and(outcome),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn tell_steps(stage: &Stage, wall: &AtomicI64, events: &Events) -> Result<(), VerbError> {
    let late = |_| VerbError::new("the tables did not move in time");
    while events.recv_timeout(ARRIVAL_MAX).map_err(late)?.is_some() {}
    let now = wall.load(Ordering::SeqCst);
    println!("One customer's story, live:\n");
    for (number, step) in story::steps(now).into_iter().enumerate() {
        // What the step before has set in motion comes to rest, so that each cut is one step's.
        while events.recv_timeout(REST).is_ok() {}
        let before = Published::read(&stage.database)?;
        let began = Instant::now();
        match &step.cause {
            Cause::Events(lines) => append(stage, lines)?,
            Cause::Midnight => wall.store(story::next_midnight(now), Ordering::SeqCst),
        }
        let (seq, at) = loop {
            if let Some(cut) = events.recv_timeout(ARRIVAL_MAX).map_err(late)? {
                break cut;
            }
        };
        let after = Published::read(&stage.database)?;
        println!("{}. {}", number + 1, step.title);
        let milliseconds = at.duration_since(began).as_secs_f64() * 1e3;
        println!("   {milliseconds:.1} ms later, cut {seq}, in one transaction: {}", before.summary(&after));
        for shown in &step.shown {
            let (head, rows, total) = before.changes(&after, shown)?;
            if !rows.is_empty() {
                match total - rows.len() {
                    0 => println!("   {}:", shown.table),
                    more => println!("   {}, and {more} rows more:", shown.table),
                }
                table(&head, &rows).lines().for_each(|line| println!("   {line}"));
            }
        }
        for verdict in before.verdicts(&after) {
            println!("   {verdict}");
        }
        println!();
    }
    Ok(())
}

fn append(stage: &Stage, lines: &[String]) -> Result<(), VerbError> {
    let mut file: File =
        OpenOptions::new().append(true).open(&stage.events).map_err(failed("append to", &stage.events))?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    file.write_all(text.as_bytes()).map_err(failed("append to", &stage.events))
}

/// Every table against a batch over all events.
fn compare(project: &mut Project) -> Result<(), VerbError> {
    let started = Instant::now();
    let selection = Selection { resource_types: vec![ResourceType::Model], ..Selection::default() };
    let verified = verify::verified(project, &selection)?.unwrap_or_default();
    let equal = verified.tables - verified.differences.len();
    println!(
        "Computed again in one batch from all {} events: {equal} of {} tables are equal, {} rows ({:.2} s).\n",
        verified.records,
        verified.tables,
        verified.rows,
        started.elapsed().as_secs_f64()
    );
    match verified.differences.first() {
        None => Ok(()),
        Some(difference) => Err(VerbError::new(format!("{} differs from the batch", difference.model))
            .with_hint("livemart verify shows the rows")),
    }
}

fn database_error(cause: rusqlite::Error) -> VerbError {
    VerbError::new(format!("could not read the demo's database: {cause}"))
}

/// The published cut's clock, microseconds since 1970 UTC.
fn clock(database: &Path) -> Result<i64, VerbError> {
    let connection = Connection::open(database).map_err(database_error)?;
    let text: String =
        connection.query_row("select clock from livemart_cut", [], |row| row.get(0)).map_err(database_error)?;
    row::calendar::parse_timestamptz(&text, chrono_tz::Tz::UTC)
        .map_err(|cause| VerbError::new(format!("the cut's clock cannot be read: {cause}")))
}

/// What a query gives, as text.
pub(super) fn query(database: &Path, sql: &str) -> Result<(Vec<String>, Vec<Vec<String>>), VerbError> {
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
