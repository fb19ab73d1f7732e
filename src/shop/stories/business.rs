//! The device platform: business accounts with sites, devices and users, and their bills.
//!
//! Every fifth customer has an account. A customer who churns cancels the subscription, and its devices fall silent.

use super::super::people::{CITIES, Course, Person};
use super::super::random::Random;
use super::super::tables::{
    ACCOUNTS, CHARGES, DEVICE_EVENTS, DEVICES, FEATURE_USAGE, HUBSPOT_CONTACTS, HUBSPOT_DEALS, INVOICES, LOCATIONS, Op,
    PAGE_VIEWS, Row, SUBSCRIPTIONS, USERS, Value, with,
};
use super::super::timeline::{DAY, HOUR, MINUTE, SECOND};
use super::{Scene, arrives_on, next};

/// Sites, devices of a site and users that an account may have; numbers are made of the account's and a place.
const LOCATIONS_MAX: i64 = 3;
const DEVICES_MAX: i64 = 3;
const USERS_MAX: i64 = 4;
const TRIAL_DAYS: i64 = 14;
const BILLING_DAYS: i64 = 30;
const FEATURES: [(&str, bool); 6] = [
    ("dashboards", false),
    ("alerts", false),
    ("exports", false),
    ("forecasts", true),
    ("automation", true),
    ("audit log", true),
];

struct Account {
    id: i64,
    locations: i64,
    devices: i64,
    users: i64,
    /// Cents per billing period of `interval`.
    plan: (&'static str, i64, &'static str, i64),
    /// Day on which the trial ends.
    begins: i64,
}

fn account_of(scene: &Scene, person: &Person) -> Option<Account> {
    if person.number % 5 != 0 {
        return None;
    }
    let mut random = scene.random("accounts", person.number, 0);
    let joined_day = (person.joined_ms - scene.begin_ms).div_euclid(DAY);
    Some(Account {
        id: person.number / 5,
        locations: random.between(1, LOCATIONS_MAX + 1),
        devices: random.between(1, DEVICES_MAX + 1),
        users: random.between(1, USERS_MAX + 1),
        plan: random.pick(&[
            ("team", 4_900, "month", 1),
            ("team", 4_900, "month", 1),
            ("team", 13_500, "month", 3),
            ("business", 19_900, "month", 1),
            ("business", 199_000, "year", 1),
            ("enterprise", 990_000, "year", 1),
            ("team", 1_200, "week", 1),
        ]),
        begins: joined_day + TRIAL_DAYS,
    })
}

impl Account {
    fn location(&self, place: i64) -> i64 {
        self.id * (LOCATIONS_MAX + 1) + place
    }

    fn device(&self, location: i64, place: i64) -> i64 {
        self.location(location) * (DEVICES_MAX + 1) + place
    }

    fn user(&self, place: i64) -> i64 {
        self.id * (USERS_MAX + 1) + place
    }

    fn subscription(&self, status: &'static str, began: i64, canceled: Option<i64>) -> Row {
        let (_, cents, interval, count) = self.plan;
        vec![
            ("subscription_id", self.id.into()),
            ("account_id", self.id.into()),
            ("status", status.into()),
            ("amount_cents", cents.into()),
            ("billing_interval", interval.into()),
            ("interval_count", count.into()),
            ("started_at", Value::Moment(began)),
            ("canceled_at", canceled.map_or(Value::Null, Value::Moment)),
        ]
    }
}

pub fn day(scene: &mut Scene, person: &Person, day: i64) {
    let Some(account) = account_of(scene, person) else { return };
    if arrives_on(person, scene, day) {
        sign_up(scene, person, &account);
    }
    bill(scene, person, &account, day);
    let day_ms = scene.day_ms(day);
    let appetite = person.appetite(day, day_ms);
    if appetite == 0 {
        return;
    }
    let mut random = scene.random("devices", person.number, day);
    for location in 1..=account.locations {
        for place in 1..=account.devices {
            let device = account.device(location, place);
            if random.between(0, 1_000_000) < 200 * appetite {
                report(scene, device, day_ms, &mut random);
            }
            if random.permille(4) {
                flicker(scene, person, &account, (location, place), day_ms, &mut random);
            }
        }
    }
    for place in 1..=account.users {
        if random.between(0, 1_000_000) < 120 * appetite {
            use_app(scene, account.id, account.user(place), day_ms, &mut random);
        }
    }
}

