//! Dates, times and intervals: their operators, and the functions that cut, measure and make them.
//!
//! 1. Months end on their last day: 31 January plus one month is 28 February.
//! 2. A `timestamp with time zone` is cut and shifted on the session's wall clock (`zone`).

use row::calendar::{self, CalendarError, DateUnit, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE};
use row::{Datum, Interval, Numeric};

use super::Param::{self, Bool, Date, Float64, Int32, Text, Time, Timestamp, TimestampTz};
use super::{Implementation, Value, fail, partial, total, unwrap_f64, unwrap_i32};
use crate::{EvalError, zone};

const INTERVAL: Param = Param::Interval;
const NUMERIC: Param = Param::Numeric;

pub(super) const ARITHMETIC: &[Implementation] = &[
    partial("+", &[Date, Int32], Date, |a, _| add_days(date(&a[0]), a[1].unwrap_int())),
    partial("+", &[Int32, Date], Date, |a, _| add_days(date(&a[1]), a[0].unwrap_int())),
    partial("-", &[Date, Int32], Date, |a, _| add_days(date(&a[0]), -a[1].unwrap_int())),
    partial("-", &[Date, Date], Int32, |a, _| {
        let days = calendar::sub_dates(date(&a[0]), date(&a[1])).map_err(EvalError::from_value)?;
        Ok(Datum::Int(i64::from(days)))
    }),
    partial("+", &[Date, INTERVAL], Timestamp, |a, _| add_to_date(date(&a[0]), interval(&a[1]))),
    partial("+", &[INTERVAL, Date], Timestamp, |a, _| add_to_date(date(&a[1]), interval(&a[0]))),
    partial("-", &[Date, INTERVAL], Timestamp, |a, _| {
        timestamp(
            calendar::date_to_timestamp(date(&a[0]))
                .and_then(|at| calendar::sub_interval_timestamp(at, interval(&a[1]))),
        )
    }),
    partial("+", &[Date, Time], Timestamp, |a, _| add_to_date(date(&a[0]), time_as_interval(&a[1]))),
    partial("+", &[Time, Date], Timestamp, |a, _| add_to_date(date(&a[1]), time_as_interval(&a[0]))),
    partial("+", &[Timestamp, INTERVAL], Timestamp, |a, _| {
        timestamp(calendar::add_interval_timestamp(micros(&a[0]), interval(&a[1])))
    }),
    partial("+", &[INTERVAL, Timestamp], Timestamp, |a, _| {
        timestamp(calendar::add_interval_timestamp(micros(&a[1]), interval(&a[0])))
    }),
    partial("-", &[Timestamp, INTERVAL], Timestamp, |a, _| {
        timestamp(calendar::sub_interval_timestamp(micros(&a[0]), interval(&a[1])))
    }),
    partial("-", &[Timestamp, Timestamp], INTERVAL, |a, _| {
        spans(calendar::sub_timestamps(micros(&a[0]), micros(&a[1])))
    }),
    partial("+", &[TimestampTz, INTERVAL], TimestampTz, |a, _| {
        instant(zone::add_interval(micros(&a[0]), interval(&a[1])))
    }),
    partial("+", &[INTERVAL, TimestampTz], TimestampTz, |a, _| {
        instant(zone::add_interval(micros(&a[1]), interval(&a[0])))
    }),
    partial("-", &[TimestampTz, INTERVAL], TimestampTz, |a, _| {
        instant(zone::sub_interval(micros(&a[0]), interval(&a[1])))
    }),
    partial("-", &[TimestampTz, TimestampTz], INTERVAL, |a, _| {
        spans(calendar::sub_timestamps(micros(&a[0]), micros(&a[1])))
    }),
    total("+", &[Time, INTERVAL], Time, |a, _| Ok(turn_clock(micros(&a[0]), interval(&a[1]).micros))),
    total("+", &[INTERVAL, Time], Time, |a, _| Ok(turn_clock(micros(&a[1]), interval(&a[0]).micros))),
    total("-", &[Time, INTERVAL], Time, |a, _| {
        Ok(turn_clock(micros(&a[0]), -(interval(&a[1]).micros % MICROS_PER_DAY)))
    }),
    total("-", &[Time, Time], INTERVAL, |a, _| {
        Ok(Datum::Interval(Interval { months: 0, days: 0, micros: micros(&a[0]) - micros(&a[1]) }))
    }),
    partial("+", &[INTERVAL, INTERVAL], INTERVAL, |a, _| spans(interval(&a[0]).add(interval(&a[1])))),
    partial("-", &[INTERVAL, INTERVAL], INTERVAL, |a, _| spans(interval(&a[0]).sub(interval(&a[1])))),
    partial("*", &[INTERVAL, Float64], INTERVAL, |a, _| spans(interval(&a[0]).mul(unwrap_f64(&a[1])))),
    partial("*", &[Float64, INTERVAL], INTERVAL, |a, _| spans(interval(&a[1]).mul(unwrap_f64(&a[0])))),
    partial("/", &[INTERVAL, Float64], INTERVAL, |a, _| spans(interval(&a[0]).div(unwrap_f64(&a[1])))),
    partial("-", &[INTERVAL], INTERVAL, |a, _| spans(interval(&a[0]).neg())),
    partial("+", &[INTERVAL], INTERVAL, |a, _| Ok(a[0].clone())),
];

