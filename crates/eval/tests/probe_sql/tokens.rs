//! The words of the probe language.

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// In lower case.
    Word(String),
    Number(String),
    Text(String),
    Symbol(String),
}

/// Longest first.
const SYMBOLS: [&str; 38] = [
    "!~*", "->>", "#>>", "::", "||", "<>", "!=", "<=", ">=", "~*", "!~", "->", "#>", "@>", "<@", "?|", "?&", "<<",
    ">>", "&&", "^@", "+", "-", "*", "/", "%", "^", "=", "<", ">", "~", "@", "?", "&", "|", "#", "(", ")",
];

pub fn tokenize(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() || first == '.' {
            number_length(rest)
        } else if first == '\'' || rest.starts_with("E'") || rest.starts_with("e'") {
            let (text, length) = quoted(rest);
            tokens.push(Token::Text(text));
            rest = rest[length..].trim_start();
            continue;
        } else if first.is_ascii_alphabetic() || first == '_' {
            rest.find(|other: char| !other.is_ascii_alphanumeric() && other != '_').unwrap_or(rest.len())
        } else {
            let known = SYMBOLS.iter().chain(&["[", "]", ","]).find(|symbol| rest.starts_with(**symbol));
            known.unwrap_or_else(|| panic!("no token starts with {rest}")).len()
        };
        let word = &rest[..length];
        tokens.push(if first.is_ascii_digit() || first == '.' {
            Token::Number(word.to_owned())
        } else if first.is_ascii_alphabetic() || first == '_' {
            Token::Word(word.to_lowercase())
        } else {
            Token::Symbol(word.to_owned())
        });
        rest = rest[length..].trim_start();
    }
    tokens
}

fn number_length(text: &str) -> usize {
    let mut previous = ' ';
    for (at, character) in text.char_indices() {
        let is_exponent_sign = matches!(character, '+' | '-') && matches!(previous, 'e' | 'E');
        if !character.is_ascii_digit() && !matches!(character, '.' | 'e' | 'E') && !is_exponent_sign {
            return at;
        }
        previous = character;
    }
    text.len()
}

/// A string's value and the length of its literal. `E'…'` knows `\n`, `\t` and `\\`.
fn quoted(text: &str) -> (String, usize) {
    let has_escapes = !text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1 + usize::from(has_escapes)).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                value.push('\'');
                characters.next();
            }
            '\'' => return (value, at + 1),
            '\\' if has_escapes => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, other)) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    panic!("a string is not closed: {text}");
}
