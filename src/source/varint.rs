//! Numbers in as few bytes as they need, seven bits each; for journals and packed versions.

pub fn push(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Signed numbers near zero are short, too.
pub fn push_signed(bytes: &mut Vec<u8>, value: i64) {
    push(bytes, ((value << 1) ^ (value >> 63)) as u64);
}

/// A length, then the bytes.
pub fn push_bytes(bytes: &mut Vec<u8>, part: &[u8]) {
    push(bytes, part.len() as u64);
    bytes.extend_from_slice(part);
}

/// Reads what the functions above wrote. Whatever the bytes are, it gives a value or None; never a panic.
#[derive(Clone, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    #[inline]
    pub fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub fn index(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.index()?;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_none() {
        let numbers = [0, 1, 0x7F, 0x80, 300, u64::from(u32::MAX), u64::MAX];
        let signed = [0, -1, 1, -64, 64, i64::MIN, i64::MAX];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|value| push(&mut bytes, *value));
        signed.iter().for_each(|value| push_signed(&mut bytes, *value));
        push_bytes(&mut bytes, "añ".as_bytes());
        let mut read = Bytes(&bytes);
        assert!(numbers.iter().all(|value| read.number() == Some(*value)));
        assert!(signed.iter().all(|value| read.signed() == Some(*value)));
        assert_eq!((read.text(), read.is_empty(), read.number()), (Some("añ"), true, None));
        assert_eq!(Bytes(&[5, 1, 2]).bytes(), None);
        assert_eq!(Bytes(&[0xFF; 11]).number(), None);
    }
}
