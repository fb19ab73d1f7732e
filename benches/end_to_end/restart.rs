//! What a `livemart serve` that was killed costs until it is fresh again, and what the state costs that makes it so.
//!
//! ```text
//!   serve reads all events ──kill -9──> serve again ──a line is appended──> its row is there: fresh
//!        └ peak memory, CPU of the thread that writes state                  └ CPU seconds, peak memory
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::super::measure::{kill_child, stop_child};
use super::super::shop_stream::Workload;
use super::serve::Server;
use super::{EndToEndError, Place};

/// How long state may lag behind the sink before the kill.
const STATE_LAG: Duration = Duration::from_millis(2_500);

#[derive(Clone, Copy, Debug)]
pub struct RestartCost {
    pub fresh_cpu: Duration,
    /// Peak resident memory of the killed process, and of the one after it when it was fresh.
    pub before_bytes: u64,
    pub after_bytes: u64,
    /// State on the disk at the kill.
    pub state_bytes: u64,
    /// CPU time of the thread that writes state, of all that the process took.
    pub writing_cpu: Duration,
    pub running_cpu: Duration,
}

pub fn restart(place: &Place, workload: &Workload) -> Result<RestartCost, EndToEndError> {
    let events = place.dir.join("events.jsonl");
    let failed = |cause| EndToEndError::Prepare { path: events.clone(), cause };
    fs::copy(workload.events_file(), &events).map_err(failed)?;
    let mut first = Server::start(place, &events)?;
    first.wait_for_hydration(workload)?;
    std::thread::sleep(STATE_LAG);
    let writing_cpu = Duration::from_secs_f64(metric(place, "livemart_state_cpu_seconds")?);
    let state_bytes = bytes_in(&place.dir.join("project/.livemart/serve/state")).map_err(failed)?;
    let cost = kill_child(first.take(), &place.log())?;
    let (running_cpu, before_bytes) = (cost.cpu, cost.resident_max_bytes);

    let mut second = Server::start(place, &events)?;
    let database = second.wait_for_hydration(workload)?;
    let mut file = OpenOptions::new().append(true).open(&events).map_err(failed)?;
    second.one_change(&database, &mut file, &workload.summary, 0)?;
    let fresh_cpu = cpu_of(second.pid()).map_err(failed)?;
    let cost = stop_child(second.take(), &place.log())?;
    Ok(RestartCost {
        fresh_cpu,
        before_bytes,
        after_bytes: cost.resident_max_bytes,
        state_bytes,
        writing_cpu,
        running_cpu,
    })
}

/// User and system time of a process that runs.
pub(super) fn cpu_of(pid: u32) -> std::io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything; fields are counted behind its closing parenthesis.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // SAFETY: the call takes a number and gives one.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as f64;
    Ok(Duration::from_secs_f64((ticks(11) + ticks(12)) as f64 / per_second))
}

fn bytes_in(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// A value of the page of the server that runs, whose address its log tells.
fn metric(place: &Place, name: &str) -> Result<f64, EndToEndError> {
    let unknown = || EndToEndError::Value(format!("the metric {name}"));
    let mut said = String::new();
    File::open(place.log()).and_then(|mut log| log.read_to_string(&mut said)).map_err(|_| unknown())?;
    let address = said.split("http://").nth(1).and_then(|rest| rest.split('/').next()).ok_or_else(unknown)?;
    let mut stream = TcpStream::connect(address).map_err(|_| unknown())?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut page = String::new();
    stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut page)).map_err(|_| unknown())?;
    let line = page.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).ok_or_else(unknown)
}
