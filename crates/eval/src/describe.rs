//! Expressions as SQL that people read: `explain` and `errors.expression`.
//!
//! 1. Brackets stand only where precedence needs them.
//! 2. Casts that resolution put in and that change no text of the query (`1` to numeric) are shown all the same: they are what runs.

use row::{Datum, ScalarType};

use crate::Expr;
use crate::functions::push_text;
use crate::functions::text_format::{quote_ident, quote_literal};

/// How tightly PostgreSQL's grammar binds, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Is,
    Comparison,
    Pattern,
    Other,
    Sum,
    Product,
    Power,
    Prefix,
    Postfix,
    Atom,
}

impl Expr {
    /// The expression in SQL, its columns by name. A column without a name is shown as `#3`.
    pub fn describe(&self, columns: &[&str]) -> String {
        let mut out = String::new();
        write(self, columns, &mut out);
        out
    }
}

fn operator_binding(name: &str) -> Option<Binding> {
    Some(match name {
        "=" | "<>" | "<" | "<=" | ">" | ">=" => Binding::Comparison,
        "like" | "not like" | "ilike" | "not ilike" | "similar to" | "not similar to" => Binding::Pattern,
        "+" | "-" => Binding::Sum,
        "*" | "/" | "%" => Binding::Product,
        "^" => Binding::Power,
        name if !name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
            && !name.contains(' ') =>
        {
            Binding::Other
        }
        _ => return None,
    })
}

fn binding(expr: &Expr) -> Binding {
    match expr {
        Expr::Column(_) | Expr::Coalesce { .. } | Expr::Case { .. } | Expr::Try(_) => Binding::Atom,
        Expr::Literal { value, .. } => match value.datum() {
            Datum::Int(value) if value < 0 => Binding::Prefix,
            _ => Binding::Atom,
        },
        Expr::Call { function, args, .. } => match (operator_binding(function.name()), args.len()) {
            (Some(binding), 2) => binding,
            (Some(_), 1) => Binding::Prefix,
            _ => Binding::Atom,
        },
        Expr::Cast { .. } => Binding::Postfix,
        Expr::And(_) => Binding::And,
        Expr::Or(_) => Binding::Or,
        Expr::Not(_) => Binding::Not,
        Expr::IsNull(_) | Expr::IsNotDistinct(..) => Binding::Is,
        Expr::InList { .. } => Binding::Pattern,
    }
}

/// Writes an operand, in brackets if it binds less tightly than its place asks.
fn write_operand(expr: &Expr, least: Binding, columns: &[&str], out: &mut String) {
    if binding(expr) < least {
        out.push('(');
        write(expr, columns, out);
        out.push(')');
    } else {
        write(expr, columns, out);
    }
}

/// The binding that an operand must exceed where chains associate to the left.
fn above(binding: Binding) -> Binding {
    match binding {
        Binding::Or => Binding::And,
        Binding::And => Binding::Not,
        Binding::Not => Binding::Is,
        Binding::Is => Binding::Comparison,
        Binding::Comparison => Binding::Pattern,
        Binding::Pattern => Binding::Other,
        Binding::Other => Binding::Sum,
        Binding::Sum => Binding::Product,
        Binding::Product => Binding::Power,
        Binding::Power => Binding::Prefix,
        Binding::Prefix => Binding::Postfix,
        Binding::Postfix | Binding::Atom => Binding::Atom,
    }
}

fn write_list(exprs: &[Expr], columns: &[&str], out: &mut String) {
    for (index, expr) in exprs.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        write(expr, columns, out);
    }
}

fn write(expr: &Expr, columns: &[&str], out: &mut String) {
    match expr {
        Expr::Column(index) => match columns.get(*index) {
            Some(name) => out.push_str(&quote_ident(name)),
            None => out.push_str(&format!("#{index}")),
        },
        Expr::Literal { value, ty } => write_literal(&value.datum(), ty, out),
        Expr::Call { function, args, .. } => write_call(function.name(), args, columns, out),
        Expr::Cast { input, to, .. } => {
            write_operand(input, Binding::Postfix, columns, out);
            out.push_str("::");
            out.push_str(&to.to_string());
        }
        Expr::And(operands) => write_chain(operands, " and ", "true", Binding::And, columns, out),
        Expr::Or(operands) => write_chain(operands, " or ", "false", Binding::Or, columns, out),
        Expr::Not(operand) => write_not(operand, columns, out),
        Expr::IsNull(operand) => {
            write_operand(operand, Binding::Comparison, columns, out);
            out.push_str(" is null");
        }
        Expr::IsNotDistinct(left, right) => {
            write_infix(left, " is not distinct from ", right, Binding::Is, columns, out)
        }
        Expr::Case { branches, otherwise, .. } => {
            out.push_str("case");
            for (condition, result) in branches {
                out.push_str(" when ");
                write(condition, columns, out);
                out.push_str(" then ");
                write(result, columns, out);
            }
            if !matches!(&**otherwise, Expr::Literal { value, .. } if value.datum().is_null()) {
                out.push_str(" else ");
                write(otherwise, columns, out);
            }
            out.push_str(" end");
        }
        Expr::Coalesce { args, .. } => {
            out.push_str("coalesce(");
            write_list(args, columns, out);
            out.push(')');
        }
        Expr::Try(inner) => {
            out.push_str("try(");
            write(inner, columns, out);
            out.push(')');
        }
        Expr::InList { input, list } => write_in(input, " in (", list, columns, out),
    }
}

