//! The engine against a disk, a sink and sources in memory that fail at random moments, from a seed.
//!
//! ```text
//!   Said (log of records) ──> Drive ──> Store (sink: answers get lost, commits fail)      each run ends with a crash or at the
//!                               │         └─ outbox ──> MemoryLog (Kafka: the same)       end; the next one goes on
//!                               └─────> Disk (state: crashes at a call, tears, fills up)
//! ```
//!
//! 1. After every run: tables equal what plain maps make of the records up to the sink's positions and at its clock; positions and
//!    clock never went back; no commit followed any but the one before it.
//! 2. After every run: what is in Kafka, and then what waits in the outbox, are all records of all cuts, each once and in order;
//!    folded, they are the tables.
//! 3. A seed decides everything: records, faults, when they come, who goes next and what time it is. The engine plays alone
//!    (`time::Stage::Alone`), and a seed that is played again commits the same bytes in the same order.
//! 4. Time passes only when somebody waits for it, so a world of minutes takes milliseconds. Wall clocks jump, forward and back.

mod fold;
mod sink;
mod source;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use eval::Expr;
use livemart::engine::{
    Deployment, Drive, EngineError, EngineEvent, Inheritance, Limits, ModelPlan, PublishedModel, StopFlag,
};
use livemart::plan::rewrite::{RewriteOptions, optimize};
use livemart::plan::{self, Column, Plan, RelationId, RelationType};
use livemart::sink::changelog::{ChangelogConfig, ChangelogSink, Envelope, MemoryLog};
use livemart::sink::{Sink, TableColumn, TableProperties, TableSpec};
use livemart::source::{Connector, Format, Positions, TableSource};
use livemart::state::{KeeperLimits, StateFolder, StoredTable, resume};
use livemart::testkit::disk::{Crash, Disk};
use livemart::time::{Clock, ClockMode, ClockSettings, Stage, WallTime};
use row::ScalarType;

use super::pipeline::history::Dice;
use sink::{Faults, Store};
use source::{PLACES, SOURCES, Said, open, specs};
use truth::tables_at;

const RECORDS: u64 = 400;
const RUNS_MAX: u64 = 60;
const INSTANCE: &str = "shop.sim";

fn deployment() -> Deployment {
    let columns = || -> Vec<Column> {
        let column = |name: &str| Column { name: name.into(), ty: ScalarType::Int64, nullable: true, scale_max: None };
        ["id", "value", "note"].map(column).into()
    };
    let resolve = |parts: &[String]| {
        let name = format!("raw.{}", parts.last()?);
        let keys = if name == SOURCES[0] { vec![vec![0]] } else { Vec::new() };
        SOURCES.contains(&&*name).then(|| (RelationId(name.as_str().into()), RelationType { columns: columns(), keys }))
    };
    let models = [
        (
            "mart",
            "select o.id, o.value, coalesce(m.moves, 0) as moves, m.total
             from orders o left join (select id, count(*) as moves, cast(sum(value) as bigint) as total from moves group by id) m
               on m.id = o.id",
        ),
        ("clicks", "select id, count(*) as clicks from clicks group by id"),
        ("today", "select current_date as day, count(*) as clicks from clicks"),
    ];
    let bound: Vec<_> = models.iter().map(|(_, sql)| plan::bind(sql, &resolve).expect("it binds")).collect();
    let named = models.iter().zip(&bound).map(|((name, _), model)| (RelationId((*name).into()), model.plan.clone()));
    let plans = plan::inline(optimize(named.collect(), &RewriteOptions::default()));
    let mut deployment = Deployment { instance: INSTANCE.into(), ..Deployment::default() };
    for (at, ((name, _), model)) in models.iter().zip(&bound).enumerate() {
        deployment.models.push(ModelPlan { id: (*name).into(), plan: plans[at].1.clone() });
        let column = |column: &Column| TableColumn { name: column.name.clone(), ty: column.ty.clone(), nullable: true };
        let table = TableSpec {
            model: (*name).into(),
            schema: String::new(),
            name: (*name).into(),
            columns: model.columns.iter().map(column).collect(),
            key: (*name != "today").then(|| vec![0]),
            fingerprint: "1".into(),
            compiled_sql: String::new(),
            properties: TableProperties::default(),
        };
        deployment.published.push(PublishedModel { model: at, table });
    }
    let source = |(table, spec)| TableSource {
        table,
        spec,
        source: "raw".into(),
        identifier: SOURCES[table].into(),
        is_shared: false,
        connector: Connector::File { path: "none".into(), topic: None },
        format: Format::Json,
        encodings: BTreeMap::new(),
        registry: None,
        transactions: None,
    };
    deployment.sources = specs().into_iter().enumerate().map(source).collect();
    deployment
}

