//! PostgreSQL's "advanced" regular expressions and SIMILAR TO, written in the dialect of the `regex` crate.
//!
//! ```text
//!   ARE or SIMILAR pattern, flags ──translate──> regex text ──compile──> Regex, kept per thread
//! ```
//!
//! 1. What the `regex` crate cannot do in linear time (back references, look-around) is an error, not a wrong answer.
//! 2. Alternatives are put in the order that finds the longest match, as far as their widths allow (`regex_branches`).
//! 3. A pattern is compiled once per thread; a dataflow has few patterns.

use std::cell::RefCell;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};

use super::fail;
use super::pattern_cache::PatternCache;
use super::regex_branches::Branches;
use crate::EvalError;

thread_local! {
    static CACHE: RefCell<PatternCache<Regex>> = RefCell::new(PatternCache::new());
}

/// What PostgreSQL's flag letters ask of the compiler.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    is_case_insensitive: bool,
    /// `.` and `[^…]` stop at line ends, `^` and `$` match there.
    dot_stops_at_newline: bool,
    anchors_match_at_newline: bool,
    is_expanded: bool,
    is_literal: bool,
    /// Not for the compiler: replace or split everywhere.
    pub(super) is_global: bool,
}

impl Flags {
    pub(super) const NONE: Flags = Flags {
        is_case_insensitive: false,
        dot_stops_at_newline: false,
        anchors_match_at_newline: false,
        is_expanded: false,
        is_literal: false,
        is_global: false,
    };

    pub(super) const CASE_INSENSITIVE: Flags = Flags { is_case_insensitive: true, ..Flags::NONE };

    /// Reads flag letters; `g` only where the function has a meaning for it.
    pub(super) fn parse(letters: &str) -> Result<Flags, EvalError> {
        let mut flags = Flags::default();
        for letter in letters.chars() {
            flags.set(letter)?;
        }
        Ok(flags)
    }

    fn set(&mut self, letter: char) -> Result<(), EvalError> {
        match letter {
            'g' => self.is_global = true,
            'i' => self.is_case_insensitive = true,
            'c' => self.is_case_insensitive = false,
            'm' | 'n' => (self.dot_stops_at_newline, self.anchors_match_at_newline) = (true, true),
            'p' => (self.dot_stops_at_newline, self.anchors_match_at_newline) = (true, false),
            'w' => (self.dot_stops_at_newline, self.anchors_match_at_newline) = (false, true),
            's' => (self.dot_stops_at_newline, self.anchors_match_at_newline) = (false, false),
            'x' => self.is_expanded = true,
            't' => self.is_expanded = false,
            'q' => self.is_literal = true,
            'b' | 'e' => return fail(format!("regular expression flag \"{letter}\" is not supported")),
            other => return fail(format!("invalid regular expression option: \"{other}\"")),
        }
        Ok(())
    }

    fn letters(self) -> [u8; 5] {
        [
            u8::from(self.is_case_insensitive),
            u8::from(self.dot_stops_at_newline),
            u8::from(self.anchors_match_at_newline),
            u8::from(self.is_expanded),
            u8::from(self.is_literal),
        ]
        .map(|bit| b'0' + bit)
    }
}

/// The compiled form of an ARE.
pub(super) fn compile(pattern: &str, flags: Flags) -> Result<Rc<Regex>, EvalError> {
    let letters = flags.letters();
    cached(&[std::str::from_utf8(&letters).unwrap_or_default(), pattern], || {
        let mut flags = flags;
        let pattern = take_director(pattern, &mut flags)?;
        build(&if flags.is_literal { regex::escape(pattern) } else { translate(pattern, flags)? }, flags)
    })
}

/// The compiled form of a SIMILAR TO pattern, which must match the whole text.
pub(super) fn similar(pattern: &str, escape: Option<char>) -> Result<Rc<Regex>, EvalError> {
    let mut buffer = [0; 4];
    let escape_text = escape.map_or("", |escape| escape.encode_utf8(&mut buffer));
    cached(&["~", escape_text, "~", pattern], || {
        let are = similar_to_are(pattern, escape)?;
        build(&translate(&are, Flags::NONE)?, Flags::NONE)
    })
}

fn cached(key: &[&str], compile: impl FnOnce() -> Result<Regex, EvalError>) -> Result<Rc<Regex>, EvalError> {
    CACHE.with_borrow_mut(|cache| cache.get(key, compile))
}

