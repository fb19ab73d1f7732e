//! The units of `date_trunc`, `extract` and intervals.

use super::CalendarError;

/// A unit, parsed once when an expression is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum DateUnit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    IsoYear,
    Julian,
    Epoch,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

impl DateUnit {
    /// Reads a unit's name or abbreviation in any case. `type_name` is the SQL type it is applied to, for the error.
    pub fn parse(text: &str, type_name: &'static str) -> Result<DateUnit, CalendarError> {
        let lower = text.to_ascii_lowercase();
        DateUnit::of_interval_word(&lower)
            .or_else(|| DateUnit::of_field_word(&lower))
            .ok_or(CalendarError::UnitNotRecognized { unit: lower, type_name })
    }

    /// A word of PostgreSQL's interval table, already in lower case; only ten characters count.
    pub(super) fn of_interval_word(word: &str) -> Option<DateUnit> {
        Some(match word.get(..10).unwrap_or(word) {
            "us" | "usec" | "usecond" | "useconds" | "usecs" | "microsecon" => DateUnit::Microsecond,
            "ms" | "msec" | "msecond" | "mseconds" | "msecs" | "millisecon" => DateUnit::Millisecond,
            "s" | "sec" | "second" | "seconds" | "secs" => DateUnit::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => DateUnit::Minute,
            "h" | "hour" | "hours" | "hr" | "hrs" => DateUnit::Hour,
            "d" | "day" | "days" => DateUnit::Day,
            "w" | "week" | "weeks" => DateUnit::Week,
            "mon" | "mons" | "month" | "months" => DateUnit::Month,
            "qtr" | "quarter" => DateUnit::Quarter,
            "y" | "year" | "years" | "yr" | "yrs" => DateUnit::Year,
            "dec" | "decs" | "decade" | "decades" => DateUnit::Decade,
            "c" | "cent" | "century" | "centuries" => DateUnit::Century,
            "mil" | "mils" | "millennia" | "millennium" => DateUnit::Millennium,
            "timezone" => DateUnit::Timezone,
            "timezone_h" => DateUnit::TimezoneHour,
            "timezone_m" => DateUnit::TimezoneMinute,
            _ => return None,
        })
    }

    /// A word that only `extract` knows.
    fn of_field_word(word: &str) -> Option<DateUnit> {
        Some(match word {
            "dow" => DateUnit::DayOfWeek,
            "isodow" => DateUnit::IsoDayOfWeek,
            "doy" => DateUnit::DayOfYear,
            "isoyear" => DateUnit::IsoYear,
            "j" | "jd" | "julian" => DateUnit::Julian,
            "epoch" => DateUnit::Epoch,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            DateUnit::Microsecond => "microseconds",
            DateUnit::Millisecond => "milliseconds",
            DateUnit::Second => "second",
            DateUnit::Minute => "minute",
            DateUnit::Hour => "hour",
            DateUnit::Day => "day",
            DateUnit::Week => "week",
            DateUnit::Month => "month",
            DateUnit::Quarter => "quarter",
            DateUnit::Year => "year",
            DateUnit::Decade => "decade",
            DateUnit::Century => "century",
            DateUnit::Millennium => "millennium",
            DateUnit::DayOfWeek => "dow",
            DateUnit::IsoDayOfWeek => "isodow",
            DateUnit::DayOfYear => "doy",
            DateUnit::IsoYear => "isoyear",
            DateUnit::Julian => "julian",
            DateUnit::Epoch => "epoch",
            DateUnit::Timezone => "timezone",
            DateUnit::TimezoneHour => "timezone_hour",
            DateUnit::TimezoneMinute => "timezone_minute",
        }
    }

    pub(super) fn unsupported(self, type_name: &'static str) -> CalendarError {
        CalendarError::UnitNotSupported { unit: self.name(), type_name }
    }
}
