//! How long one change takes under `livemart serve`, from the end of the write to a reader that sees the row.
//!
//! ```text
//!   all events ──> serve hydrates and waits │ append a line │ ……… │ data_version moves and the customer's row is new
//!                                           │ pause         └───────────── one sample ─────────────┘
//! ```
//!
//! 1. One change at a time, after a pause of its own length each time, so that changes do not fall in step with the interval.
//! 2. The reader is another connection that asks for `data_version`, which costs the writer nothing, and looks at the row only
//!    when something was committed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::super::measure::{Samples, stop_child};
use super::super::shop_stream::{Summary, Workload};
use super::restart::cpu_of;
use super::{EndToEndError, Place};

/// How often the reader looks; no sample is more exact.
const LOOK_INTERVAL: Duration = Duration::from_micros(100);
/// How long hydration may take, and one change.
const HYDRATION_MAX: Duration = Duration::from_secs(600);
const CHANGE_MAX: Duration = Duration::from_secs(30);
/// After the last event of the workload.
const TS_MS: i64 = 1_735_700_000_000;

/// (total_orders, total_payments, page_views) of a customer.
type Totals = (i64, String, i64);

/// Milliseconds of each of so many changes.
pub fn serve(place: &Place, workload: &Workload, changes: u32) -> Result<Samples, EndToEndError> {
    let events = place.dir.join("events.jsonl");
    let failed = |cause| EndToEndError::Prepare { path: events.clone(), cause };
    fs::copy(workload.events_file(), &events).map_err(failed)?;
    let mut file = OpenOptions::new().append(true).open(&events).map_err(failed)?;
    let server = Server::start(place, &events)?;
    let database = server.wait_for_hydration(workload)?;
    let mut milliseconds = Vec::new();
    for number in 0..changes {
        // Between 30 and 60 ms, a different part of the commit interval each time.
        sleep(Duration::from_micros(30_000 + u64::from(number) * 7_919 % 30_000));
        let took = server.one_change(&database, &mut file, &workload.summary, number)?;
        milliseconds.push(took.as_secs_f64() * 1e3);
    }
    server.stop()?;
    Ok(milliseconds.into_iter().collect())
}

/// How long the server may still be busy with what came last.
const SETTLING: Duration = Duration::from_secs(5);

/// The share of a core that a server takes which has read everything and hears of nothing new.
pub fn rest(place: &Place, workload: &Workload, watched: Duration) -> Result<f64, EndToEndError> {
    let server = Server::start(place, &workload.events_file())?;
    server.wait_for_hydration(workload)?;
    sleep(SETTLING);
    let cpu = || cpu_of(server.pid()).map_err(|cause| EndToEndError::Prepare { path: place.log(), cause });
    let (before, begun) = (cpu()?, Instant::now());
    sleep(watched);
    let share = (cpu()? - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    server.stop()?;
    Ok(share)
}

/// A running `livemart serve`; ended when dropped.
pub(super) struct Server<'a> {
    child: Option<Child>,
    place: &'a Place,
}

