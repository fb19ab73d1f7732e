use super::*;

/// Gives so many batches, then an end or an error.
struct Counted {
    left: usize,
    polled: Arc<std::sync::atomic::AtomicUsize>,
    fails: bool,
}

impl Reader for Counted {
    fn wait_at(&mut self, _: crate::source::Gate) {}

    fn poll(&mut self, _: Duration) -> Result<Poll, SourceError> {
        self.polled.fetch_add(1, Ordering::Relaxed);
        if self.left == 0 {
            return if self.fails { Err(SourceError::new("gone")) } else { Ok(Poll::End) };
        }
        self.left -= 1;
        let batch = Batch {
            source: "s".into(),
            partition: "0".into(),
            records: vec![],
            position: 1,
            mark: String::new(),
            group: None,
        };
        Ok(Poll::Batch(batch))
    }

    fn remaining(&self) -> Vec<(Arc<str>, Arc<str>, Option<u64>)> {
        vec![("s".into(), "0".into(), Some(self.left as u64))]
    }
}

fn counted(left: usize, fails: bool) -> (Box<dyn Reader>, Arc<std::sync::atomic::AtomicUsize>) {
    let polled = Arc::default();
    (Box::new(Counted { left, polled: Arc::clone(&polled), fails }), polled)
}

const WAIT: Duration = Duration::from_secs(10);

#[test]
fn every_batch_comes_and_then_the_end_or_the_error() {
    let feed = Feed::start(vec![counted(3, false).0, counted(2, true).0]).expect("started");
    let (mut batches, mut ends) = ([0, 0], Vec::new());
    while ends.len() < 2 {
        match feed.next(WAIT).expect("an event") {
            Event::Batch(reader, _) => batches[reader] += 1,
            Event::End(reader) => ends.push(format!("{reader} end")),
            Event::Failed(reader, error) => ends.push(format!("{reader} {error}")),
        }
    }
    ends.sort();
    assert_eq!((batches, ends), ([3, 2], vec!["0 end".to_string(), "1 gone".to_string()]));
    assert_eq!(feed.reports()[0].remaining[0].2, Some(0));
}

#[test]
fn a_slow_engine_stops_the_polling() {
    let (reader, polled) = counted(usize::MAX, false);
    let feed = Feed::start(vec![reader]).expect("started");
    let deadline = Instant::now() + WAIT;
    while polled.load(Ordering::Relaxed) <= INBOX_BATCHES_MAX && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(polled.load(Ordering::Relaxed), INBOX_BATCHES_MAX + 1, "a full queue, and one batch in hand");
    assert!(matches!(feed.next(WAIT), Some(Event::Batch(0, _))));
    drop(feed); // and the threads end, though nobody takes the batches
}
