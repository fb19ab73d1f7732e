//! The clock as relations of one row each, so that time is an input like any other.
//!
//! ```text
//!   engine's clock ──tick──> livemart.clock.now  (one row: now)           now(), current_timestamp, localtimestamp
//!                    └─────> livemart.clock.date (one row: current_date)  current_date, now()::date
//! ```
//!
//! 1. Each relation has exactly one row, which changes when the clock moves to another value of it.
//! 2. Names that begin with `livemart.` are no node of any project.

use std::sync::Arc;

use row::ScalarType;

use super::tree::post_order;
use super::{Column, Plan, RelationId, RelationType};

/// What is read of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClockReading {
    /// The moment, a timestamp with time zone.
    Now,
    /// The day that the moment falls on in the clock's time zone.
    Date,
}

impl ClockReading {
    pub const ALL: [ClockReading; 2] = [ClockReading::Now, ClockReading::Date];

    pub fn relation(self) -> RelationId {
        let name = match self {
            ClockReading::Now => "livemart.clock.now",
            ClockReading::Date => "livemart.clock.date",
        };
        RelationId(name.into())
    }

    /// Which reading a relation holds; None for every other relation.
    pub fn of(relation: &RelationId) -> Option<ClockReading> {
        match &*relation.0 {
            "livemart.clock.now" => Some(ClockReading::Now),
            "livemart.clock.date" => Some(ClockReading::Date),
            _ => None,
        }
    }

    pub fn column(self) -> Column {
        let (name, ty) = match self {
            ClockReading::Now => ("now", ScalarType::TimestampTz),
            ClockReading::Date => ("current_date", ScalarType::Date),
        };
        Column { name: name.to_owned(), ty, nullable: false, scale_max: None }
    }

    pub fn typ(self) -> RelationType {
        RelationType { columns: vec![self.column()], keys: vec![Vec::new()] }
    }
}

/// Each value of the clock once, with a column for each reading in the order of `ALL`: what temporal filters wait for. No plan reads
/// it, and every worker has all of it.
pub fn ticks() -> RelationId {
    RelationId("livemart.clock.ticks".into())
}

/// What plans ask of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockNeeds {
    /// Some plan reads the moment wherever it likes: the clock moves in ticks.
    pub now: bool,
    /// Some plan reads the day.
    pub date: bool,
    /// Some plan has a filter whose rows come and go by the clock itself.
    pub filters: bool,
}

impl ClockNeeds {
    pub fn of<'p>(plans: impl IntoIterator<Item = &'p Arc<Plan>>) -> ClockNeeds {
        let mut needs = ClockNeeds::default();
        for node in plans.into_iter().flat_map(post_order) {
            needs.filters |= matches!(&*node, Plan::Temporal { .. });
            if let Plan::Get { relation, .. } = &*node {
                match ClockReading::of(relation) {
                    Some(ClockReading::Now) => needs.now = true,
                    Some(ClockReading::Date) => needs.date = true,
                    None => {}
                }
            }
        }
        needs
    }

    pub fn any(self) -> bool {
        self.now || self.date || self.filters
    }
}
