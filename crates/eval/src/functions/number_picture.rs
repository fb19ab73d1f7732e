//! Format pictures of numbers (`FM999,990.00`), for `to_char` and `to_number`.
//!
//! ```text
//!   picture ──scan──> nodes (a digit's place, a point, a sign, …)  +  Shape (how many places, which signs, fill mode)
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use super::fail;
use super::pattern_cache::PatternCache;
use super::time_picture::Case;
use crate::EvalError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// `9` or `0`.
    Digit {
        is_zero: bool,
    },
    /// `.` or `D`
    Point,
    /// `,` or `G`
    Group,
    /// `S`: tied to the number, so it writes nothing at its own place.
    Sign,
    /// `PL`
    Plus,
    /// `MI`
    Minus,
    /// `SG`
    PlusOrMinus,
    /// `PR`
    Bracket,
    Roman(Case),
    Ordinal(Case),
    /// `L`: a blank, as no currency is set.
    Currency,
    Exponent,
    /// `V`: digits behind it multiply by ten.
    Multiply,
    FillMode,
    /// `B`, `C`, `SP`: known, without effect.
    Nothing,
    Text(char),
}

/// Where the sign that belongs to the number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignPlace {
    Before,
    Behind,
}

/// What the whole picture amounts to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// Places before the point.
    pub(super) before: usize,
    /// Places behind the point.
    pub(super) behind: usize,
    /// Places behind `V`.
    pub(super) multiply: usize,
    /// The place of the first `0` before the point.
    pub(super) first_zero: Option<usize>,
    /// How many places there were when the last `0` had come.
    pub(super) last_zero: usize,
    pub(super) sign: Option<SignPlace>,
    /// How many places stood before `S`.
    pub(super) before_sign: usize,
    pub(super) has_point: bool,
    pub(super) has_plus: bool,
    pub(super) has_minus: bool,
    pub(super) has_bracket: bool,
    pub(super) has_multiply: bool,
    pub(super) has_exponent: bool,
    pub(super) has_blank: bool,
    pub(super) is_roman: bool,
    pub(super) is_fill_mode: bool,
}

#[derive(Debug)]
pub(super) struct Picture {
    pub(super) nodes: Vec<Node>,
    pub(super) shape: Shape,
}

const KEYWORDS: &[(&str, Node)] = &[
    ("EEEE", Node::Exponent),
    ("eeee", Node::Exponent),
    ("FM", Node::FillMode),
    ("fm", Node::FillMode),
    ("MI", Node::Minus),
    ("mi", Node::Minus),
    ("PL", Node::Plus),
    ("pl", Node::Plus),
    ("PR", Node::Bracket),
    ("pr", Node::Bracket),
    ("RN", Node::Roman(Case::Upper)),
    ("rn", Node::Roman(Case::Lower)),
    ("SG", Node::PlusOrMinus),
    ("sg", Node::PlusOrMinus),
    ("SP", Node::Nothing),
    ("sp", Node::Nothing),
    ("TH", Node::Ordinal(Case::Upper)),
    ("th", Node::Ordinal(Case::Lower)),
    (",", Node::Group),
    (".", Node::Point),
    ("0", Node::Digit { is_zero: true }),
    ("9", Node::Digit { is_zero: false }),
    ("B", Node::Nothing),
    ("b", Node::Nothing),
    ("C", Node::Nothing),
    ("c", Node::Nothing),
    ("D", Node::Point),
    ("d", Node::Point),
    ("G", Node::Group),
    ("g", Node::Group),
    ("L", Node::Currency),
    ("l", Node::Currency),
    ("S", Node::Sign),
    ("s", Node::Sign),
    ("V", Node::Multiply),
    ("v", Node::Multiply),
];

thread_local! {
    static CACHE: RefCell<PatternCache<Picture>> = RefCell::new(PatternCache::new());
}

pub(super) fn picture(text: &str) -> Result<Rc<Picture>, EvalError> {
    CACHE.with_borrow_mut(|cache| cache.get(&[text], || scan(text)))
}

