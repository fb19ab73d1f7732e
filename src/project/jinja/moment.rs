//! Dates, moments and durations of `modules.datetime`, and time zones of `modules.pytz`.

use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::sync::Arc;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::value::Arguments;

/// A value of Python's `datetime` module.
#[derive(Clone, PartialEq)]
pub enum Moment {
    Date(NaiveDate),
    /// Local time and, where it is aware, its zone.
    DateTime(NaiveDateTime, Option<Zone>),
    Duration(TimeDelta),
}

/// A time zone of `pytz`.
#[derive(Clone, PartialEq)]
pub struct Zone(Tz);

impl Zone {
    pub fn utc() -> Zone {
        Zone(Tz::UTC)
    }

    pub fn named(name: &str) -> Result<Zone, Error> {
        name.parse()
            .map(Zone)
            .map_err(|_| Error::new(ErrorKind::InvalidOperation, format!("unknown time zone '{name}'")))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(' '))
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

impl Moment {
    /// The moment that many microseconds after 1970, in UTC.
    pub fn from_micros(micros: i64) -> Moment {
        let utc = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH);
        Moment::DateTime(utc.naive_utc(), Some(Zone::utc()))
    }

    pub fn from_timestamp(seconds: f64) -> Result<Moment, Error> {
        let utc = DateTime::<Utc>::from_timestamp_micros((seconds * 1e6).round() as i64);
        utc.map(|utc| Moment::DateTime(utc.naive_utc(), None)).ok_or_else(|| invalid("timestamp out of range"))
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Moment::Date(_) => "datetime.date",
            Moment::DateTime(..) => "datetime.datetime",
            Moment::Duration(_) => "datetime.timedelta",
        }
    }

    /// The same moment without its zone, in UTC.
    pub fn naive(&self) -> Moment {
        match self {
            Moment::DateTime(..) => Moment::DateTime(self.utc(), None),
            other => other.clone(),
        }
    }

    pub fn date(&self) -> Moment {
        match self {
            Moment::DateTime(local, _) => Moment::Date(local.date()),
            other => other.clone(),
        }
    }

    pub fn midnight(&self) -> Moment {
        match self {
            Moment::Date(date) => Moment::DateTime(date.and_time(NaiveTime::MIN), None),
            Moment::DateTime(local, zone) => Moment::DateTime(local.date().and_time(NaiveTime::MIN), zone.clone()),
            other => other.clone(),
        }
    }

    fn utc(&self) -> NaiveDateTime {
        match self {
            Moment::DateTime(local, Some(Zone(tz))) => {
                tz.from_local_datetime(local).earliest().map_or(*local, |aware| aware.naive_utc())
            }
            Moment::DateTime(local, None) => *local,
            Moment::Date(date) => date.and_time(NaiveTime::MIN),
            Moment::Duration(_) => NaiveDateTime::MIN,
        }
    }

    pub fn in_zone(&self, zone: &Zone) -> Moment {
        Moment::DateTime(zone.0.from_utc_datetime(&self.utc()).naive_local(), Some(zone.clone()))
    }

    pub fn datetime_of(args: &Arguments) -> Result<Moment, Error> {
        let Moment::Date(date) = Moment::date_of(args)? else { return Err(invalid("datetime needs a date")) };
        let part = |at: usize, name: &str| args.get(at, name).and_then(|value| value.as_i64()).unwrap_or(0) as u32;
        let time = NaiveTime::from_hms_micro_opt(
            part(3, "hour"),
            part(4, "minute"),
            part(5, "second"),
            part(6, "microsecond"),
        );
        let zone = args.get(7, "tzinfo").and_then(|zone| zone.downcast_object_ref::<Zone>().cloned());
        time.map(|time| Moment::DateTime(date.and_time(time), zone)).ok_or_else(|| invalid("hour must be in 0..23"))
    }

    pub fn date_of(args: &Arguments) -> Result<Moment, Error> {
        let part = |at: usize, name: &str| {
            args.require(at, name)?.as_i64().ok_or_else(|| invalid(format!("an integer is required for '{name}'")))
        };
        NaiveDate::from_ymd_opt(part(0, "year")? as i32, part(1, "month")? as u32, part(2, "day")? as u32)
            .map(Moment::Date)
            .ok_or_else(|| invalid("day is out of range for month"))
    }

    pub fn duration_of(args: &Arguments) -> Moment {
        const UNITS: [(&str, f64); 7] = [
            ("days", 86_400e6),
            ("seconds", 1e6),
            ("microseconds", 1.0),
            ("milliseconds", 1e3),
            ("minutes", 60e6),
            ("hours", 3_600e6),
            ("weeks", 604_800e6),
        ];
        let micros: f64 = UNITS
            .iter()
            .enumerate()
            .filter_map(|(at, (name, micros))| {
                args.get(at, name).and_then(|n| f64::try_from(n).ok()).map(|n| n * micros)
            })
            .sum();
        Moment::Duration(TimeDelta::microseconds(micros.round() as i64))
    }

    pub fn strptime(text: &str, format: &str) -> Result<Moment, Error> {
        let chrono_format = format.replace("%f", "%6f");
        let parsed = NaiveDateTime::parse_from_str(text, &chrono_format)
            .or_else(|_| NaiveDate::parse_from_str(text, &chrono_format).map(|date| date.and_time(NaiveTime::MIN)))
            .or_else(|_| {
                NaiveDate::parse_from_str(&format!("{text} 01"), &format!("{chrono_format} %d"))
                    .map(|d| d.and_time(NaiveTime::MIN))
            });
        parsed
            .map(|local| Moment::DateTime(local, None))
            .map_err(|_| invalid(format!("time data '{text}' does not match format '{format}'")))
    }

    pub fn from_iso(text: &str) -> Result<Moment, Error> {
        let aware =
            DateTime::parse_from_rfc3339(text).ok().map(|aware| Moment::DateTime(aware.naive_utc(), Some(Zone::utc())));
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
        let local = || formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.and_time(NaiveTime::MIN));
        aware
            .or_else(|| local().or_else(date).map(|local| Moment::DateTime(local, None)))
            .ok_or_else(|| invalid(format!("Invalid isoformat string: '{text}'")))
    }

    pub fn plus(&self, other: &Moment) -> Option<Moment> {
        Some(match (self, other) {
            (Moment::Date(date), Moment::Duration(delta)) | (Moment::Duration(delta), Moment::Date(date)) => {
                Moment::Date(date.checked_add_signed(TimeDelta::days(delta.num_seconds().div_euclid(86_400)))?)
            }
            (Moment::DateTime(local, zone), Moment::Duration(delta))
            | (Moment::Duration(delta), Moment::DateTime(local, zone)) => {
                Moment::DateTime(local.checked_add_signed(*delta)?, zone.clone())
            }
            (Moment::Duration(a), Moment::Duration(b)) => Moment::Duration(a.checked_add(b)?),
            _ => return None,
        })
    }

    pub fn minus(&self, other: &Moment) -> Option<Moment> {
        match (self, other) {
            (_, Moment::Duration(delta)) => self.plus(&Moment::Duration(-*delta)),
            (Moment::Date(a), Moment::Date(b)) => Some(Moment::Duration(a.signed_duration_since(*b))),
            (Moment::DateTime(..), Moment::DateTime(..)) => Some(Moment::Duration(self.utc() - other.utc())),
            _ => None,
        }
    }

    /// Python's `str`, with this character between date and time.
    fn text(&self, separator: char) -> String {
        match self {
            Moment::Date(date) => date.format("%Y-%m-%d").to_string(),
            Moment::DateTime(local, zone) => {
                let mut text = format!("{}{separator}{}", local.format("%Y-%m-%d"), local.format("%H:%M:%S"));
                if local.nanosecond() != 0 {
                    let _ = write!(text, ".{:06}", local.nanosecond() / 1_000);
                }
                if zone.is_some() {
                    text.push_str(&self.offset_text(":"));
                }
                text
            }
            Moment::Duration(delta) => {
                let micros = delta.num_microseconds().unwrap_or(0);
                let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
                let seconds = rest / 1_000_000;
                let mut text = match days {
                    0 => String::new(),
                    1 | -1 => format!("{days} day, "),
                    _ => format!("{days} days, "),
                };
                let _ = write!(text, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
                if rest % 1_000_000 != 0 {
                    let _ = write!(text, ".{:06}", rest % 1_000_000);
                }
                text
            }
        }
    }

    fn offset_text(&self, colon: &str) -> String {
        let Moment::DateTime(local, Some(Zone(tz))) = self else { return String::new() };
        let seconds =
            tz.offset_from_local_datetime(local).earliest().map_or(0, |offset| offset.fix().local_minus_utc());
        let sign = if seconds < 0 { '-' } else { '+' };
        format!("{sign}{:02}{colon}{:02}", seconds.abs() / 3600, seconds.abs() / 60 % 60)
    }

    fn strftime(&self, format: &str) -> Result<String, Error> {
        let zone = match self {
            Moment::DateTime(_, Some(Zone(tz))) => tz.name().to_string(),
            _ => String::new(),
        };
        let format = format.replace("%f", "%6f").replace("%z", &self.offset_text("")).replace("%Z", &zone);
        if StrftimeItems::new(&format).any(|item| matches!(item, Item::Error)) {
            return Err(invalid(format!("Invalid format string: '{format}'")));
        }
        let Moment::DateTime(local, _) = self.midnight_unless_timed() else {
            return Err(invalid("a timedelta has no strftime"));
        };
        Ok(local.format(&format).to_string())
    }

    fn midnight_unless_timed(&self) -> Moment {
        match self {
            Moment::Date(_) => self.midnight(),
            other => other.clone(),
        }
    }

    fn replaced(&self, args: &Arguments) -> Result<Moment, Error> {
        let (date, time, zone) = match self.midnight_unless_timed() {
            Moment::DateTime(local, zone) => (local.date(), local.time(), zone),
            other => return Ok(other),
        };
        let part = |name: &str, old: u32| args.named(name).and_then(Value::as_i64).map_or(old, |new| new as u32);
        let year = args.get(0, "year").and_then(|year| year.as_i64()).map_or(date.year(), |year| year as i32);
        let date = NaiveDate::from_ymd_opt(year, part("month", date.month()), part("day", date.day()));
        let micros = part("microsecond", time.nanosecond() / 1_000);
        let time = NaiveTime::from_hms_micro_opt(
            part("hour", time.hour()),
            part("minute", time.minute()),
            part("second", time.second()),
            micros,
        );
        let zone = match args.named("tzinfo") {
            Some(zone) => zone.downcast_object_ref::<Zone>().cloned(),
            None => zone,
        };
        let (Some(date), Some(time)) = (date, time) else { return Err(invalid("day is out of range for month")) };
        Ok(if matches!(self, Moment::Date(_)) {
            Moment::Date(date)
        } else {
            Moment::DateTime(date.and_time(time), zone)
        })
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if let Moment::Duration(delta) = &**self {
            let seconds = delta.num_seconds();
            return match key {
                "days" => Some(Value::from(seconds.div_euclid(86_400))),
                "seconds" => Some(Value::from(seconds.rem_euclid(86_400))),
                "microseconds" => Some(Value::from(delta.subsec_nanos().rem_euclid(1_000_000_000) / 1_000)),
                _ => None,
            };
        }
        let Moment::DateTime(local, zone) = self.midnight_unless_timed() else { return None };
        Some(match key {
            "year" => Value::from(local.year()),
            "month" => Value::from(local.month()),
            "day" => Value::from(local.day()),
            "hour" => Value::from(local.hour()),
            "minute" => Value::from(local.minute()),
            "second" => Value::from(local.second()),
            "microsecond" => Value::from(local.nanosecond() / 1_000),
            "tzinfo" => zone.map_or_else(|| Value::from(()), Value::from_object),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !matches!(**self, Moment::Duration(delta) if delta.is_zero())
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        match (&**self, other.downcast_ref::<Moment>()?) {
            (Moment::Duration(a), Moment::Duration(b)) => Some(a.cmp(b)),
            (a, b) => Some(a.utc().cmp(&b.utc())),
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        let Moment::DateTime(local, zone) = self.midnight_unless_timed() else {
            return match (method, &**self) {
                ("total_seconds", Moment::Duration(delta)) => {
                    Ok(Value::from(delta.num_microseconds().unwrap_or(0) as f64 / 1e6))
                }
                _ => Err(Error::from(ErrorKind::UnknownMethod)),
            };
        };
        Ok(match method {
            "strftime" => Value::from(self.strftime(&args.text(0, "format")?)?),
            "isoformat" => {
                let separator = args.get(0, "sep").and_then(|sep| sep.to_string().chars().next()).unwrap_or('T');
                Value::from(self.text(separator))
            }
            "date" => Value::from_object(self.date()),
            "timestamp" => Value::from(self.utc().and_utc().timestamp_micros() as f64 / 1e6),
            "weekday" => Value::from(local.weekday().num_days_from_monday()),
            "isoweekday" => Value::from(local.weekday().number_from_monday()),
            "replace" => Value::from_object(self.replaced(&args)?),
            "astimezone" => match args.get(0, "tz").as_ref().and_then(Value::downcast_object_ref::<Zone>) {
                Some(target) => Value::from_object(self.in_zone(target)),
                None => Value::from_object(Moment::DateTime(local, zone)),
            },
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }
}

impl Object for Zone {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        let moment = args.require(0, "dt")?;
        match (method, moment.downcast_object_ref::<Moment>()) {
            ("localize", Some(Moment::DateTime(local, _))) => {
                Ok(Value::from_object(Moment::DateTime(*local, Some((**self).clone()))))
            }
            ("normalize", Some(moment)) => Ok(Value::from_object(moment.in_zone(self))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