pub(super) const FUNCTIONS: &[Implementation] = &[
    partial("date_trunc", &[Text, Timestamp], Timestamp, |a, _| {
        let unit = unit(&a[0], "timestamp without time zone")?;
        timestamp(calendar::date_trunc(unit, micros(&a[1])))
    }),
    partial("date_trunc", &[Text, TimestampTz], TimestampTz, |a, _| {
        let unit = unit(&a[0], "timestamp with time zone")?;
        instant(zone::date_trunc(unit, micros(&a[1])))
    }),
    partial("date_trunc", &[Text, TimestampTz, Text], TimestampTz, |a, _| {
        let unit = unit(&a[0], "timestamp with time zone")?;
        let name = a[2].unwrap_text();
        let local = zone_of(name)?.to_local(micros(&a[1]))?;
        let cut = calendar::date_trunc(unit, local).map_err(EvalError::from_value)?;
        Ok(Datum::TimestampTz(zone_of(name)?.to_utc(cut)?))
    }),
    partial("date_trunc", &[Text, INTERVAL], INTERVAL, |a, _| {
        spans(calendar::date_trunc_interval(unit(&a[0], "interval")?, interval(&a[1])))
    }),
    partial("extract", &[Text, Date], NUMERIC, |a, _| extract(a)),
    partial("extract", &[Text, Time], NUMERIC, |a, _| extract(a)),
    partial("extract", &[Text, Timestamp], NUMERIC, |a, _| extract(a)),
    partial("extract", &[Text, TimestampTz], NUMERIC, |a, _| extract(a)),
    partial("extract", &[Text, INTERVAL], NUMERIC, |a, _| extract(a)),
    partial("date_part", &[Text, Date], Float64, |a, _| date_part(a)),
    partial("date_part", &[Text, Time], Float64, |a, _| date_part(a)),
    partial("date_part", &[Text, Timestamp], Float64, |a, _| date_part(a)),
    partial("date_part", &[Text, TimestampTz], Float64, |a, _| date_part(a)),
    partial("date_part", &[Text, INTERVAL], Float64, |a, _| date_part(a)),
    partial("age", &[Timestamp, Timestamp], INTERVAL, |a, _| spans(calendar::age(micros(&a[0]), micros(&a[1])))),
    partial("age", &[TimestampTz, TimestampTz], INTERVAL, |a, _| {
        let [left, right] = [&a[0], &a[1]].map(|at| zone::to_local(micros(at)));
        spans(left.and_then(|left| calendar::age(left, right?)))
    }),
    partial("timezone", &[Text, Timestamp], TimestampTz, |a, _| {
        Ok(Datum::TimestampTz(zone_of(a[0].unwrap_text())?.to_utc(micros(&a[1]))?))
    }),
    partial("timezone", &[Text, TimestampTz], Timestamp, |a, _| {
        Ok(Datum::Timestamp(zone_of(a[0].unwrap_text())?.to_local(micros(&a[1]))?))
    }),
    partial("timezone", &[INTERVAL, Timestamp], TimestampTz, |a, _| {
        Ok(Datum::TimestampTz(Zone::ahead(interval(&a[0]))?.to_utc(micros(&a[1]))?))
    }),
    partial("timezone", &[INTERVAL, TimestampTz], Timestamp, |a, _| {
        Ok(Datum::Timestamp(Zone::ahead(interval(&a[0]))?.to_local(micros(&a[1]))?))
    }),
    total("isfinite", &[Date], Bool, |a, _| Ok(Datum::Bool(!calendar::is_infinite_date(date(&a[0]))))),
    total("isfinite", &[Timestamp], Bool, |a, _| Ok(Datum::Bool(!calendar::is_infinite_timestamp(micros(&a[0]))))),
    total("isfinite", &[TimestampTz], Bool, |a, _| Ok(Datum::Bool(!calendar::is_infinite_timestamp(micros(&a[0]))))),
    total("isfinite", &[INTERVAL], Bool, |_, _| Ok(Datum::Bool(true))),
    partial("justify_days", &[INTERVAL], INTERVAL, |a, _| spans(interval(&a[0]).justify_days())),
    partial("justify_hours", &[INTERVAL], INTERVAL, |a, _| spans(interval(&a[0]).justify_hours())),
    partial("justify_interval", &[INTERVAL], INTERVAL, |a, _| spans(interval(&a[0]).justify_interval())),
    partial("make_date", &[Int32, Int32, Int32], Date, |a, _| make_date(a).map(Datum::Date)),
    partial("make_time", &[Int32, Int32, Float64], Time, |a, _| make_time(a).map(Datum::Time)),
    partial("make_timestamp", &[Int32, Int32, Int32, Int32, Int32, Float64], Timestamp, |a, _| {
        Ok(Datum::Timestamp(make_timestamp(a)?))
    }),
    partial("make_timestamptz", &[Int32, Int32, Int32, Int32, Int32, Float64], TimestampTz, |a, _| {
        instant(zone::to_utc(make_timestamp(a)?))
    }),
    partial("make_timestamptz", &[Int32, Int32, Int32, Int32, Int32, Float64, Text], TimestampTz, |a, _| {
        Ok(Datum::TimestampTz(zone_of(a[6].unwrap_text())?.to_utc(make_timestamp(a)?)?))
    }),
    total("make_interval", &[], INTERVAL, |_, _| Ok(Datum::Interval(Interval { months: 0, days: 0, micros: 0 }))),
    partial("make_interval", &[Int32], INTERVAL, |a, _| make_interval(a)),
    partial("make_interval", &[Int32, Int32], INTERVAL, |a, _| make_interval(a)),
    partial("make_interval", &[Int32, Int32, Int32], INTERVAL, |a, _| make_interval(a)),
    partial("make_interval", &[Int32, Int32, Int32, Int32], INTERVAL, |a, _| make_interval(a)),
    partial("make_interval", &[Int32, Int32, Int32, Int32, Int32], INTERVAL, |a, _| make_interval(a)),
    partial("make_interval", &[Int32, Int32, Int32, Int32, Int32, Int32], INTERVAL, |a, _| make_interval(a)),
    partial("make_interval", &[Int32, Int32, Int32, Int32, Int32, Int32, Float64], INTERVAL, |a, _| make_interval(a)),
    partial("to_timestamp", &[Float64], TimestampTz, |a, _| of_epoch(unwrap_f64(&a[0]))),
    partial("date_bin", &[INTERVAL, Timestamp, Timestamp], Timestamp, |a, _| Ok(Datum::Timestamp(date_bin(a)?))),
    partial("date_bin", &[INTERVAL, TimestampTz, TimestampTz], TimestampTz, |a, _| {
        Ok(Datum::TimestampTz(date_bin(a)?))
    }),
];

