//! Random histories with a clock: every epoch equals a batch computation, and PostgreSQL at that clock.

use livemart::testkit::flow_file::{FlowFile, WAYS};
use row::calendar;
use tokio_postgres::SimpleQueryMessage;

use crate::pipeline::parts::{fresh, postgres_url};

const SOURCE: &str = "visits(id bigint, day date, at timestamptz, seen timestamp, until date)";
const MODELS: &[(&str, &str)] = &[
    ("recent", "select id, at from visits where at > now() - interval '36 hours'"),
    ("coming", "select id from visits where day >= current_date and day < current_date + 3"),
    ("open", "select id, until from visits where day <= current_date and current_date <= until"),
    (
        "between_days",
        "select day, count(*) as n from visits where seen between current_date - 2 and current_date group by day",
    ),
    ("lag", "select count(*) as n, max(id) as id from visits where now() - at < interval '1 day 6 hours'"),
    ("ages", "select id, current_date - day as age, now()::date as today from visits"),
    (
        "by_day",
        "select day, current_date - day as age, count(*) filter (where at >= now() - interval '1 day') as n from visits group by day",
    ),
    (
        "this_month",
        "select count(*) as n from visits where date_trunc('month', day) = date_trunc('month', current_date)",
    ),
    ("a_month", "select id from visits where day > current_date - interval '1 month'"),
    (
        "pairs",
        "select a.id, b.id as other from visits a left join visits b on b.id = a.id + 1 and b.at <= now() where a.day > current_date - 4",
    ),
    (
        "waiting",
        "select id from visits a where not exists (select 1 from visits b where b.id = a.id + 1 and b.day <= current_date)",
    ),
];

/// The same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

const DAY: i64 = calendar::MICROS_PER_DAY;
/// 2025-01-29: the history crosses the end of a month.
const START: i64 = 20_117 * DAY;

fn timestamp(micros: i64) -> String {
    calendar::format_timestamp(micros)
}

fn some(dice: &mut Dice, value: String) -> String {
    if dice.below(12) == 0 { "null".to_owned() } else { value }
}

/// One visit around a moment; times fall on the clock's own values often.
fn visit(dice: &mut Dice, now: i64) -> String {
    let near = |dice: &mut Dice| {
        let micros = now + (dice.below(240) as i64 - 120) * 3_600_000_000;
        if dice.below(3) == 0 { micros.div_euclid(DAY) * DAY } else { micros }
    };
    let (day, at, seen, until) = (near(dice), near(dice), near(dice), near(dice));
    let date = |micros: i64| calendar::format_date(micros.div_euclid(DAY) as i32);
    let id = dice.below(12);
    let day = some(dice, date(day));
    let at = some(dice, format!("'{}+00'", timestamp(at)));
    let seen = some(dice, format!("'{}'", timestamp(seen)));
    let until = some(dice, date(until));
    format!("{id} {day} {at} {seen} {until}")
}

/// A flow file of random changes and ticks, and after each epoch its clock and the rows that are there.
fn history(seed: u64, epochs: usize) -> (String, Vec<(i64, Vec<String>)>) {
    let mut dice = Dice(seed);
    let (mut now, mut rows, mut told) = (START, Vec::new(), Vec::new());
    let mut text = format!("source {SOURCE}\n");
    let clock = |now: i64| format!("clock {}+00\n", timestamp(now));
    MODELS.iter().for_each(|(name, sql)| text.push_str(&format!("model {name}\n  {sql}\n")));
    for epoch in 0..epochs {
        if dice.below(4) > 0 {
            now += [1, 3_600_000_000, 6 * 3_600_000_000, DAY, 3 * DAY][dice.below(5) as usize];
            if dice.below(3) == 0 {
                now = now.div_euclid(DAY) * DAY + DAY;
            }
        }
        text.push_str(&clock(now));
        for _ in 0..dice.below(5) {
            if !rows.is_empty() && dice.below(3) == 0 {
                let gone: String = rows.swap_remove(dice.below(rows.len() as u64) as usize);
                text.push_str(&format!("- visits {gone}\n"));
            } else {
                let come = visit(&mut dice, now);
                text.push_str(&format!("+ visits {come}\n"));
                rows.push(come);
            }
        }
        text.push_str(&format!("@ {}\n", epoch + 1));
        MODELS.iter().for_each(|(name, _)| text.push_str(&format!("= {name}\n")));
        told.push((now, rows.clone()));
    }
    (text, told)
}

