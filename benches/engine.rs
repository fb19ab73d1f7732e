//! The engine against a hand-written program, in one run on one machine.
//!
//! ```text
//!   shop_stream ──> events ─┬─ in_process: resolver and dataflow, from decoded records ─┐
//!                           ├─ limit: the hand-written program, if it is given ─────────┼─> one table: min, median, ratio
//!                           ├─ end_to_end: livemart run, JSONL to SQLite ───────────────┤
//!                           ├─ end_to_end: livemart serve, one change at a time ────────┤
//!                           └─ end_to_end: livemart serve, killed and started again ────┘
//! ```
//!
//! 1. Costs are CPU seconds, user and system, of whole processes: they say the same on a busy machine, wall time does not.
//! 2. Every measured run is a process of its own, and ours and the limit's alternate, so that both meet the same weather.
//! 3. Every program's result is compared with plain hash maps over the same events; a wrong answer is no measurement.

mod end_to_end;
mod in_process;
mod latency;
mod limit;
mod mart;
mod measure;
mod report;
mod shop_stream;
mod ticks;
mod windows;

use std::error::Error;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use end_to_end::Place;
use limit::{Limit, LimitRun};
use mart::{Answers, ByHand, Case, Query, Tables, fingerprint, first_difference, read_events};
use measure::{Samples, process_cpu, run_child};
use report::{Line, Report, grouped};
use shop_stream::{Size, Workload, workload};

/// As the binary does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 42;
const BINARY: &str = env!("CARGO_BIN_EXE_livemart");
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/project");

/// Measures the queries of the shop stream and prints one table.
#[derive(Parser)]
#[command(name = "engine")]
struct Options {
    /// S (1,000 customers), M (20,000; 1.9 million events) or L (50,000).
    #[arg(long, default_value = "M")]
    size: Size,
    /// Measured runs of each program; they alternate.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Changes under `livemart serve`.
    #[arg(long, default_value_t = 200)]
    changes: u32,
    /// Seconds for which `livemart serve` is watched when nothing comes.
    #[arg(long, default_value_t = 60)]
    rest_seconds: u64,
    /// Folder of the hand-written program to measure against; it is copied, not written to.
    #[arg(long, env = "LIVEMART_LIMIT")]
    limit: Option<PathBuf>,
    /// Which queries to measure: each alone, and all as one project.
    #[arg(long, value_delimiter = ',', default_value = "q1,q2,q3,q4,q5,all")]
    queries: Vec<Case>,
    /// Which parts to measure.
    #[arg(long, value_delimiter = ',', default_value = "engine,bytes,stages,workers,run,serve,rest,ticks,epoch")]
    only: Vec<Part>,
    /// What cargo says to every bench.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// From decoded records, without source and sink.
    Engine,
    /// From the file's bytes, without sink; memory, too.
    Bytes,
    /// Each stage from bytes to SQLite by itself.
    Stages,
    /// Two workers against one.
    Workers,
    /// `livemart run` from JSONL to SQLite.
    Run,
    /// One change under `livemart serve`.
    Serve,
    /// `livemart serve` killed and started again, and what state costs.
    Restart,
    /// The clock moves, and no event comes.
    Ticks,
    /// One row changes under a whole project with all its tests.
    Epoch,
    /// `livemart serve` when nothing comes.
    Rest,
}

#[derive(Subcommand)]
enum Inner {
    /// One measured run in a process of its own; prints its figures as JSON.
    #[command(hide = true)]
    InProcess { events: PathBuf, case: Case, workers: usize },
    /// The same from the file's bytes.
    #[command(hide = true)]
    Stream { events: PathBuf, case: Case },
    /// One changed row in a window's partition, against computing the partition again.
    Windows(WindowOptions),
    /// Each stage of one run, in a process of its own.
    #[command(hide = true)]
    Stages { events: PathBuf, case: Case, database: PathBuf },
    /// From Kafka to PostgreSQL at a steady rate, beside a pipeline without an engine.
    Latency(LatencyOptions),
}