fn date(datum: &Datum<'_>) -> i32 {
    match datum {
        Datum::Date(days) => *days,
        other => panic!("expected a date, found {other:?}: the plan's types are wrong"),
    }
}

fn micros(datum: &Datum<'_>) -> i64 {
    match datum {
        Datum::Time(micros) | Datum::Timestamp(micros) | Datum::TimestampTz(micros) => *micros,
        other => panic!("expected a time, found {other:?}: the plan's types are wrong"),
    }
}

fn interval(datum: &Datum<'_>) -> Interval {
    match datum {
        Datum::Interval(interval) => *interval,
        other => panic!("expected an interval, found {other:?}: the plan's types are wrong"),
    }
}

fn timestamp<'a>(micros: Result<i64, CalendarError>) -> Value<'a> {
    micros.map(Datum::Timestamp).map_err(EvalError::from_value)
}

fn instant<'a>(micros: Result<i64, CalendarError>) -> Value<'a> {
    micros.map(Datum::TimestampTz).map_err(EvalError::from_value)
}

fn spans<'a>(interval: Result<Interval, CalendarError>) -> Value<'a> {
    interval.map(Datum::Interval).map_err(EvalError::from_value)
}

fn time_as_interval(time: &Datum<'_>) -> Interval {
    Interval { months: 0, days: 0, micros: micros(time) }
}