fn build(pattern: &str, flags: Flags) -> Result<Regex, EvalError> {
    RegexBuilder::new(pattern)
        .case_insensitive(flags.is_case_insensitive)
        .dot_matches_new_line(!flags.dot_stops_at_newline)
        .multi_line(flags.anchors_match_at_newline)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                EvalError::new("invalid regular expression: regular expression is too complex")
            }
            error => {
                // The crate draws the pattern and a caret; its last line is the reason.
                let shown = error.to_string();
                let reason = shown.lines().last().unwrap_or("syntax error").trim_start_matches("error: ");
                EvalError::new(format!("invalid regular expression: {reason}"))
            }
        })
}

/// Reads `***:`, `***=` and `(?flags)` at the start.
fn take_director<'p>(pattern: &'p str, flags: &mut Flags) -> Result<&'p str, EvalError> {
    let mut pattern = pattern;
    if let Some(rest) = pattern.strip_prefix("***=") {
        flags.is_literal = true;
        return Ok(rest);
    }
    pattern = pattern.strip_prefix("***:").unwrap_or(pattern);
    if let Some(rest) = pattern.strip_prefix("(?")
        && let Some((letters, tail)) = rest.split_once(')')
        && !letters.is_empty()
        && letters.chars().all(|letter| letter.is_ascii_lowercase())
    {
        for letter in letters.chars() {
            flags.set(letter)?;
        }
        return Ok(tail);
    }
    Ok(pattern)
}

/// The characters of a pattern, with one of look-ahead.
struct Scanner<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    out: String,
    flags: Flags,
    branches: Branches,
}

/// Writes an ARE in the crate's dialect.
fn translate(pattern: &str, flags: Flags) -> Result<String, EvalError> {
    let mut scanner = Scanner {
        rest: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 8),
        flags,
        branches: Branches::new(),
    };
    while let Some(character) = scanner.rest.next() {
        match character {
            '\\' => scanner.escape()?,
            '[' => scanner.bracket()?,
            '(' => scanner.group()?,
            ')' => scanner.end_group()?,
            // A brace that no number follows is an ordinary character.
            '{' if !scanner.rest.peek().is_some_and(char::is_ascii_digit) => scanner.element("\\{"),
            '{' => scanner.bound()?,
            '}' => scanner.element("\\}"),
            ']' => scanner.element("\\]"),
            '.' if flags.dot_stops_at_newline => scanner.element("[^\\n]"),
            '|' => {
                scanner.out.push('|');
                scanner.branches.alternate(scanner.out.len());
            }
            '#' if flags.is_expanded => while scanner.rest.next().is_some_and(|character| character != '\n') {},
            character if flags.is_expanded && character.is_whitespace() => {}
            '^' | '$' if flags.anchors_match_at_newline => {
                scanner.out.push_str(if character == '^' { "(?m:^)" } else { "(?m:$)" });
            }
            '^' => scanner.out.push_str("\\A"),
            '$' => scanner.out.push_str("\\z"),
            '*' | '+' | '?' => scanner.quantifier(character)?,
            character => scanner.element(character.encode_utf8(&mut [0; 4])),
        }
    }
    if scanner.branches.depth() > 0 {
        return fail("invalid regular expression: parentheses () not balanced");
    }
    scanner.branches.close(&mut scanner.out);
    Ok(scanner.out)
}

const SPACE: &str = "\\s";
const DIGIT: &str = "0-9";
const WORD: &str = "\\p{Alphabetic}\\p{Nd}_";

