//! `to_char` of numbers.
//!
//! ```text
//!   number ──round to the picture's places──> digits, sign ──place by place──> text
//! ```
//!
//! 1. A number with more digits before the point than the picture has places shows as `#`.
//! 2. Without `FM` every place takes up room, and a blank stands where a positive number's sign would.

use row::{Datum, Numeric};

use super::Param::{Float32, Float64, Int32, Int64, Text};
use super::number_picture::{Node, Picture, Shape, SignPlace, picture};
use super::time_picture::{Case, ordinal_suffix};
use super::{Implementation, Param, Value, partial, text, unwrap_f64, unwrap_numeric};
use crate::{Arena, EvalError};

const NUMERIC: Param = Param::Numeric;

pub(super) const ROWS: &[Implementation] = &[
    partial("to_char", &[NUMERIC, Text], Text, |a, arena| {
        show_numeric(unwrap_numeric(&a[0]), a[1].unwrap_text(), arena)
    }),
    partial("to_char", &[Int32, Text], Text, |a, arena| {
        show_numeric(&Numeric::from_i64(a[0].unwrap_int()), a[1].unwrap_text(), arena)
    }),
    partial("to_char", &[Int64, Text], Text, |a, arena| {
        show_numeric(&Numeric::from_i64(a[0].unwrap_int()), a[1].unwrap_text(), arena)
    }),
    partial("to_char", &[Float64, Text], Text, |a, arena| show_float(unwrap_f64(&a[0]), 15, a[1].unwrap_text(), arena)),
    partial("to_char", &[Float32, Text], Text, |a, arena| show_float(unwrap_f64(&a[0]), 6, a[1].unwrap_text(), arena)),
];

fn show_numeric<'a>(value: &Numeric, format: &str, arena: &'a Arena) -> Value<'a> {
    if format.is_empty() {
        return Ok(Datum::Text(""));
    }
    let picture = picture(format)?;
    let mut shape = picture.shape;
    if shape.is_roman {
        return Ok(text(&roman_picture(&picture, value.to_i64_rounded()), arena));
    }
    let mut value = value.clone();
    if shape.has_exponent {
        return Ok(text(&scientific(&value, shape), arena));
    }
    if shape.has_multiply {
        let factor = Numeric::from_i64(10).power(&Numeric::from_i64(shape.multiply as i64));
        value = factor.and_then(|factor| value.mul(&factor)).map_err(EvalError::from_value)?;
        shape.before += shape.multiply;
    }
    let rounded = value.round(shape.behind as i32).map_err(EvalError::from_value)?.to_string();
    Ok(text(&place(&picture, shape, &rounded), arena))
}

/// `digits` is how many digits a float of this width has for sure; places beyond them are left out.
fn show_float<'a>(value: f64, digits: usize, format: &str, arena: &'a Arena) -> Value<'a> {
    if format.is_empty() {
        return Ok(Datum::Text(""));
    }
    let picture = picture(format)?;
    let mut shape = picture.shape;
    if shape.is_roman {
        let rounded = value.round_ties_even();
        return Ok(text(&roman_picture(&picture, Some(rounded as i64).filter(|_| rounded.is_finite())), arena));
    }
    if shape.has_exponent {
        let shown = if value.is_finite() {
            with_sign_column(&c_exponent(&format!("{value:.*e}", shape.behind)))
        } else {
            hashes_with_exponent(shape)
        };
        return Ok(text(&shown, arena));
    }
    let mut value = value;
    if shape.has_multiply {
        value *= 10f64.powi(shape.multiply as i32);
        shape.before += shape.multiply;
    }
    let whole_digits = float_text(value.abs(), 0).len();
    if whole_digits >= digits {
        shape.behind = 0;
    } else {
        shape.behind = shape.behind.min(digits - whole_digits);
    }
    Ok(text(&place(&picture, shape, &float_text(value, shape.behind)), arena))
}

fn float_text(value: f64, behind: usize) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        value => format!("{value:.behind$}"),
    }
}

/// Rust writes `1.5e0`, C and PostgreSQL `1.5e+00`.
fn c_exponent(shown: &str) -> String {
    match shown.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => shown.to_owned(),
    }
}

fn with_sign_column(shown: &str) -> String {
    if shown.starts_with('-') { shown.to_owned() } else { format!(" {shown}") }
}

fn hashes_with_exponent(shape: Shape) -> String {
    let mut shown = " ".to_owned();
    shown.push_str(&"#".repeat(shape.before));
    shown.push('.');
    shown.push_str(&"#".repeat(shape.behind + 4));
    shown
}

