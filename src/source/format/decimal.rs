//! Exact decimals from text and from unscaled bytes.
//!
//! ```text
//!   "-12.50", 1.5e3 ──────────────┐
//!   base64 of a big-endian number ┴─> Numeric ──numeric(p,s): pad or round, refuse what is too large──> Numeric
//! ```
//!
//! No value goes through a double, and what a record can make us allocate is bounded by PostgreSQL's own limits.

use row::numeric::SCALE_MAX;
use row::{Numeric, NumericError, NumericTypmod};

/// Bytes of 150,000 digits: more than any numeric has.
const UNSCALED_BYTES_MAX: usize = 64 << 10;

/// Reads a JSON number, a number in a string, or one of the words `NaN`, `Infinity`, `-Infinity`.
pub fn numeric(text: &str, typmod: Option<NumericTypmod>) -> Result<Numeric, String> {
    if let Some(value) = small(text, typmod) {
        return Ok(value);
    }
    let value = Numeric::parse(text).map_err(|error| match error {
        NumericError::InvalidSyntax(text) => format!("{} is no number", quoted(&text)),
        other => other.to_string(),
    })?;
    fit(value, typmod)
}

/// A whole number.
pub fn whole(value: i64, typmod: Option<NumericTypmod>) -> Result<Numeric, String> {
    fit(Numeric::from_parts(i128::from(value), 0), typmod)
}

/// Reads a big-endian two's complement number of `scale` digits after the point.
pub fn unscaled(bytes: &[u8], scale: i64, typmod: Option<NumericTypmod>) -> Result<Numeric, String> {
    let limit = i64::from(SCALE_MAX);
    if !(-limit..=limit).contains(&scale) || bytes.len() > UNSCALED_BYTES_MAX {
        return Err(format!("a decimal of {} bytes and scale {scale} is beyond numeric", bytes.len()));
    }
    let value = match bytes {
        [] => Numeric::ZERO,
        [first, ..] if bytes.len() <= 16 => {
            let mut wide = [if first & 0x80 != 0 { 0xFF } else { 0 }; 16];
            wide[16 - bytes.len()..].copy_from_slice(bytes);
            Numeric::from_parts(i128::from_be_bytes(wide), scale.max(0) as u16)
        }
        _ => {
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            Numeric::from_big_parts(&reversed, scale.max(0) as u16)
        }
    };
    let value = match scale {
        0.. => value,
        _ => {
            let power = Numeric::parse(&format!("1e{}", -scale)).and_then(|power| value.mul(&power));
            power.map_err(|error| error.to_string())?
        }
    };
    fit(value, typmod)
}

fn fit(value: Numeric, typmod: Option<NumericTypmod>) -> Result<Numeric, String> {
    let Some(typmod) = typmod else { return Ok(value) };
    value.with_typmod(typmod).map_err(|error| match error.detail() {
        Some(detail) => format!("{error}: {detail}"),
        None => error.to_string(),
    })
}

/// The common case without a detour: a plain number of few digits that needs no rounding.
fn small(text: &str, typmod: Option<NumericTypmod>) -> Option<Numeric> {
    const DIGITS_MAX: usize = 18;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if digits.len() > DIGITS_MAX || !digits.bytes().next()?.is_ascii_digit() {
        return None;
    }
    let (mut mantissa, mut scale, mut after_point) = (0i64, 0u16, false);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + i64::from(byte - b'0');
                scale += u16::from(after_point);
            }
            b'.' if !after_point => after_point = true,
            _ => return None,
        }
    }
    let mut mantissa = i128::from(mantissa);
    if let Some(NumericTypmod { precision, scale: wanted }) = typmod {
        let wanted = u16::try_from(wanted).ok().filter(|wanted| *wanted >= scale && *wanted < DIGITS_MAX as u16)?;
        mantissa *= 10i128.pow(u32::from(wanted - scale));
        scale = wanted;
        if mantissa >= 10i128.pow(u32::from(precision.min(38))) {
            return None;
        }
    }
    Some(Numeric::from_parts(if negative { -mantissa } else { mantissa }, scale))
}

/// A value inside an error message, cut to a readable length.
pub fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("\"{}…\"", &text[..at]),
        None => format!("\"{text}\""),
    }
}

#[cfg(test)]
#[path = "decimal_tests.rs"]
mod tests;