fn add_days<'a>(date: i32, days: i64) -> Value<'a> {
    if calendar::is_infinite_date(date) {
        return Ok(Datum::Date(date));
    }
    match i32::try_from(i64::from(date) + days) {
        Ok(sum) if (calendar::DATE_MIN..=calendar::DATE_MAX).contains(&sum) => Ok(Datum::Date(sum)),
        _ => fail("date out of range"),
    }
}

fn add_to_date<'a>(date: i32, interval: Interval) -> Value<'a> {
    timestamp(calendar::date_to_timestamp(date).and_then(|at| calendar::add_interval_timestamp(at, interval)))
}

/// A time of day some way on, around midnight if need be.
fn turn_clock(time: i64, by: i64) -> Datum<'static> {
    Datum::Time((time + by % MICROS_PER_DAY).rem_euclid(MICROS_PER_DAY))
}

/// Reads a unit; the common ones without a copy.
fn unit(name: &Datum<'_>, type_name: &'static str) -> Result<DateUnit, EvalError> {
    match name.unwrap_text() {
        "day" => Ok(DateUnit::Day),
        "week" => Ok(DateUnit::Week),
        "month" => Ok(DateUnit::Month),
        "quarter" => Ok(DateUnit::Quarter),
        "year" => Ok(DateUnit::Year),
        "hour" => Ok(DateUnit::Hour),
        "minute" => Ok(DateUnit::Minute),
        "second" => Ok(DateUnit::Second),
        "epoch" => Ok(DateUnit::Epoch),
        other => DateUnit::parse(other, type_name).map_err(EvalError::from_value),
    }
}

fn extract<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let field = match &args[1] {
        Datum::Date(days) => calendar::extract_date(unit(&args[0], "date")?, *days),
        Datum::Time(micros) => calendar::extract_time(unit(&args[0], "time without time zone")?, *micros).map(Some),
        Datum::Timestamp(micros) => {
            calendar::extract_timestamp(unit(&args[0], "timestamp without time zone")?, *micros)
        }
        Datum::TimestampTz(micros) => zone::extract(unit(&args[0], "timestamp with time zone")?, *micros),
        value => calendar::extract_interval(unit(&args[0], "interval")?, interval(value)).map(Some),
    };
    Ok(field.map_err(EvalError::from_value)?.map_or(Datum::Null, Datum::Numeric))
}

/// As `extract`, in double precision. Unlike it, a date is taken as its midnight, so that time fields are zero.
fn date_part<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let field = match &args[1] {
        Datum::Date(days) => {
            let midnight = calendar::date_to_timestamp(*days).map_err(EvalError::from_value)?;
            extract(&[args[0].clone(), Datum::Timestamp(midnight)])?
        }
        _ => extract(args)?,
    };
    Ok(match field {
        Datum::Numeric(value) => Datum::Float64(value.to_f64()),
        other => other,
    })
}

/// A zone that an expression names: an abbreviation of a fixed offset, a named zone, or an offset itself.
enum Zone<'n> {
    Named(&'n str),
    /// Microseconds ahead of UTC.
    Fixed(i64),
}