fn changelog(dice: &mut Dice) -> ChangelogConfig {
    ChangelogConfig {
        brokers: String::new(),
        topic: "marts.{table}".into(),
        envelope: if dice.between(0, 2) == 0 { Envelope::Upsert } else { Envelope::Debezium },
        properties: BTreeMap::new(),
        carries_all: true,
        partitions: 1,
        replication: 1,
        position_topic: None,
        outbox_records_max: dice.between(1, 300) as u64,
        outbox_bytes_max: u64::MAX,
    }
}

/// What outlives the processes, and how unkind the world is to them.
struct World {
    seed: u64,
    dice: Dice,
    deployment: Deployment,
    said: Arc<Said>,
    store: Store,
    kafka: MemoryLog,
    changelog: ChangelogConfig,
    disk: Disk,
    /// The topics forget what the state has; else they keep everything, and the state may be lost.
    forgets: bool,
    has_threads: bool,
    low: [u64; PLACES.len()],
    clock: ClockMode,
    /// What the system's clock shows at the beginning of a run, microseconds since 1970.
    wall: i64,
    runs: u64,
    /// A backup of the sink.
    backup: Option<sink::Inner>,
    restores: u64,
    /// When what was done, as a number.
    trace: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let several = dice.between(0, 2) == 0;
        let said = Arc::new(Said::new(&mut dice, RECORDS, several));
        let forgets = dice.between(0, 2) == 0;
        World {
            seed,
            deployment: deployment(),
            said,
            store: Store::default(),
            kafka: MemoryLog::default(),
            changelog: changelog(&mut dice),
            disk: Disk::new(seed),
            forgets,
            has_threads: false,
            low: [0; PLACES.len()],
            clock: if dice.between(0, 2) == 0 { ClockMode::Event } else { ClockMode::Wall },
            wall: 1_790_000_000_000_000,
            runs: 0,
            backup: None,
            restores: 0,
            trace: 0,
            dice,
        }
    }

    /// The models whose changes go to Kafka: `today` has no key, which only the debezium envelope can tell.
    fn carried(&self) -> impl Iterator<Item = &'static str> {
        let all = ["mart", "clicks", "today"];
        let count = if self.changelog.envelope == Envelope::Upsert { 2 } else { 3 };
        all.into_iter().take(count)
    }

    fn published(&self) -> Positions {
        let rows = &self.store.inner().state.progress;
        rows.iter().map(|row| ((row.source.clone(), row.partition.clone()), (row.position, row.mark.clone()))).collect()
    }

    /// One process, from its start to its crash or to the end of what it is given.
    fn run(&mut self, is_last: bool) -> Result<(), String> {
        self.runs += 1;
        let dice = Dice::new(self.seed * 1_000 + self.runs);
        let mut throw = Dice::new(self.seed * 1_000_000 + self.runs);
        let faults = match is_last {
            true => Faults { lost_answer: 3, away: 1, crash: 0, shipping: 0 },
            false => Faults { lost_answer: 3, away: 1, crash: throw.between(0, 5), shipping: throw.between(0, 50) },
        };
        if !is_last && throw.between(0, 3) > 0 {
            let call = throw.between(1, 60) as u64;
            self.disk.crash_at(Some(Crash { call, after: throw.between(0, 2) == 0 }));
        }
        let death = Arc::new(AtomicBool::new(false));
        let (disk, dead) = (self.disk.clone(), death.clone());
        let is_dead = move || dead.load(Ordering::SeqCst) || disk.has_crashed();
        let mut sink = self.store.open(format!("run {}", self.runs), dice.clone(), faults, &death, is_dead.clone());
        let mut state = sink.state().map_err(|error| error.to_string())?;
        let stored: Vec<StoredTable> =
            self.deployment.sources.iter().map(|table| StoredTable::new(&table.spec, &table.spec.name)).collect();
        let mut folder = StateFolder::over(self.disk.files(), Path::new("state"), INSTANCE);
        folder.look().map_err(|error| error.to_string())?;
        let resume = resume(folder.stored.as_ref(), &stored, &state, &BTreeSet::new());
        assert!(resume.unfit.is_empty());
        if resume.is_ahead {
            state.models.clear();
        }
        // What a run is given to read: it ends there, or dies before.
        let end = if is_last { RECORDS } else { throw.between(0, RECORDS as i64) as u64 };
        let mut readers = Vec::new();
        for (place, (source, name)) in PLACES.into_iter().enumerate() {
            let named = (SOURCES[source].to_owned(), name.to_owned());
            let known =
                [self.published().get(&named).map_or(0, |at| at.0), resume.from.get(&named).map_or(0, |at| at.0)];
            let end = end.max(known[0]).max(known[1]).min(self.said.ends()[place]);
            let opened = open(&self.said, place, (self.low[place], end), &resume.from, dice.clone(), is_dead.clone());
            readers.push(opened.map_err(|error| error.to_string())?);
        }
        let mut inheritance = Inheritance::new(folder, stored, resume, BTreeSet::new());
        inheritance.limits = KeeperLimits {
            frame_bytes: throw.between(1, 3_000) as usize,
            frame_interval: Duration::from_millis(throw.between(0, 20) as u64),
            part_bytes: throw.between(50, 2_000) as usize,
            sweep_bytes_min: throw.between(100, 4_000) as u64,
            ready_bytes_max: throw.between(500, 50_000) as u64,
        };
        let interval =
            if throw.between(0, 8) == 0 { Duration::MAX } else { Duration::from_millis(throw.between(0, 3) as u64) };
        let epoch_records_max = if interval == Duration::MAX { u64::MAX } else { throw.between(5, 200) as u64 };
        let limits = Limits { commit_interval: interval, epoch_records_max, memory_bytes_max: None };
        let stored = state.cut.as_ref().map(|cut| cut.clock);
        let settings = ClockSettings { mode: self.clock, time_zone: chrono_tz::Tz::UTC, tick: Duration::from_secs(60) };
        let stage = if self.has_threads { Stage::Threads } else { Stage::alone(self.seed * 7_919 + self.runs) };
        let clock = Clock::new(settings, stored, self.deployment.clock_needs(), self.wall_time(&stage, &mut throw));
        let stop = StopFlag::default();
        // Sometimes somebody says SIGTERM.
        let stops_at = if is_last { u64::MAX } else { throw.between(1, 400) as u64 };
        let (mut turns, disk, asked) = (0, self.disk.clone(), stop.clone());
        let mut on_event = |event: EngineEvent<'_>| match event {
            EngineEvent::Turn { .. } => {
                turns += 1;
                if turns == stops_at {
                    asked.stop();
                }
            }
            // Reading has stopped because the disk is full: somebody makes room.
            EngineEvent::HeldBack { reason: Some(_) } => disk.set_room(None),
            _ => {}
        };
        let broker = self.kafka.broker(sink.accidents(self.seed * 31 + self.runs));
        let carried = self.carried().map(str::to_owned).collect();
        let (sink, config) = (Box::new(sink), self.changelog.clone());
        let sink = ChangelogSink::new(sink, Box::new(broker), config, INSTANCE, "", carried, stage.clone());
        let mut drive = Drive::without_sink(
            &self.deployment,
            &state,
            1,
            false,
            clock,
            limits,
            stop,
            &readers,
            stage.clone(),
            &mut on_event,
        );
        let outcome = drive
            .own(&self.deployment, &state, Box::new(sink), false)
            .and_then(|()| drive.run(readers, &state, Some(inheritance)));
        self.wall = self.wall.max(0) + stage.elapsed().as_micros() as i64;
        self.trace = self.trace.wrapping_mul(31).wrapping_add(stage.elapsed().as_nanos() as u64);
        death.store(true, Ordering::SeqCst);
        self.disk.crash();
        outcome.map(|_| ()).map_err(|error: EngineError| error.to_string())
    }

    /// The system's clock, which somebody sets now and then, to a later day or to an earlier one.
    fn wall_time(&mut self, stage: &Stage, throw: &mut Dice) -> WallTime {
        if throw.between(0, 3) == 0 {
            self.wall += throw.between(-3, 4) * 86_400_000_000;
        }
        let (base, stage) = (self.wall, stage.clone());
        let (jumps_at, jump) = (throw.between(0, 3_000_000), throw.between(-2, 3) * 40_000_000_000);
        WallTime::from_fn(move || {
            let elapsed = stage.elapsed().as_micros() as i64;
            base + elapsed + if elapsed >= jumps_at { jump } else { 0 }
        })
    }

    /// What happens between two processes.
    fn pass(&mut self) {
        self.disk.restart();
        // The sink is backed up, or goes back to its backup, or to nothing.
        match self.dice.between(0, 16) {
            0..3 => self.backup = Some(self.store.inner().clone()),
            3 => {
                *self.store.inner() = self.backup.clone().unwrap_or_default();
                self.restores += 1;
                // The changelog is ahead of it: somebody deletes it, as the refusal says.
                self.kafka.wipe();
                self.store.inner().lose_topics(0, |_| true);
            }
            4 => {
                let (at, last) = (self.dice.between(0, 2) as usize, self.carried().count() - 1);
                let topic = self.changelog.topic_of("", self.carried().nth(at.min(last)).unwrap_or_default());
                self.kafka.delete_topic(&topic);
                self.store.inner().lose_topics(self.kafka.position().unwrap_or(0), |lost| lost == topic);
            }
            _ => {}
        }
        if !self.forgets && self.dice.between(0, 12) == 0 {
            self.disk.wipe();
        }
        if self.forgets {
            let stored = StateFolder::over(self.disk.files(), Path::new("state"), INSTANCE);
            let mut stored = stored;
            stored.look().expect("a state that was never damaged can be read");
            let marks = stored.stored.map(|stored| stored.mark.partitions).unwrap_or_default();
            for (source, partition, at) in marks {
                let is_it = |(of, name): &(usize, &str)| *SOURCES[*of] == *source && **name == *partition;
                let place = PLACES.iter().position(is_it).expect("a place of ours");
                self.low[place] = self.low[place].max(at.map_or(0, |(position, _)| position));
            }
        }
        if self.dice.between(0, 15) == 0 {
            self.disk.set_room(Some(self.disk.bytes() + 500));
        } else {
            self.disk.set_room(None);
        }
    }

    fn check(&self) {
        let positions = self.published();
        let inner = self.store.inner();
        let clock = inner.state.cut.as_ref().map_or(0, |cut| cut.clock);
        let (tables, faults) = tables_at(&self.said, &positions, clock);
        if inner.state.cut.is_none() {
            assert!(inner.tables.values().all(BTreeMap::is_empty));
            return;
        }
        for (model, expected) in &tables {
            let found = inner.tables.get(model).cloned().unwrap_or_default();
            assert_eq!(&found, expected, "seed {}, run {}: {model} at {positions:?}", self.seed, self.runs);
        }
        // What is in Kafka, and what the outbox has beyond.
        let mut told: Vec<_> =
            self.kafka.committed().into_iter().map(|shipped| (shipped.seq, shipped.record)).collect();
        let position = self.kafka.position().unwrap_or(0);
        let waiting = inner.outbox.iter().filter(|((seq, _), _)| *seq > position);
        told.extend(waiting.map(|((seq, _), record)| (*seq, record.clone())));
        let place = format!("seed {}, run {}", self.seed, self.runs);
        assert!(told == inner.told, "{place}: {} records of {} are told", told.len(), inner.told.len());
        for model in self.carried() {
            let topic = self.changelog.topic_of("", model);
            if !inner.broken.contains(&topic) {
                let folded = fold::table(told.iter().map(|(_, record)| record).filter(|record| record.topic == topic));
                assert_eq!(&folded, &tables[model], "{place}: the changelog of {model}");
            }
        }
        let set_aside: i64 = inner.errors.values().sum();
        assert_eq!(set_aside, faults, "seed {}, run {}: errors at {positions:?}", self.seed, self.runs);
    }
}