fn write_in(input: &Expr, word: &str, list: &[Expr], columns: &[&str], out: &mut String) {
    write_operand(input, Binding::Other, columns, out);
    out.push_str(word);
    write_list(list, columns, out);
    out.push(')');
}

/// Negations that SQL has words for.
fn write_not(operand: &Expr, columns: &[&str], out: &mut String) {
    match operand {
        Expr::IsNull(inner) => {
            write_operand(inner, Binding::Comparison, columns, out);
            out.push_str(" is not null");
        }
        Expr::IsNotDistinct(left, right) => write_infix(left, " is distinct from ", right, Binding::Is, columns, out),
        Expr::InList { input, list } => write_in(input, " not in (", list, columns, out),
        other => {
            out.push_str("not ");
            write_operand(other, Binding::Not, columns, out);
        }
    }
}

fn write_chain(operands: &[Expr], word: &str, empty: &str, place: Binding, columns: &[&str], out: &mut String) {
    if operands.is_empty() {
        out.push_str(empty);
    }
    for (index, operand) in operands.iter().enumerate() {
        out.push_str(if index > 0 { word } else { "" });
        write_operand(operand, above(place), columns, out);
    }
}

fn write_infix(left: &Expr, word: &str, right: &Expr, place: Binding, columns: &[&str], out: &mut String) {
    // Sums and products chain to the left; the others do not chain at all.
    let chains = matches!(place, Binding::Sum | Binding::Product | Binding::Other);
    write_operand(left, if chains { place } else { above(place) }, columns, out);
    out.push_str(word);
    write_operand(right, above(place), columns, out);
}

fn write_call(name: &str, args: &[Expr], columns: &[&str], out: &mut String) {
    match (name, args) {
        ("identity", [arg]) => write(arg, columns, out),
        ("array", args) => {
            out.push_str("array[");
            write_list(args, columns, out);
            out.push(']');
        }
        ("[]", [array, index]) => {
            write_operand(array, Binding::Atom, columns, out);
            out.push('[');
            write(index, columns, out);
            out.push(']');
        }
        ("[:]", [array, low, high]) => {
            write_operand(array, Binding::Atom, columns, out);
            out.push('[');
            write(low, columns, out);
            out.push(':');
            write(high, columns, out);
            out.push(']');
        }
        (name, [left, array]) if name.ends_with(" any") || name.ends_with(" all") => {
            write_operand(left, Binding::Pattern, columns, out);
            out.push_str(&format!(" {name} ("));
            write(array, columns, out);
            out.push(')');
        }
        (name, [left, right]) => match operator_binding(name) {
            Some(place) => write_infix(left, &format!(" {name} "), right, place, columns, out),
            None => write_function(name, args, columns, out),
        },
        (name, [operand]) if operator_binding(name).is_some() => {
            out.push_str(name);
            write_operand(operand, Binding::Postfix, columns, out);
        }
        (name, [left, pattern, escape]) if operator_binding(name).is_some() => {
            write_infix(left, &format!(" {name} "), pattern, Binding::Pattern, columns, out);
            out.push_str(" escape ");
            write(escape, columns, out);
        }
        (name, args) => write_function(name, args, columns, out),
    }
}

fn write_function(name: &str, args: &[Expr], columns: &[&str], out: &mut String) {
    out.push_str(name);
    out.push('(');
    write_list(args, columns, out);
    out.push(')');
}

/// Numbers, booleans and text need no type; others name it.
fn write_literal(datum: &Datum<'_>, ty: &ScalarType, out: &mut String) {
    let mut shown = String::new();
    match datum {
        Datum::Null => out.push_str("null"),
        Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Int(_) | Datum::Numeric(_) => push_text(out, datum),
        Datum::Text(text) if matches!(ty, ScalarType::Text | ScalarType::Unknown | ScalarType::Varchar(_)) => {
            out.push_str(&quote_literal(text));
        }
        Datum::Date(_) | Datum::Interval(_) => {
            push_text(&mut shown, datum);
            out.push_str(&format!("{ty} {}", quote_literal(&shown)));
        }
        other => {
            push_text(&mut shown, other);
            out.push_str(&format!("{}::{ty}", quote_literal(&shown)));
        }
    }
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