/// `EEEE`: one digit, the point, the picture's places, the exponent.
fn scientific(value: &Numeric, shape: Shape) -> String {
    if value.is_nan() || value.is_infinite() {
        return hashes_with_exponent(shape);
    }
    let shown = value.abs().to_string();
    let point = shown.find('.').unwrap_or(shown.len());
    let digits: Vec<u8> = shown.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    let first = digits.iter().position(|digit| *digit != 0);
    let exponent = first.map_or(0, |first| point as i64 - 1 - first as i64);
    let mut kept: Vec<u8> = digits.into_iter().skip(first.unwrap_or(usize::MAX)).collect();
    kept.resize(kept.len().max(shape.behind + 2), 0);
    // Half goes away from zero, as numerics round.
    let mut carry = kept[shape.behind + 1] >= 5;
    kept.truncate(shape.behind + 1);
    for digit in kept.iter_mut().rev() {
        if carry {
            carry = *digit == 9;
            *digit = if carry { 0 } else { *digit + 1 };
        }
    }
    // A mantissa that rounds up to ten stays ten: PostgreSQL chooses the exponent before it rounds.
    let digits_before_point = if carry { 2 } else { 1 };
    if carry {
        kept.insert(0, 1);
    }
    let mut out = String::from(if value.is_negative() { "-" } else { " " });
    for (index, digit) in kept.iter().enumerate() {
        if index == digits_before_point {
            out.push('.');
        }
        out.push(char::from(b'0' + digit));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    out.push_str(&format!("e{sign}{:02}", exponent.abs()));
    out
}

/// With `RN` only the roman number and literal text are written.
fn roman_picture(picture: &Picture, value: Option<i64>) -> String {
    let mut out = String::new();
    for node in &picture.nodes {
        match node {
            Node::Roman(case) => {
                let shown = value.filter(|value| (1..4000).contains(value)).map_or_else(|| "#".repeat(15), roman);
                let shown = if *case == Case::Lower { shown.to_lowercase() } else { shown };
                let width = if picture.shape.is_fill_mode { 0 } else { 15 };
                out.push_str(&format!("{shown:>width$}"));
            }
            Node::Text(character) => out.push(*character),
            _ => {}
        }
    }
    out
}

fn roman(mut value: i64) -> String {
    const STEPS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut out = String::new();
    for (step, letters) in STEPS {
        while value >= step {
            out.push_str(letters);
            value -= step;
        }
    }
    out
}

/// A number on its way into the places of a picture.
struct Placer<'n> {
    shape: Shape,
    number: &'n [u8],
    /// The next character of the number.
    at: usize,
    /// Places that stay empty before the number.
    blank_places: usize,
    /// The place now being written.
    place: usize,
    place_count: usize,
    is_negative: bool,
    is_sign_written: bool,
    is_inside_number: bool,
    /// With FM: the last character that is not a needless zero; the point itself if all are.
    last_relevant: Option<usize>,
    out: String,
}

/// Writes a number, already rounded to the picture's places, into the picture.
fn place(picture: &Picture, mut shape: Shape, number: &str) -> String {
    let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
    let digits_before = number.find('.').unwrap_or(number.len());
    let overflow;
    let number = if digits_before > shape.before {
        overflow = format!("{}.{}", "#".repeat(shape.before), "#".repeat(shape.behind));
        overflow.as_str()
    } else {
        number
    };
    let has_own_sign = shape.has_plus || shape.has_minus;
    let is_sign_written = if has_own_sign {
        shape.has_minus
    } else {
        shape.has_bracket &= is_negative || !shape.is_fill_mode;
        !is_negative && shape.is_fill_mode && shape.sign.is_none()
    };
    // An S behind all digits before the point belongs behind the number.
    if !has_own_sign && shape.sign == Some(SignPlace::Before) && shape.before == shape.before_sign {
        shape.sign = Some(SignPlace::Behind);
    }
    let blank_places = shape.before.saturating_sub(digits_before);
    let mut placer = Placer {
        shape,
        number: number.as_bytes(),
        at: 0,
        blank_places,
        place: 0,
        place_count: (shape.before + shape.behind)
            .wrapping_sub(1)
            .wrapping_add(usize::from(!is_sign_written && blank_places == 0)),
        is_negative,
        is_sign_written,
        is_inside_number: false,
        last_relevant: last_relevant(number, shape, blank_places),
        out: String::new(),
    };
    for node in &picture.nodes {
        placer.node(*node);
    }
    // A number that ran out of digits ends the text, as it does where texts end with a zero byte.
    match placer.out.find('\0') {
        Some(end) => placer.out[..end].to_owned(),
        None => placer.out,
    }
}

