//! Who the customers are: everything about them that does not change is a function of the seed and their number.

use super::random::Random;
use super::timeline::{DAY, SECOND};

pub const FIRST_NAMES: [&str; 16] = [
    "Ada", "Ben", "Chloé", "Dora", "Emil", "Fatima", "Gus", "Hana", "Ivo", "José", "Kim", "Lena", "Mo", "Nina", "Omar",
    "Zoë",
];
pub const LAST_NAMES: [&str; 13] = [
    "Ames", "Brandt", "Costa", "D'Arcy", "Evans", "Fischer", "Gomez", "Huang", "Iyer", "Jones", "Kowalski", "O'Neil",
    "Şahin",
];
pub const CITIES: [(&str, &str); 7] = [
    ("Austin", "TX"),
    ("Boston", "MA"),
    ("Chicago", "IL"),
    ("Denver", "CO"),
    ("Miami", "FL"),
    ("Portland", "OR"),
    ("Seattle", "WA"),
];
const EMPLOYMENT: [&str; 5] = ["employed", "self-employed", "student", "retired", "unknown"];

/// How a customer's appetite develops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    Steady,
    /// Less and less, until hardly anything is left.
    Declining,
    Growing,
    /// As before, and from one day on nothing.
    Churning,
}

/// A customer, as small as can be: there may be a million.
#[derive(Clone, Debug)]
pub struct Person {
    pub number: i64,
    pub joined_ms: i64,
    /// Day of the shop's time on which a churning customer is seen last.
    pub last_day: i64,
    /// Orders in a thousand days.
    pub orders_permille: i64,
    pub course: Course,
    pub loves_travel: bool,
    activity_percent: u16,
    first: u8,
    last: u8,
    city: u8,
    employment: u8,
}

impl Person {
    /// `days` is how long the shop is looked at; half of the customers were there before.
    pub fn draw(seed: u64, number: i64, begin_ms: i64, days: i64, activity_percent: u16) -> Person {
        let mut random = Random::new(seed, "people", number as u64);
        let was_there = random.permille(500);
        let joined_day = if was_there { random.between(-400, 0) } else { random.between(0, (days - 10).max(1)) };
        // Every ninth customer never orders.
        let orders_permille = match (number % 9, random.between(0, 100)) {
            (0, _) => 0,
            (_, 0..10) => 90,
            (_, 10..60) => 25,
            _ => 8,
        };
        let course = match random.between(0, 100) {
            0..10 => Course::Churning,
            10..20 => Course::Declining,
            20..28 => Course::Growing,
            _ => Course::Steady,
        };
        Person {
            number,
            joined_ms: begin_ms + joined_day * DAY + random.between(0, DAY / SECOND) * SECOND,
            last_day: if course == Course::Churning {
                random.between(joined_day.max(0) + 20, days.max(joined_day.max(0) + 21))
            } else {
                i64::MAX
            },
            orders_permille,
            course,
            loves_travel: random.permille(150),
            activity_percent,
            first: random.between(0, FIRST_NAMES.len() as i64) as u8,
            last: random.between(0, LAST_NAMES.len() as i64) as u8,
            city: random.between(0, CITIES.len() as i64) as u8,
            employment: random.between(0, EMPLOYMENT.len() as i64) as u8,
        }
    }

    pub fn first_name(&self) -> &'static str {
        FIRST_NAMES[usize::from(self.first)]
    }

    pub fn last_name(&self) -> &'static str {
        LAST_NAMES[usize::from(self.last)]
    }

    pub fn city(&self) -> (&'static str, &'static str) {
        CITIES[usize::from(self.city)]
    }

    pub fn employment(&self) -> &'static str {
        EMPLOYMENT[usize::from(self.employment)]
    }

    pub fn email(&self) -> String {
        format!("{}.{}{}@Example.com", self.first_name(), self.last_name(), self.number).replace('\'', "")
    }

    /// How eager the customer is on a day, in permille of what is usual in a shop of full activity; 0 before joining and after churning.
    pub fn appetite(&self, day: i64, day_ms: i64) -> i64 {
        if day_ms + DAY <= self.joined_ms || day > self.last_day {
            return 0;
        }
        let usual = match self.course {
            Course::Declining => (1600 - 8 * day).max(60),
            Course::Growing => (300 + 5 * day).min(2500),
            Course::Steady | Course::Churning => 1000,
        };
        usual * i64::from(self.activity_percent) / 100
    }
}
