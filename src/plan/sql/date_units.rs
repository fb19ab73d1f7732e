//! Units of time as warehouses write them: bare words, texts, plurals and abbreviations.

use sqlparser::ast::{self, DateTimeField};

use super::expr::function_name;
use super::literal::field_name;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateUnit {
    Year,
    Quarter,
    Month,
    /// From Monday.
    Week,
    SundayWeek,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl DateUnit {
    fn named(name: &str) -> Option<DateUnit> {
        Some(match name {
            "year" | "years" | "yyyy" | "yyy" | "yy" | "y" | "yr" | "yrs" => DateUnit::Year,
            "quarter" | "quarters" | "qtr" | "qtrs" | "qq" | "q" => DateUnit::Quarter,
            "month" | "months" | "mon" | "mons" | "mm" => DateUnit::Month,
            "week" | "weeks" | "wk" | "wks" | "ww" | "w" | "isoweek" => DateUnit::Week,
            "day" | "days" | "dd" | "d" => DateUnit::Day,
            "hour" | "hours" | "hh" | "hr" | "hrs" | "h" => DateUnit::Hour,
            "minute" | "minutes" | "min" | "mins" | "mi" => DateUnit::Minute,
            "second" | "seconds" | "sec" | "secs" | "ss" | "s" => DateUnit::Second,
            "millisecond" | "milliseconds" | "ms" | "msec" => DateUnit::Millisecond,
            "microsecond" | "microseconds" | "us" | "usec" => DateUnit::Microsecond,
            _ => return None,
        })
    }

    /// PostgreSQL's name of the unit.
    pub(super) fn field(self) -> &'static str {
        match self {
            DateUnit::Year => "year",
            DateUnit::Quarter => "quarter",
            DateUnit::Month => "month",
            DateUnit::Week | DateUnit::SundayWeek => "week",
            DateUnit::Day => "day",
            DateUnit::Hour => "hour",
            DateUnit::Minute => "minute",
            DateUnit::Second => "second",
            DateUnit::Millisecond => "milliseconds",
            DateUnit::Microsecond => "microseconds",
        }
    }

    /// One unit as the text of an interval.
    pub(super) fn interval(self) -> &'static str {
        match self {
            DateUnit::Year => "1 year",
            DateUnit::Quarter => "3 months",
            DateUnit::Month => "1 month",
            DateUnit::Week | DateUnit::SundayWeek => "7 days",
            DateUnit::Day => "1 day",
            DateUnit::Hour => "1 hour",
            DateUnit::Minute => "1 minute",
            DateUnit::Second => "1 second",
            DateUnit::Millisecond => "1 millisecond",
            DateUnit::Microsecond => "1 microsecond",
        }
    }

    /// The unit's length, where it has one.
    pub(super) fn seconds(self) -> Option<&'static str> {
        Some(match self {
            DateUnit::Day => "86400",
            DateUnit::Hour => "3600",
            DateUnit::Minute => "60",
            DateUnit::Second => "1",
            DateUnit::Millisecond => "0.001",
            DateUnit::Microsecond => "0.000001",
            _ => return None,
        })
    }

    pub(super) fn is_day_or_more(self) -> bool {
        !matches!(
            self,
            DateUnit::Hour | DateUnit::Minute | DateUnit::Second | DateUnit::Millisecond | DateUnit::Microsecond
        )
    }
}

/// The unit that an argument names: a bare word, a text, or a week that says its first day.
pub(super) fn date_unit(arg: &ast::Expr) -> Option<DateUnit> {
    match arg {
        ast::Expr::Identifier(ident) if ident.quote_style.is_none() => DateUnit::named(&ident.value.to_lowercase()),
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => DateUnit::named(&text.to_lowercase()),
            _ => None,
        },
        ast::Expr::Function(call) if function_name(&call.name) == "week" => {
            let inside = call.args.to_string().to_lowercase();
            match inside.trim_matches(['(', ')']) {
                "monday" => Some(DateUnit::Week),
                "sunday" => Some(DateUnit::SundayWeek),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The unit of BigQuery's calls, where a plain week starts on Sunday.
pub(super) fn date_unit_of_sunday_weeks(arg: &ast::Expr) -> Option<DateUnit> {
    match arg {
        ast::Expr::Identifier(ident) if ident.value.eq_ignore_ascii_case("week") => Some(DateUnit::SundayWeek),
        other => date_unit(other),
    }
}

/// Whether an interval's unit is made of whole days.
pub(super) fn is_day_or_more(field: &DateTimeField) -> bool {
    DateUnit::named(&field_name(field)).is_some_and(DateUnit::is_day_or_more)
}
