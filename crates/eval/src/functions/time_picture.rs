//! Format pictures of dates and times (`YYYY-MM-DD HH24:MI:SS`), for `to_char`, `to_date` and `to_timestamp`.
//!
//! ```text
//!   picture ──scan: prefix FM TM, longest keyword, suffix TH th SP──> nodes: field | separator | space | character
//! ```
//!
//! 1. Keywords are known in upper and in lower case, names of months and days also with a capital; anything else is text.
//! 2. Text in double quotes is never a keyword.

use std::cell::RefCell;
use std::rc::Rc;

use super::pattern_cache::PatternCache;
use crate::EvalError;

/// What a keyword stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// `AM`, `PM`; `is_dotted` for `A.M.`
    Meridiem {
        is_dotted: bool,
    },
    Era {
        is_dotted: bool,
    },
    Hour12,
    Hour24,
    Minute,
    Second,
    /// Digits of a fraction of a second: `MS` is 3, `US` is 6, `FF1` … `FF6`.
    Fraction(u8),
    SecondOfDay,
    ZoneName,
    ZoneHour,
    ZoneMinute,
    ZoneOffset,
    MonthName,
    MonthShort,
    Month,
    DayName,
    DayShort,
    DayOfYear,
    IsoDayOfYear,
    Day,
    WeekDay,
    IsoWeekDay,
    Week,
    IsoWeek,
    WeekOfMonth,
    Quarter,
    Century,
    YearWithComma,
    /// The last digits of the year; 4 is all of it.
    Year(u8),
    IsoYear(u8),
    RomanMonth,
    Julian,
    FixedWidth,
}

/// How letters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Capital,
    Lower,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) unit: Unit,
    pub(super) name: &'static str,
    pub(super) case: Case,
    /// `FM`: no padding.
    pub(super) is_fill_mode: bool,
    /// `TH` or `th` behind it.
    pub(super) ordinal: Option<Case>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Field(Field),
    /// Punctuation: any one matches any other when reading.
    Separator(char),
    Space(char),
    Character(char),
}

/// Upper-case keywords, longer ones before their beginnings. Each is known in lower case too.
const KEYWORDS: &[(&str, &str, Unit)] = &[
    ("Y,YYY", "y,yyy", Unit::YearWithComma),
    ("MONTH", "month", Unit::MonthName),
    ("SSSSS", "sssss", Unit::SecondOfDay),
    ("A.D.", "a.d.", Unit::Era { is_dotted: true }),
    ("B.C.", "b.c.", Unit::Era { is_dotted: true }),
    ("A.M.", "a.m.", Unit::Meridiem { is_dotted: true }),
    ("P.M.", "p.m.", Unit::Meridiem { is_dotted: true }),
    ("HH24", "hh24", Unit::Hour24),
    ("HH12", "hh12", Unit::Hour12),
    ("SSSS", "ssss", Unit::SecondOfDay),
    ("IDDD", "iddd", Unit::IsoDayOfYear),
    ("IYYY", "iyyy", Unit::IsoYear(4)),
    ("YYYY", "yyyy", Unit::Year(4)),
    ("DAY", "day", Unit::DayName),
    ("DDD", "ddd", Unit::DayOfYear),
    ("FF1", "ff1", Unit::Fraction(1)),
    ("FF2", "ff2", Unit::Fraction(2)),
    ("FF3", "ff3", Unit::Fraction(3)),
    ("FF4", "ff4", Unit::Fraction(4)),
    ("FF5", "ff5", Unit::Fraction(5)),
    ("FF6", "ff6", Unit::Fraction(6)),
    ("IYY", "iyy", Unit::IsoYear(3)),
    ("MON", "mon", Unit::MonthShort),
    ("TZH", "tzh", Unit::ZoneHour),
    ("TZM", "tzm", Unit::ZoneMinute),
    ("YYY", "yyy", Unit::Year(3)),
    ("AD", "ad", Unit::Era { is_dotted: false }),
    ("BC", "bc", Unit::Era { is_dotted: false }),
    ("AM", "am", Unit::Meridiem { is_dotted: false }),
    ("PM", "pm", Unit::Meridiem { is_dotted: false }),
    ("CC", "cc", Unit::Century),
    ("DD", "dd", Unit::Day),
    ("DY", "dy", Unit::DayShort),
    ("FX", "fx", Unit::FixedWidth),
    ("HH", "hh", Unit::Hour12),
    ("ID", "id", Unit::IsoWeekDay),
    ("IW", "iw", Unit::IsoWeek),
    ("IY", "iy", Unit::IsoYear(2)),
    ("MI", "mi", Unit::Minute),
    ("MM", "mm", Unit::Month),
    ("MS", "ms", Unit::Fraction(3)),
    ("OF", "of", Unit::ZoneOffset),
    ("RM", "rm", Unit::RomanMonth),
    ("SS", "ss", Unit::Second),
    ("TZ", "tz", Unit::ZoneName),
    ("US", "us", Unit::Fraction(6)),
    ("WW", "ww", Unit::Week),
    ("YY", "yy", Unit::Year(2)),
    ("D", "d", Unit::WeekDay),
    ("I", "i", Unit::IsoYear(1)),
    ("J", "j", Unit::Julian),
    ("Q", "q", Unit::Quarter),
    ("W", "w", Unit::WeekOfMonth),
    ("Y", "y", Unit::Year(1)),
];