fn scan(text: &str) -> Result<Picture, EvalError> {
    let mut nodes = Vec::new();
    let mut shape = Shape::default();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some((name, node)) = KEYWORDS.iter().find(|(name, _)| rest.starts_with(name)) {
            shape.add(*node, name)?;
            nodes.push(*node);
            rest = &rest[name.len()..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let mut characters = quoted.chars();
            while let Some(character) = characters.next() {
                match character {
                    '"' => break,
                    '\\' => nodes.push(Node::Text(characters.next().unwrap_or('\\'))),
                    other => nodes.push(Node::Text(other)),
                }
            }
            rest = characters.as_str();
        } else {
            if rest.starts_with("\\\"") {
                rest = &rest[1..];
            }
            let Some(character) = rest.chars().next() else { break };
            nodes.push(Node::Text(character));
            rest = &rest[character.len_utf8()..];
        }
    }
    Ok(Picture { nodes, shape })
}

impl Shape {
    fn add(&mut self, node: Node, name: &str) -> Result<(), EvalError> {
        if self.has_exponent && node != Node::Exponent {
            return fail("\"EEEE\" must be the last pattern used");
        }
        match node {
            Node::Digit { is_zero } => {
                if self.has_bracket {
                    return fail(format!("\"{name}\" must be ahead of \"PR\""));
                }
                self.add_digit(is_zero);
            }
            Node::Point => {
                if self.has_point {
                    return fail("multiple decimal points");
                }
                if self.has_multiply {
                    return fail("cannot use \"V\" and decimal point together");
                }
                self.has_point = true;
            }
            Node::FillMode => self.is_fill_mode = true,
            Node::Sign => {
                if self.sign.is_some() {
                    return fail("cannot use \"S\" twice");
                }
                if self.has_plus || self.has_minus || self.has_bracket {
                    return fail("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
                }
                self.before_sign = self.before;
                self.sign = Some(if self.has_point { SignPlace::Behind } else { SignPlace::Before });
            }
            Node::Plus | Node::Minus | Node::PlusOrMinus => {
                if self.sign.is_some() {
                    return fail(format!("cannot use \"S\" and \"{}\" together", name.to_uppercase()));
                }
                self.has_plus |= node != Node::Minus;
                self.has_minus |= node != Node::Plus;
            }
            Node::Bracket => {
                if self.sign.is_some() || self.has_plus || self.has_minus {
                    return fail("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together");
                }
                self.has_bracket = true;
            }
            Node::Roman(_) => self.is_roman = true,
            Node::Multiply => {
                if self.has_point {
                    return fail("cannot use \"V\" and decimal point together");
                }
                self.has_multiply = true;
            }
            Node::Exponent => {
                if self.has_exponent {
                    return fail("cannot use \"EEEE\" twice");
                }
                let is_mixed = self.has_blank
                    || self.is_fill_mode
                    || self.sign.is_some()
                    || self.has_bracket
                    || self.has_minus
                    || self.has_plus
                    || self.is_roman
                    || self.has_multiply;
                if is_mixed {
                    return fail("\"EEEE\" is incompatible with other formats");
                }
                self.has_exponent = true;
            }
            Node::Nothing => {
                self.has_blank |= name.eq_ignore_ascii_case("b") && self.before == 0 && self.behind == 0;
            }
            Node::Group | Node::Ordinal(_) | Node::Currency | Node::Text(_) => {}
        }
        Ok(())
    }

    fn add_digit(&mut self, is_zero: bool) {
        if is_zero && self.first_zero.is_none() && !self.has_point {
            self.first_zero = Some(self.before);
        }
        if self.has_multiply && !is_zero {
            self.multiply += 1;
        } else if self.has_point {
            self.behind += 1;
        } else {
            self.before += 1;
        }
        if is_zero {
            self.last_zero = self.before + self.behind;
        }
    }
}
