//! Visits of the shop's web site: append-only clicks from producers that deliver at least once.

use super::super::people::Person;
use super::super::random::Random;
use super::super::tables::{Op, Row, Value, WEBSITE_ACTIVITY};
use super::super::timeline::{DAY, HOUR, MINUTE, SECOND};
use super::{Scene, campaigns, next};

const PAGES: [&str; 8] =
    ["/", "/products", "/products/refill", "/products/déluxe", "/cart", "/checkout", "/help", "/account"];
const REFERRERS: [Option<&str>; 9] = [
    Some("google"),
    Some("google"),
    Some("facebook"),
    Some("instagram"),
    Some("linkedin"),
    Some("newsletter"),
    Some("partner.example"),
    None,
    None,
];

pub fn day(scene: &mut Scene, person: &Person, day: i64) {
    let day_ms = scene.day_ms(day);
    let appetite = person.appetite(day, day_ms);
    let mut random = scene.random("clicks", person.number, day);
    if random.between(0, 1_000_000) < 60 * appetite {
        let at = day_ms + random.between(6 * HOUR, 23 * HOUR) / SECOND * SECOND;
        let clicks = random.pick(&[1, 1, 2, 3, 5, 8]);
        visit(scene, person, at, clicks, &mut random);
    }
}

/// The visit that ends in an order.
pub fn visit_before_order(scene: &mut Scene, person: &Person, ordered_at: i64, random: &mut Random) {
    let clicks = random.between(2, 6);
    visit(scene, person, ordered_at - clicks * 2 * MINUTE, clicks, random);
}

fn visit(scene: &mut Scene, person: &Person, at: i64, clicks: i64, random: &mut Random) {
    let anonymous = random.permille(80);
    let session = format!("s{:06}", next(&mut scene.ids.session));
    let referrer = random.pick(&REFERRERS);
    let tagged = referrer.is_some_and(|referrer| referrer != "partner.example") && random.permille(500);
    let campaign = tagged.then(|| campaigns::running(scene, at));
    let mut at = at;
    for _ in 0..clicks {
        let row: Row = vec![
            ("event_id", next(&mut scene.ids.click).into()),
            ("customer_id", if anonymous { Value::Null } else { person.number.into() }),
            ("session_id", session.clone().into()),
            ("page", random.pick(&PAGES).into()),
            ("referrer", referrer.into()),
            ("campaign", campaign.into()),
            ("activity_at", Value::Moment(at)),
        ];
        if anonymous {
            scene.timeline.saw("anonymous click");
        }
        let arrives = if random.permille(15) {
            scene.timeline.saw("late click");
            at + random.between(HOUR, 3 * DAY)
        } else {
            at + random.between(0, 5 * SECOND)
        };
        scene.timeline.at(arrives, WEBSITE_ACTIVITY, Op::Create, row.clone());
        if random.permille(15) {
            scene.timeline.saw("repeated click");
            scene.timeline.at(arrives + random.between(SECOND, DAY), WEBSITE_ACTIVITY, Op::Create, row);
        }
        at += random.between(5, 600) * SECOND;
    }
}
