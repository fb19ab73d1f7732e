//! Types of a seed's columns, guessed as dbt guesses them on PostgreSQL.
//!
//! ```text
//!   number ► date ► timestamp (2024-01-31 10:20:30) ► timestamp (ISO 8601 with a T) ► boolean ► text      the first that takes every cell
//! ```
//!
//! 1. Numbers may have a currency sign, a percent sign or grouping commas. A column is `integer` when no number in it has
//!    digits after the point; 1.0 has none. So `007` is 7: name the column in `column_types` to keep it.
//! 2. A column without a value is `integer`.

use chrono::{NaiveDate, NaiveTime, Weekday};

type Rows = [Vec<Option<String>>];

/// What a cell means to a guess: NULL, or the text that PostgreSQL's input of the guessed type reads. None: no such value.
type Reading = fn(&str) -> Option<Option<String>>;

/// Guesses a column's type and puts its cells into the words of that type.
pub(super) fn settle(rows: &mut Rows, column: usize) -> &'static str {
    let guesses: [(&str, Reading); 5] = [
        ("number", number),
        ("date", date),
        ("timestamp without time zone", spaced_timestamp),
        ("timestamp without time zone", iso_timestamp),
        ("boolean", boolean),
    ];
    for (name, reading) in guesses {
        let read = |row: &Vec<Option<String>>| row[column].as_deref().map_or(Some(None), reading);
        let Some(cells) = rows.iter().map(read).collect::<Option<Vec<_>>>() else { continue };
        let name = if name == "number" { number_type(&cells) } else { name };
        for (row, cell) in rows.iter_mut().zip(cells) {
            row[column] = cell;
        }
        return name;
    }
    rows.iter_mut().for_each(|row| row[column] = row[column].take().and_then(text));
    "text"
}

/// A cell of a text column, or of one whose type was given.
pub(super) fn text(cell: String) -> Option<String> {
    (!is_null(cell.trim())).then_some(cell)
}

fn is_null(trimmed: &str) -> bool {
    trimmed.is_empty() || trimmed.eq_ignore_ascii_case("null")
}

const CURRENCIES: [char; 19] =
    ['؋', '$', 'ƒ', '៛', '¥', '₡', '₱', '£', '€', '¢', '﷼', '₪', '₩', '₭', '₮', '₦', '฿', '₤', '₫'];

fn number(cell: &str) -> Option<Option<String>> {
    let trimmed = cell.trim();
    if is_null(trimmed) {
        return Some(None);
    }
    let trimmed = trimmed.trim_matches('%');
    let (mut negative, mut rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    for currency in CURRENCIES {
        rest = rest.trim_matches(currency);
    }
    let plain: String = rest.trim().chars().filter(|c| !matches!(c, ',' | '_')).collect();
    let unsigned = match plain.strip_prefix('-') {
        Some(rest) => {
            negative = !negative;
            rest
        }
        None => plain.strip_prefix('+').unwrap_or(&plain),
    };
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), "nan" | "snan" | "inf" | "infinity") {
        // What Python's driver makes of all of them.
        return Some(Some("NaN".to_string()));
    }
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let exponent: i64 = exponent.parse().ok()?;
    Some(Some(shifted(negative, whole, fraction, exponent)))
}

/// The largest power of ten that is written out with all its zeros.
const EXPONENT_MAX: i64 = 400;

/// The number in plain digits, without zeros that say nothing.
fn shifted(negative: bool, whole: &str, fraction: &str, exponent: i64) -> String {
    let digits = format!("{whole}{fraction}");
    let exponent = exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX);
    let point = whole.len() as i64 + exponent;
    let (whole, fraction) = if point <= 0 {
        (String::new(), format!("{}{digits}", "0".repeat(point.unsigned_abs() as usize)))
    } else if point as usize >= digits.len() {
        (format!("{digits}{}", "0".repeat(point as usize - digits.len())), String::new())
    } else {
        (digits[..point as usize].to_string(), digits[point as usize..].to_string())
    };
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Python's decimals have 28 digits; a column whose numbers need more is taken for one of doubles.
const DIGITS_MAX: usize = 28;

fn number_type(cells: &[Option<String>]) -> &'static str {
    let (mut whole_max, mut fraction_max) = (1, 0);
    for cell in cells.iter().flatten().filter(|cell| *cell != "NaN") {
        let plain = cell.trim_start_matches('-');
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        whole_max = whole_max.max(whole.len());
        fraction_max = fraction_max.max(fraction.len());
    }
    match fraction_max > 0 && whole_max != DIGITS_MAX || whole_max > DIGITS_MAX {
        true => "double precision",
        false => "integer",
    }
}

