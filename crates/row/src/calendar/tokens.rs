//! The fields of a date, time or interval text, as PostgreSQL splits it.

use super::CalendarError;

/// What a field looks like; its meaning depends on its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// Digits, perhaps with a fraction.
    Number,
    /// Letters.
    Word,
    /// Parts joined by `-`, `/` or `.`, or a zone name with punctuation.
    Date,
    /// Digits with colons.
    Time,
    /// A sign and digits: a zone offset, or a signed number of an interval.
    Signed,
    /// A sign and letters: `-infinity`.
    Special,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub kind: FieldKind,
    /// In lower case.
    pub text: String,
}

/// Bytes that PostgreSQL looks at, and fields that it takes.
const TEXT_BYTES_MAX: usize = 1024;
const FIELDS_MAX: usize = 25;

/// Splits a text into fields. `None` when it cannot be a date, time or interval.
pub(super) fn split(text: &str) -> Option<Vec<Field>> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let mut rest = Cursor { bytes: lower.as_bytes(), at: 0 };
    let mut fields = Vec::new();
    while let Some(byte) = rest.peek() {
        let start = rest.at;
        let kind = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
                rest.at += 1;
                continue;
            }
            b'0'..=b'9' => split_digits(&mut rest),
            b'.' => {
                rest.at += 1;
                rest.skip(|byte| byte.is_ascii_digit());
                FieldKind::Number
            }
            b'a'..=b'z' => split_word(&mut rest),
            b'+' | b'-' => {
                rest.at += 1;
                rest.skip(|byte| byte.is_ascii_whitespace());
                let sign = char::from(byte);
                let start = rest.at;
                let kind = match rest.peek() {
                    Some(b'0'..=b'9') => {
                        rest.skip(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-'));
                        FieldKind::Signed
                    }
                    Some(b'a'..=b'z') => {
                        rest.skip(|byte| byte.is_ascii_alphabetic());
                        FieldKind::Special
                    }
                    _ => return None,
                };
                fields.push(Field { kind, text: format!("{sign}{}", lower.get(start..rest.at)?) });
                continue;
            }
            byte if byte.is_ascii_punctuation() => {
                rest.at += 1;
                continue;
            }
            _ => return None,
        };
        fields.push(Field { kind, text: lower.get(start..rest.at)?.to_string() });
        if fields.len() > FIELDS_MAX {
            return None;
        }
    }
    Some(fields)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }
}

fn split_digits(rest: &mut Cursor<'_>) -> FieldKind {
    rest.skip(|byte| byte.is_ascii_digit());
    match rest.peek() {
        Some(b':') => {
            rest.skip(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
            FieldKind::Time
        }
        Some(delimiter @ (b'-' | b'/' | b'.')) => {
            rest.at += 1;
            if rest.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                rest.skip(|byte| byte.is_ascii_digit());
                if rest.peek() == Some(delimiter) {
                    rest.skip(|byte| byte.is_ascii_digit() || byte == delimiter);
                    return FieldKind::Date;
                }
                return if delimiter == b'.' { FieldKind::Number } else { FieldKind::Date };
            }
            // A month's name in the middle, or a number that ends in a point.
            if delimiter == b'.' && !rest.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                return FieldKind::Number;
            }
            rest.skip(|byte| byte.is_ascii_alphanumeric() || byte == delimiter);
            FieldKind::Date
        }
        _ => FieldKind::Number,
    }
}

