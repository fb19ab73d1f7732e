//! `to_number`: a number read through a picture.
//!
//! 1. What the picture has no place for is not read: digits beyond its places, letters, a second point.
//! 2. The result has as many digits behind the point as were read.

use row::{Datum, Numeric, NumericTypmod};

use super::Param::{Numeric as NumericType, Text};
use super::number_picture::{Node, Shape, picture};
use super::{Implementation, Value, fail, partial};
use crate::EvalError;

pub(super) const ROWS: &[Implementation] =
    &[partial("to_number", &[Text, Text], NumericType, |a, _| to_number(a[0].unwrap_text(), a[1].unwrap_text()))];

/// Reads digits, one point and one sign as the picture leads through the text; one character goes by for each literal one.
fn to_number<'a>(value: &str, format: &str) -> Value<'a> {
    if format.is_empty() {
        return Ok(Datum::Null);
    }
    let picture = picture(format)?;
    let shape = picture.shape;
    if shape.has_exponent {
        return fail("\"EEEE\" not supported for input");
    }
    if shape.is_roman {
        return fail("\"RN\" not supported for input");
    }
    let mut reader =
        NumberReader { shape, rest: value, sign: None, number: String::new(), behind: 0, has_point: false };
    for node in &picture.nodes {
        if reader.rest.is_empty() {
            break;
        }
        reader.node(*node);
    }
    let NumberReader { sign, number, behind, .. } = reader;
    let shown = format!("{}{}", if sign == Some('-') { "-" } else { "" }, number.trim_end_matches('.'));
    // PostgreSQL reads what it found as `numeric`, sign column included.
    let parsed = Numeric::parse(&shown).map_err(|_| {
        EvalError::new(format!("invalid input syntax for type numeric: \"{}{number}\"", sign.unwrap_or(' ')))
    })?;
    let typmod = NumericTypmod { precision: (shape.before + shape.multiply + behind) as u16, scale: behind as i16 };
    let mut parsed = parsed.with_typmod(typmod).map_err(EvalError::from_value)?;
    if shape.has_multiply {
        let factor = Numeric::from_i64(10).power(&Numeric::from_i64(-(shape.multiply as i64)));
        parsed = factor.and_then(|factor| parsed.mul(&factor)).map_err(EvalError::from_value)?;
    }
    Ok(Datum::Numeric(parsed))
}

struct NumberReader<'t> {
    shape: Shape,
    rest: &'t str,
    sign: Option<char>,
    number: String,
    /// Digits read behind the point.
    behind: usize,
    has_point: bool,
}

impl NumberReader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self) {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
    }

    /// Passes over characters that cannot belong to a number.
    fn skip_other(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek().is_some_and(|next| !"0123456789.,+-".contains(next)) {
                self.skip();
            }
        }
    }

    fn node(&mut self, node: Node) {
        match node {
            Node::Digit { .. } => self.digit(true),
            Node::Point => self.digit(false),
            Node::Group => {
                if self.peek() == Some(',') {
                    self.skip();
                }
            }
            Node::Currency => self.skip_other(1),
            Node::Ordinal(_) => self.skip_other(2),
            Node::Minus | Node::Plus | Node::PlusOrMinus => match self.peek() {
                Some('-') if node != Node::Plus => self.take_sign(),
                Some('+') if node != Node::Minus => self.take_sign(),
                _ => self.skip_other(1),
            },
            Node::Text(_) => self.skip(),
            Node::Sign
            | Node::Bracket
            | Node::Roman(_)
            | Node::Exponent
            | Node::Multiply
            | Node::FillMode
            | Node::Nothing => {}
        }
    }

    /// Whether `MI`, `PL` or `SG` leave a sign to be found behind the digits.
    fn may_end_in_sign(&self) -> bool {
        let wants_sign = self.shape.sign.is_none() && (self.shape.has_plus || self.shape.has_minus);
        wants_sign && self.sign.is_none() && !self.number.is_empty()
    }

    fn take_sign(&mut self) {
        self.sign = self.peek();
        self.skip();
    }

    /// One place: a sign before the first digit, then a digit or the point, then a sign that is tied to the last digit.
    fn digit(&mut self, may_have_sign: bool) {
        if self.peek() == Some(' ') {
            self.skip();
        }
        if self.sign.is_none() && may_have_sign && self.number.is_empty() {
            match self.peek() {
                Some('-' | '+') => self.take_sign(),
                Some('<') if self.shape.has_bracket => {
                    self.sign = Some('-');
                    self.skip();
                }
                _ => {}
            }
        }
        match self.peek() {
            Some(digit) if digit.is_ascii_digit() => {
                if self.has_point && self.behind == self.shape.behind {
                    return;
                }
                self.number.push(digit);
                self.behind += usize::from(self.has_point);
            }
            Some('.') if self.shape.has_point && !self.has_point => {
                self.number.push('.');
                self.has_point = true;
            }
            Some(sign @ ('-' | '+')) if self.may_end_in_sign() => self.sign = Some(sign),
            _ => {}
        }
        self.skip();
        if self.sign.is_none()
            && self.shape.sign.is_some()
            && !self.number.is_empty()
            && matches!(self.peek(), Some('-' | '+'))
        {
            self.take_sign();
        }
    }
}
