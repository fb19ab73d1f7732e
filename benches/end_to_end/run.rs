//! `livemart run` from the first event to the last.

use super::super::mart::Query;
use super::super::measure::{Cost, run_child};
use super::super::shop_stream::Workload;
use super::{EndToEndError, Place};

/// What a whole `livemart run` cost.
#[derive(Clone, Copy, Debug)]
pub struct RunCost {
    pub events_per_cpu_second: f64,
    pub resident_max_bytes: u64,
}

/// Reads all events and publishes; the place has not been used before.
pub fn run(place: &Place, workload: &Workload, queries: &[Query]) -> Result<RunCost, EndToEndError> {
    let mut command = place.command("run", "files", &workload.events_file(), queries);
    let (_, Cost { cpu, resident_max_bytes }) = run_child(&mut command, &place.log())?;
    Ok(RunCost { events_per_cpu_second: workload.summary.events as f64 / cpu.as_secs_f64(), resident_max_bytes })
}