/// What a world came to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    crashes: u64,
    restores: u64,
    forgets: bool,
    /// Of everything that was committed and when.
    trace: (u64, u64),
}

fn simulate(seed: u64) -> Outcome {
    let mut world = World::new(seed);
    let mut crashes = 0;
    while world.runs < RUNS_MAX && crashes < 6 {
        crashes += u64::from(world.run(false).is_err());
        world.check();
        world.pass();
    }
    world.disk.set_room(None);
    if let Err(error) = world.run(true) {
        panic!("seed {seed}: the last run, with nothing in its way, ends with: {error}");
    }
    // Whatever was deleted has begun anew, or came again from the outbox.
    world.store.inner().broken.clear();
    world.check();
    let published = world.published();
    let ends = PLACES.map(|(source, name)| {
        published.get(&(SOURCES[source].to_owned(), name.to_owned())).map_or(0, |(position, _)| *position)
    });
    assert_eq!(ends[..], world.said.ends(), "seed {seed}: everything is published");
    assert!(world.store.inner().outbox.is_empty(), "seed {seed}: everything is shipped");
    let trace = (world.store.inner().trace, world.trace);
    Outcome { crashes, restores: world.restores, forgets: world.forgets, trace }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn simulation_of_crashes_loses_and_doubles_nothing() {
    let (seeds, first) = (number("LIVEMART_SEEDS", 200), number("LIVEMART_SEED", 1));
    let next = AtomicU64::new(first);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let work = || {
            let mut outcomes = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= first + seeds {
                    return outcomes;
                }
                // Whatever fails, the seed is said.
                let outcome = std::panic::catch_unwind(|| simulate(seed));
                outcomes.push(
                    outcome.unwrap_or_else(|_| panic!("seed {seed} fails: LIVEMART_SEED={seed} LIVEMART_SEEDS=1")),
                );
            }
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no seed fails")).collect()
    });
    let crashes: u64 = outcomes.iter().map(|outcome| outcome.crashes).sum();
    let restores: u64 = outcomes.iter().map(|outcome| outcome.restores).sum();
    let forgetful = outcomes.iter().filter(|outcome| outcome.forgets).count() as u64;
    println!("{seeds} seeds, {crashes} crashes, {restores} restored sinks, {forgetful} worlds whose sources forget");
    assert!(seeds < 20 || crashes > seeds && forgetful > 0 && forgetful < seeds, "the world is unkind");
}

#[test]
fn a_run_whose_worker_is_gone_ends_with_an_error_and_publishes_nothing_more() {
    let mut world = World::new(7);
    world.has_threads = true;
    let clicks = &mut world.deployment.models[1].plan;
    // No plan of ours negates a number: the evaluator panics at the first row.
    let predicates = vec![Expr::Not(Box::new(Expr::Column(0)))];
    *clicks = Arc::new(Plan::Filter { input: clicks.clone(), predicates });
    let error = world.run(true).expect_err("a worker is gone");
    assert!(error.contains("worker stopped unexpectedly"), "{error}");
    // Epochs before the first click may have been published; none with a click was.
    assert!(world.store.inner().tables.get("clicks").is_none_or(BTreeMap::is_empty));
}

/// Its broker is away when a process begins, and a topic of a known table was deleted before.
#[test]
fn simulation_of_a_topic_that_was_deleted_while_the_broker_was_away() {
    simulate(138);
}

#[test]
fn simulation_of_a_seed_is_the_same_each_time() {
    for seed in 1_000..1_004 {
        assert_eq!(simulate(seed), simulate(seed), "seed {seed}");
    }
    assert_ne!(simulate(1_000).trace, simulate(1_001).trace);
}
