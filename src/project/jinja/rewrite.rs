//! Turns dbt's Jinja into the Jinja that minijinja runs, line by line.
//!
//! ```text
//!   {% do xs.append(1) %}        {% set _lm_ = (xs.append(1)) %}
//!   [1, 2]   {'a': 1}            _lm_list([1, 2])   _lm_dict({'a': 1})        lists and maps that can change
//!   a + b - c                    _lm_sub(_lm_add(a , b ), c)                  Python's sums: lists, dates
//!   'x%s' % y                    'x%s'|_lm_percent(y)
//!   'a' 'b'                      ('a' ~ 'b')
//!   {% if x: %}                  {% if x %}
//!   {% call(r) f(1) %}…{% endcall %}   {{ f(1, caller=_lm_caller(0)) }}       the body becomes a template of its own
//! ```
//!
//! 1. A line stays a line: errors of the rewritten text name the user's lines.
//! 2. Text, comments and raw blocks pass unchanged.

use super::segments::{Block, Segment, SegmentKind, Syntax, newlines, segments};

/// A template ready for minijinja, and the bodies of its call blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    pub text: String,
    pub callers: Vec<Caller>,
}

/// The body of a `call` block: a macro without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub params: Vec<Param>,
    pub template: String,
}

/// One parameter of a macro; the default is already in the template's prologue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    pub name: String,
    pub has_default: bool,
}

/// Rewrites a whole template. One newline at the end is dropped, as Jinja does.
pub fn template(source: &str) -> Result<Rewritten, Syntax> {
    let source = source.strip_suffix('\n').map_or(source, |rest| rest.strip_suffix('\r').unwrap_or(rest));
    let mut rewritten = Rewritten::default();
    rewritten.text = body(source, 1, &mut rewritten.callers)?;
    Ok(rewritten)
}

/// The name and the parameters of a macro's or a test's header, and the template that renders its body.
pub fn macro_template(block: &Block<'_>) -> Result<(String, Vec<Param>, Rewritten), Syntax> {
    let (name, params) = block.header.split_once('(').unwrap_or((block.header, ")"));
    let params = params.trim_end().strip_suffix(')').unwrap_or(params);
    let mut rewritten = Rewritten::default();
    let (params, prologue) = signature(params, block.line)?;
    let shape = BodyShape { line: block.body_line, trim_start: block.trim_body_start, trim_end: block.trim_body_end };
    rewritten.text = standing_body(&prologue, block.body, shape, &mut rewritten.callers)?;
    Ok((name.trim().to_string(), params, rewritten))
}

struct BodyShape {
    line: usize,
    trim_start: bool,
    trim_end: bool,
}

/// A body as a template of its own, padded so that its lines keep their numbers.
fn standing_body(prologue: &str, source: &str, shape: BodyShape, callers: &mut Vec<Caller>) -> Result<String, Syntax> {
    let mut text = format!("{{#{}#}}{prologue}", "\n".repeat(shape.line - 1));
    if shape.trim_start {
        text.push_str("{#- -#}");
    }
    text.push_str(&body(source, shape.line, callers)?);
    if shape.trim_end {
        text.push_str("{#- #}");
    }
    Ok(text)
}

/// Parameters, and tags that give the missing ones their defaults.
fn signature(params: &str, line: usize) -> Result<(Vec<Param>, String), Syntax> {
    let tokens = tokenize(params, line)?;
    let mut found = Vec::new();
    let mut prologue = String::new();
    for part in split_top(&tokens, &[","]) {
        let part = trim(part);
        let Some(Token::Name(name)) = part.first() else {
            if part.is_empty() {
                continue;
            }
            return Err(Syntax { message: format!("expected a parameter name in '{params}'"), line });
        };
        let default = split_top(part, &["="]).get(1).map(|tokens| group(tokens)).transpose()?;
        if let Some(default) = &default {
            let default = default.replace('\n', " ");
            prologue.push_str(&format!("{{% if _lm_unset_{name} %}}{{% set {name} = ({default}) %}}{{% endif %}}"));
        }
        found.push(Param { name: name.to_string(), has_default: default.is_some() });
    }
    Ok((found, prologue))
}