impl Scanner<'_> {
    fn quantifier(&mut self, character: char) -> Result<(), EvalError> {
        if self.out.is_empty() || self.out.ends_with('(') && !self.out.ends_with("\\(") {
            return fail("invalid regular expression: quantifier operand invalid");
        }
        self.out.push(character);
        let is_lazy = self.take_lazy_mark();
        self.branches.repeat(usize::from(character == '+'), (character == '?').then_some(1), is_lazy);
        if self.rest.peek().is_some_and(|next| matches!(next, '*' | '+' | '?')) {
            return fail("invalid regular expression: quantifier operand invalid");
        }
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), EvalError> {
        if self.branches.depth() == 0 {
            return fail("invalid regular expression: parentheses () not balanced");
        }
        self.branches.close(&mut self.out);
        self.out.push(')');
        Ok(())
    }

    fn group(&mut self) -> Result<(), EvalError> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            self.branches.open(self.out.len(), true);
            return Ok(());
        }
        match self.rest.next() {
            Some(':') => {
                self.out.push_str("?:");
                self.branches.open(self.out.len(), false);
            }
            Some('=' | '!' | '<') => {
                return fail("invalid regular expression: look-ahead and look-behind are not maintained");
            }
            // A comment: the opening bracket goes too.
            Some('#') => {
                self.out.pop();
                while self.rest.next().is_some_and(|character| character != ')') {}
            }
            _ => return fail("invalid regular expression: quantifier operand invalid"),
        }
        Ok(())
    }

    fn bound(&mut self) -> Result<(), EvalError> {
        let mut bound = String::from("{");
        for character in self.rest.by_ref() {
            bound.push(character);
            if character == '}' {
                let (low, high) =
                    bound[1..bound.len() - 1].split_once(',').unwrap_or((&bound[1..bound.len() - 1], "0"));
                let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                let is_in_range = |text: &str| text.is_empty() || text.parse::<u32>().is_ok_and(|count| count <= 255);
                if !is_number(low) || !is_number(high) || !is_in_range(low) || !is_in_range(high) {
                    return fail("invalid regular expression: invalid repetition count(s)");
                }
                let least = low.parse().unwrap_or(0);
                let most = if bound.contains(',') { high.parse().ok() } else { Some(least) };
                self.out.push_str(&bound);
                let is_lazy = self.take_lazy_mark();
                self.branches.repeat(least, most, is_lazy);
                return Ok(());
            }
        }
        fail("invalid regular expression: braces {} not balanced")
    }

    /// A `?` behind a quantifier: as few as possible.
    fn take_lazy_mark(&mut self) -> bool {
        let is_lazy = self.rest.next_if_eq(&'?').is_some();
        if is_lazy {
            self.out.push('?');
        }
        is_lazy
    }

    /// Writes what matches one character.
    fn element(&mut self, text: &str) {
        self.out.push_str(text);
        self.branches.character();
    }

    /// An escape outside brackets.
    fn escape(&mut self) -> Result<(), EvalError> {
        let Some(character) = self.rest.next() else {
            return fail("invalid regular expression: invalid escape \\ sequence");
        };
        match character {
            'd' => self.push_class("", DIGIT),
            'D' => self.push_class("^", DIGIT),
            's' => self.push_class("", SPACE),
            'S' => self.push_class("^", SPACE),
            'w' => self.push_class("", WORD),
            'W' => self.push_class("^", WORD),
            'A' => self.out.push_str("\\A"),
            'Z' => self.out.push_str("\\z"),
            'm' => self.out.push_str("\\b{start}"),
            'M' => self.out.push_str("\\b{end}"),
            'y' => self.out.push_str("\\b"),
            'Y' => self.out.push_str("\\B"),
            '1'..='9' => return fail("invalid regular expression: back references are not maintained"),
            other => {
                let literal = self.escaped_character(other)?;
                self.push_literal(literal);
                self.branches.character();
            }
        }
        Ok(())
    }

    fn push_class(&mut self, negation: &str, class: &str) {
        self.element(&format!("[{negation}{class}]"));
    }

    /// A character that stands for itself, inside brackets or outside.
    fn push_literal(&mut self, character: char) {
        if character.is_ascii()
            && !character.is_ascii_alphanumeric()
            && !character.is_ascii_control()
            && character != ' '
        {
            self.out.push('\\');
            // `\<` and `\>` mean word boundaries to the crate.
            if matches!(character, '<' | '>') {
                self.out.pop();
            }
        }
        self.out.push(character);
    }

    /// The character that an escape of one character (`\n`, `\x41`, `\.`) stands for.
    fn escaped_character(&mut self, character: char) -> Result<char, EvalError> {
        let invalid = || EvalError::new("invalid regular expression: invalid escape \\ sequence");
        Ok(match character {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'B' => '\\',
            'e' => '\u{1B}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{B}',
            '0' => '\0',
            'c' => {
                let control = self.rest.next().ok_or_else(invalid)?;
                char::from_u32(u32::from(control) & 0x1F).ok_or_else(invalid)?
            }
            'x' => self.hexadecimal(usize::MAX)?,
            'u' => self.hexadecimal(4)?,
            'U' => self.hexadecimal(8)?,
            other if other.is_ascii_alphanumeric() => return Err(invalid()),
            other => other,
        })
    }

    fn hexadecimal(&mut self, digits_max: usize) -> Result<char, EvalError> {
        let mut code = 0u32;
        let mut count = 0;
        while count < digits_max
            && let Some(digit) = self.rest.peek().and_then(|next| next.to_digit(16))
        {
            code = (code << 4) | digit;
            count += 1;
            self.rest.next();
        }
        let is_complete = count > 0 && (digits_max == usize::MAX || count == digits_max);
        char::from_u32(code)
            .filter(|_| is_complete)
            .ok_or_else(|| EvalError::new("invalid regular expression: invalid escape \\ sequence"))
    }

    /// A bracket expression, after its `[`.
    fn bracket(&mut self) -> Result<(), EvalError> {
        let unbalanced = || EvalError::new("invalid regular expression: brackets [] not balanced");
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
            if self.flags.dot_stops_at_newline {
                self.out.push_str("\\n");
            }
        }
        let mut is_first = true;
        loop {
            match self.rest.next().ok_or_else(unbalanced)? {
                ']' if !is_first => break,
                '[' if self.rest.next_if_eq(&':').is_some() => self.named_class()?,
                '[' if self.rest.peek().is_some_and(|next| matches!(next, '.' | '=')) => {
                    let mark = self.rest.next().ok_or_else(unbalanced)?;
                    let literal = self.rest.next().ok_or_else(unbalanced)?;
                    if self.rest.next() != Some(mark) || self.rest.next() != Some(']') {
                        return fail("invalid regular expression: invalid collating element");
                    }
                    self.push_literal(literal);
                }
                '\\' => match self.rest.next().ok_or_else(unbalanced)? {
                    'd' => self.out.push_str(DIGIT),
                    's' => self.out.push_str(SPACE),
                    'w' => self.out.push_str(WORD),
                    'D' | 'S' | 'W' => return fail("invalid regular expression: invalid escape \\ sequence"),
                    other => {
                        let literal = self.escaped_character(other)?;
                        self.push_literal(literal);
                    }
                },
                // A range, unless it opens or closes the expression.
                '-' if !is_first && self.rest.peek().is_some_and(|next| *next != ']') => self.out.push('-'),
                literal => self.push_literal(literal),
            }
            is_first = false;
        }
        self.element("]");
        Ok(())
    }

    /// `[:alpha:]` and its kin, after `[:`.
    fn named_class(&mut self) -> Result<(), EvalError> {
        let mut name = String::new();
        while let Some(character) = self.rest.next_if(|character| character.is_ascii_lowercase()) {
            name.push(character);
        }
        if self.rest.next() != Some(':') || self.rest.next() != Some(']') {
            return fail("invalid regular expression: invalid character class");
        }
        self.out.push_str(match name.as_str() {
            "alpha" => "\\p{Alphabetic}",
            "alnum" => "\\p{Alphabetic}\\p{Nd}",
            "digit" => DIGIT,
            "xdigit" => "0-9A-Fa-f",
            "lower" => "\\p{Lowercase}",
            "upper" => "\\p{Uppercase}",
            "space" => SPACE,
            "blank" => " \\t",
            "punct" => "\\p{P}\\p{S}",
            "cntrl" => "\\p{Cc}",
            "print" => "\\P{C}",
            "graph" => "[\\P{C}--\\s]",
            "word" => WORD,
            _ => return fail("invalid regular expression: invalid character class"),
        });
        Ok(())
    }
}

/// Writes a SIMILAR TO pattern as an ARE for the whole text.
fn similar_to_are(pattern: &str, escape: Option<char>) -> Result<String, EvalError> {
    let mut out = String::from("^(?:");
    let mut characters = pattern.chars();
    let mut is_in_bracket = false;
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            let Some(literal) = characters.next() else {
                return fail("invalid escape sequence");
            };
            if !literal.is_alphanumeric() {
                out.push('\\');
            }
            out.push(literal);
            continue;
        }
        if is_in_bracket {
            is_in_bracket = character != ']';
            if character == '\\' {
                out.push('\\');
            }
            out.push(character);
            continue;
        }
        match character {
            '[' => {
                is_in_bracket = true;
                out.push('[');
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '\\' | '.' | '^' | '$' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out.push_str(")$");
    Ok(out)
}

#[cfg(test)]
#[path = "regex_dialect_tests.rs"]
mod tests;