#[derive(clap::Args)]
struct WindowOptions {
    /// Rows of the partition.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,500000,1000000")]
    rows: Vec<usize>,
    /// Changes of the engine.
    #[arg(long, default_value_t = 4_000)]
    changes: usize,
    /// CPU seconds after which the naive way makes no further change.
    #[arg(long, default_value_t = 2.0)]
    naive_seconds: f64,
    /// The naive way is left out above so many rows.
    #[arg(long, default_value_t = 500_000)]
    naive_rows_max: usize,
}

#[derive(clap::Args)]
struct LatencyOptions {
    /// Events per second.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// Seconds that are measured, of the engine and of the floor each.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// `commit_interval` of both.
    #[arg(long, default_value_t = 50)]
    interval_ms: u64,
    /// A broker without the shop's topics.
    #[arg(long, env = "LIVEMART_TEST_KAFKA")]
    brokers: String,
    /// A database without the schemas marts, livemart and floor.
    #[arg(long, env = "LIVEMART_TEST_POSTGRES")]
    postgres: String,
}

/// What the inner process tells.
#[derive(Serialize, Deserialize)]
struct Figures {
    operators: usize,
    catch_up_us: f64,
    catch_up_wall_us: f64,
    resolver_us: f64,
    middle_p50_us: f64,
    single_p50_us: f64,
    single_p99_us: f64,
    single_wall_p50_us: f64,
    single_wall_p99_us: f64,
    difference: Option<String>,
}

/// What the inner process tells that begins with the file's bytes.
#[derive(Serialize, Deserialize)]
struct StreamFigures {
    total_us: f64,
    decoding_us: f64,
    resolver_us: f64,
    bytes_per_row: f64,
    resolver_bytes_per_row: f64,
    /// What operators hold: whose and which, how many rows, and their bytes to a live source row.
    operators: Vec<(String, usize, f64)>,
}