impl<'a> Server<'a> {
    pub(super) fn start(place: &'a Place, events: &Path) -> Result<Server<'a>, EndToEndError> {
        let failed = |cause| EndToEndError::Prepare { path: events.to_path_buf(), cause };
        let mut command = place.command("serve", "serve", events, &[]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(place.log()).map_err(failed)?);
        Ok(Server { child: Some(command.spawn().map_err(failed)?), place })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// The process, to be ended in another way; once.
    pub(super) fn take(&mut self) -> Child {
        self.child.take().expect("the server is taken once")
    }

    /// Waits until the workload's last position is published.
    pub(super) fn wait_for_hydration(&self, workload: &Workload) -> Result<Connection, EndToEndError> {
        let deadline = Instant::now() + HYDRATION_MAX;
        while Instant::now() < deadline {
            sleep(Duration::from_millis(50));
            // Until the first cut there is no file, then no table.
            let Ok(database) = self.place.open() else { continue };
            let position = database
                .query_row("SELECT max(position) FROM livemart_progress", [], |row| row.get::<_, Option<i64>>(0));
            if let Ok(Some(position)) = position
                && position.unsigned_abs() >= workload.summary.events
            {
                return Ok(database);
            }
        }
        Err(self.too_late("the workload", HYDRATION_MAX))
    }

    /// Appends a change and waits until its customer's row is new.
    pub(super) fn one_change(
        &self,
        database: &Connection,
        file: &mut File,
        summary: &Summary,
        number: u32,
    ) -> Result<Duration, EndToEndError> {
        let unreadable = |cause| self.place.unreadable(cause);
        let customer = i64::from(number * 7_919 % summary.customers) + 1;
        let before = totals(database, customer).map_err(unreadable)?;
        let mut version = data_version(database).map_err(unreadable)?;
        let line = change_line(summary, number, customer);
        file.write_all(line.as_bytes())
            .map_err(|cause| EndToEndError::Prepare { path: self.place.dir.join("events.jsonl"), cause })?;
        let begun = Instant::now();
        while begun.elapsed() < CHANGE_MAX {
            let looked = begun.elapsed();
            let current = data_version(database).map_err(unreadable)?;
            if current == version {
                sleep(LOOK_INTERVAL);
                continue;
            }
            version = current;
            if totals(database, customer).map_err(unreadable)? != before {
                return Ok(looked);
            }
        }
        Err(self.too_late(&format!("change {number}"), CHANGE_MAX))
    }

    fn too_late(&self, what: &str, after: Duration) -> EndToEndError {
        EndToEndError::TooLate { what: what.to_owned(), seconds: after.as_secs(), log: self.place.log() }
    }

    /// Asks the server to end; that it ends well is part of what is checked.
    fn stop(mut self) -> Result<(), EndToEndError> {
        if let Some(child) = self.child.take() {
            stop_child(child, &self.place.log())?;
        }
        Ok(())
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The measuring has failed already and says why; a server that is gone needs no end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn data_version(database: &Connection) -> rusqlite::Result<i64> {
    database.query_row("PRAGMA data_version", [], |row| row.get(0))
}

fn totals(database: &Connection, customer: i64) -> rusqlite::Result<Option<Totals>> {
    let mut rows = database.prepare_cached(
        "SELECT total_orders, CAST(total_payments AS TEXT), page_views FROM q1 WHERE customer_id = ?1",
    )?;
    rows.query_row([customer], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
}

/// A view, an order or a completed payment in turn, each of which shows in its customer's row.
fn change_line(summary: &Summary, number: u32, customer: i64) -> String {
    let (table, key, row) = match number % 3 {
        0 => {
            let id = i64::from(summary.views) + i64::from(number) + 1;
            let row = format!(
                r#"{{"event_id":{id},"customer_id":{customer},"page":"/cart","activity_at":"2025-01-01 00:00:00"}}"#
            );
            ("website_activity", format!(r#"{{"event_id":{id}}}"#), row)
        }
        1 => {
            let id = i64::from(summary.orders) + i64::from(number) + 1;
            let row = format!(
                r#"{{"order_id":{id},"customer_id":{customer},"status":"placed","order_date":"2025-01-01 00:00:00"}}"#
            );
            ("orders", format!(r#"{{"order_id":{id}}}"#), row)
        }
        _ => {
            let id = i64::from(summary.orders) + i64::from(number) + 1;
            let row = format!(
                r#"{{"payment_id":{id},"order_id":{id},"customer_id":{customer},"payment_amount":"12.34","payment_status":"completed","payment_date":"2025-01-01 00:00:00"}}"#
            );
            ("payments", format!(r#"{{"payment_id":{id}}}"#), row)
        }
    };
    let ts_ms = TS_MS + i64::from(number);
    format!(r#"{{"table":"{table}","op":"c","ts_ms":{ts_ms},"key":{key},"before":null,"after":{row}}}"#) + "\n"
}
