//! JSON text to a tree, checked as PostgreSQL checks it.

use std::borrow::Cow;

use super::Json;
use crate::EvalError;

const DEPTH_MAX: usize = 1_000;

/// The value of a text. `type_name` is named in the error.
pub(crate) fn parse<'a>(text: &'a str, type_name: &'static str) -> Result<Json<'a>, EvalError> {
    let mut parser = Parser { text, at: 0, type_name };
    parser.skip_space();
    let value = parser.value(0)?;
    parser.skip_space();
    if parser.at == text.len() { Ok(value) } else { parser.fail() }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    type_name: &'static str,
}

impl<'a> Parser<'a> {
    fn fail<T>(&self) -> Result<T, EvalError> {
        Err(EvalError::new(format!("invalid input syntax for type {}", self.type_name)))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, EvalError> {
        if depth > DEPTH_MAX {
            return Err(EvalError::new("stack depth limit exceeded"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, EvalError> {
        let rest = &self.text[self.at..];
        let ends = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'_';
        if rest.starts_with(word) && rest.as_bytes().get(word.len()).is_none_or(|byte| ends(*byte)) {
            self.at += word.len();
            return Ok(value);
        }
        self.fail()
    }

    fn number(&mut self) -> Result<Json<'a>, EvalError> {
        let start = self.at;
        self.take(b'-');
        let whole = self.digits();
        let starts_with_zero = self.text.as_bytes().get(self.at - whole) == Some(&b'0');
        if whole == 0 || whole > 1 && starts_with_zero {
            return self.fail();
        }
        if self.take(b'.') && self.digits() == 0 {
            return self.fail();
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return self.fail();
            }
        }
        if self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return self.fail();
        }
        Ok(Json::Number(Cow::Borrowed(&self.text[start..self.at])))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<Cow<'a, str>, EvalError> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
                }
                Some(b'\\') => break,
                None | Some(0..0x20) => return self.fail(),
                Some(_) => self.at += 1,
            }
        }
        let mut out = self.text[start..self.at].to_owned();
        loop {
            let plain = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            out.push_str(&self.text[plain..self.at]);
            if self.take(b'"') {
                return Ok(Cow::Owned(out));
            }
            if !self.take(b'\\') {
                return self.fail();
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, EvalError> {
        let Some(byte) = self.peek() else { return self.fail() };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hexadecimal()?;
                let code = if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let second = self.hexadecimal()?;
                    if !(0xDC00..0xE000).contains(&second) {
                        return self.fail();
                    }
                    0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
                } else {
                    first
                };
                match char::from_u32(code) {
                    Some('\0') => return Err(EvalError::new("unsupported Unicode escape sequence")),
                    Some(character) => character,
                    None => return self.fail(),
                }
            }
            _ => return self.fail(),
        })
    }

    fn hexadecimal(&mut self) -> Result<u32, EvalError> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.fail(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, EvalError> {
        self.at += 1;
        let mut elements = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(elements));
        }
        loop {
            self.skip_space();
            elements.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(elements));
            }
            if !self.take(b',') {
                return self.fail();
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, EvalError> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.fail();
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return self.fail();
            }
            self.skip_space();
            members.push((key, self.value(depth + 1)?));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.take(b',') {
                return self.fail();
            }
        }
    }
}