impl Zone<'_> {
    /// The zone that is this far ahead of UTC.
    fn ahead(offset: Interval) -> Result<Zone<'static>, EvalError> {
        if offset.months != 0 || offset.days != 0 {
            let shown = calendar::format_interval(offset);
            return fail(format!("interval time zone \"{shown}\" must not include months or days"));
        }
        Ok(Zone::Fixed(offset.micros))
    }

    fn to_local(&self, micros: i64) -> Result<i64, EvalError> {
        match self {
            Zone::Named(name) => {
                let zone = calendar::parse_zone(name).map_err(EvalError::from_value)?;
                calendar::timestamp_in_zone(micros, zone).map_err(EvalError::from_value)
            }
            Zone::Fixed(ahead) => shift(micros, *ahead),
        }
    }

    fn to_utc(&self, local: i64) -> Result<i64, EvalError> {
        match self {
            Zone::Named(name) => {
                let zone = calendar::parse_zone(name).map_err(EvalError::from_value)?;
                calendar::zone_to_utc(local, zone).map_err(EvalError::from_value)
            }
            Zone::Fixed(ahead) => shift(local, -ahead),
        }
    }
}

fn shift(micros: i64, by: i64) -> Result<i64, EvalError> {
    if calendar::is_infinite_timestamp(micros) {
        return Ok(micros);
    }
    micros.checked_add(by).ok_or_else(|| EvalError::new("timestamp out of range"))
}

fn zone_of(name: &str) -> Result<Zone<'_>, EvalError> {
    if let Some(hours) = abbreviation(name) {
        return Ok(Zone::Fixed((hours * 60.0) as i64 * MICROS_PER_MINUTE));
    }
    if calendar::parse_zone(name).is_ok() {
        return Ok(Zone::Named(name));
    }
    match posix_offset(name) {
        Some(ahead) => Ok(Zone::Fixed(ahead)),
        None => fail(format!("time zone \"{name}\" not recognized")),
    }
}

/// Abbreviations that PostgreSQL takes for a fixed offset, summer or winter, in hours ahead of UTC.
fn abbreviation(name: &str) -> Option<f64> {
    Some(match name.to_ascii_uppercase().as_str() {
        "UTC" | "UT" | "UCT" | "GMT" | "Z" | "ZULU" | "WET" => 0.0,
        "CET" | "MET" | "BST" | "WEST" | "WETDST" | "MEZ" => 1.0,
        "CEST" | "CETDST" | "MEST" | "METDST" | "MESZ" | "EET" | "SAST" | "IST" => 2.0,
        "EEST" | "EETDST" | "MSK" | "IDT" => 3.0,
        "MSD" => 4.0,
        "PKT" => 5.0,
        "NPT" => 5.75,
        "ICT" => 7.0,
        "HKT" | "SGT" | "AWST" | "PHT" => 8.0,
        "JST" | "KST" => 9.0,
        "ACST" => 9.5,
        "AEST" => 10.0,
        "ACDT" => 10.5,
        "AEDT" => 11.0,
        "NZST" => 12.0,
        "NZDT" => 13.0,
        "NDT" => -2.5,
        "ADT" | "BRT" | "ART" => -3.0,
        "NST" => -3.5,
        "AST" | "EDT" => -4.0,
        "EST" | "CDT" => -5.0,
        "CST" | "MDT" => -6.0,
        "MST" | "PDT" => -7.0,
        "PST" | "AKDT" => -8.0,
        "AKST" => -9.0,
        "HST" => -10.0,
        _ => return None,
    })
}

/// An offset in POSIX form, whose sign counts westwards: `+02` and `UTC+2` are behind UTC.
fn posix_offset(name: &str) -> Option<i64> {
    let at = name.find(['+', '-'])?;
    let (letters, offset) = name.split_at(at);
    if !letters.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let sign = if offset.starts_with('+') { -1 } else { 1 };
    let mut parts = offset[1..].splitn(2, ':').map(|part| part.parse::<u32>().ok());
    let hours = parts.next()??;
    let minutes = parts.next().unwrap_or(Some(0))?;
    let is_in_range = hours <= 167 && minutes < 60;
    is_in_range.then(|| sign * (i64::from(hours) * MICROS_PER_HOUR + i64::from(minutes) * MICROS_PER_MINUTE))
}

