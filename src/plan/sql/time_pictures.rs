//! Pictures of dates with percent signs (`%Y-%m-%d`), as `to_char` and `to_date` write them (`YYYY-MM-DD`).

use sqlparser::ast;

use crate::plan::PlanError;

fn literal(picture: &ast::Expr) -> Option<&str> {
    match picture {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an argument is a picture, for functions that take it on either side.
pub(super) fn is_picture(picture: &ast::Expr) -> bool {
    literal(picture).is_some_and(|text| text.contains('%'))
}

/// The picture in PostgreSQL's keywords. It must be a literal, whose fields we know.
pub(super) fn of_percents(name: &str, picture: &ast::Expr) -> Result<String, PlanError> {
    let refused = |what: &str| {
        PlanError::new(format!("{name}() {what}"))
            .with_hint("write to_char(x, 'YYYY-MM-DD') or to_date(x, 'YYYY-MM-DD')")
    };
    let Some(text) = literal(picture) else { return Err(refused("takes a picture that is known while planning")) };
    let mut out = String::new();
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            plain.push(character);
            continue;
        }
        let field = characters.next();
        if field == Some('%') {
            plain.push('%');
            continue;
        }
        push_plain(&mut out, &mut plain);
        out.push_str(match field {
            Some('Y') => "YYYY",
            Some('y') => "YY",
            Some('m') => "MM",
            Some('d') => "DD",
            Some('e') => "FMDD",
            Some('j') => "DDD",
            Some('H') => "HH24",
            Some('I') => "HH12",
            Some('M') => "MI",
            Some('S') => "SS",
            Some('p') => "AM",
            Some('b' | 'h') => "Mon",
            Some('B') => "FMMonth",
            Some('a') => "Dy",
            Some('A') => "FMDay",
            Some('G') => "IYYY",
            Some('V') => "IW",
            Some('u') => "ID",
            Some('Q') => "Q",
            Some('F') => "YYYY-MM-DD",
            Some('T') => "HH24:MI:SS",
            Some('D') => "MM/DD/YY",
            Some('R') => "HH24:MI",
            Some('f') => "US",
            Some(other) => return Err(refused(&format!("does not know the field %{other}"))),
            None => return Err(refused("has a picture that ends in %")),
        });
    }
    push_plain(&mut out, &mut plain);
    Ok(out)
}

/// Letters between fields stand for themselves, so they are quoted.
fn push_plain(out: &mut String, plain: &mut String) {
    if plain.chars().any(|character| character.is_alphanumeric() || character == '"' || character == '\\') {
        out.push('"');
        for character in plain.chars() {
            if matches!(character, '"' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
        out.push('"');
    } else {
        out.push_str(plain);
    }
    plain.clear();
}
