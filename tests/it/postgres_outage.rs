//! A real server that stops, crashes and comes back while cuts are written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use livemart::sink::postgres::TlsSettings;
use livemart::sink::{Commit, PostgresConfig, PostgresSink, Sink, SinkError};

use super::own_server::OwnServer;
use super::postgres_sink::{Client, INSTANCE, cut, evolve, order, orders};

fn open(server: &OwnServer, owner: &str) -> PostgresSink {
    let config = PostgresConfig {
        url: server.url(),
        password_file: None,
        tls: TlsSettings::default(),
        schema: "marts".into(),
        meta_schema: "livemart".into(),
    };
    PostgresSink::open(config, INSTANCE, owner).expect("nobody owns it")
}

/// As the publisher does it: the same cut, until it is there. Gives the number of tries that failed.
fn persist(sink: &mut PostgresSink, commit: &Commit) -> usize {
    let started = Instant::now();
    for tries in 0.. {
        match sink.commit(commit) {
            Ok(()) => return tries,
            Err(SinkError::Unreachable { .. }) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => panic!("cut {}: {error}: {:?}", commit.seq, std::error::Error::source(&error)),
        }
        assert!(started.elapsed() < Duration::from_secs(60), "cut {} does not get through", commit.seq);
    }
    unreachable!("the loop ends by returning")
}

#[test]
fn postgres_outages_of_every_kind_lose_and_double_nothing() {
    let server = Arc::new(Mutex::new(OwnServer::start("outage", "")));
    let mut sink = open(&server.lock().expect("no panic"), "a");
    evolve(&mut sink, &[orders()]);
    let is_over = Arc::new(AtomicBool::new(false));
    let (over, trouble) = (is_over.clone(), server.clone());
    let troubles = std::thread::spawn(move || {
        let mut count = 0;
        while !over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(150));
            let mut server = trouble.lock().expect("no panic");
            match count % 3 {
                // A crash of the whole server, a fast shutdown, the end of our backend alone.
                0 => server.down(libc::SIGQUIT),
                1 => server.down(libc::SIGINT),
                _ => {
                    let client = Client::of(&server.url());
                    client.run(
                        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'livemart %'",
                    );
                    count += 1;
                    continue;
                }
            }
            std::thread::sleep(Duration::from_millis(100));
            server.up();
            count += 1;
        }
        count
    });
    let (mut seq, mut failed) = (0, 0);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(8) || failed < 5 {
        seq += 1;
        let id = seq as i64;
        let mut delta = vec![(order(id, "new"), 1)];
        if seq > 1 {
            delta.extend([(order(id - 1, "new"), -1), (order(id - 1, "paid"), 1)]);
        }
        failed += persist(&mut sink, &cut(seq, vec![(0, delta)]));
        assert!(started.elapsed() < Duration::from_secs(120), "{failed} failures in {seq} cuts");
    }
    is_over.store(true, Ordering::SeqCst);
    let troubles = troubles.join().expect("the server was stopped and started");
    let client = Client::of(&server.lock().expect("no panic").url());
    assert_eq!(
        client.one("select count(*) || ' ' || count(distinct id) || ' ' || count(*) filter (where status = 'new') from marts.orders"),
        format!("{seq} {seq} 1"),
        "{troubles} troubles, {failed} failed tries"
    );
    assert_eq!(client.one("select seq from livemart.cut"), seq.to_string());
}

#[test]
fn postgres_a_backend_that_is_killed_is_replaced() {
    let server = OwnServer::start("killed", "");
    let mut sink = open(&server, "killed");
    evolve(&mut sink, &[orders()]);
    sink.commit(&cut(1, vec![(0, vec![(order(1, "new"), 1)])])).expect("a cut");
    // Killing one backend takes the whole server down for a moment: that is PostgreSQL's way, and the sink waits.
    let client = Client::of(&server.url());
    let pid: i32 = client
        .one("select pid from pg_stat_activity where application_name = 'livemart killed'")
        .parse()
        .expect("a process id");
    // SAFETY: the process is a child of the server that this test has started.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    persist(&mut sink, &cut(2, vec![(0, vec![(order(1, "new"), -1), (order(1, "paid"), 1)])]));
    assert_eq!(Client::of(&server.url()).one("select status from marts.orders"), "paid");
}
