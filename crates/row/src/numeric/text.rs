//! Numerics from and to text and floats.

use std::fmt;

use dashu_int::{IBig, UBig};

use super::decimal::{POW10, pow10};
use super::{INTEGER_DIGITS_MAX, Numeric, NumericError, Repr, SCALE_MAX};

impl Numeric {
    /// Reads what PostgreSQL reads: spaces around, a sign, a point anywhere, an exponent, NaN, Infinity.
    pub fn parse(text: &str) -> Result<Numeric, NumericError> {
        let invalid = || NumericError::InvalidSyntax(text.to_string());
        let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        let (negative, body) = match trimmed.as_bytes().first() {
            Some(b'-') => (true, &trimmed[1..]),
            Some(b'+') => (false, &trimmed[1..]),
            _ => (false, trimmed),
        };
        if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return if trimmed.eq_ignore_ascii_case("nan") {
                Ok(Numeric::NAN)
            } else if body.eq_ignore_ascii_case("infinity") || body.eq_ignore_ascii_case("inf") {
                Ok(if negative { Numeric::NEG_INFINITY } else { Numeric::INFINITY })
            } else {
                Err(invalid())
            };
        }
        let (mantissa, exponent) = match body.find(['e', 'E']) {
            Some(at) => (&body[..at], parse_exponent(&body[at + 1..]).ok_or_else(invalid)??),
            None => (body, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        from_digits(negative, whole, fraction, exponent)
    }

    /// PostgreSQL's cast from double precision: 15 significant digits.
    pub fn from_f64(value: f64) -> Numeric {
        from_float(value, format_args!("{value:.14e}"))
    }

    /// PostgreSQL's cast from real: 6 significant digits.
    pub fn from_f32(value: f32) -> Numeric {
        from_float(f64::from(value), format_args!("{value:.5e}"))
    }

    /// The nearest double. A value beyond its range becomes an infinity.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::NaN => f64::NAN,
            Repr::Infinity => f64::INFINITY,
            Repr::NegInfinity => f64::NEG_INFINITY,
            // Both sides are exact doubles here, so one division rounds once.
            Repr::Small { mantissa, scale } if *scale <= 22 && mantissa.unsigned_abs() <= 1 << 53 => {
                *mantissa as f64 / POW10[usize::from(*scale)] as f64
            }
            _ => self.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// The nearest real, rounded once.
    pub fn to_f32(&self) -> f32 {
        match &self.0 {
            Repr::NaN => f32::NAN,
            Repr::Infinity => f32::INFINITY,
            Repr::NegInfinity => f32::NEG_INFINITY,
            _ => self.to_string().parse().unwrap_or(f32::NAN),
        }
    }
}

/// `None` when it is no exponent.
fn parse_exponent(text: &str) -> Option<Result<i64, NumericError>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // PostgreSQL refuses an exponent near the bounds of its int, even of zero.
    let exponent: i64 = text.parse().unwrap_or(i64::MAX);
    Some(if exponent.abs() >= i64::from(i32::MAX / 2) { Err(NumericError::Overflow) } else { Ok(exponent) })
}

/// Looks at the limits before it allocates, so a short text cannot ask for much memory.
fn from_digits(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Result<Numeric, NumericError> {
    let scale = (fraction.len() as i64 - exponent).max(0);
    let whole = whole.trim_start_matches('0');
    let significant =
        if whole.is_empty() { fraction.trim_start_matches('0').len() } else { whole.len() + fraction.len() };
    let integer_digits = significant as i64 - fraction.len() as i64 + exponent;
    if scale > i64::from(SCALE_MAX) || (significant > 0 && integer_digits > i64::from(INTEGER_DIGITS_MAX)) {
        return Err(NumericError::Overflow);
    }
    let scale = scale as u16;
    if significant == 0 {
        return Ok(Numeric::from_parts(0, scale));
    }
    let appended_zeros = (exponent - fraction.len() as i64).max(0) as u32;
    if significant as i64 + i64::from(appended_zeros) <= 38 {
        let digits = whole.bytes().chain(fraction.bytes());
        let mantissa = digits.fold(0_i128, |mantissa, digit| mantissa * 10 + i128::from(digit - b'0'));
        let mantissa = mantissa * POW10[appended_zeros as usize];
        return Ok(Numeric::from_parts(if negative { -mantissa } else { mantissa }, scale));
    }
    let digits = [whole, fraction].concat();
    let magnitude = UBig::from_str_radix(&digits, 10).map_err(|_| NumericError::Overflow)? * pow10(appended_zeros);
    let mantissa = IBig::from(magnitude);
    Numeric::checked(if negative { -mantissa } else { mantissa }, u32::from(scale))
}

/// `text` has one digit before the point and an exponent; its trailing zeros say nothing.
fn from_float(value: f64, text: fmt::Arguments<'_>) -> Numeric {
    if value.is_nan() {
        return Numeric::NAN;
    }
    if value.is_infinite() {
        return if value > 0.0 { Numeric::INFINITY } else { Numeric::NEG_INFINITY };
    }
    let text = text.to_string();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.parse().unwrap_or(0);
    from_digits(value < 0.0, whole, fraction.trim_end_matches('0'), exponent).unwrap_or(Numeric::NAN)
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::NaN => f.write_str("NaN"),
            Repr::Infinity => f.write_str("Infinity"),
            Repr::NegInfinity => f.write_str("-Infinity"),
            Repr::Small { mantissa, scale: 0 } => write!(f, "{mantissa}"),
            Repr::Small { mantissa, scale } => {
                let (magnitude, scale) = (mantissa.unsigned_abs(), usize::from(*scale));
                let sign = if *mantissa < 0 { "-" } else { "" };
                match POW10.get(scale) {
                    Some(power) => {
                        let power = *power as u128;
                        write!(f, "{sign}{}.{:0scale$}", magnitude / power, magnitude % power)
                    }
                    None => write!(f, "{sign}0.{magnitude:0scale$}"),
                }
            }
            Repr::Big(big) => {
                let text = big.mantissa.to_string();
                let (sign, digits) = match text.strip_prefix('-') {
                    Some(digits) => ("-", digits),
                    None => ("", text.as_str()),
                };
                let scale = usize::from(big.scale);
                if scale == 0 {
                    write!(f, "{sign}{digits}")
                } else if digits.len() > scale {
                    let (whole, fraction) = digits.split_at(digits.len() - scale);
                    write!(f, "{sign}{whole}.{fraction}")
                } else {
                    write!(f, "{sign}0.{digits:0>scale$}")
                }
            }
        }
    }
}

impl fmt::Debug for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
