//! Python literals: what dbt's native rendering turns text back into.

use minijinja::Value;
use minijinja::value::Tuple;

use super::value::{dict, list};

/// The value of a Python literal (`True`, `1.5`, `'a'`, `[1, 2]`, `{'a': None}`), or nothing for any other text.
pub fn literal(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text.trim() };
    let value = reader.value()?;
    reader.skip();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, text: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.skip();
        match self.rest.chars().next()? {
            '[' => {
                self.eat("[");
                self.items("]").map(list)
            }
            '(' => {
                self.eat("(");
                let had_comma = self.rest.contains(',');
                let mut items = self.items(")")?;
                if items.len() == 1 && !had_comma { items.pop() } else { Some(Value::from(Tuple::from(items))) }
            }
            '{' => {
                self.eat("{");
                let mut pairs = Vec::new();
                while !self.eat("}") {
                    let key = self.value()?;
                    if !self.eat(":") {
                        return None;
                    }
                    pairs.push((key, self.value()?));
                    if !self.eat(",") {
                        return self.eat("}").then(|| dict(pairs));
                    }
                }
                Some(dict(pairs))
            }
            quote @ ('\'' | '"') => self.text(quote),
            _ => self.word(),
        }
    }

    fn items(&mut self, close: &str) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(self.value()?);
            if !self.eat(",") {
                return self.eat(close).then_some(items);
            }
        }
        Some(items)
    }

    fn text(&mut self, quote: char) -> Option<Value> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    other => text.push(other),
                },
                c if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Some(Value::from(text));
                }
                c => text.push(c),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Value> {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-')))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let value = match word {
            "True" => Value::from(true),
            "False" => Value::from(false),
            "None" => Value::from(()),
            _ => {
                let starts_like_a_number =
                    word.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
                let digits = word.trim_start_matches(['-', '+']);
                let has_leading_zero =
                    digits.len() > 1 && digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit());
                if !starts_like_a_number || has_leading_zero {
                    return None;
                }
                word.parse::<i64>().map(Value::from).or_else(|_| word.parse::<f64>().map(Value::from)).ok()?
            }
        };
        self.rest = rest;
        Some(value)
    }
}
