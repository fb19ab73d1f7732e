//! Text to AST, and the parser's errors in our form.

use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::respell::respell;
use super::table_ref::ASOF_HINT;
use super::{unsupported, window};
use crate::plan::PlanError;

/// Deeper nesting than this is refused instead of overflowing the stack.
const NESTING_MAX: usize = 64;

/// Parses the one query of a model; a byte order mark and a closing semicolon are harmless.
pub(super) fn parse_query(sql: &str) -> Result<Query, PlanError> {
    let sql = sql.strip_prefix('\u{feff}').unwrap_or(sql);
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| parse_error(error.into()))?;
    let excluded = frame_exclusion(&tokens);
    let statements = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(NESTING_MAX)
        .with_tokens_with_locations(respell(tokens))
        .parse_statements()
        // Inside a derived table the parser goes back and blames what comes before.
        .map_err(|error| {
            excluded.map_or_else(|| parse_error(error), |place| by_name("EXCLUDE").at(place.line, place.column))
        })?;
    let mut statements = statements.into_iter();
    match (statements.next(), statements.next()) {
        (Some(Statement::Query(query)), None) => Ok(*query),
        (None, _) => Err(PlanError::new("the model's SQL is empty")),
        (_, Some(_)) => Err(PlanError::new("a model is one query, but here are several statements")
            .with_hint("move other statements to hooks")),
        (Some(other), None) => {
            let word = other.to_string().split_whitespace().next().unwrap_or("statement").to_uppercase();
            Err(PlanError::new(format!("a model is a SELECT, not {word}")))
        }
    }
}

/// Where `EXCLUDE CURRENT ROW` and its kin stand, which the parser does not know.
fn frame_exclusion(tokens: &[TokenWithSpan]) -> Option<Location> {
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).peekable();
    let is = |token: &TokenWithSpan, names: &[&str]| matches!(&token.token, Token::Word(word) if names.iter().any(|name| word.value.eq_ignore_ascii_case(name)));
    while let Some(token) = words.next() {
        let kinds = ["current", "ties", "group", "no"];
        if is(token, &["exclude"]) && words.peek().is_some_and(|next| is(next, &kinds)) {
            return Some(token.span.start);
        }
    }
    None
}

/// Takes the place out of the parser's text ("… at Line: 3, Column: 7").
fn parse_error(error: ParserError) -> PlanError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return PlanError::new(format!("the SQL is nested more than {NESTING_MAX} levels deep"));
        }
    };
    let place = text.rfind(" at Line: ").and_then(|start| {
        let (line, column) = text[start + " at Line: ".len()..].split_once(", Column: ")?;
        Some((start, line.trim().parse::<u64>().ok()?, column.trim().parse::<u64>().ok()?))
    });
    let unknown = (text.rsplit_once("found: "))
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map(str::to_uppercase)
        .filter(|word| matches!(word.as_str(), "EXCLUDE" | "IGNORE" | "ASOF"));
    // DuckDB's spelling has ON where the parser waits for another's clause.
    let unknown = if text.contains("MATCH_CONDITION") { Some("ASOF".to_owned()) } else { unknown };
    if let Some(word) = unknown {
        let error = by_name(&word);
        return place.map_or(error.clone(), |(_, line, column)| error.at(line, column));
    }
    match place {
        Some((start, line, column)) => {
            PlanError::new(format!("syntax error: {}", lower_first(&text[..start]))).at(line, column)
        }
        None => PlanError::new(format!("syntax error: {}", lower_first(&text))),
    }
}

/// What PostgreSQL or a neighbour has and the parser does not.
fn by_name(word: &str) -> PlanError {
    match word {
        "EXCLUDE" => unsupported("EXCLUDE in a window frame")
            .with_hint("take the row's own value away: sum(x) over (…) - x; count(*) over (…) - 1"),
        "IGNORE" => window::ignore_nulls("a window function"),
        _ => unsupported("ASOF JOIN").with_hint(ASOF_HINT),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}