#[test]
fn incremental_equals_batch_at_every_tick_of_random_histories() {
    for seed in 1..=6 {
        let (text, _) = history(seed, 16);
        let file = FlowFile::parse(&text).expect("a flow file");
        let text = file.complete(&text).expect("it runs");
        let file = FlowFile::parse(&text).expect("a flow file");
        for way in WAYS {
            file.check(way).unwrap_or_else(|difference| panic!("seed {seed}: {difference}\n{text}"));
        }
    }
}

/// What a completed flow file says of each model after each epoch.
fn told_by(text: &str) -> Vec<Vec<Vec<String>>> {
    let mut epochs: Vec<Vec<Vec<String>>> = Vec::new();
    for line in text.lines().skip(1 + 2 * MODELS.len()) {
        if line.starts_with('@') {
            epochs.push(Vec::new());
        } else if let (true, Some(models)) = (line.starts_with('='), epochs.last_mut()) {
            models.push(Vec::new());
        } else if let (Some(row), Some(rows)) =
            (line.strip_prefix("  "), epochs.last_mut().and_then(|models| models.last_mut()))
        {
            rows.push(row.to_owned());
        }
    }
    epochs
}

/// The statement at one moment: PostgreSQL's own clock shows another.
fn at_moment(sql: &str, micros: i64) -> String {
    let (moment, day) = (timestamp(micros), calendar::format_date(micros.div_euclid(DAY) as i32));
    sql.replace("now()", &format!("timestamptz '{moment}+00'")).replace("current_date", &format!("date '{day}'"))
}

fn shown(value: Option<&str>) -> String {
    match value {
        None => "null".to_owned(),
        Some(text) if text.contains(' ') => format!("'{text}'"),
        Some(text) => text.to_owned(),
    }
}

#[test]
fn postgres_gives_the_same_tables_at_every_clock() {
    let schema = fresh("moving_time");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&postgres_url(), tokio_postgres::NoTls).await.expect("the test server answers");
        tokio::spawn(connection);
        let setup =
            format!("create schema {schema}; set search_path to {schema}; set time zone 'UTC'; create table {SOURCE}");
        client.batch_execute(&setup).await.expect("a schema");
        for seed in 101..=104 {
            let (text, told) = history(seed, 16);
            let completed = FlowFile::parse(&text).expect("a flow file").complete(&text).expect("it runs");
            let ours = told_by(&completed);
            assert_eq!(ours.len(), told.len());
            for (epoch, ((moment, rows), ours)) in told.iter().zip(&ours).enumerate() {
                let values: Vec<String> = rows.iter().map(|row| values_of(row)).collect();
                let fill = match values.is_empty() {
                    true => "truncate visits".to_owned(),
                    false => format!("truncate visits; insert into visits values {}", values.join(", ")),
                };
                client.batch_execute(&fill).await.expect("rows");
                for ((name, sql), ours) in MODELS.iter().zip(ours) {
                    let answer = client.simple_query(&at_moment(sql, *moment)).await.expect("an answer");
                    let mut theirs: Vec<String> = answer
                        .iter()
                        .filter_map(|message| match message {
                            SimpleQueryMessage::Row(row) => {
                                let values: Vec<String> = (0..row.len()).map(|i| shown(row.get(i))).collect();
                                Some(values.join(" "))
                            }
                            _ => None,
                        })
                        .collect();
                    theirs.sort();
                    assert_eq!(ours, &theirs, "seed {seed}, epoch {}, model {name}\n{completed}", epoch + 1);
                }
            }
        }
        client.batch_execute(&format!("drop schema {schema} cascade")).await.expect("gone");
    });
}

/// A row of a flow file as SQL.
fn values_of(row: &str) -> String {
    let mut values: Vec<String> = Vec::new();
    let mut quoted = false;
    for word in row.split(' ') {
        match values.last_mut().filter(|_| quoted) {
            Some(last) => last.push_str(&format!(" {word}")),
            None => values.push(word.to_owned()),
        }
        quoted ^= word.matches('\'').count() % 2 == 1;
    }
    let literal = |value: String| match value.as_str() {
        "null" => value,
        text if text.starts_with('\'') => value,
        text => format!("'{text}'"),
    };
    format!("({})", values.into_iter().map(literal).collect::<Vec<_>>().join(", "))
}
