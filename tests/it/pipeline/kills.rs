//! Real kills: livemart, PostgreSQL and the broker die while 2,000 events a second flow, and a reader checks every cut it sees.
//!
//! ```text
//!   history ──2,000/s──> broker (kill -9) ──proxy (cut, slow)──> livemart (kill -9, SIGSTOP and a younger) ──proxy (cut, slow)──> PostgreSQL (kill -9)
//!                                                                                       reader: one transaction, invariants
//! ```
//!
//! 1. In every cut that is seen, accounts add up to totals, totals to the positions and to what is set aside, and revenue to its
//!    orders; cuts and positions never go back. Nothing is doubled and nothing is lost on the way.
//! 2. At the end a read-committed consumer that folds the changelog has the tables, and has met each cut once.
//! 3. At the end `livemart verify` computes every table again from the topics: all are equal.
//!
//! It ends servers, so it has some of its own: `scripts/x kills` starts them and names their folder.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::OnDrop;
use super::binary::{Live, await_that};
use super::changelog::{Changelog, all_tables, published};
use super::history::{Dice, History};
use super::parts::{Client, Proxy, brokers};
use super::shop::Shop;

const EVENTS_PER_SECOND: f64 = 2_000.0;
/// How long a fault may keep cuts from coming.
const RECOVERY_MAX: Duration = Duration::from_secs(300);

/// A server that can be killed and started again as it was.
struct Server {
    name: &'static str,
    folder: PathBuf,
    /// Program and arguments, as the first process had them.
    command: Vec<String>,
    id: i32,
}

impl Server {
    fn find(folder: &str, name: &'static str) -> Server {
        let folder = PathBuf::from(folder);
        let id = fs::read_to_string(folder.join(format!("{name}.pid"))).expect("a process id");
        let id: i32 = id.trim().parse().expect("a number");
        let command = fs::read(format!("/proc/{id}/cmdline")).expect("the server runs");
        let mut command: Vec<String> =
            command.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        while command.last().is_some_and(String::is_empty) {
            command.pop();
        }
        Server { name, folder, command, id }
    }

    /// SIGKILL for the server and all that it has started.
    fn kill(&self) {
        // SAFETY: both calls take numbers and give numbers; the group is that of a server of ours.
        let ended = unsafe { libc::kill(-libc::getpgid(self.id), libc::SIGKILL) };
        assert_eq!(ended, 0, "{} is killed", self.name);
        if self.name == "postgres" {
            // It is dead, and so is all that it had started: the file speaks of nobody.
            let data = self.command.iter().skip_while(|word| *word != "-D").nth(1).expect("its folder");
            let _ = fs::remove_file(PathBuf::from(data).join("postmaster.pid"));
        }
        await_that("the server is gone", || (!PathBuf::from(format!("/proc/{}/exe", self.id)).exists()).then_some(()));
    }

    fn start(&mut self) {
        // SAFETY: the call has no preconditions.
        let is_root = unsafe { libc::geteuid() } == 0;
        let drops_root = is_root && self.name == "postgres";
        let words: Vec<&str> = if drops_root { vec!["runuser", "-u", "postgres", "--"] } else { Vec::new() };
        let words: Vec<String> = words.into_iter().map(str::to_owned).chain(self.command.iter().cloned()).collect();
        let log = fs::OpenOptions::new().append(true).create(true).open(self.folder.join(format!("{}.log", self.name)));
        let log = log.expect("a log");
        // What was killed may not be reaped yet: PostgreSQL takes it for a living postmaster, and ends at once.
        let mut child = await_that("the server stays", || {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).current_dir("/").stdin(Stdio::null());
            command.stdout(log.try_clone().expect("a file")).stderr(log.try_clone().expect("a file"));
            // SAFETY: setsid is safe between fork and exec.
            unsafe {
                command.pre_exec(|| {
                    libc::setsid();
                    Ok(())
                });
            }
            let mut child = command.spawn().expect("the server starts");
            std::thread::sleep(Duration::from_millis(700));
            child.try_wait().expect("a process of ours").is_none().then_some(child)
        });
        self.id = child.id().cast_signed();
        std::thread::spawn(move || child.wait());
        // Who ends the servers finds them by this.
        fs::write(self.folder.join(format!("{}.pid", self.name)), format!("{}\n", self.id)).expect("written");
    }
}

/// What a reader sees in one transaction.
struct Seen {
    seq: i64,
    positions: Vec<i64>,
}

