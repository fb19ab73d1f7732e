//! What happens in the shop, day by day; one file per part of the business.
//!
//! A story draws from a stream of its own for each customer and day, and tells its whole life to the timeline at once:
//! adding a story leaves the others as they were.

pub mod business;
pub mod campaigns;
pub mod cards;
pub mod clicks;
pub mod retail;

use super::people::Person;
use super::random::Random;
use super::timeline::{DAY, Timeline};

/// Where the stories play, and the numbers that are given out.
pub struct Scene {
    pub seed: u64,
    pub begin_ms: i64,
    pub timeline: Timeline,
    pub ids: Ids,
}

/// The last number given out of each kind.
#[derive(Default)]
pub struct Ids {
    pub order: i64,
    pub payment: i64,
    pub interaction: i64,
    pub click: i64,
    pub session: i64,
    pub transaction: i64,
    pub device_event: i64,
    pub page_view: i64,
    pub feature_use: i64,
    pub invoice: i64,
    pub charge: i64,
    pub deal: i64,
    pub email_event: i64,
}

/// The next number.
pub fn next(id: &mut i64) -> i64 {
    *id += 1;
    *id
}

impl Scene {
    pub fn day_ms(&self, day: i64) -> i64 {
        self.begin_ms + day * DAY
    }

    /// A stream for one purpose, customer and day.
    pub fn random(&self, purpose: &str, number: i64, day: i64) -> Random {
        Random::new(self.seed, purpose, (number as u64) << 20 | day as u64)
    }
}

/// Whether it is the day on which the customer's first rows arrive: the first day for those who were there before.
pub fn arrives_on(person: &Person, scene: &Scene, day: i64) -> bool {
    (person.joined_ms.max(scene.begin_ms) - scene.begin_ms).div_euclid(DAY) == day
}