/// With FM: where needless zeros behind the point begin. Places written as `0` keep theirs.
fn last_relevant(number: &str, shape: Shape, blank_places: usize) -> Option<usize> {
    if !shape.is_fill_mode || !shape.has_point {
        return None;
    }
    let point = number.find('.')?;
    let last = number.bytes().rposition(|byte| byte != b'0').map_or(point, |last| last.max(point));
    if shape.last_zero > blank_places {
        return Some(last.max((shape.last_zero - blank_places).min(number.len() - 1)));
    }
    Some(last)
}

impl Placer<'_> {
    fn node(&mut self, node: Node) {
        match node {
            Node::Digit { .. } | Node::Point => self.digit(node),
            Node::Group if self.is_inside_number => self.out.push(','),
            Node::Group if self.shape.is_fill_mode => {}
            Node::Group | Node::Currency => self.out.push(' '),
            Node::Minus => self.own_sign(self.is_negative, '-'),
            Node::Plus => self.own_sign(!self.is_negative, '+'),
            Node::PlusOrMinus => self.out.push(if self.is_negative { '-' } else { '+' }),
            Node::Ordinal(case) => {
                if self.number.first() != Some(&b'#') && !self.is_negative && !self.shape.has_point {
                    let number = std::str::from_utf8(self.number).unwrap_or_default();
                    self.out.push_str(ordinal_suffix(number, case));
                }
            }
            Node::Text(character) => self.out.push(character),
            Node::Sign
            | Node::Bracket
            | Node::Roman(_)
            | Node::Exponent
            | Node::Multiply
            | Node::FillMode
            | Node::Nothing => {}
        }
    }

    fn own_sign(&mut self, is_shown: bool, sign: char) {
        if is_shown {
            self.out.push(sign);
        } else if !self.shape.is_fill_mode {
            self.out.push(' ');
        }
    }

    /// A lone zero before the point is not written where the picture has `9`: `.5`.
    fn is_needless_zero(&self) -> bool {
        self.shape.first_zero.is_none() && self.at == 0 && self.number.first() == Some(&b'0') && self.shape.behind != 0
    }

    fn nothing_behind_point(&self) -> bool {
        self.last_relevant.is_some_and(|last| self.number[last] == b'.')
    }

    fn digit(&mut self, node: Node) {
        self.is_inside_number = false;
        let starts = self.place >= self.blank_places || self.shape.first_zero == Some(self.place);
        if !self.is_sign_written && starts && (!self.is_needless_zero() || self.nothing_behind_point()) {
            self.sign_before();
        }
        if self.place < self.blank_places {
            match self.shape.first_zero {
                Some(first) if first <= self.place => {
                    self.out.push('0');
                    self.is_inside_number = true;
                }
                _ if self.shape.is_fill_mode => {}
                _ => self.out.push(' '),
            }
        } else {
            self.number_character(node);
        }
        let mut end = self.place_count + usize::from(self.blank_places > 0) + usize::from(self.shape.has_point);
        if self.last_relevant == Some(self.at) {
            end = self.place;
        }
        if self.place + 1 == end {
            self.sign_behind();
        }
        self.place += 1;
    }

    fn sign_before(&mut self) {
        if self.shape.sign.is_some() {
            if self.shape.sign == Some(SignPlace::Before) {
                self.out.push(if self.is_negative { '-' } else { '+' });
                self.is_sign_written = true;
            }
            return;
        }
        if self.shape.has_bracket {
            self.out.push(if self.is_negative { '<' } else { ' ' });
        } else if self.is_negative {
            self.out.push('-');
        } else if !self.shape.is_fill_mode {
            self.out.push(' ');
        }
        self.is_sign_written = true;
    }

    fn sign_behind(&mut self) {
        if self.is_sign_written && self.shape.has_bracket {
            self.out.push(if self.is_negative { '>' } else { ' ' });
        } else if self.shape.sign == Some(SignPlace::Behind) {
            self.out.push(if self.is_negative { '-' } else { '+' });
        }
    }

    fn number_character(&mut self, node: Node) {
        let character = self.number.get(self.at).copied();
        if character == Some(b'.') {
            self.out.push('.');
        } else if self.last_relevant.is_some_and(|last| self.at > last) && node != (Node::Digit { is_zero: true }) {
            // A needless zero.
        } else if self.is_needless_zero() {
            if !self.shape.is_fill_mode {
                self.out.push(' ');
            } else if self.nothing_behind_point() {
                self.out.push('0');
            }
        } else {
            self.out.push(char::from(character.unwrap_or(0)));
            self.is_inside_number = true;
        }
        self.at += usize::from(character.is_some());
    }
}