/// Looks, and checks what must hold in any cut.
fn look(shop: &Shop) -> Option<Seen> {
    let client = Client::connect()?;
    let (marts, meta) = (&shop.schemas.marts, &shop.schemas.meta);
    client.try_run("begin isolation level repeatable read read only")?;
    if client.try_column(&format!("select to_regclass('{meta}.cut') is not null"))?.concat() != "t" {
        return None;
    }
    let number = |sql: String| -> Option<i64> { client.try_column(&sql)?.first()?.parse().ok() };
    let seq = number(format!("select seq from {meta}.cut"))?;
    let moves = number(format!("select coalesce(sum(moves), 0) from {marts}.accounts_by_customer"))?;
    let balance = number(format!("select coalesce(sum(balance), 0) from {marts}.accounts_by_customer"))?;
    let all_moves = number(format!("select moves from {marts}.totals"))?;
    let all_balance = number(format!("select balance from {marts}.totals"))?;
    let read =
        number(format!("select coalesce(sum(position), 0) from {meta}.progress where source = 'raw.transfers'"))?;
    let aside =
        number(format!("select coalesce(sum(total), 0) from {meta}.error_counts where source = 'raw.transfers'"))?;
    let revenue = number(format!("select coalesce(sum(revenue) * 100, 0)::bigint from {marts}.customer_totals"))?;
    let by_order = number(format!(
        "select coalesce(sum(items_amount) * 100, 0)::bigint from {marts}.order_mart where status <> 'cancelled'"
    ))?;
    let positions =
        client.try_column(&format!("select position from {meta}.progress order by source, \"partition\""))?;
    client.try_run("commit")?;
    assert_eq!((moves, balance), (all_moves, all_balance), "the ledger balances in cut {seq}");
    assert_eq!(all_moves + aside, read, "cut {seq} has each transfer up to its positions once");
    assert_eq!(revenue, by_order, "revenue comes with its orders in cut {seq}");
    Some(Seen { seq, positions: positions.iter().filter_map(|text| text.parse().ok()).collect() })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Livemart,
    Postgres,
    Broker,
    Zombie,
    Cut,
    Slow,
    BrokerCut,
    BrokerSlow,
}

fn use_state_folder(shop: &Shop, number: u64) {
    let text = fs::read_to_string(shop.folder.path("livemart.yml")).expect("the file is there");
    let own = format!("    state: {{path: \"state{number}\"}}");
    let kept = text.lines().filter(|line| !line.contains("state: {path:"));
    let lines = kept.flat_map(|line| [line.starts_with("    clock:").then_some(own.as_str()), Some(line)]);
    shop.folder.write("livemart.yml", &(lines.flatten().collect::<Vec<_>>().join("\n") + "\n"));
}

/// A proxy before the broker, through which livemart reads: the broker tells its clients to come back by the proxy's port.
fn before_broker(shop: &Shop) -> Proxy {
    let address = |name: &str| -> (String, u16) {
        let text = std::env::var(name).unwrap_or_else(|_| panic!("{name} holds an address"));
        let (host, port) = text.rsplit_once(':').expect("host:port");
        (host.to_owned(), port.parse().expect("a port"))
    };
    let (_, port) = address("LIVEMART_TEST_KAFKA_PROXY");
    shop.folder.replace("livemart.yml", &brokers(), &format!("127.0.0.1:{port}"));
    Proxy::between(port, address("LIVEMART_TEST_KAFKA_BEHIND_PROXY"))
}