/// Operators that are named in the table: those that hold most.
const OPERATORS_NAMED: usize = 8;

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.inner {
        Some(Inner::InProcess { events, case, workers }) => in_process_figures(events, case, *workers),
        Some(Inner::Stream { events, case }) => stream_figures(events, case),
        Some(Inner::Stages { events, case, database }) => stage_figures(events, case, database),
        Some(Inner::Windows(windows)) => window_grid(windows),
        Some(Inner::Latency(latency)) => latency_lines(latency),
        None => bench(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<(), Box<dyn Error>> {
    let cache = cache_dir()?.join("bench");
    let workload = prepare(&cache, options.size)?;
    let queries: Vec<Query> = Query::ALL
        .into_iter()
        .filter(|query| options.queries.iter().any(|case| case.queries.contains(query)))
        .collect();
    let (answers, by_hand_us) = by_hand(&workload, &queries)?;
    let limit = match &options.limit {
        Some(dir) => Some(build_limit(dir, &cache, &workload, &answers)?),
        None => None,
    };
    let mut report = Report { head: head(options, &workload), ..Report::default() };
    for case in &options.queries {
        if options.only.contains(&Part::Engine) {
            engine_lines(options, &workload, case, limit.as_ref(), &cache, &mut report)?;
        }
        if options.only.contains(&Part::Bytes) {
            bytes_lines(options, &workload, case, limit.as_ref(), &cache, &mut report)?;
        }
    }
    let largest = options.queries.iter().max_by_key(|case| case.queries.len()).expect("clap gives a default");
    if options.only.contains(&Part::Stages) {
        stage_lines(options, &workload, largest, &cache, &mut report)?;
    }
    if options.only.contains(&Part::Workers) {
        worker_lines(options, &workload, largest, limit.as_ref(), &cache, &mut report)?;
    }
    if options.only.contains(&Part::Run) {
        run_lines(options, &workload, largest, &answers, &cache, &mut report)?;
    }
    if options.only.contains(&Part::Serve) {
        serve_lines(options, &workload, &cache, &mut report)?;
    }
    if options.only.contains(&Part::Rest) {
        rest_line(options, &workload, &cache, &mut report)?;
    }
    if options.only.contains(&Part::Restart) {
        restart_lines(&workload, &cache, &mut report)?;
    }
    if options.only.contains(&Part::Ticks) {
        tick_lines(&mut report)?;
    }
    if options.only.contains(&Part::Epoch) {
        epoch_lines(&mut report)?;
    }
    report.tail.push(format!("Q1 by plain hash maps, no engine: {by_hand_us:.3} µs of CPU per event"));
    report.tail.push(format!("results {:016x}, equal in all programs", fingerprint(&answers)));
    print!("{report}");
    Ok(())
}

/// The grid of window functions and partition sizes.
fn window_grid(options: &WindowOptions) -> Result<(), Box<dyn Error>> {
    println!("one changed row in a window, CPU \u{b5}s per change; one worker, {} changes", options.changes);
    println!();
    println!(
        "{:<18}{:>12}{:>12}{:>14}{:>16}{:>12}{:>10}",
        "", "rows", "engine \u{b5}s", "rows given", "naive \u{b5}s", "naive/ours", "load s"
    );
    for function in windows::FUNCTIONS {
        let mut figures: Vec<f64> = Vec::new();
        for rows in &options.rows {
            let history = Arc::new(windows::History::new(*rows, options.changes));
            let engine = windows::Way::engine(function, *rows)?;
            let (ours, made) = windows::run(&engine, &history, Duration::MAX);
            let per_change = |cost: &windows::Cost, made: usize| cost.changes.as_secs_f64() * 1e6 / made.max(1) as f64;
            let naive = (*rows <= options.naive_rows_max).then(|| {
                let budget = Duration::from_secs_f64(options.naive_seconds);
                windows::run(&windows::Way::Naive(function), &history, budget)
            });
            if let Some((cost, naive_made)) = &naive
                && *naive_made == made
                && cost.fingerprint != ours.fingerprint
            {
                return Err(format!("{} over {rows} rows: the two ways differ", function.name()).into());
            }
            let ours_us = per_change(&ours, made);
            figures.push(ours_us);
            let (naive_us, ratio) = match naive {
                Some((cost, made)) => {
                    let us = per_change(&cost, made);
                    (format!("{us:.0}"), format!("{:.0}", us / ours_us))
                }
                None => ("-".to_owned(), "-".to_owned()),
            };
            println!(
                "{:<18}{:>12}{:>12.1}{:>14.1}{:>16}{:>12}{:>10.2}",
                function.name(),
                grouped(*rows as i64),
                ours_us,
                ours.given as f64 / made.max(1) as f64,
                naive_us,
                ratio,
                ours.load.as_secs_f64()
            );
        }
        if let (Some(first), Some(last)) = (figures.first(), figures.last()) {
            println!("{:<18}{:>12}{:>12.2}", "", "growth", last / first);
        }
    }
    Ok(())
}

/// Latency from the broker to a committed row.
fn latency_lines(options: &LatencyOptions) -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("livemart-latency-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = latency::run(&latency::Settings {
        binary: BINARY.into(),
        project: concat!(env!("CARGO_MANIFEST_DIR"), "/dataflows").into(),
        folder: folder.clone(),
        brokers: options.brokers.clone(),
        postgres: options.postgres.clone(),
        rate: options.rate,
        seconds: options.seconds,
        interval_ms: options.interval_ms,
    })?;
    let _ = std::fs::remove_dir_all(folder);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "Kafka to PostgreSQL, {} events/s of the shop, commit interval {} ms, {} s each; {}, load {}",
        options.rate,
        options.interval_ms,
        options.seconds,
        bench_commit(),
        load.split(' ').next().unwrap_or("?")
    );
    let line = |what: &str, samples: &Samples| {
        let at = |percent| samples.percentile(percent).map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        println!("{what:<52}{:>10}{:>10}{:>10}", at(50.0), at(90.0), at(99.0));
    };
    println!("{:<52}{:>10}{:>10}{:>10}", "ms", "p50", "p90", "p99");
    line("livemart serve, the shop's project with its tests", &outcome.engine_ms);
    line(&format!("floor: upserts into {} tables, no engine", outcome.tables), &outcome.floor_ms);
    line("floor: its transactions alone", &outcome.floor_commit_ms);
    println!(
        "livemart: {} cuts seen, {:.1} s of CPU, {} MiB at most; floor: {:.1} s of CPU",
        outcome.cuts,
        outcome.engine.cpu.as_secs_f64(),
        outcome.engine.resident_max_bytes >> 20,
        outcome.floor_cpu.as_secs_f64()
    );
    Ok(())
}