fn date(cell: &str) -> Option<Option<String>> {
    let trimmed = cell.trim();
    if is_null(trimmed) {
        return Some(None);
    }
    day(trimmed).map(|day| Some(day.to_string()))
}

/// `2024-01-31`, also `2024-1-5`.
fn day(text: &str) -> Option<NaiveDate> {
    let [year, month, day] = parts(text, '-')?;
    (year.len() == 4 && month.len() <= 2 && day.len() <= 2).then_some(())?;
    NaiveDate::from_ymd_opt(number_of(year)? as i32, number_of(month)?, number_of(day)?)
}

fn parts(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let found = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(found)
}

fn number_of(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.len() <= 9 && text.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// `2024-01-31 10:20:30`, also `2024-1-31 1:2:3`.
fn spaced_timestamp(cell: &str) -> Option<Option<String>> {
    let trimmed = cell.trim();
    if is_null(trimmed) {
        return Some(None);
    }
    let (date, time) = trimmed.split_once(char::is_whitespace)?;
    let [hour, minute, second] = parts(time.trim_start(), ':')?;
    [hour, minute, second].iter().all(|part| part.len() <= 2).then_some(())?;
    let time = NaiveTime::from_hms_opt(number_of(hour)?, number_of(minute)?, number_of(second)?)?;
    Some(Some(day(date)?.and_time(time).to_string()))
}

/// ISO 8601 with a T. A moment with an offset is told in UTC, as a session in UTC stores it.
fn iso_timestamp(cell: &str) -> Option<Option<String>> {
    let trimmed = cell.trim();
    if is_null(trimmed) {
        return Some(None);
    }
    let (date, time) = trimmed.split_once('T')?;
    let date = iso_date(date)?;
    let at = time.find(['Z', '+', '-']);
    let (time, offset) = at.map_or((time, ""), |at| time.split_at(at));
    let moment = date.and_time(iso_time(time)?) - chrono::TimeDelta::minutes(offset_minutes(offset)?);
    Some(Some(moment.format("%Y-%m-%d %H:%M:%S%.f").to_string()))
}

/// Calendar dates, weeks and days of the year, with hyphens or without.
fn iso_date(text: &str) -> Option<NaiveDate> {
    let year = |text: &str| number_of(text).filter(|_| text.len() == 4).map(|year| year as i32);
    let plain: String = text.chars().filter(|c| *c != '-').collect();
    if !plain.is_ascii() {
        return None;
    }
    let hyphens = text.len() - plain.len();
    match (hyphens, plain.len()) {
        (0 | 2, 8) if plain.as_bytes()[4] == b'W' => {
            let weekday = Weekday::try_from(number_of(&plain[7..])?.checked_sub(1)? as u8).ok()?;
            NaiveDate::from_isoywd_opt(year(&plain[..4])?, number_of(&plain[5..7])?, weekday)
        }
        (2, 8) => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
        (0, 8) => NaiveDate::from_ymd_opt(year(&plain[..4])?, number_of(&plain[4..6])?, number_of(&plain[6..])?),
        (0 | 1, 7) => NaiveDate::from_yo_opt(year(&plain[..4])?, number_of(&plain[4..])?),
        _ => None,
    }
}

/// `10:20:30.5`, `102030`, `10:20`, `10`; a comma may be the point.
fn iso_time(text: &str) -> Option<NaiveTime> {
    let text = text.replace(',', ".");
    let (clock, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(clock, fraction)| (clock, fraction));
    let digits: String = clock.chars().filter(|c| *c != ':').collect();
    let colons = clock.len() - digits.len();
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), number_of);
    let is_whole = matches!((digits.len(), colons), (6, 0 | 2) | (4, 0 | 1) | (2, 0));
    if !is_whole
        || !fraction.is_empty() && (digits.len() != 6 || number_of(&fraction[..fraction.len().min(9)]).is_none())
    {
        return None;
    }
    // A microsecond is the least that Python's times hold.
    let micros: u32 = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}")[..6].parse().ok()? };
    NaiveTime::from_hms_micro_opt(part(0)?, part(2)?, part(4)?, micros)
}

fn offset_minutes(text: &str) -> Option<i64> {
    if matches!(text, "" | "Z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    let hours = number_of(digits.get(..2)?)?;
    let minutes = digits.get(2..).filter(|rest| !rest.is_empty()).map_or(Some(0), number_of)?;
    matches!(digits.len(), 2 | 4).then(|| sign * i64::from(hours * 60 + minutes))
}

fn boolean(cell: &str) -> Option<Option<String>> {
    let plain = cell.replace(',', "");
    let plain = plain.trim();
    if is_null(plain) {
        return Some(None);
    }
    let is_truth = ["true", "false"].iter().any(|word| plain.eq_ignore_ascii_case(word));
    is_truth.then(|| Some(plain.to_ascii_lowercase()))
}
