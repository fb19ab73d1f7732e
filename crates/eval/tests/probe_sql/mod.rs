//! A binder in miniature: SQL expressions without columns, for the probes.
//!
//! ```text
//!   text ──tokens──> Parser: one function per level of precedence ──resolve──> Expr, with every cast put in
//! ```

mod tokens;

use eval::Expr;
use eval::resolve::{self, Resolution};
use row::{Datum, Numeric, NumericTypmod, OwnedDatum, ScalarType};
use tokens::{Token, tokenize};

/// The expression, or the words of the error.
pub fn bind(sql: &str) -> Result<Expr, String> {
    let mut parser = Parser { tokens: tokenize(sql), at: 0 };
    let expr = parser.or()?;
    assert!(parser.at == parser.tokens.len(), "the probe parser stopped at {:?} of {sql}", &parser.tokens[parser.at..]);
    // What is still untyped at the top of a SELECT list is text.
    if expr.ty(&[]) == ScalarType::Unknown { cast(expr, &ScalarType::Text, false) } else { Ok(expr) }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

type Bound = Result<Expr, String>;

fn literal(datum: Datum<'_>, ty: ScalarType) -> Expr {
    Expr::Literal { value: OwnedDatum::new(&datum), ty }
}

fn cast(expr: Expr, to: &ScalarType, explicit: bool) -> Bound {
    let from = expr.ty(&[]);
    if from == *to {
        return Ok(expr);
    }
    let is_untyped = from == ScalarType::Unknown;
    let cast = Expr::Cast { input: Box::new(expr), from, to: to.clone(), explicit };
    // An untyped literal becomes its value when the statement is read, so that a bad one is found even where it is not reached.
    if is_untyped {
        cast.eval(&[], &eval::Arena::new()).map_err(|error| error.to_string())?;
    }
    Ok(cast)
}

fn explicit_cast(expr: Expr, to: &ScalarType) -> Bound {
    let from = expr.ty(&[]);
    if !resolve::can_cast(&from, to, true) {
        return Err(format!("cannot cast type {} to {}", eval::type_name(&from), eval::type_name(to)));
    }
    cast(expr, to, true)
}

fn call(resolution: Result<Resolution, resolve::ResolveError>, args: Vec<Expr>) -> Bound {
    let Resolution { function, arg_types, returns } = resolution.map_err(|error| error.message)?;
    let args = args.into_iter().zip(&arg_types).map(|(arg, ty)| cast(arg, ty, false)).collect::<Result<_, _>>()?;
    Ok(Expr::Call { function, args, ty: returns })
}

fn function(name: &str, args: Vec<Expr>) -> Bound {
    let types: Vec<_> = args.iter().map(|arg| arg.ty(&[])).collect();
    call(resolve::function(name, &types), args)
}

fn binary(op: &str, left: Expr, right: Expr) -> Bound {
    call(resolve::binary(op, &left.ty(&[]), &right.ty(&[])), vec![left, right])
}

/// Brings expressions to their common type.
fn unify(what: &str, exprs: Vec<Expr>) -> Result<(Vec<Expr>, ScalarType), String> {
    let types: Vec<_> = exprs.iter().map(|expr| expr.ty(&[])).collect();
    let ty = resolve::common_type(what, &types).map_err(|error| error.message)?;
    Ok((exprs.into_iter().map(|expr| cast(expr, &ty, false)).collect::<Result<_, _>>()?, ty))
}

fn boolean(what: &str, expr: Expr) -> Bound {
    let ty = expr.ty(&[]);
    if !resolve::can_cast(&ty, &ScalarType::Bool, false) {
        return Err(format!("argument of {what} must be type boolean, not type {}", eval::type_name(&ty)));
    }
    cast(expr, &ScalarType::Bool, false)
}

/// One operand as it is, several as booleans.
fn connect(what: &str, mut operands: Vec<Expr>, connect: fn(Vec<Expr>) -> Expr) -> Bound {
    if operands.len() == 1 {
        return Ok(operands.remove(0));
    }
    Ok(connect(operands.into_iter().map(|operand| boolean(what, operand)).collect::<Result<_, _>>()?))
}

impl Parser {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek(ahead), Some(Token::Word(found)) if found == word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(0), Some(Token::Symbol(found)) if found == symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) {
        assert!(self.take_symbol(symbol), "the probe parser wants {symbol} before {:?}", self.peek(0));
    }

    fn expect_word(&mut self, word: &str) {
        assert!(self.take_word(word), "the probe parser wants {word} before {:?}", self.peek(0));
    }

    fn or(&mut self) -> Bound {
        let mut operands = vec![self.and()?];
        while self.take_word("or") {
            operands.push(self.and()?);
        }
        connect("OR", operands, Expr::Or)
    }

    fn and(&mut self) -> Bound {
        let mut operands = vec![self.not()?];
        while self.take_word("and") {
            operands.push(self.not()?);
        }
        connect("AND", operands, Expr::And)
    }

    fn not(&mut self) -> Bound {
        if self.take_word("not") {
            return Ok(Expr::Not(Box::new(boolean("NOT", self.not()?)?)));
        }
        self.is()
    }

    fn is(&mut self) -> Bound {
        let mut left = self.comparison()?;
        while self.take_word("is") {
            let negated = self.take_word("not");
            let test = if self.take_word("null") {
                Expr::IsNull(Box::new(left))
            } else if self.take_word("distinct") {
                self.expect_word("from");
                let right = self.comparison()?;
                let resolution = resolve::binary("=", &left.ty(&[]), &right.ty(&[])).map_err(|error| error.message)?;
                let left = cast(left, &resolution.arg_types[0], false)?;
                let right = cast(right, &resolution.arg_types[1], false)?;
                Expr::Not(Box::new(Expr::IsNotDistinct(Box::new(left), Box::new(right))))
            } else if self.take_word("unknown") {
                Expr::IsNull(Box::new(boolean("IS UNKNOWN", left)?))
            } else {
                let wanted = self.take_word("true");
                assert!(wanted || self.take_word("false"));
                let wanted = literal(Datum::Bool(wanted), ScalarType::Bool);
                Expr::IsNotDistinct(Box::new(boolean("IS TRUE", left)?), Box::new(wanted))
            };
            left = if negated { Expr::Not(Box::new(test)) } else { test };
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Bound {
        let mut left = self.pattern()?;
        while let Some(op) = self.symbol_of(&["=", "<>", "!=", "<", "<=", ">", ">="]) {
            if self.take_word("any") || self.take_word("all") {
                let quantifier = if op == "=" { "= any" } else { "<> all" };
                self.expect("(");
                let array = self.or()?;
                self.expect(")");
                left = binary(quantifier, left, array)?;
            } else {
                let right = self.pattern()?;
                left = binary(&op, left, right)?;
            }
        }
        Ok(left)
    }

    fn symbol_of(&mut self, symbols: &[&str]) -> Option<String> {
        match self.peek(0) {
            Some(Token::Symbol(found)) if symbols.contains(&found.as_str()) => {
                let found = found.clone();
                self.at += 1;
                Some(found)
            }
            _ => None,
        }
    }

    fn pattern(&mut self) -> Bound {
        let left = self.other()?;
        let negated = self.is_word(0, "not")
            && ["like", "ilike", "similar", "in", "between"].iter().any(|word| self.is_word(1, word));
        self.at += usize::from(negated);
        if self.take_word("in") {
            self.expect("(");
            let mut all = vec![left];
            all.extend(self.list(")")?);
            let (mut all, _) = unify("IN", all)?;
            let input = Box::new(all.remove(0));
            let test = Expr::InList { input, list: all };
            return Ok(if negated { Expr::Not(Box::new(test)) } else { test });
        }
        if self.take_word("between") {
            let low = self.other()?;
            self.expect_word("and");
            let high = self.other()?;
            let test = Expr::And(vec![binary(">=", left.clone(), low)?, binary("<=", left, high)?]);
            return Ok(if negated { Expr::Not(Box::new(test)) } else { test });
        }
        let name = if self.take_word("like") {
            "like"
        } else if self.take_word("ilike") {
            "ilike"
        } else if self.take_word("similar") {
            self.expect_word("to");
            "similar to"
        } else {
            return Ok(left);
        };
        let name = if negated { format!("not {name}") } else { name.to_owned() };
        let pattern = self.other()?;
        if self.take_word("escape") {
            let escape = self.other()?;
            return function(&name, vec![left, pattern, escape]);
        }
        binary(&name, left, pattern)
    }

    fn other(&mut self) -> Bound {
        const OTHERS: [&str; 21] = [
            "||", "~", "~*", "!~", "!~*", "->", "->>", "#>", "#>>", "@>", "<@", "?", "?|", "?&", "&", "|", "#", "<<",
            ">>", "&&", "^@",
        ];
        let mut left = self.sum()?;
        while let Some(op) = self.symbol_of(&OTHERS) {
            let right = self.sum()?;
            left = binary(&op, left, right)?;
        }
        Ok(left)
    }

    fn sum(&mut self) -> Bound {
        let mut left = self.product()?;
        while let Some(op) = self.symbol_of(&["+", "-"]) {
            let right = self.product()?;
            left = binary(&op, left, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Bound {
        let mut left = self.power()?;
        while let Some(op) = self.symbol_of(&["*", "/", "%"]) {
            let right = self.power()?;
            left = binary(&op, left, right)?;
        }
        Ok(left)
    }

    fn power(&mut self) -> Bound {
        let mut left = self.at_time_zone()?;
        while self.take_symbol("^") {
            let right = self.at_time_zone()?;
            left = binary("^", left, right)?;
        }
        Ok(left)
    }

    fn at_time_zone(&mut self) -> Bound {
        let mut left = self.prefix()?;
        while self.is_word(0, "at") && self.is_word(1, "time") {
            self.at += 3;
            let zone = self.prefix()?;
            left = function("timezone", vec![zone, left])?;
        }
        Ok(left)
    }

    fn prefix(&mut self) -> Bound {
        // A minus before a number is part of it, so that the least integer can be written.
        if let (Some(Token::Symbol(minus)), Some(Token::Number(text))) = (self.peek(0), self.peek(1))
            && minus == "-"
            && !matches!(self.peek(2), Some(Token::Symbol(next)) if next == "::")
        {
            let negative = format!("-{text}");
            self.at += 2;
            return Ok(number(&negative));
        }
        if let Some(op) = self.symbol_of(&["-", "+", "@", "~"]) {
            let operand = self.prefix()?;
            return call(resolve::unary(&op, &operand.ty(&[])), vec![operand]);
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Bound {
        let mut expr = self.primary()?;
        loop {
            if self.take_symbol("::") {
                let ty = self.ty();
                expr = explicit_cast(expr, &ty)?;
            } else if self.take_symbol("[") {
                let index = self.or()?;
                self.expect("]");
                expr = binary("[]", expr, index)?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut exprs = Vec::new();
        while !self.take_symbol(end) {
            exprs.push(self.or()?);
            let _more = self.take_symbol(",");
        }
        Ok(exprs)
    }

    fn primary(&mut self) -> Bound {
        let token = self.peek(0).unwrap_or_else(|| panic!("the probe parser ran out of tokens")).clone();
        self.at += 1;
        match token {
            Token::Number(text) => Ok(number(&text)),
            Token::Text(text) => Ok(literal(Datum::Text(&text), ScalarType::Unknown)),
            Token::Symbol(symbol) if symbol == "(" => {
                let inner = self.or()?;
                self.expect(")");
                Ok(inner)
            }
            Token::Symbol(symbol) => panic!("the probe parser does not expect {symbol}"),
            Token::Word(word) => self.word(&word),
        }
    }

    fn word(&mut self, word: &str) -> Bound {
        match word {
            "null" => return Ok(literal(Datum::Null, ScalarType::Unknown)),
            "true" | "false" => return Ok(literal(Datum::Bool(word == "true"), ScalarType::Bool)),
            "case" => return self.case(),
            "array" if self.take_symbol("[") => {
                let elements = self.list("]")?;
                return function("array", elements);
            }
            _ => {}
        }
        if self.take_symbol("(") {
            return self.function(word);
        }
        // `date '2025-01-01'`, and longer names of types.
        self.at -= 1;
        let ty = self.ty();
        let value = self.primary()?;
        explicit_cast(value, &ty)
    }

    fn case(&mut self) -> Bound {
        let operand = if self.is_word(0, "when") { None } else { Some(self.or()?) };
        let (mut conditions, mut results) = (Vec::new(), Vec::new());
        while self.take_word("when") {
            let condition = self.or()?;
            conditions.push(match &operand {
                Some(operand) => binary("=", operand.clone(), condition)?,
                None => boolean("CASE/WHEN", condition)?,
            });
            self.expect_word("then");
            results.push(self.or()?);
        }
        let otherwise = if self.take_word("else") { self.or()? } else { literal(Datum::Null, ScalarType::Unknown) };
        self.expect_word("end");
        // PostgreSQL looks at the ELSE first.
        results.insert(0, otherwise);
        let (mut results, ty) = unify("CASE", results)?;
        let otherwise = Box::new(results.remove(0));
        Ok(Expr::Case { branches: conditions.into_iter().zip(results).collect(), otherwise, ty })
    }

    /// A call, behind its opening bracket.
    fn function(&mut self, name: &str) -> Bound {
        match name {
            "cast" => {
                let value = self.or()?;
                self.expect_word("as");
                let ty = self.ty();
                self.expect(")");
                explicit_cast(value, &ty)
            }
            "extract" => {
                let field = match self.peek(0) {
                    Some(Token::Word(field) | Token::Text(field)) => field.clone(),
                    other => panic!("the probe parser does not expect {other:?}"),
                };
                self.at += 1;
                self.expect_word("from");
                let value = self.or()?;
                self.expect(")");
                function("extract", vec![literal(Datum::Text(&field), ScalarType::Text), value])
            }
            "position" => {
                let part = self.other()?;
                self.expect_word("in");
                let text = self.or()?;
                self.expect(")");
                function("position", vec![text, part])
            }
            "trim" => self.trim(),
            "coalesce" => {
                let args = self.list(")")?;
                let (args, ty) = unify("COALESCE", args)?;
                Ok(Expr::Coalesce { args, ty })
            }
            _ => {
                let mut args = Vec::new();
                while !self.take_symbol(")") {
                    args.push(self.or()?);
                    // The words of SQL's own call forms stand where commas could.
                    let _more = self.take_symbol(",")
                        || self.take_word("from")
                        || self.take_word("for")
                        || self.take_word("placing");
                }
                function(name, args)
            }
        }
    }

    fn trim(&mut self) -> Bound {
        let name = if self.take_word("leading") {
            "ltrim"
        } else if self.take_word("trailing") {
            "rtrim"
        } else {
            self.take_word("both");
            "btrim"
        };
        let mut args = if self.take_word("from") { Vec::new() } else { vec![self.or()?] };
        if self.take_word("from") {
            args.insert(0, self.or()?);
        } else if args.is_empty() || self.take_symbol(",") {
            args.push(self.or()?);
        }
        self.expect(")");
        function(name, args)
    }

    /// A type's name.
    fn ty(&mut self) -> ScalarType {
        let Some(Token::Word(word)) = self.peek(0).cloned() else {
            panic!("the probe parser wants a type before {:?}", self.peek(0))
        };
        self.at += 1;
        let base = match word.as_str() {
            "double" => {
                self.expect_word("precision");
                ScalarType::Float64
            }
            "timestamp" | "time" => {
                let with_zone = self.is_word(0, "with");
                if with_zone || self.is_word(0, "without") {
                    self.at += 3;
                }
                match (word.as_str(), with_zone) {
                    ("time", _) => ScalarType::Time,
                    (_, true) => ScalarType::TimestampTz,
                    (_, false) => ScalarType::Timestamp,
                }
            }
            "character" if self.take_word("varying") => ScalarType::Varchar(self.length()),
            "varchar" => ScalarType::Varchar(self.length()),
            "character" | "char" => ScalarType::Char(self.length().unwrap_or(1)),
            "bpchar" => ScalarType::Char(0),
            "numeric" | "decimal" => ScalarType::Numeric(self.precision()),
            "bool" | "boolean" => ScalarType::Bool,
            "int2" | "smallint" => ScalarType::Int16,
            "int" | "int4" | "integer" => ScalarType::Int32,
            "int8" | "bigint" => ScalarType::Int64,
            "real" | "float4" => ScalarType::Float32,
            "float8" | "float" => ScalarType::Float64,
            "text" => ScalarType::Text,
            "bytea" => ScalarType::Bytes,
            "date" => ScalarType::Date,
            "timestamptz" => ScalarType::TimestampTz,
            "interval" => ScalarType::Interval,
            "json" => ScalarType::Json,
            "jsonb" => ScalarType::Jsonb,
            "uuid" => ScalarType::Uuid,
            other => panic!("the probe parser knows no type {other}"),
        };
        if self.take_symbol("[") {
            self.expect("]");
            return ScalarType::Array(Box::new(base));
        }
        base
    }

    fn number_in_brackets(&mut self) -> i32 {
        let sign = if self.take_symbol("-") { -1 } else { 1 };
        let Some(Token::Number(text)) = self.peek(0).cloned() else { panic!("the probe parser wants a number") };
        self.at += 1;
        sign * text.parse::<i32>().expect("a small number")
    }

    fn length(&mut self) -> Option<u32> {
        if !self.take_symbol("(") {
            return None;
        }
        let length = self.number_in_brackets();
        self.expect(")");
        Some(length as u32)
    }

    fn precision(&mut self) -> Option<NumericTypmod> {
        if !self.take_symbol("(") {
            return None;
        }
        let precision = self.number_in_brackets() as u16;
        let scale = if self.take_symbol(",") { self.number_in_brackets() as i16 } else { 0 };
        self.expect(")");
        Some(NumericTypmod { precision, scale })
    }
}

/// A number is an integer of the least width that holds it from `integer` on, or a numeric.
fn number(text: &str) -> Expr {
    match text.parse::<i64>() {
        Ok(value) if i32::try_from(value).is_ok() => literal(Datum::Int(value), ScalarType::Int32),
        Ok(value) => literal(Datum::Int(value), ScalarType::Int64),
        Err(_) => literal(Datum::Numeric(Numeric::parse(text).expect("a number")), ScalarType::NUMERIC),
    }
}
