//! Base64 and hex.

/// Bytes of standard base64 (RFC 4648), with or without padding; `None` if the text is something else.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    if text.len() - body.len() > 2 || body.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for digit in body.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

/// Appends standard base64 with padding.
pub fn write_base64(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4usize {
            let is_padding = digit > three.len();
            let value = (bits >> (18 - 6 * digit)) & 63;
            out.push(if is_padding { '=' } else { char::from(DIGITS[value as usize]) });
        }
    }
}

/// Bytes of pairs of hex digits; `None` if the text is something else.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16).map(|value| value as u8);
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_with_and_without_padding() {
        assert_eq!(base64("BBo="), Some(vec![4, 0x1A]));
        assert_eq!(base64("BBo"), Some(vec![4, 0x1A]));
        assert_eq!(base64(""), Some(vec![]));
        assert_eq!(base64("BWvHXi1jEAAA").map(|bytes| bytes.len()), Some(9));
        assert_eq!(base64("12.5"), None);
        assert_eq!(base64("A"), None);
        assert_eq!(base64("AA==="), None);
    }

    #[test]
    fn what_is_written_is_read() {
        for length in 0..20u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(77)).collect();
            let mut text = String::new();
            write_base64(&bytes, &mut text);
            assert_eq!((text.len() % 4, base64(&text)), (0, Some(bytes)));
        }
    }

    #[test]
    fn hex_in_either_case() {
        assert_eq!(hex("deadBEEF00"), Some(vec![0xDE, 0xAD, 0xBE, 0xEF, 0]));
        assert_eq!(hex("abc"), None);
        assert_eq!(hex("zz"), None);
        assert_eq!(hex("é"), None);
    }
}