/// The account with all that stands in it, when it is seen first.
fn sign_up(scene: &mut Scene, person: &Person, account: &Account) {
    let mut random = scene.random("sign up", person.number, 0);
    let at = person.joined_ms.max(scene.begin_ms);
    let op = if person.joined_ms < scene.begin_ms { Op::Read } else { Op::Create };
    let industry = random.pick(&["retail", "hospitality", "manufacturing", "logistics", "healthcare"]);
    let row = vec![
        ("account_id", account.id.into()),
        ("account_name", format!("{} {} Ltd", person.last_name(), account.id).into()),
        ("industry", industry.into()),
        ("plan", account.plan.0.into()),
        ("customer_id", person.number.into()),
        ("created_at", Value::Moment(person.joined_ms)),
    ];
    scene.timeline.at(at, ACCOUNTS, op, row);
    for location in 1..=account.locations {
        let (city, state) = random.pick(&CITIES);
        let row: Row = vec![
            ("location_id", account.location(location).into()),
            ("account_id", account.id.into()),
            ("location_name", format!("{city} {location}").into()),
            ("city", city.into()),
            ("state", state.into()),
            ("is_active", true.into()),
            ("opened_at", Value::Moment(person.joined_ms)),
        ];
        scene.timeline.at(at, LOCATIONS, op, row.clone());
        if random.permille(60) {
            scene.timeline.saw("site closed");
            let closed = at + random.between(20 * DAY, 200 * DAY);
            scene.timeline.at(closed, LOCATIONS, Op::Update, with(&row, "is_active", false));
        }
        for place in 1..=account.devices {
            let row = device(person, account, (location, place), "online");
            scene.timeline.at(at, DEVICES, op, row);
        }
    }
    for place in 1..=account.users {
        let row: Row = vec![
            ("user_id", account.user(place).into()),
            ("account_id", account.id.into()),
            ("email", format!("user{}@Account{}.example", place, account.id).into()),
            ("role", if place == 1 { "owner" } else { random.pick(&["admin", "member", "member"]) }.into()),
            ("is_active", true.into()),
            ("created_at", Value::Moment(person.joined_ms)),
            ("last_login_at", Value::Null),
        ];
        scene.timeline.at(at, USERS, op, row.clone());
        if random.permille(80) {
            scene.timeline.saw("user deactivated");
            let gone = at + random.between(20 * DAY, 150 * DAY);
            scene.timeline.at(gone, USERS, Op::Update, with(&row, "is_active", false));
        }
    }
    sell(scene, person, account, at, &mut random);
}

/// What the sales team notes.
fn sell(scene: &mut Scene, person: &Person, account: &Account, at: i64, random: &mut Random) {
    let contact: Row = vec![
        ("contact_id", account.id.into()),
        ("email", person.email().into()),
        ("lifecycle_stage", "lead".into()),
        ("account_id", account.id.into()),
        ("created_at", Value::Moment(at)),
    ];
    scene.timeline.at(at, HUBSPOT_CONTACTS, Op::Create, contact.clone());
    let won = random.permille(600);
    let closed = at + random.between(3 * DAY, 60 * DAY);
    let deal: Row = vec![
        ("deal_id", next(&mut scene.ids.deal).into()),
        ("contact_id", account.id.into()),
        ("amount", Value::Cents(account.plan.1 * random.between(2, 12))),
        ("stage", "open".into()),
        ("closed_at", Value::Null),
    ];
    scene.timeline.at(at, HUBSPOT_DEALS, Op::Create, deal.clone());
    let deal = with(&with(&deal, "stage", if won { "won" } else { "lost" }), "closed_at", Value::Moment(closed));
    scene.timeline.at(closed, HUBSPOT_DEALS, Op::Update, deal);
    if won {
        scene.timeline.at(closed, HUBSPOT_CONTACTS, Op::Update, with(&contact, "lifecycle_stage", "customer"));
    }
}

fn device(person: &Person, account: &Account, (location, place): (i64, i64), status: &'static str) -> Row {
    vec![
        ("device_id", account.device(location, place).into()),
        ("location_id", account.location(location).into()),
        ("account_id", account.id.into()),
        ("device_type", ["sensor", "gateway", "camera", "terminal"][(account.id + place) as usize % 4].into()),
        ("firmware", ["1.8.2", "2.0.0", "2.1.0"][(account.id + location) as usize % 3].into()),
        ("status", status.into()),
        ("installed_at", Value::Moment(person.joined_ms)),
    ]
}

/// A device goes offline for a while, or for good.
fn flicker(scene: &mut Scene, person: &Person, account: &Account, at: (i64, i64), day_ms: i64, random: &mut Random) {
    scene.timeline.saw("device offline");
    let gone = day_ms + random.between(0, DAY);
    scene.timeline.at(gone, DEVICES, Op::Update, device(person, account, at, "offline"));
    let status = if random.permille(100) { "retired" } else { "online" };
    scene.timeline.at(gone + random.between(HOUR, 9 * DAY), DEVICES, Op::Update, device(person, account, at, status));
}

fn report(scene: &mut Scene, device: i64, day_ms: i64, random: &mut Random) {
    let at = day_ms + random.between(0, DAY) / SECOND * SECOND;
    let kind = random.pick(&["heartbeat", "heartbeat", "reading", "reading", "reading", "restart", "error"]);
    let row: Row = vec![
        ("event_id", next(&mut scene.ids.device_event).into()),
        ("device_id", device.into()),
        ("event_type", kind.into()),
        ("reading", if kind == "reading" { Value::Cents(random.between(1500, 3100)) } else { Value::Null }),
        ("occurred_at", Value::Moment(at)),
    ];
    scene.timeline.at(at + random.between(0, 20 * SECOND), DEVICE_EVENTS, Op::Create, row.clone());
    if random.permille(10) {
        scene.timeline.saw("device event repeated");
        scene.timeline.at(at + random.between(MINUTE, DAY), DEVICE_EVENTS, Op::Create, row);
    }
}

