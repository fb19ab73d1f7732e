//! Floats from and to text as PostgreSQL 12 and later do: the shortest digits that read back as the same value.

use std::fmt::{LowerExp, Write};
use std::str::FromStr;

use dashu_int::UBig;

/// The message is PostgreSQL's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FloatError {
    #[error("invalid input syntax for type {type_name}: \"{text}\"")]
    InvalidSyntax { type_name: &'static str, text: String },
    #[error("\"{text}\" is out of range for type {type_name}")]
    OutOfRange { type_name: &'static str, text: String },
}

/// `1`, `0.1`, `1e+20`, `1e-05`, `Infinity`, `NaN`.
pub fn format_float8(value: f64) -> String {
    let mut out = String::new();
    write_float8(value, &mut out);
    out
}

/// As `format_float8`, for real.
pub fn format_float4(value: f32) -> String {
    let mut out = String::new();
    write_float4(value, &mut out);
    out
}

/// As `format_float8`, appended.
pub fn write_float8(value: f64, out: &mut String) {
    if !write_special(value, out) {
        let mut buffer = ryu::Buffer::new();
        let digits = Decimal::of_ryu(buffer.format_finite(value));
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7FF) as i32, bits & ((1 << 52) - 1));
        let digits = digits.avoiding(Midpoints::of(fraction, exponent, 52, 1023), value);
        digits.write(value < 0.0, 15, out);
    }
}

/// As `format_float4`, appended.
pub fn write_float4(value: f32, out: &mut String) {
    if !write_special(f64::from(value), out) {
        let mut buffer = ryu::Buffer::new();
        let digits = Decimal::of_ryu(buffer.format_finite(value));
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 23 & 0xFF) as i32, u64::from(bits & ((1 << 23) - 1)));
        let digits = digits.avoiding(Midpoints::of(fraction, exponent, 23, 127), value);
        digits.write(value < 0.0, 6, out);
    }
}

/// Reads a double precision.
pub fn parse_float8(text: &str) -> Result<f64, FloatError> {
    parse(text, "double precision", f64::INFINITY, |value: &f64| value.is_infinite(), |value| *value == 0.0)
}

/// Reads a real.
pub fn parse_float4(text: &str) -> Result<f32, FloatError> {
    parse(text, "real", f32::INFINITY, |value: &f32| value.is_infinite(), |value| *value == 0.0)
}

fn parse<T: FromStr + std::ops::Neg<Output = T>>(
    text: &str,
    type_name: &'static str,
    infinity: T,
    is_infinite: impl Fn(&T) -> bool,
    is_zero: impl Fn(&T) -> bool,
) -> Result<T, FloatError> {
    let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let negative = trimmed.starts_with('-');
    let body = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    if body.eq_ignore_ascii_case("infinity") || body.eq_ignore_ascii_case("inf") {
        return Ok(if negative { -infinity } else { infinity });
    }
    let value: T = trimmed.parse().map_err(|_| FloatError::InvalidSyntax { type_name, text: text.to_string() })?;
    // Rust rounds what is too great to infinity and what is too small to zero; PostgreSQL refuses both.
    let mantissa = body.split(['e', 'E']).next().unwrap_or(body);
    let vanished = is_zero(&value) && mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if is_infinite(&value) || vanished {
        return Err(FloatError::OutOfRange { type_name, text: text.to_string() });
    }
    Ok(value)
}

fn write_special(value: f64, out: &mut String) -> bool {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else if value == 0.0 {
        out.push_str(if value.is_sign_negative() { "-0" } else { "0" });
    } else {
        return false;
    }
    true
}

/// The points halfway to both neighbours of an even mantissa, as integers `odd · 2^shift`; `None` where no short decimal can
/// meet them. They read back as the value, so the shortest digits may name one; PostgreSQL never does.
struct Midpoints {
    odds: [u64; 2],
    shift: usize,
}

impl Midpoints {
    fn of(fraction: u64, exponent: i32, fraction_bits: i32, bias: i32) -> Option<Midpoints> {
        let shift = exponent - bias - fraction_bits;
        if shift < 1 || fraction % 2 == 1 {
            return None;
        }
        let mantissa = fraction | 1 << fraction_bits;
        Some(Midpoints { odds: [2 * mantissa - 1, 2 * mantissa + 1], shift: shift as usize - 1 })
    }

    fn contain(&self, decimal: &Decimal) -> bool {
        let Ok(digits) = decimal.digits.parse::<u64>() else { return false };
        if decimal.exponent < 0 {
            return false;
        }
        let value = UBig::from(digits) * UBig::from(10_u8).pow(decimal.exponent as usize);
        self.odds.iter().any(|odd| UBig::from(*odd) << self.shift == value)
    }
}

/// digits · 10^exponent, without trailing zeros.
struct Decimal {
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// From ryu's text of a nonzero value: `1.5`, `1e20`, `1.5e-7`, `100.0`.
    fn of_ryu(text: &str) -> Decimal {
        let text = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let joined = [whole, fraction].concat();
        let digits = joined.trim_end_matches('0');
        let exponent = exponent - fraction.len() as i32 + (joined.len() - digits.len()) as i32;
        Decimal { digits: digits.trim_start_matches('0').to_string(), exponent }
    }

    /// These digits, or more of them when these name a midpoint.
    fn avoiding<T: LowerExp + FromStr + PartialEq>(self, midpoints: Option<Midpoints>, value: T) -> Decimal {
        let Some(midpoints) = midpoints.filter(|midpoints| midpoints.contain(&self)) else { return self };
        for precision in self.digits.len()..17 {
            let text = format!("{value:.precision$e}");
            let nearest = Decimal::of_ryu(&text);
            if text.parse::<T>().is_ok_and(|read| read == value) && !midpoints.contain(&nearest) {
                return nearest;
            }
        }
        self
    }

    /// Plain between 1e-4 and 10^plain_max, else scientific, as C's `%g` decides.
    fn write(&self, negative: bool, plain_max: i32, out: &mut String) {
        if negative {
            out.push('-');
        }
        let length = self.digits.len() as i32;
        let first = length - 1 + self.exponent;
        if !(-4..plain_max).contains(&first) {
            out.push_str(&self.digits[..1]);
            if length > 1 {
                out.push('.');
                out.push_str(&self.digits[1..]);
            }
            let sign = if first < 0 { '-' } else { '+' };
            // Writing to a String cannot fail.
            let _ = write!(out, "e{sign}{:02}", first.abs());
        } else if self.exponent >= 0 {
            out.push_str(&self.digits);
            out.extend(std::iter::repeat_n('0', self.exponent as usize));
        } else if first >= 0 {
            let (whole, fraction) = self.digits.split_at(first as usize + 1);
            out.push_str(whole);
            out.push('.');
            out.push_str(fraction);
        } else {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', (-first - 1) as usize));
            out.push_str(&self.digits);
        }
    }
}

#[cfg(test)]
#[path = "float_text_tests.rs"]
mod tests;