const CAPITALIZED: &[(&str, Unit)] =
    &[("Month", Unit::MonthName), ("Mon", Unit::MonthShort), ("Day", Unit::DayName), ("Dy", Unit::DayShort)];

thread_local! {
    static CACHE: RefCell<PatternCache<Vec<Node>>> = RefCell::new(PatternCache::new());
}

/// The nodes of a picture.
pub(super) fn nodes(picture: &str) -> Rc<Vec<Node>> {
    let scanned = CACHE.with_borrow_mut(|cache| cache.get(&[picture], || Ok::<_, EvalError>(scan(picture))));
    // Every text is a picture; the error type only satisfies the cache.
    scanned.unwrap_or_default()
}

fn keyword(rest: &str) -> Option<(&'static str, Unit, Case)> {
    let mut best: Option<(&'static str, Unit, Case)> = None;
    let mut consider = |name: &'static str, unit: Unit, case: Case| {
        if rest.starts_with(name) && best.is_none_or(|(found, ..)| found.len() < name.len()) {
            best = Some((name, unit, case));
        }
    };
    for (upper, lower, unit) in KEYWORDS {
        consider(upper, *unit, Case::Upper);
        consider(lower, *unit, Case::Lower);
    }
    for (name, unit) in CAPITALIZED {
        consider(name, *unit, Case::Capital);
    }
    best
}

fn scan(picture: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = picture;
    while !rest.is_empty() {
        let (mut is_fill_mode, mut is_translated) = (false, false);
        if let Some(tail) = ["FM", "fm", "TM", "tm"].iter().find_map(|prefix| rest.strip_prefix(prefix)) {
            is_fill_mode = rest.starts_with(['F', 'f']);
            is_translated = !is_fill_mode;
            rest = tail;
        }
        if let Some((name, unit, case)) = keyword(rest) {
            rest = &rest[name.len()..];
            // A name in the locale's own words is not padded; the locale is "C", so the words stay.
            is_fill_mode |= is_translated && ["month", "mon", "day", "dy"].contains(&name.to_lowercase().as_str());
            let mut ordinal = None;
            for (suffix, case) in [("TH", Some(Case::Upper)), ("th", Some(Case::Lower)), ("SP", None)] {
                if let Some(tail) = rest.strip_prefix(suffix) {
                    ordinal = case;
                    rest = tail;
                    break;
                }
            }
            nodes.push(Node::Field(Field { unit, name, case, is_fill_mode, ordinal }));
        } else if let Some(tail) = rest.strip_prefix('"') {
            rest = scan_quoted(tail, &mut nodes);
        } else {
            // Outside quotes a backslash only keeps a quote from opening.
            if rest.starts_with("\\\"") {
                rest = &rest[1..];
            }
            let Some(character) = rest.chars().next() else { break };
            rest = &rest[character.len_utf8()..];
            nodes.push(if is_separator(character) {
                Node::Separator(character)
            } else if is_space(character) {
                Node::Space(character)
            } else {
                Node::Character(character)
            });
        }
    }
    nodes
}

/// Text up to the closing quote; inside, a backslash keeps what follows it.
fn scan_quoted<'p>(text: &'p str, nodes: &mut Vec<Node>) -> &'p str {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => nodes.push(Node::Character(characters.next().unwrap_or('\\'))),
            other => nodes.push(Node::Character(other)),
        }
    }
    characters.as_str()
}

/// Printable ASCII that is neither letter nor digit.
pub(super) fn is_separator(character: char) -> bool {
    character.is_ascii_graphic() && !character.is_ascii_alphanumeric()
}

pub(super) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{B}' | '\u{C}')
}

impl Unit {
    /// Whether its text starts with a digit, so that a number before it must be of exact length.
    pub(super) fn is_digits(self) -> bool {
        !matches!(
            self,
            Unit::Meridiem { .. }
                | Unit::Era { .. }
                | Unit::ZoneName
                | Unit::ZoneHour
                | Unit::ZoneOffset
                | Unit::MonthName
                | Unit::MonthShort
                | Unit::DayName
                | Unit::DayShort
                | Unit::RomanMonth
                | Unit::FixedWidth
        )
    }
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Sunday.
pub(super) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) const ROMAN_MONTHS: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// `st`, `nd`, `rd` or `th` for a number's text.
pub(super) fn ordinal_suffix(number: &str, case: Case) -> &'static str {
    let bytes = number.as_bytes();
    let is_teen = bytes.len() > 1 && bytes[bytes.len() - 2] == b'1';
    let suffix = match bytes.last() {
        Some(b'1') if !is_teen => ["ST", "st"],
        Some(b'2') if !is_teen => ["ND", "nd"],
        Some(b'3') if !is_teen => ["RD", "rd"],
        _ => ["TH", "th"],
    };
    suffix[usize::from(case == Case::Lower)]
}