fn bench_commit() -> String {
    let said = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let commit = said("LIVEMART_BENCH_COMMIT").unwrap_or_else(|| "unknown".to_owned());
    format!("commit {commit}, {}", said("LIVEMART_BENCH_PROFILE").unwrap_or_else(|| "unknown profile".to_owned()))
}

fn cache_dir() -> Result<PathBuf, Box<dyn Error>> {
    if let Some(dir) = std::env::var_os("LIVEMART_CACHE") {
        return Ok(dir.into());
    }
    let home = std::env::var_os("HOME").ok_or("neither LIVEMART_CACHE nor HOME says where to keep the events")?;
    Ok(Path::new(&home).join(".cache/livemart"))
}

fn prepare(cache: &Path, size: Size) -> Result<Workload, Box<dyn Error>> {
    let bar = bar("events");
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let workload = workload(&cache.join(size.name), size, SEED, &mut progress)?;
    bar.finish_and_clear();
    Ok(workload)
}

/// Drawn on stderr, and only where that is a terminal.
fn bar(what: &str) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg:>12} {wide_bar} {human_pos}/{human_len} {eta}");
    let bar = ProgressBar::with_draw_target(None, target).with_message(what.to_owned());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn head(options: &Options, workload: &Workload) -> Vec<String> {
    let said = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let commit = said("LIVEMART_BENCH_COMMIT").unwrap_or_else(|| "unknown".to_owned());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    // The script knows which profile cargo was told to use; the program does not.
    let profile = said("LIVEMART_BENCH_PROFILE").unwrap_or_else(|| "unknown profile".to_owned());
    vec![
        format!(
            "shop stream, size {}: {} customers, {} events (hash {:016x})",
            options.size.name,
            grouped(i64::from(workload.summary.customers)),
            grouped(i64::try_from(workload.summary.events).unwrap_or(i64::MAX)),
            workload.summary.hash
        ),
        format!("commit {commit}, {profile}, {} runs each, one worker, {cores} cores, load {load}", options.runs),
    ]
}

/// The answers, and what Q1 costs without any engine.
fn by_hand(workload: &Workload, queries: &[Query]) -> Result<(Answers, f64), Box<dyn Error>> {
    let events = read_events(&workload.events_file())?;
    let begun = process_cpu();
    let mut by_hand = ByHand::default();
    events.iter().for_each(|event| by_hand.apply(event));
    let cpu_us = (process_cpu() - begun).as_secs_f64() * 1e6 / events.len().max(1) as f64;
    Ok((Tables::of(&events).answers(queries), cpu_us))
}

fn build_limit(dir: &Path, cache: &Path, workload: &Workload, answers: &Answers) -> Result<Limit, Box<dyn Error>> {
    eprintln!("building the limit program of {} (takes minutes the first time)", dir.display());
    let limit = Limit::build(dir, cache)?;
    let queries: Vec<Query> = answers.keys().copied().collect();
    match first_difference(answers, &limit.answers(workload, &queries)?) {
        None => Ok(limit),
        Some(difference) => Err(format!("the limit program's result differs: {difference}").into()),
    }
}

