//! Spellings of PostgreSQL that the parser does not know, put into ones that it does.
//!
//! ```text
//!   x between symmetric a and b      ─>  x between symmetric(a) and b          the binder knows these calls
//!   f(a, variadic b)                 ─>  f(a, variadic(b))
//!   trim(both from x)                ─>  trim(both ' ' from x)
//!   x isnull                         ─>  x is null
//!   interval(2) '1.234 seconds'      ─>  cast('1.234 seconds' as interval(2))
//! ```
//!
//! 1. Tokens keep their places, so that errors still point into the SQL as it was written.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Rewrites the tokens of one statement.
pub(super) fn respell(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Positions before which a bracket closes.
    let mut closing = Vec::new();
    let mut done = 0;
    for (at, token) in tokens.iter().enumerate() {
        if at < done {
            continue;
        }
        if is_word(token, "interval")
            && let Some((text, end)) = interval_with_precision(&tokens, at)
        {
            let space = like(token, Token::Whitespace(sqlparser::tokenizer::Whitespace::Space));
            out.extend([
                like(token, Token::make_keyword("CAST")),
                like(token, Token::LParen),
                text.clone(),
                space.clone(),
            ]);
            out.extend([like(token, Token::make_keyword("AS")), space]);
            out.extend(tokens[at..end].iter().filter(|token| !std::ptr::eq(*token, text)).cloned());
            out.push(like(token, Token::RParen));
            done = end;
            continue;
        }
        for _ in closing.iter().filter(|close| **close == at) {
            out.push(like(token, Token::RParen));
        }
        if is_word(token, "symmetric") && previous(&tokens, at).is_some_and(|(_, word)| is_word(word, "between")) {
            if let Some(end) = and_of_between(&tokens, at + 1) {
                out.extend([token.clone(), like(token, Token::LParen)]);
                closing.push(end);
                continue;
            }
        } else if is_word(token, "variadic") && previous(&tokens, at).is_some_and(|(_, before)| opens_argument(before))
        {
            if let Some(end) = end_of_argument(&tokens, at + 1) {
                out.extend([token.clone(), like(token, Token::LParen)]);
                closing.push(end);
                continue;
            }
        } else if is_word(token, "from")
            && let Some((before, side)) = previous(&tokens, at)
            && ["both", "leading", "trailing"].iter().any(|word| is_word(side, word))
            && previous(&tokens, before).is_some_and(|(_, bracket)| bracket.token == Token::LParen)
        {
            out.push(like(token, Token::SingleQuotedString(" ".to_string())));
            out.push(like(token, Token::Whitespace(sqlparser::tokenizer::Whitespace::Space)));
        } else if is_word(token, "isnull")
            && previous(&tokens, at).is_some_and(|(_, before)| ends_operand(before))
            && next(&tokens, at).is_none_or(|after| after.token != Token::LParen)
        {
            out.push(like(token, Token::make_keyword("IS")));
            out.push(like(token, Token::Whitespace(sqlparser::tokenizer::Whitespace::Space)));
            out.push(like(token, Token::make_keyword("NULL")));
            continue;
        }
        out.push(token.clone());
    }
    out
}

/// The text of `interval(n) 'text'`, and where the literal ends.
fn interval_with_precision(tokens: &[TokenWithSpan], at: usize) -> Option<(&TokenWithSpan, usize)> {
    let mut rest = (at + 1..tokens.len()).filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_)));
    let mut take = || rest.next().map(|at| (at, &tokens[at]));
    let (_, open) = take()?;
    let (_, digits) = take()?;
    let (_, close) = take()?;
    let (end, text) = take()?;
    let is_literal = open.token == Token::LParen
        && matches!(digits.token, Token::Number(..))
        && close.token == Token::RParen
        && matches!(text.token, Token::SingleQuotedString(_));
    is_literal.then_some((text, end + 1))
}

/// Another token at the same place.
fn like(token: &TokenWithSpan, other: Token) -> TokenWithSpan {
    TokenWithSpan { token: other, span: token.span }
}

fn is_word(token: &TokenWithSpan, wanted: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted))
}

fn previous(tokens: &[TokenWithSpan], at: usize) -> Option<(usize, &TokenWithSpan)> {
    tokens[..at].iter().enumerate().rev().find(|(_, token)| !matches!(token.token, Token::Whitespace(_)))
}

fn next(tokens: &[TokenWithSpan], at: usize) -> Option<&TokenWithSpan> {
    tokens[at + 1..].iter().find(|token| !matches!(token.token, Token::Whitespace(_)))
}

fn opens_argument(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::LParen | Token::Comma)
}

/// Whether an operand can end here, so that what follows may be an operator.
fn ends_operand(token: &TokenWithSpan) -> bool {
    match &token.token {
        Token::Word(word) => {
            word.quote_style.is_some()
                || matches!(word.keyword, Keyword::NoKeyword | Keyword::NULL | Keyword::TRUE | Keyword::FALSE)
        }
        Token::Number(..) | Token::SingleQuotedString(_) | Token::RParen | Token::RBracket => true,
        _ => false,
    }
}

/// The AND that ends the lower bound which starts here.
fn and_of_between(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    let (mut brackets, mut cases) = (0usize, 0usize);
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match &token.token {
            Token::LParen | Token::LBracket => brackets += 1,
            Token::RParen | Token::RBracket => brackets = brackets.checked_sub(1)?,
            _ if is_word(token, "case") => cases += 1,
            _ if is_word(token, "end") => cases = cases.checked_sub(1)?,
            _ if is_word(token, "and") && brackets == 0 && cases == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// The bracket that closes the call whose last argument starts here.
fn end_of_argument(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    let mut brackets = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match &token.token {
            Token::LParen | Token::LBracket => brackets += 1,
            Token::RParen if brackets == 0 => return Some(at),
            Token::RParen | Token::RBracket => brackets = brackets.checked_sub(1)?,
            _ => {}
        }
    }
    None
}