fn make_date(args: &[Datum<'_>]) -> Result<i32, EvalError> {
    let [year, month, day] = [0, 1, 2].map(|index| args[index].unwrap_int());
    // A negative year is before Christ; there is no year zero.
    let astronomical = if year < 0 { year + 1 } else { year };
    let found = i32::try_from(astronomical)
        .ok()
        .filter(|_| year != 0)
        .and_then(|year| calendar::days_from_ymd(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?));
    found.ok_or_else(|| EvalError::new(format!("date field value out of range: {year}-{month:02}-{day:02}")))
}

fn clock_micros(hour: i64, minute: i64, second: f64) -> Result<i64, EvalError> {
    let is_in_range = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&second);
    let micros = hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE + (second * 1e6).round_ties_even() as i64;
    if !is_in_range || micros > MICROS_PER_DAY {
        return fail(format!("time field value out of range: {hour}:{minute:02}:{}", two_digits(second)));
    }
    Ok(micros)
}

/// Seconds as PostgreSQL prints them here: at least two digits before the point.
fn two_digits(second: f64) -> String {
    let shown = second.to_string();
    let whole = shown.split('.').next().map_or(0, str::len);
    if whole < 2 { format!("0{shown}") } else { shown }
}

fn make_time(args: &[Datum<'_>]) -> Result<i64, EvalError> {
    clock_micros(args[0].unwrap_int(), args[1].unwrap_int(), unwrap_f64(&args[2]))
}

fn make_timestamp(args: &[Datum<'_>]) -> Result<i64, EvalError> {
    let days = make_date(args)?;
    let micros = clock_micros(args[3].unwrap_int(), args[4].unwrap_int(), unwrap_f64(&args[5]))?;
    calendar::date_to_timestamp(days)
        .ok()
        .and_then(|midnight| midnight.checked_add(micros))
        .ok_or_else(|| EvalError::new("timestamp out of range"))
}

/// Years, months, weeks, days, hours, minutes, seconds; missing ones are zero.
fn make_interval<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let whole = |index: usize| args.get(index).map_or(0, |value| i64::from(unwrap_i32(value)));
    let seconds = args.get(6).map_or(0.0, unwrap_f64);
    if !seconds.is_finite() {
        return fail("interval out of range");
    }
    let months = i32::try_from(whole(0) * 12 + whole(1));
    let days = i32::try_from(whole(2) * 7 + whole(3));
    let clock = whole(4) * MICROS_PER_HOUR + whole(5) * MICROS_PER_MINUTE;
    let micros = clock.checked_add((seconds * 1e6).round_ties_even() as i64);
    match (months, days, micros) {
        (Ok(months), Ok(days), Some(micros)) => Ok(Datum::Interval(Interval { months, days, micros })),
        _ => fail("interval out of range"),
    }
}

/// Seconds since 1970.
fn of_epoch<'a>(seconds: f64) -> Value<'a> {
    if seconds.is_nan() {
        return fail("timestamp cannot be NaN");
    }
    if seconds.is_infinite() {
        let bound = if seconds > 0.0 { calendar::TIMESTAMP_INFINITY } else { calendar::TIMESTAMP_NEG_INFINITY };
        return Ok(Datum::TimestampTz(bound));
    }
    let micros = (seconds * 1e6).round_ties_even();
    if !(calendar::TIMESTAMP_MIN as f64..calendar::TIMESTAMP_MAX as f64).contains(&micros) {
        return fail(format!("timestamp out of range: \"{}\"", Numeric::from_f64(seconds)));
    }
    Ok(Datum::TimestampTz(micros as i64))
}

/// The start of the bin of a fixed stride that a moment falls into, counted from an origin.
fn date_bin(args: &[Datum<'_>]) -> Result<i64, EvalError> {
    let (stride, at, origin) = (interval(&args[0]), micros(&args[1]), micros(&args[2]));
    if calendar::is_infinite_timestamp(at) {
        return Ok(at);
    }
    if calendar::is_infinite_timestamp(origin) {
        return fail("origin out of range");
    }
    if stride.months != 0 {
        return fail("timestamps cannot be binned into intervals containing months or years");
    }
    let stride = i128::from(stride.days) * i128::from(MICROS_PER_DAY) + i128::from(stride.micros);
    if stride <= 0 {
        return fail("stride must be greater than zero");
    }
    let behind = (i128::from(at) - i128::from(origin)).rem_euclid(stride);
    i64::try_from(i128::from(at) - behind).map_err(|_| EvalError::new("timestamp out of range"))
}