/// Runs `each` so often, with a bar.
fn repeat(what: &str, runs: u32, mut each: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let bar = bar(what).with_position(0);
    bar.set_length(u64::from(runs));
    for _ in 0..runs {
        each()?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn engine_lines(
    options: &Options,
    workload: &Workload,
    case: &Case,
    limit: Option<&Limit>,
    cache: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    repeat(&case.name, options.runs, || {
        ours.push(in_a_child(workload, case, 1, cache)?);
        limits.extend(limit.map(|limit| limit.run(workload, case, 1)).transpose()?);
        Ok(())
    })?;
    if let Some(figures) = ours.first() {
        report.tail.push(format!("{}: {} operators in the engine's dataflow", case.name, figures.operators));
    }
    let name = &case.name;
    let limits_of = |of: fn(&LimitRun) -> f64| limit.map(|_| limits.iter().map(of).collect::<Samples>());
    let mut add = |what, unit, of: fn(&Figures) -> f64, limit: Option<fn(&LimitRun) -> f64>| {
        report.lines.push(Line {
            what,
            unit,
            ours: ours.iter().map(of).collect(),
            limit: limit.and_then(limits_of),
            has_limit: limit.is_some(),
        });
    };
    let [catch_up, single_p50, single_p99]: [fn(&LimitRun) -> f64; 3] =
        [|run| run.catch_up_us_per_event, |run| run.single_p50_us, |run| run.single_p99_us];
    add(
        format!("{name} from rows, epochs of 10,000"),
        "CPU µs/event",
        |it| it.catch_up_us - it.resolver_us,
        Some(catch_up),
    );
    add(format!("{name} from records, epochs of 10,000"), "CPU µs/event", |it| it.catch_up_us, Some(catch_up));
    add("  the resolver's part (the limit has none)".into(), "CPU µs/event", |it| it.resolver_us, None);
    add(format!("{name}, epochs of 100, p50"), "CPU µs/epoch", |it| it.middle_p50_us, None);
    add(format!("{name}, epochs of 1, p50"), "CPU µs/epoch", |it| it.single_p50_us, Some(single_p50));
    add(format!("{name}, epochs of 1, p99"), "CPU µs/epoch", |it| it.single_p99_us, Some(single_p99));
    add("  the same by the clock, p50".into(), "µs/epoch", |it| it.single_wall_p50_us, None);
    add("  the same by the clock, p99".into(), "µs/epoch", |it| it.single_wall_p99_us, None);
    Ok(())
}

fn bytes_lines(
    options: &Options,
    workload: &Workload,
    case: &Case,
    limit: Option<&Limit>,
    cache: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    repeat(&case.name, options.runs, || {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("stream").arg(workload.events_file()).arg(&case.name);
        let (printed, _) = run_child(&mut command, &cache.join("stream.log"))?;
        ours.push(serde_json::from_str::<StreamFigures>(&printed)?);
        limits.extend(limit.map(|limit| limit.run(workload, case, 1)).transpose()?);
        Ok(())
    })?;
    let name = &case.name;
    let mut add = |what, unit, ours: Samples, limit| {
        report.lines.push(Line { what, unit, ours, limit, has_limit: false });
    };
    let of = |of: fn(&StreamFigures) -> f64| ours.iter().map(of).collect::<Samples>();
    let catch_up = limit.map(|_| limits.iter().map(|run| run.catch_up_us_per_event).collect());
    add(format!("{name} from JSON bytes (the limit: from rows)"), "CPU µs/event", of(|it| it.total_us), catch_up);
    if limit.is_some() {
        let beyond = ours.iter().zip(&limits).map(|(ours, limit)| ours.total_us - limit.catch_up_us_per_event);
        add("  above the limit".into(), "CPU µs/event", beyond.collect(), None);
    }
    add("  decoding".into(), "CPU µs/event", of(|it| it.decoding_us), None);
    add("  the resolver".into(), "CPU µs/event", of(|it| it.resolver_us), None);
    add(format!("{name}, memory of a live source row"), "bytes", of(|it| it.bytes_per_row), None);
    add("  the resolver's part".into(), "bytes", of(|it| it.resolver_bytes_per_row), None);
    for (operator, rows, bytes) in ours.first().map_or(&[][..], |figures| &figures.operators) {
        add(format!("  {operator}, {} rows", grouped(*rows as i64)), "bytes", [*bytes].into_iter().collect(), None);
    }
    Ok(())
}

fn worker_lines(
    options: &Options,
    workload: &Workload,
    case: &Case,
    limit: Option<&Limit>,
    cache: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    repeat("workers", options.runs, || {
        let mut pair = [0.0; 2];
        let mut limit_pair = [0.0; 2];
        for workers in [1, 2] {
            pair[workers - 1] = in_a_child(workload, case, workers, cache)?.catch_up_wall_us;
            if let Some(limit) = limit {
                limit_pair[workers - 1] = limit.run(workload, case, workers)?.catch_up_wall_us_per_event;
            }
        }
        ours.push(pair[0] / pair[1]);
        limits.extend(limit.map(|_| limit_pair[0] / limit_pair[1]));
        Ok(())
    })?;
    report.lines.push(Line {
        what: format!("{}, two workers against one", case.name),
        unit: "times as fast",
        ours: ours.into_iter().collect(),
        limit: limit.map(|_| limits.into_iter().collect()),
        has_limit: true,
    });
    Ok(())
}

/// One run of ours in a process of its own.
fn in_a_child(workload: &Workload, case: &Case, workers: usize, cache: &Path) -> Result<Figures, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("in-process").arg(workload.events_file()).arg(&case.name).arg(workers.to_string());
    let (printed, _) = run_child(&mut command, &cache.join("in-process.log"))?;
    let figures: Figures = serde_json::from_str(&printed)?;
    match &figures.difference {
        None => Ok(figures),
        Some(difference) => Err(format!("the engine's result differs from plain hash maps: {difference}").into()),
    }
}

fn in_process_figures(events: &Path, case: &Case, workers: usize) -> Result<(), Box<dyn Error>> {
    let deployment = in_process::deployment(Path::new(PROJECT), events, &case.queries)?;
    let outcome = in_process::run(&deployment, in_process::read_records(&deployment)?, workers)?;
    let expected = Tables::of(&read_events(events)?).answers(&case.queries);
    let per_event = |time: Duration| time.as_secs_f64() * 1e6 / outcome.catch_up_events.max(1) as f64;
    let of = |samples: &Samples, percent| samples.percentile(percent).unwrap_or(0.0);
    let figures = Figures {
        operators: outcome.operators,
        catch_up_us: per_event(outcome.catch_up_cpu),
        catch_up_wall_us: per_event(outcome.catch_up_wall),
        resolver_us: per_event(outcome.resolver_cpu),
        middle_p50_us: of(&outcome.middle_cpu_us, 50.0),
        single_p50_us: of(&outcome.single_cpu_us, 50.0),
        single_p99_us: of(&outcome.single_cpu_us, 99.0),
        single_wall_p50_us: of(&outcome.single_wall_us, 50.0),
        single_wall_p99_us: of(&outcome.single_wall_us, 99.0),
        difference: first_difference(&expected, &outcome.answers),
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

fn stream_figures(events: &Path, case: &Case) -> Result<(), Box<dyn Error>> {
    let deployment = in_process::deployment(Path::new(PROJECT), events, &case.queries)?;
    let streamed = in_process::stream(&deployment, 1)?;
    let per_event = |time: Duration| time.as_secs_f64() * 1e6 / streamed.events.max(1) as f64;
    let per_row = |bytes: u64| bytes as f64 / streamed.live_rows.max(1) as f64;
    let figures = StreamFigures {
        total_us: per_event(streamed.cpu),
        decoding_us: per_event(streamed.decoding_cpu),
        resolver_us: per_event(streamed.resolver_cpu),
        bytes_per_row: per_row(streamed.state_bytes),
        resolver_bytes_per_row: per_row(streamed.resolver_bytes),
        operators: streamed
            .operators
            .iter()
            .take(OPERATORS_NAMED)
            .map(|state| {
                let model = state.model.rsplit('.').next().unwrap_or_default();
                (format!("{} of {model}", state.operator), state.size.rows, per_row(state.size.bytes as u64))
            })
            .collect(),
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// Records of an epoch of `stages`: what a reader that is behind comes to.
const STAGE_EPOCH_RECORDS: usize = 100_000;

fn stage_figures(events: &Path, case: &Case, database: &Path) -> Result<(), Box<dyn Error>> {
    let deployment = in_process::deployment(Path::new(PROJECT), events, &case.queries)?;
    let stages = in_process::stages(&deployment, database, STAGE_EPOCH_RECORDS)?;
    let in_process::Stages { events, decoding, resolving, feeding, dataflow, netting, sink, written } = stages;
    let per_event = |time: Duration| time.as_secs_f64() * 1e6 / events.max(1) as f64;
    let of_stages = [decoding, resolving, feeding, dataflow, netting, sink].map(per_event);
    println!("{}", serde_json::to_string(&(of_stages, written as f64 / events.max(1) as f64))?);
    Ok(())
}

fn stage_lines(
    options: &Options,
    workload: &Workload,
    case: &Case,
    cache: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    const STAGES: [&str; 6] = [
        "bytes to records",
        "records to updates, with the journal",
        "updates to the workers",
        "the dataflow",
        "changes added up",
        "changes to SQLite",
    ];
    let mut runs: Vec<([f64; 6], f64)> = Vec::new();
    repeat("stages", options.runs, || {
        let folder = cache.join("stages");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("stages").arg(workload.events_file()).arg(&case.name).arg(folder.join("marts.db"));
        let (printed, _) = run_child(&mut command, &cache.join("stages.log"))?;
        runs.push(serde_json::from_str(&printed)?);
        Ok(())
    })?;
    for (at, stage) in STAGES.iter().enumerate() {
        let ours = runs.iter().map(|(stages, _)| stages[at]).collect();
        let what = format!("{}, by stage: {stage}", case.name);
        report.lines.push(Line { what, unit: "CPU µs/event", ours, limit: None, has_limit: false });
    }
    let written = runs.first().map_or(0.0, |(_, written)| *written);
    report.tail.push(format!(
        "stages: epochs of {}; {written:.2} rows written per event",
        grouped(STAGE_EPOCH_RECORDS as i64)
    ));
    Ok(())
}

fn rest_line(options: &Options, workload: &Workload, cache: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let place = Place::prepare(Path::new(BINARY), Path::new(PROJECT), &cache.join("rest"))?;
    let share = end_to_end::rest(&place, workload, Duration::from_secs(options.rest_seconds))?;
    let (what, unit) = ("livemart serve, nothing comes".to_owned(), "% of a core");
    report.lines.push(Line { what, unit, ours: [share * 100.0].into_iter().collect(), limit: None, has_limit: false });
    Ok(())
}

fn run_lines(
    options: &Options,
    workload: &Workload,
    case: &Case,
    answers: &Answers,
    cache: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let mut costs = Vec::new();
    repeat("run", options.runs, || {
        let place = Place::prepare(Path::new(BINARY), Path::new(PROJECT), &cache.join("run"))?;
        costs.push(end_to_end::run(&place, workload, &case.queries)?);
        match first_difference(answers, &place.answers(&case.queries)?) {
            None => Ok(()),
            Some(difference) => {
                Err(format!("what livemart run published differs from plain hash maps: {difference}").into())
            }
        }
    })?;
    let mut add = |what: &str, unit, ours: Samples| {
        report.lines.push(Line { what: what.to_owned(), unit, ours, limit: None, has_limit: false });
    };
    let cpu_us = |cost: &end_to_end::RunCost| 1e6 / cost.events_per_cpu_second;
    let mebibytes = |cost: &end_to_end::RunCost| cost.resident_max_bytes as f64 / f64::from(1 << 20);
    let what = format!("{}: livemart run, JSONL to SQLite", case.name);
    add(&what, "CPU µs/event", costs.iter().map(cpu_us).collect());
    add("  the same the other way up", "events/CPU s", costs.iter().map(|cost| cost.events_per_cpu_second).collect());
    add("  peak resident memory", "MiB", costs.iter().map(mebibytes).collect());
    Ok(())
}

/// The reference project, read from the fixtures.
fn epoch_lines(report: &mut Report) -> Result<(), Box<dyn Error>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("dataflows");
    let deployment = in_process::whole_project(&project, "dev")?;
    let price = in_process::epoch_price(&deployment)?;
    let mut add = |what: &str, ours: &Samples, percent| {
        let ours = ours.percentile(percent).into_iter().collect();
        let (what, unit) = (what.to_owned(), "CPU µs/epoch");
        report.lines.push(Line { what, unit, ours, limit: None, has_limit: false });
    };
    add("the whole shop, one record in an epoch, p50", &price.single_us, 50.0);
    add("the whole shop, one record in an epoch, p99", &price.single_us, 99.0);
    add("the whole shop, an empty epoch, p50", &price.empty_us, 50.0);
    // The fixtures hold some malformed records on purpose.
    report.tail.push(format!(
        "the whole shop: {} plans, {} operators; {} records of the fixtures are set aside",
        price.models, price.operators, price.set_aside
    ));
    Ok(())
}

fn restart_lines(workload: &Workload, cache: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let place = Place::prepare(Path::new(BINARY), Path::new(PROJECT), &cache.join("restart"))?;
    let cost = end_to_end::restart(&place, workload)?;
    let deployment = in_process::deployment(Path::new(PROJECT), &workload.events_file(), &Query::ALL)?;
    let packed = in_process::packed_rows(deployment)?;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    report.tail.push(format!(
        "livemart serve killed and started again: {:.1} CPU s until it is fresh, peak memory {:.0} MiB after {:.0} MiB: × {:.2}",
        cost.fresh_cpu.as_secs_f64(),
        mebibytes(cost.after_bytes),
        mebibytes(cost.before_bytes),
        cost.after_bytes as f64 / cost.before_bytes as f64
    ));
    report.tail.push(format!(
        "state: {:.1} MiB on the disk for {} rows of {:.1} MiB: × {:.2}; writing it took {:.1} % of {:.1} CPU s",
        mebibytes(cost.state_bytes),
        grouped(i64::try_from(packed.rows).unwrap_or(i64::MAX)),
        mebibytes(packed.bytes),
        cost.state_bytes as f64 / packed.bytes as f64,
        cost.writing_cpu.as_secs_f64() / cost.running_cpu.as_secs_f64() * 100.0,
        cost.running_cpu.as_secs_f64()
    ));
    report.tail.push(format!(
        "rows held to know the row before a change: {:.1} bytes of memory each, {:.1} of them the row",
        packed.held_bytes as f64 / packed.rows as f64,
        packed.bytes as f64 / packed.rows as f64
    ));
    Ok(())
}

/// A day for so many customers.
const TICK_CUSTOMERS: i64 = 50_000;

fn tick_lines(report: &mut Report) -> Result<(), Box<dyn Error>> {
    let outcome = ticks::run(TICK_CUSTOMERS)?;
    if outcome.expired != outcome.expired_by_hand {
        let (ours, theirs) = (outcome.expired, outcome.expired_by_hand);
        return Err(format!("{ours} orders left the last 90 days where {theirs} should").into());
    }
    if let Some(rows) = outcome.day_rows.iter().find(|rows| **rows as i64 != TICK_CUSTOMERS) {
        return Err(format!("midnight moved {rows} customers").into());
    }
    let mut add = |what: &str, unit, ours| {
        report.lines.push(Line { what: what.to_owned(), unit, ours, limit: None, has_limit: false });
    };
    add("midnight, days_since_last_order of 50,000 customers", "CPU µs/tick", outcome.day_cpu_us);
    add("a minute, 90-day filter over 500,000 orders", "CPU µs/tick", outcome.filter_cpu_us);
    report.tail.push(format!("{} of those orders expired in 100 minutes", outcome.expired));
    Ok(())
}

fn serve_lines(
    options: &Options,
    workload: &Workload,
    cache: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let place = Place::prepare(Path::new(BINARY), Path::new(PROJECT), &cache.join("serve"))?;
    let took = end_to_end::serve(&place, workload, options.changes)?;
    let of = |percent| took.percentile(percent).unwrap_or(0.0);
    report.tail.push(format!(
        "livemart serve, commit_interval 10ms, {} single changes, file to SQLite row: p50 {:.1} ms, p99 {:.1} ms, \
         least {:.1} ms, most {:.1} ms (by the clock)",
        options.changes,
        of(50.0),
        of(99.0),
        of(0.0),
        of(100.0)
    ));
    Ok(())
}
