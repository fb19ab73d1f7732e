//! What comes as files: products, the ad platforms' daily figures, e-mail campaigns.

use chrono::{DateTime, Datelike};

use super::super::people::Person;
use super::super::tables::{
    GOOGLE_ADS, ITERABLE_CAMPAIGNS, ITERABLE_EVENTS, LINKEDIN_ADS, META_ADS, Op, PRODUCTS, Row, Value, with,
};
use super::super::timeline::{DAY, HOUR, MINUTE};
use super::retail::PRODUCTS as PRODUCT_COUNT;
use super::{Scene, next};

const CATEGORIES: [&str; 6] = ["Coffee", "Tea", "Equipment", "Gifts", "Bakery", "Books"];
/// How many days later a platform corrects its figures.
const CORRECTED_AFTER: i64 = 2;

/// The campaign of a moment's season.
pub fn running(scene: &Scene, at_ms: i64) -> &'static str {
    let month = DateTime::from_timestamp_millis(at_ms.max(scene.begin_ms)).map_or(1, |at| at.month());
    match month {
        3..=5 => "spring_sale",
        6..=8 => "summer_deal",
        9..=10 => "autumn_club",
        _ => "winter_gifts",
    }
}

/// What happens once a day, whoever the customers are.
pub fn day(scene: &mut Scene, people: &[Person], day: i64) {
    if day == 0 {
        launch_products(scene);
    }
    advertise(scene, day);
    if day % 30 == 5 {
        send_emails(scene, people, day);
    }
}

fn launch_products(scene: &mut Scene) {
    for product in 1..=PRODUCT_COUNT {
        let mut random = scene.random("products", product, 0);
        let category = CATEGORIES[(product % 6) as usize];
        let launched = scene.begin_ms - random.between(30 * DAY, 900 * DAY);
        let row: Row = vec![
            ("product_id", product.into()),
            ("name", format!("{category} No. {product}").into()),
            ("category", category.into()),
            ("launched_at", Value::Day(launched)),
        ];
        let wrong = product % 20 == 7;
        let first = if wrong { with(&row, "category", "Misc") } else { row.clone() };
        scene.timeline.at(scene.begin_ms, PRODUCTS, Op::Create, first);
        if wrong {
            scene.timeline.saw("product's category corrected");
            scene.timeline.at(scene.begin_ms + 45 * DAY, PRODUCTS, Op::Update, row);
        }
    }
}

/// One row per platform, campaign and day, and its correction two days later.
fn advertise(scene: &mut Scene, day: i64) {
    let at = scene.day_ms(day) + 23 * HOUR;
    for (number, name) in [(1, running(scene, at)), (2, "brand")] {
        let mut random = scene.random("ads", number, day);
        let impressions = random.between(800, 4000);
        let clicks = impressions * random.between(10, 50) / 1000;
        let cents = clicks * random.between(20, 90);
        let campaign: i64 = if number == 2 { 900 } else { 1 + name.len() as i64 };
        let google: Row = vec![
            ("campaign_id", campaign.into()),
            ("campaign_name", name.into()),
            ("day", Value::Day(at)),
            ("impressions", impressions.into()),
            ("clicks", clicks.into()),
            ("cost_micros", (cents * 10_000).into()),
            ("conversions", (clicks / 25).into()),
        ];
        let meta: Row = vec![
            ("campaign_id", campaign.into()),
            ("campaign_name", name.into()),
            ("day", Value::Day(at)),
            ("impressions", (impressions * 2).into()),
            ("link_clicks", (clicks / 2).into()),
            ("spend", Value::Cents(cents / 3)),
            ("purchases", (clicks / 60).into()),
        ];
        let linkedin: Row = vec![
            ("campaign_id", campaign.into()),
            ("campaign_name", name.into()),
            ("day", Value::Day(at)),
            ("impressions", (impressions / 4).into()),
            ("clicks", (clicks / 6).into()),
            ("cost_in_usd", Value::Cents(cents / 2)),
            ("leads", (clicks / 90).into()),
        ];
        for (table, row) in [(GOOGLE_ADS, google), (META_ADS, meta), (LINKEDIN_ADS, linkedin)] {
            scene.timeline.at(at, table, Op::Create, row.clone());
            if random.permille(150) {
                scene.timeline.saw("ad figures corrected");
                let corrected = with(&row, "impressions", impressions * 3);
                scene.timeline.at(at + CORRECTED_AFTER * DAY, table, Op::Update, corrected);
            }
        }
    }
}

fn send_emails(scene: &mut Scene, people: &[Person], day: i64) {
    let at = scene.day_ms(day) + 9 * HOUR;
    let campaign = day / 30 + 1;
    let row = vec![
        ("campaign_id", campaign.into()),
        ("campaign_name", running(scene, at).into()),
        ("channel", "email".into()),
        ("sent_at", Value::Moment(at)),
    ];
    scene.timeline.at(at, ITERABLE_CAMPAIGNS, Op::Create, row);
    for person in people.iter().filter(|person| person.number % 10 == campaign % 10 && person.joined_ms < at) {
        let mut random = scene.random("e-mails", person.number, day);
        let mut when = at;
        for (kind, share) in [("send", 1000), ("open", 400), ("click", 250), ("conversion", 200)] {
            if !random.permille(share) {
                break;
            }
            let row: Row = vec![
                ("event_id", next(&mut scene.ids.email_event).into()),
                ("campaign_id", campaign.into()),
                ("email", person.email().into()),
                ("event_type", kind.into()),
                ("occurred_at", Value::Moment(when)),
            ];
            scene.timeline.at(when, ITERABLE_EVENTS, Op::Create, row.clone());
            if random.permille(20) {
                scene.timeline.saw("e-mail event exported twice");
                scene.timeline.at(when + HOUR, ITERABLE_EVENTS, Op::Create, row);
            }
            when += random.between(5 * MINUTE, 9 * HOUR);
        }
    }
}