#[test]
#[ignore = "kills its broker and its PostgreSQL, which must be nobody else's: scripts/x kills"]
fn kills_of_everything_lose_and_double_nothing() {
    let folder = std::env::var("LIVEMART_KILL_PARTS").expect("LIVEMART_KILL_PARTS names the folder of servers to kill");
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, seed) = (number("LIVEMART_KILLS", 20), number("LIVEMART_SEED", 1));
    let (mut postgres, mut broker) = (Server::find(&folder, "postgres"), Server::find(&folder, "kafka"));
    let proxy = Proxy::new();
    let shop = Shop::new("kills", &proxy.url(), "50ms");
    let broker_proxy = before_broker(&shop);
    let changelog = Changelog::of(&shop, "debezium", ", partitions: 2");
    let (is_over, seen, cuts) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            let mut history = History::new(&shop, seed);
            let (began, mut said) = (Instant::now(), 0.0);
            while !is_over.load(Ordering::SeqCst) {
                while said < began.elapsed().as_secs_f64() * EVENTS_PER_SECOND {
                    let before = shop.len();
                    (0..20).for_each(|_| history.step());
                    said += (shop.len() - before) as f64;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            shop.flush();
        });
        let reading = scope.spawn(|| {
            let mut last: Option<Seen> = None;
            while !is_over.load(Ordering::SeqCst) {
                let Some(now) = look(&shop) else {
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                };
                if let Some(last) = &last {
                    assert!(last.seq <= now.seq, "cut {} came after {}", now.seq, last.seq);
                    let went_back = last.positions.iter().zip(&now.positions).any(|(old, new)| new < old);
                    assert!(
                        !went_back || last.positions.len() != now.positions.len(),
                        "positions go back in cut {}",
                        now.seq
                    );
                    cuts.fetch_add(u64::from(last.seq < now.seq), Ordering::SeqCst);
                }
                seen.store(now.seq.unsigned_abs(), Ordering::SeqCst);
                last = Some(now);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let ends = OnDrop(&is_over);
        // A cut that was begun after now.
        let goes_on = |what: &str| {
            let (from, deadline) = (seen.load(Ordering::SeqCst), Instant::now() + RECOVERY_MAX);
            while seen.load(Ordering::SeqCst) < from + 2 {
                assert!(!reading.is_finished(), "the reader saw something wrong");
                assert!(Instant::now() < deadline, "no cut came for {} s after: {what}", RECOVERY_MAX.as_secs());
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        let mut dice = Dice::new(seed + 1);
        let mut live: Live = shop.folder.serve(&[]);
        goes_on("the start");
        let mut counts = std::collections::BTreeMap::new();
        for round in 0..rounds {
            use Fault::{Broker, BrokerCut, BrokerSlow, Cut, Livemart, Postgres, Slow, Zombie};
            let fault = match round % 20 {
                // A zombie takes the patience that its heir has with it.
                9 => Zombie,
                _ => dice.one_of(&[
                    Livemart, Livemart, Livemart, Postgres, Postgres, Broker, Cut, Cut, Slow, BrokerCut, BrokerCut,
                    BrokerSlow,
                ]),
            };
            *counts.entry(fault).or_insert(0) += 1;
            std::thread::sleep(Duration::from_millis(dice.between(100, 2_000) as u64));
            let pause = Duration::from_millis(dice.between(0, 1_500) as u64);
            match fault {
                Livemart => {
                    live.kill();
                    live = shop.folder.serve(&[]);
                }
                Postgres => {
                    postgres.kill();
                    std::thread::sleep(pause);
                    postgres.start();
                }
                Broker => {
                    broker.kill();
                    std::thread::sleep(pause);
                    broker.start();
                }
                Cut | BrokerCut => {
                    let proxy = if fault == Cut { &proxy } else { &broker_proxy };
                    proxy.go_down();
                    std::thread::sleep(pause);
                    proxy.come_back();
                }
                Slow | BrokerSlow => {
                    let proxy = if fault == Slow { &proxy } else { &broker_proxy };
                    proxy.delay(Duration::from_millis(dice.between(20, 200) as u64));
                    std::thread::sleep(pause * 2);
                    proxy.delay(Duration::ZERO);
                }
                Zombie => {
                    live.signal(libc::SIGSTOP);
                    // As on another machine: the younger has state of its own.
                    use_state_folder(&shop, round);
                    let younger = shop.folder.serve(&["--take-over"]);
                    await_that("the younger owns the sink", || younger.said().contains("ook over").then_some(()));
                    live.signal(libc::SIGCONT);
                    let code = await_that("the zombie ends", || live.try_wait());
                    assert_eq!(code, Some(1), "{}", live.said());
                    live = younger;
                }
            }
            goes_on(&format!("{fault:?} in round {round}"));
        }
        drop(ends);
        producing.join().expect("produced");
        reading.join().expect("the reader saw nothing wrong");
        let (ends, started) = (shop.ends(), Instant::now());
        let read_all = || -> Option<()> {
            let all: i64 = ends.values().map(|end| *end as i64).sum();
            let now = look(&shop)?;
            (now.positions.iter().sum::<i64>() == all).then_some(())
        };
        while read_all().is_none() {
            assert!(started.elapsed() < RECOVERY_MAX, "what was said is read to its end");
            std::thread::sleep(Duration::from_millis(200));
        }
        let (code, said) = live.terminate();
        assert_eq!(code, Some(0), "{said}");
        let answer = shop.folder.livemart(&["verify"]);
        assert_eq!(answer.code, 0, "{answer:#?}");
        // What a read-committed consumer makes of the changelog is what the tables are.
        let tables = all_tables();
        let ((folded, told), published) = (changelog.fold(&tables), published(&shop.schemas, &tables));
        for table in tables {
            assert_eq!(folded[table], published[table], "the changelog of {table}");
        }
        println!("{told} cuts were told to Kafka, each once");
        println!(
            "{rounds} rounds {counts:?} from seed {seed}: {} records, {} cuts seen, 0 lost, 0 doubled, 0 unequal, in {:.0} s; {}",
            shop.len(),
            cuts.load(Ordering::SeqCst),
            began.elapsed().as_secs_f64(),
            answer.err.lines().find(|line| line.contains("Compared")).unwrap_or_default()
        );
    });
}