/// Letters; with punctuation they are a date (`mar-1-2024`) or a zone (`america/new_york`, `etc/gmt+3`).
fn split_word(rest: &mut Cursor<'_>) -> FieldKind {
    let start = rest.at;
    rest.skip(|byte| byte.is_ascii_alphabetic());
    let joined = match rest.peek() {
        Some(b'-' | b'/' | b'.') => true,
        Some(b'+' | b'0'..=b'9') => !is_core_word(&rest.bytes[start..rest.at]),
        _ => false,
    };
    if !joined {
        return FieldKind::Word;
    }
    rest.skip(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
    FieldKind::Date
}

fn is_core_word(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|word| {
        month(word).is_some()
            || is_week_day(word)
            || matches!(
                word,
                "ad" | "bc"
                    | "am"
                    | "pm"
                    | "at"
                    | "on"
                    | "t"
                    | "j"
                    | "jd"
                    | "julian"
                    | "d"
                    | "h"
                    | "m"
                    | "mm"
                    | "s"
                    | "y"
                    | "now"
                    | "today"
                    | "tomorrow"
                    | "yesterday"
                    | "epoch"
                    | "infinity"
                    | "allballs"
                    | "dst"
                    | "doy"
                    | "dow"
            )
    })
}

/// A month's name or abbreviation, in lower case.
pub(super) fn month(word: &str) -> Option<u32> {
    Some(match word {
        "jan" | "january" => 1,
        "feb" | "february" => 2,
        "mar" | "march" => 3,
        "apr" | "april" => 4,
        "may" => 5,
        "jun" | "june" => 6,
        "jul" | "july" => 7,
        "aug" | "august" => 8,
        "sep" | "sept" | "september" => 9,
        "oct" | "october" => 10,
        "nov" | "november" => 11,
        "dec" | "december" => 12,
        _ => return None,
    })
}

pub(super) fn is_week_day(word: &str) -> bool {
    matches!(
        word,
        "sun"
            | "sunday"
            | "mon"
            | "monday"
            | "tue"
            | "tues"
            | "tuesday"
            | "wed"
            | "weds"
            | "wednesday"
            | "thu"
            | "thur"
            | "thurs"
            | "thursday"
            | "fri"
            | "friday"
            | "sat"
            | "saturday"
    )
}

/// Seconds east of UTC of an offset such as `+02`, `-0330`, `+05:45` or `+01:02:03`.
///
/// The outer error is syntax, the inner one range.
pub(super) fn zone_offset(field: &str, whole_text: &str) -> Option<Result<i32, CalendarError>> {
    let digits = field.strip_prefix(['+', '-'])?;
    let mut parts = digits.split(':');
    let first = parts.next()?;
    let number =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i32>().ok()).flatten();
    let (hours, minutes, seconds) = match (parts.next(), parts.next(), parts.next()) {
        // Without a colon the last two of more than two digits are minutes.
        (None, _, _) if first.len() > 2 => (number(first)? / 100, number(first)? % 100, 0),
        (None, _, _) => (number(first)?, 0, 0),
        (Some(minutes), None, _) => (number(first)?, number(minutes)?, 0),
        (Some(minutes), Some(seconds), None) => (number(first)?, number(minutes)?, number(seconds)?),
        _ => return None,
    };
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Some(Err(CalendarError::ZoneDisplacementOutOfRange(whole_text.to_string())));
    }
    let offset = hours * 3_600 + minutes * 60 + seconds;
    Some(Ok(if field.starts_with('-') { -offset } else { offset }))
}

/// Seconds east of UTC of an abbreviation that PostgreSQL knows by default, in lower case.
pub(super) fn zone_abbreviation(word: &str) -> Option<i32> {
    let found = ZONE_ABBREVIATIONS.binary_search_by_key(&word, |(name, _)| *name).ok()?;
    Some(ZONE_ABBREVIATIONS[found].1 * 60)
}