fn use_app(scene: &mut Scene, account: i64, user: i64, day_ms: i64, random: &mut Random) {
    let mut at = day_ms + random.between(7 * HOUR, 20 * HOUR) / SECOND * SECOND;
    let platform = random.pick(&["web", "web", "ios", "android"]);
    for _ in 0..random.pick(&[1, 1, 2, 3]) {
        let row: Row = vec![
            ("event_id", next(&mut scene.ids.page_view).into()),
            ("user_id", user.into()),
            ("account_id", account.into()),
            ("page", random.pick(&["/home", "/devices", "/reports", "/settings"]).into()),
            ("platform", platform.into()),
            ("viewed_at", Value::Moment(at)),
        ];
        scene.timeline.at(at, PAGE_VIEWS, Op::Create, row.clone());
        if random.permille(15) {
            scene.timeline.at(at + random.between(SECOND, HOUR), PAGE_VIEWS, Op::Create, row);
        }
        at += random.between(10, 900) * SECOND;
    }
    if random.permille(400) {
        let (feature, is_premium) = random.pick(&FEATURES);
        let row: Row = vec![
            ("event_id", next(&mut scene.ids.feature_use).into()),
            ("user_id", user.into()),
            ("account_id", account.into()),
            ("feature", feature.into()),
            ("is_premium", is_premium.into()),
            ("used_at", Value::Moment(at)),
        ];
        scene.timeline.at(at, FEATURE_USAGE, Op::Create, row);
    }
}

/// Trial, subscription, an invoice every thirty days, and the end.
fn bill(scene: &mut Scene, person: &Person, account: &Account, day: i64) {
    let mut random = scene.random("bills", person.number, day);
    let began = person.joined_ms;
    let at = scene.day_ms(day) + 2 * HOUR;
    if arrives_on(person, scene, day) {
        let (status, op) = match person.joined_ms < scene.begin_ms {
            true if account.begins <= 0 => ("active", Op::Read),
            true => ("trialing", Op::Read),
            false => ("trialing", Op::Create),
        };
        let first = person.joined_ms.max(scene.begin_ms);
        scene.timeline.at(first, SUBSCRIPTIONS, op, account.subscription(status, began, None));
    }
    if day == account.begins && day > 0 {
        scene.timeline.at(at, SUBSCRIPTIONS, Op::Update, account.subscription("active", began, None));
    }
    if day == person.last_day {
        scene.timeline.saw("subscription canceled");
        let ended = account.subscription("canceled", began, Some(at));
        scene.timeline.at(at + HOUR, SUBSCRIPTIONS, Op::Update, ended);
    }
    if day >= account.begins && day < person.last_day && (day - account.begins) % BILLING_DAYS == 0 {
        let is_poor = person.course == Course::Declining && random.permille(350);
        invoice(scene, person, account, at, is_poor, &mut random);
    }
}

fn invoice(scene: &mut Scene, person: &Person, account: &Account, at: i64, is_poor: bool, random: &mut Random) {
    let cents = account.plan.1;
    let id = next(&mut scene.ids.invoice);
    let open: Row = vec![
        ("invoice_id", id.into()),
        ("subscription_id", account.id.into()),
        ("account_id", account.id.into()),
        ("amount_due_cents", cents.into()),
        ("amount_paid_cents", 0.into()),
        ("status", "open".into()),
        ("due_date", Value::Day(at + 14 * DAY)),
        ("paid_at", Value::Null),
        ("created_at", Value::Moment(at)),
    ];
    scene.timeline.at(at, INVOICES, Op::Create, open.clone());
    let mut tried = at + random.between(HOUR, 10 * DAY);
    let charge = |scene: &mut Scene, at: i64, status: &'static str| {
        let row: Row = vec![
            ("charge_id", next(&mut scene.ids.charge).into()),
            ("invoice_id", id.into()),
            ("account_id", account.id.into()),
            ("amount_cents", cents.into()),
            ("status", status.into()),
            ("failure_code", (status == "failed").then_some("card_declined").into()),
            ("charged_at", Value::Moment(at)),
        ];
        scene.timeline.at(at, CHARGES, Op::Create, row);
    };
    if is_poor || random.permille(40) {
        charge(scene, tried, "failed");
        scene.timeline.saw("charge failed");
        scene.timeline.at(tried, SUBSCRIPTIONS, Op::Update, account.subscription("past_due", person.joined_ms, None));
        tried += random.between(3 * DAY, 25 * DAY);
        if is_poor && random.permille(500) {
            scene.timeline.saw("invoice never paid");
            return;
        }
        scene.timeline.at(tried, SUBSCRIPTIONS, Op::Update, account.subscription("active", person.joined_ms, None));
    }
    charge(scene, tried, "succeeded");
    let paid = with(&with(&open, "amount_paid_cents", cents), "status", "paid");
    scene.timeline.at(tried + SECOND, INVOICES, Op::Update, with(&paid, "paid_at", Value::Moment(tried)));
}