fn body(source: &str, first_line: usize, callers: &mut Vec<Caller>) -> Result<String, Syntax> {
    let shift = |mut error: Syntax| {
        error.line += first_line - 1;
        error
    };
    let all = segments(source).map_err(shift)?;
    let mut out = String::with_capacity(source.len() + 32);
    let mut at = 0;
    while at < all.len() {
        let segment = &all[at];
        at += 1;
        let line = first_line + segment.line - 1;
        match segment.kind {
            SegmentKind::Text | SegmentKind::Comment | SegmentKind::Verbatim => out.push_str(segment.text),
            SegmentKind::Print => {
                let inner = group(&tokenize(segment.inner, line)?)?;
                out.push_str(&format!("{{{{{}{}{}}}}}", segment.trim_left, spaced(&inner), segment.trim_right));
            }
            SegmentKind::Tag if segment.keyword() == "call" => {
                let close = matching_end(&all, at, segment, line)?;
                out.push_str(&call_block(source, segment, &all[close], first_line, callers)?);
                at = close + 1;
            }
            SegmentKind::Tag => out.push_str(&tag(segment, line)?),
        }
    }
    Ok(out)
}

/// A dict literal must not touch the delimiter: `{{{` would be read as a print of a print.
fn spaced(inner: &str) -> String {
    format!("{}{inner}{}", if inner.starts_with('{') { " " } else { "" }, if inner.ends_with('}') { " " } else { "" })
}

fn tag(segment: &Segment<'_>, line: usize) -> Result<String, Syntax> {
    let keyword = segment.keyword();
    let mut rest = segment.rest();
    if matches!(keyword, "if" | "elif" | "else" | "for") {
        let trimmed = rest.trim_end();
        if let Some(shorter) = trimmed.strip_suffix(':') {
            rest = shorter;
        }
    }
    let lead = &segment.inner[..segment.inner.len() - segment.inner.trim_start().len()];
    let lost_lines = "\n".repeat(newlines(segment.rest()) - newlines(rest));
    let written = match keyword {
        "macro" | "endmacro" | "raw" | "endraw" => format!("{lead}{keyword}{rest}"),
        "do" => format!("{lead}set _lm_ = ({}) ", group(&tokenize(rest, line)?)?),
        _ => format!("{lead}{keyword}{}", group(&tokenize(rest, line)?)?),
    };
    let lead_space = if written.starts_with(char::is_whitespace) { "" } else { " " };
    Ok(format!("{{%{}{lead_space}{written}{lost_lines} {}%}}", segment.trim_left, segment.trim_right))
}

