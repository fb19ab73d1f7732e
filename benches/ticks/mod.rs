//! What the clock costs when no event comes: a day for every customer, and a filter whose rows expire.
//!
//! ```text
//!   customers × orders ──feed──> │ days_since_last_order (every row moves at midnight) │ tick by tick ──> CPU
//!                                │ orders of the last 90 days (few rows move)          │
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use livemart::engine::{Changes, Dataflow, Output, Workers, WorkersGone};
use livemart::plan::rewrite::{RewriteOptions, optimize};
use livemart::plan::sql::parse_type;
use livemart::plan::{self, Column, PlanError, RelationId, RelationType};
use livemart::render::RenderModel;
use livemart::time::Moment;
use row::{Datum, Diff, Row, calendar};

use super::measure::{Samples, process_cpu};

const DAYS_SINCE: &str = "select customer, max(placed) as last_order, current_date - max(placed) as days_since_last_order, count(*) as orders \
     from orders group by customer";
const LAST_90_DAYS: &str = "select id, customer from orders where at >= now() - interval '90 days'";

const ORDERS_PER_CUSTOMER: i64 = 10;
/// 2025-06-01.
const TODAY: i64 = 20_240;
const DAYS: i64 = 5;
const TICKS: i64 = 100;
const MINUTE: i64 = calendar::MICROS_PER_MINUTE;

/// CPU of the ticks, and how many rows they moved.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub day_cpu_us: Samples,
    /// Rows that came, by day.
    pub day_rows: Vec<usize>,
    pub filter_cpu_us: Samples,
    /// Rows that went, over all ticks of the filter.
    pub expired: usize,
    /// Those that went as it should be, counted by hand.
    pub expired_by_hand: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum TickError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Workers(#[from] WorkersGone),
}

/// Feeds the orders of so many customers, then lets days and minutes pass.
pub fn run(customers: i64) -> Result<Outcome, TickError> {
    let midnight = TODAY * calendar::MICROS_PER_DAY;
    let mut days = Running::start(DAYS_SINCE)?;
    days.feed(customers)?;
    days.tick(midnight)?;
    let (mut day_cpu_us, mut day_rows) = (Vec::new(), Vec::new());
    for day in 1..=DAYS {
        let (cpu, changes) = days.tick(midnight + day * calendar::MICROS_PER_DAY)?;
        day_cpu_us.push(cpu.as_secs_f64() * 1e6);
        day_rows.push(changes.iter().filter(|(_, diff)| *diff > 0).count());
    }
    days.workers.stop();
    let mut filter = Running::start(LAST_90_DAYS)?;
    filter.feed(customers)?;
    filter.tick(midnight)?;
    let (mut filter_cpu_us, mut expired) = (Vec::new(), 0);
    for tick in 1..=TICKS {
        let (cpu, changes) = filter.tick(midnight + tick * MINUTE)?;
        filter_cpu_us.push(cpu.as_secs_f64() * 1e6);
        expired += changes.iter().filter(|(_, diff)| *diff < 0).count();
    }
    filter.workers.stop();
    let edge = midnight - 90 * calendar::MICROS_PER_DAY;
    let over = |at: i64| at >= edge && at < edge + TICKS * MINUTE;
    let expired_by_hand = orders(customers).filter(|(_, _, at)| over(*at)).count();
    let (day_cpu_us, filter_cpu_us) = (day_cpu_us.into_iter().collect(), filter_cpu_us.into_iter().collect());
    Ok(Outcome { day_cpu_us, day_rows, filter_cpu_us, expired, expired_by_hand })
}

/// (id, customer, when): spread evenly over the last half year.
fn orders(customers: i64) -> impl Iterator<Item = (i64, i64, i64)> {
    let half_year = 180 * calendar::MICROS_PER_DAY;
    let step = half_year / (customers * ORDERS_PER_CUSTOMER);
    let start = TODAY * calendar::MICROS_PER_DAY - half_year;
    // A stride that meets every customer, so that neighbours in time are none in the table.
    (0..customers * ORDERS_PER_CUSTOMER).map(move |id| (id, id * 7_919 % customers, start + id * step))
}

struct Running {
    workers: Workers,
    epoch: u64,
}

impl Running {
    fn start(sql: &str) -> Result<Running, PlanError> {
        let orders = RelationId("orders".into());
        let column = |name: &str, ty: &str| {
            parse_type(ty).map(|ty| Column { name: name.to_owned(), ty, nullable: true, scale_max: None })
        };
        let columns = vec![
            column("id", "bigint")?,
            column("customer", "bigint")?,
            column("placed", "date")?,
            column("at", "timestamptz")?,
        ];
        let tables: BTreeMap<&str, RelationType> = [("orders", RelationType { columns, keys: vec![vec![0]] })].into();
        let resolve = |parts: &[String]| {
            let typ = tables.get(parts.last()?.as_str())?;
            Some((orders.clone(), typ.clone()))
        };
        let bound = plan::bind(sql, &resolve)?;
        let plans = vec![(RelationId(Arc::from("model")), bound.plan)];
        let models = plan::inline(optimize(plans, &RewriteOptions::ALL));
        let models = models.into_iter().map(|(id, plan)| RenderModel { id: id.0.to_string(), plan }).collect();
        let workers = Workers::start(Dataflow { inputs: vec![orders.clone()], models, ..Dataflow::default() }, 1);
        Ok(Running { workers, epoch: 0 })
    }

    fn feed(&self, customers: i64) -> Result<(), WorkersGone> {
        let row = |(id, customer, at): (i64, i64, i64)| {
            let day = i32::try_from(at.div_euclid(calendar::MICROS_PER_DAY)).unwrap_or(i32::MAX);
            Row::pack([Datum::Int(id), Datum::Int(customer), Datum::Date(day), Datum::TimestampTz(at)])
        };
        self.workers.feed(0, orders(customers).map(|order| (row(order), 1)).collect())
    }

    /// Moves the clock and waits for what that changed.
    fn tick(&mut self, micros: i64) -> Result<(Duration, Vec<(Row, Diff)>), WorkersGone> {
        let cpu = process_cpu();
        self.workers.set_clock(Moment::new(micros, chrono_tz::Tz::UTC))?;
        self.workers.close(self.epoch)?;
        self.epoch += 1;
        let Changes { mut outputs, .. } = self.workers.changes().recv().unwrap_or(Err(WorkersGone))?;
        let changes = outputs.remove(&Output::Model(0)).unwrap_or_default();
        Ok((process_cpu() - cpu, changes))
    }
}
