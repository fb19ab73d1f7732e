//! Hashes and encodings: md5, the sha family, hex, base64, escape.

use row::Datum;
use sha2::Digest;

use super::Param::{Bytes, Int32, Int64, Text};
use super::{Implementation, Value, fail, partial, text, total, unwrap_bytes};
use crate::{Arena, EvalError};

pub(super) const ROWS: &[Implementation] = &[
    total("md5", &[Text], Text, |a, arena| Ok(hex(&md5::Md5::digest(a[0].unwrap_text()), arena))),
    total("md5", &[Bytes], Text, |a, arena| Ok(hex(&md5::Md5::digest(unwrap_bytes(&a[0])), arena))),
    total("sha224", &[Bytes], Bytes, |a, arena| Ok(bytes(&sha2::Sha224::digest(unwrap_bytes(&a[0])), arena))),
    total("sha256", &[Bytes], Bytes, |a, arena| Ok(bytes(&sha2::Sha256::digest(unwrap_bytes(&a[0])), arena))),
    total("sha384", &[Bytes], Bytes, |a, arena| Ok(bytes(&sha2::Sha384::digest(unwrap_bytes(&a[0])), arena))),
    total("sha512", &[Bytes], Bytes, |a, arena| Ok(bytes(&sha2::Sha512::digest(unwrap_bytes(&a[0])), arena))),
    total("to_hex", &[Int32], Text, |a, arena| Ok(text(&format!("{:x}", a[0].unwrap_int() as i32), arena))),
    total("to_hex", &[Int64], Text, |a, arena| Ok(text(&format!("{:x}", a[0].unwrap_int()), arena))),
    partial("encode", &[Bytes, Text], Text, |a, arena| encode(unwrap_bytes(&a[0]), a[1].unwrap_text(), arena))
        .unless(1, is_encoding),
    partial("decode", &[Text, Text], Bytes, |a, arena| decode(a[0].unwrap_text(), a[1].unwrap_text(), arena)),
    total("||", &[Bytes, Bytes], Bytes, |a, arena| {
        Ok(bytes(&[unwrap_bytes(&a[0]), unwrap_bytes(&a[1])].concat(), arena))
    }),
];

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// PostgreSQL breaks base64 lines as MIME does.
const BASE64_LINE_CHARS: usize = 76;

fn is_encoding(name: &Datum<'_>) -> bool {
    ["hex", "base64", "escape"].contains(&name.unwrap_text().to_ascii_lowercase().as_str())
}

fn bytes<'a>(value: &[u8], arena: &'a Arena) -> Datum<'a> {
    Datum::Bytes(arena.alloc_slice_copy(value))
}

fn hex<'a>(value: &[u8], arena: &'a Arena) -> Datum<'a> {
    let digit = |index: usize| HEX_DIGITS[usize::from(value[index / 2] >> (4 - index % 2 * 4)) & 0xF];
    let digits: &[u8] = arena.alloc_slice_fill_with(value.len() * 2, digit);
    // SAFETY: only ASCII digits and letters were written.
    Datum::Text(unsafe { std::str::from_utf8_unchecked(digits) })
}

fn encode<'a>(value: &[u8], encoding: &str, arena: &'a Arena) -> Value<'a> {
    match encoding.to_ascii_lowercase().as_str() {
        "hex" => Ok(hex(value, arena)),
        "base64" => Ok(text(&base64(value), arena)),
        "escape" => Ok(text(&escape(value), arena)),
        _ => fail(format!("unrecognized encoding: \"{encoding}\"")),
    }
}

fn base64(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len().div_ceil(3) * 4);
    for (index, chunk) in value.chunks(3).enumerate() {
        if index > 0 && index * 4 % BASE64_LINE_CHARS == 0 {
            out.push('\n');
        }
        let bits = (u32::from(chunk[0]) << 16)
            | (u32::from(chunk.get(1).copied().unwrap_or(0)) << 8)
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        for position in 0..4 {
            let character = BASE64[(bits >> (18 - position * 6)) as usize & 0x3F];
            out.push(if position <= chunk.len() { char::from(character) } else { '=' });
        }
    }
    out
}

fn escape(value: &[u8]) -> String {
    let mut out = String::new();
    for byte in value {
        match byte {
            0 | 0x80.. => out.push_str(&format!("\\{byte:03o}")),
            b'\\' => out.push_str("\\\\"),
            byte => out.push(char::from(*byte)),
        }
    }
    out
}

fn decode<'a>(value: &str, encoding: &str, arena: &'a Arena) -> Value<'a> {
    let decoded = match encoding.to_ascii_lowercase().as_str() {
        "hex" => decode_hex(value)?,
        "base64" => decode_base64(value)?,
        "escape" => decode_escape(value)?,
        _ => return fail(format!("unrecognized encoding: \"{encoding}\"")),
    };
    Ok(bytes(&decoded, arena))
}

/// Hexadecimal digits, blanks between pairs allowed.
pub(crate) fn decode_hex(value: &str) -> Result<Vec<u8>, EvalError> {
    let mut nibbles = Vec::with_capacity(value.len());
    let mut decoded = Vec::with_capacity(value.len() / 2);
    for character in value.chars() {
        if nibbles.is_empty() && matches!(character, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let Some(nibble) = character.to_digit(16) else {
            return fail(format!("invalid hexadecimal digit: \"{character}\""));
        };
        nibbles.push(nibble as u8);
        if let [high, low] = nibbles[..] {
            decoded.push(high << 4 | low);
            nibbles.clear();
        }
    }
    if nibbles.is_empty() { Ok(decoded) } else { fail("invalid hexadecimal data: odd number of digits") }
}

fn decode_base64(value: &str) -> Result<Vec<u8>, EvalError> {
    let mut decoded = Vec::new();
    let (mut bits, mut count, mut padding) = (0u32, 0, 0);
    for character in value.chars() {
        if matches!(character, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let sextet = if character == '=' {
            if count < 2 {
                return fail("unexpected \"=\" while decoding base64 sequence");
            }
            padding += 1;
            0
        } else {
            match BASE64.iter().position(|candidate| char::from(*candidate) == character) {
                Some(sextet) if padding == 0 => sextet as u32,
                _ => return fail(format!("invalid symbol \"{character}\" found while decoding base64 sequence")),
            }
        };
        bits = bits << 6 | sextet;
        count += 1;
        if count == 4 {
            decoded.extend_from_slice(&bits.to_be_bytes()[1..4 - padding.min(2)]);
            (bits, count) = (0, 0);
        }
    }
    if count == 0 { Ok(decoded) } else { fail("invalid base64 end sequence") }
}

/// The escape form: `\\` is a backslash, `\ooo` a byte in octal.
pub(crate) fn decode_escape(value: &str) -> Result<Vec<u8>, EvalError> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            decoded.push(byte);
            continue;
        }
        match rest {
            [b'\\', tail @ ..] => {
                decoded.push(b'\\');
                rest = tail;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                decoded.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => return fail("invalid input syntax for type bytea"),
        }
    }
    Ok(decoded)
}