fn matching_end(all: &[Segment<'_>], from: usize, open: &Segment<'_>, line: usize) -> Result<usize, Syntax> {
    let mut depth = 1;
    for (at, segment) in all.iter().enumerate().skip(from) {
        if segment.kind == SegmentKind::Tag && segment.keyword() == open.keyword() {
            depth += 1;
        } else if segment.kind == SegmentKind::Tag && segment.keyword() == "endcall" {
            depth -= 1;
            if depth == 0 {
                return Ok(at);
            }
        }
    }
    Err(Syntax { message: "Unexpected end of template: a call block has no `{% endcall %}`".into(), line })
}

fn call_block(
    source: &str,
    open: &Segment<'_>,
    close: &Segment<'_>,
    first_line: usize,
    callers: &mut Vec<Caller>,
) -> Result<String, Syntax> {
    let line = first_line + open.line - 1;
    let tokens = tokenize(open.rest(), line)?;
    let mut call = trim(&tokens);
    let mut params = Vec::new();
    let mut prologue = String::new();
    if call.first() == Some(&Token::Op("(")) {
        let end = matching(call, 0);
        (params, prologue) = signature(&text_of(&call[1..end]), line)?;
        call = trim(&call[(end + 1).min(call.len())..]);
    }
    if call.last() != Some(&Token::Op(")")) {
        return Err(Syntax { message: "expected a call after `call`".into(), line });
    }
    let inner = &source[open.end..close.start];
    let shape = BodyShape {
        line: line + newlines(open.text),
        trim_start: open.trim_right == "-",
        trim_end: close.trim_left == "-",
    };
    let template = standing_body(&prologue, inner, shape, callers)?;
    callers.push(Caller { params, template });
    let has_arguments = !trim(&call[..call.len() - 1]).ends_with(&[Token::Op("(")]);
    let mut written = group(&call[..call.len() - 1])?;
    let separator = if has_arguments && !written.trim_end().ends_with(',') { ", " } else { "" };
    let lines_written = newlines(&written);
    written.push_str(&format!("{separator}caller=_lm_caller({})", callers.len() - 1));
    let lines = newlines(&source[open.start..close.end]).saturating_sub(lines_written);
    Ok(format!("{{{{{} {written}){} {}}}}}", open.trim_left, "\n".repeat(lines), close.trim_right))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Space(&'a str),
    Text(&'a str),
    Number(&'a str),
    Name(&'a str),
    Op(&'a str),
}

impl<'a> Token<'a> {
    fn text(&self) -> &'a str {
        match self {
            Token::Space(text) | Token::Text(text) | Token::Number(text) | Token::Name(text) | Token::Op(text) => text,
        }
    }
}

fn text_of(tokens: &[Token<'_>]) -> String {
    tokens.iter().map(Token::text).collect()
}

fn trim<'s, 'a>(mut tokens: &'s [Token<'a>]) -> &'s [Token<'a>] {
    while let [Token::Space(_), rest @ ..] = tokens {
        tokens = rest;
    }
    while let [rest @ .., Token::Space(_)] = tokens {
        tokens = rest;
    }
    tokens
}

fn tokenize(source: &str, line: usize) -> Result<Vec<Token<'_>>, Syntax> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let run = |test: fn(char) -> bool| rest.find(|c: char| !test(c)).unwrap_or(rest.len());
        let (token, length) = if first.is_whitespace() {
            let length = run(char::is_whitespace);
            (Token::Space(&rest[..length]), length)
        } else if first == '\'' || first == '"' {
            let length = string_length(rest, first)
                .ok_or_else(|| Syntax { message: "unexpected end of string".into(), line })?;
            (Token::Text(&rest[..length]), length)
        } else if first.is_ascii_digit() {
            let mut length = run(|c| c.is_alphanumeric() || c == '_');
            let after = &rest[length..];
            if after.starts_with('.') && after[1..].starts_with(|c: char| c.is_ascii_digit()) {
                length += 1 + after[1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len() - 1);
            }
            (Token::Number(&rest[..length]), length)
        } else if first.is_alphabetic() || first == '_' {
            let length = run(|c| c.is_alphanumeric() || c == '_');
            (Token::Name(&rest[..length]), length)
        } else {
            let two = rest.get(..2).filter(|two| matches!(*two, "**" | "//" | "==" | "!=" | "<=" | ">="));
            let op = two.unwrap_or(&rest[..first.len_utf8()]);
            (Token::Op(op), op.len())
        };
        tokens.push(token);
        at += length;
    }
    Ok(tokens)
}

fn string_length(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn is_word_operator(name: &str) -> bool {
    matches!(name, "and" | "or" | "not" | "in" | "is" | "if" | "else")
}

/// The index of the bracket that closes the one at `open`, or the length where none does.
fn matching(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Op("(" | "[" | "{") => depth += 1,
            Token::Op(")" | "]" | "}") => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Splits at operators outside of all brackets; the operators are left out.
fn split_top<'s, 'a>(tokens: &'s [Token<'a>], ops: &[&str]) -> Vec<&'s [Token<'a>]> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            Token::Op("(" | "[" | "{") => at = matching(tokens, at),
            Token::Op(op) if ops.contains(&op) => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&tokens[start.min(tokens.len())..]);
    parts
}