/// Minutes east of UTC, sorted by name.
#[rustfmt::skip]
const ZONE_ABBREVIATIONS: &[(&str, i32)] = &[
    ("acdt", 630), ("acsst", 630), ("acst", 570), ("act", -300), ("acwst", 525), ("adt", -180), ("aedt", 660),
    ("aesst", 660), ("aest", 600), ("aft", 270), ("akdt", -480), ("akst", -540), ("almst", 420), ("almt", 360),
    ("amst", 240), ("amt", -240), ("anast", 720), ("anat", 720), ("arst", -180), ("art", -180), ("ast", -240),
    ("awsst", 540), ("awst", 480), ("azost", 0), ("azot", -60), ("azst", 240), ("azt", 240), ("bdst", 120),
    ("bdt", 360), ("bnt", 480), ("bort", 480), ("bot", -240), ("bra", -180), ("brst", -120), ("brt", -180),
    ("bst", 60), ("btt", 360), ("cadt", 630), ("cast", 570), ("cct", 480), ("cdt", -300), ("cest", 120), ("cet", 60),
    ("cetdst", 120), ("chadt", 825), ("chast", 765), ("chut", 600), ("ckt", -600), ("clst", -180), ("clt", -180),
    ("cot", -300), ("cst", -360), ("cxt", 420), ("davt", 420), ("ddut", 600), ("easst", -300), ("east", -300),
    ("eat", 180), ("edt", -240), ("eest", 180), ("eet", 120), ("eetdst", 180), ("egst", 0), ("egt", -60),
    ("est", -300), ("fet", 180), ("fjst", 780), ("fjt", 720), ("fkst", -180), ("fkt", -180), ("fnst", -60),
    ("fnt", -120), ("galt", -360), ("gamt", -540), ("gest", 240), ("get", 240), ("gft", -180), ("gilt", 720),
    ("gmt", 0), ("gyt", -240), ("hkt", 480), ("hst", -600), ("ict", 420), ("idt", 180), ("iot", 360), ("irkst", 480),
    ("irkt", 480), ("irt", 210), ("ist", 120), ("jayt", 540), ("jst", 540), ("kdt", 600), ("kgst", 360),
    ("kgt", 360), ("kost", 660), ("krast", 420), ("krat", 420), ("kst", 540), ("lhdt", 660), ("lhst", 630),
    ("ligt", 600), ("lint", 840), ("lkt", 330), ("magst", 660), ("magt", 660), ("mart", -570), ("mawt", 300),
    ("mdt", -360), ("mest", 120), ("mesz", 120), ("met", 60), ("metdst", 120), ("mez", 60), ("mht", 720),
    ("mmt", 390), ("mpt", 600), ("msd", 240), ("msk", 180), ("mst", -420), ("must", 300), ("mut", 240), ("mvt", 300),
    ("myt", 480), ("ndt", -150), ("nft", -210), ("novst", 420), ("novt", 420), ("npt", 345), ("nst", -210),
    ("nut", -660), ("nzdt", 780), ("nzst", 720), ("nzt", 720), ("omsst", 360), ("omst", 360), ("pdt", -420),
    ("pet", -300), ("petst", 720), ("pett", 720), ("pgt", 600), ("pht", 480), ("pkst", 360), ("pkt", 300),
    ("pmdt", -120), ("pmst", -180), ("pont", 660), ("pst", -480), ("pwt", 540), ("pyst", -180), ("pyt", -180),
    ("ret", 240), ("sadt", 630), ("sast", 120), ("sct", 240), ("sgt", 480), ("taht", -600), ("tft", 300),
    ("tjt", 300), ("tkt", 780), ("tmt", 300), ("tot", 780), ("trut", 600), ("tvt", 720), ("uct", 0), ("ulast", 540),
    ("ulat", 480), ("ut", 0), ("utc", 0), ("uyst", -120), ("uyt", -180), ("uzst", 360), ("uzt", 300), ("vet", -240),
    ("vlast", 600), ("vlat", 600), ("volt", 180), ("vut", 660), ("wadt", 480), ("wakt", 720), ("wast", 420),
    ("wat", 60), ("wdt", 540), ("wet", 0), ("wetdst", 60), ("wft", 720), ("wgst", -120), ("wgt", -180), ("xjt", 360),
    ("yakst", 540), ("yakt", 540), ("yapt", 600), ("yekst", 360), ("yekt", 300), ("z", 0), ("zulu", 0),
];