/// Rewrites the inside of a bracket, or a whole expression: sums between the operators that bind less than a sum.
fn group(tokens: &[Token<'_>]) -> Result<String, Syntax> {
    let mut out = String::new();
    let mut start = 0;
    let mut at = 0;
    while at < tokens.len() {
        let is_separator = match tokens[at] {
            Token::Op("(" | "[" | "{") => {
                at = matching(tokens, at);
                false
            }
            Token::Op(op) => matches!(op, "," | ":" | "=" | "==" | "!=" | "<" | ">" | "<=" | ">="),
            Token::Name(name) => is_word_operator(name) && !follows_dot(tokens, at),
            _ => false,
        };
        if is_separator {
            out.push_str(&sum(&tokens[start..at])?);
            out.push_str(tokens[at].text());
            start = at + 1;
        }
        at += 1;
    }
    out.push_str(&sum(&tokens[start.min(tokens.len())..])?);
    Ok(out)
}

fn follows_dot(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[..at].iter().rev().find(|token| !matches!(token, Token::Space(_))) == Some(&Token::Op("."))
}

/// `a + b - c` as calls, so that lists, dates and durations add as in Python.
fn sum(tokens: &[Token<'_>]) -> Result<String, Syntax> {
    let mut terms: Vec<(&str, &[Token<'_>])> = Vec::new();
    let mut sign = "";
    let mut start = 0;
    let mut after_operand = false;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            Token::Space(_) => {}
            Token::Op("(" | "[" | "{") => {
                at = matching(tokens, at);
                after_operand = true;
            }
            Token::Op(op @ ("+" | "-")) if after_operand => {
                terms.push((sign, &tokens[start..at]));
                sign = op;
                start = at + 1;
                after_operand = false;
            }
            Token::Op(_) => after_operand = false,
            Token::Text(_) | Token::Number(_) | Token::Name(_) => after_operand = true,
        }
        at += 1;
    }
    terms.push((sign, &tokens[start.min(tokens.len())..]));
    let mut written = String::new();
    for (sign, tokens) in terms {
        let operand = term(tokens)?;
        written = match sign {
            "" => operand,
            "+" => format!("{}_lm_add({written}, {operand})", leading_space(&written)),
            _ => format!("{}_lm_sub({written}, {operand})", leading_space(&written)),
        };
    }
    Ok(written)
}

/// A call must not grow into the word before it.
fn leading_space(text: &str) -> &'static str {
    if text.starts_with(char::is_whitespace) { " " } else { "" }
}

fn term(tokens: &[Token<'_>]) -> Result<String, Syntax> {
    let mut out = String::new();
    let mut after_operand = false;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            Token::Space(space) => out.push_str(space),
            Token::Text(_) => {
                let end = adjacent_texts(tokens, at);
                let texts: Vec<&str> =
                    tokens[at..end].iter().filter(|token| matches!(token, Token::Text(_))).map(Token::text).collect();
                let literal = texts.join(" ~ ");
                if texts.len() > 1 {
                    let lines = newlines(&text_of(&tokens[at..end]));
                    out.push_str(&format!("({literal}{})", "\n".repeat(lines)));
                } else {
                    out.push_str(&literal);
                }
                at = end - 1;
                if let Some(percent) = next_significant(tokens, end).filter(|next| tokens[*next] == Token::Op("%")) {
                    let operand_end = operand(tokens, percent + 1);
                    out.push_str(&text_of(&tokens[end..percent]));
                    out.push_str(&format!("|_lm_percent({})", group(&tokens[percent + 1..operand_end])?));
                    at = operand_end - 1;
                }
                after_operand = true;
            }
            Token::Op(open @ ("(" | "[" | "{")) => {
                let close = matching(tokens, at);
                let inner = group(&tokens[(at + 1).min(tokens.len())..close])?;
                let closer = tokens.get(close).map_or("", Token::text);
                match open {
                    "[" if !after_operand => out.push_str(&format!("_lm_list([{inner}{closer})")),
                    "{" => out.push_str(&format!(
                        "_lm_dict({{{}{inner}{closer})",
                        if inner.starts_with('%') { " " } else { "" }
                    )),
                    _ => out.push_str(&format!("{open}{inner}{closer}")),
                }
                at = close;
                after_operand = true;
            }
            Token::Op(op) => {
                out.push_str(op);
                after_operand = false;
            }
            token => {
                out.push_str(token.text());
                after_operand = true;
            }
        }
        at += 1;
    }
    Ok(out)
}

fn next_significant(tokens: &[Token<'_>], from: usize) -> Option<usize> {
    (from..tokens.len()).find(|at| !matches!(tokens[*at], Token::Space(_)))
}

/// The end of a run of string literals with nothing but spaces between them.
fn adjacent_texts(tokens: &[Token<'_>], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(next) = next_significant(tokens, end) {
        if !matches!(tokens[next], Token::Text(_)) {
            break;
        }
        end = next + 1;
    }
    end
}

/// The end of one operand of `%`: a primary with its attributes, subscripts, calls and filters.
fn operand(tokens: &[Token<'_>], from: usize) -> usize {
    let Some(mut at) = next_significant(tokens, from) else { return tokens.len() };
    if matches!(tokens[at], Token::Op("-" | "+")) {
        at = next_significant(tokens, at + 1).unwrap_or(at);
    }
    let mut end = if matches!(tokens[at], Token::Op("(" | "[" | "{")) { matching(tokens, at) + 1 } else { at + 1 };
    while let Some(next) = next_significant(tokens, end) {
        match tokens[next] {
            Token::Op("(" | "[") => end = matching(tokens, next) + 1,
            Token::Op("." | "|") => end = next_significant(tokens, next + 1).map_or(tokens.len(), |name| name + 1),
            _ => break,
        }
    }
    end.min(tokens.len())
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
