//! Casts that the binder puts in, and operators and functions applied to typed expressions.

use eval::{Expr, by_value, resolve};
use row::{Datum, OwnedDatum, ScalarType};

use super::{Binder, Bound, resolve_error};
use crate::plan::PlanError;
use crate::plan::expr::{evaluate, literal_null};

/// Functions of this list are NULL only when an argument is.
const NULL_ONLY_FROM_NULL: &[&str] = &[
    "abs",
    "ceil",
    "ceiling",
    "floor",
    "round",
    "trunc",
    "sign",
    "sqrt",
    "power",
    "exp",
    "ln",
    "mod",
    "lower",
    "upper",
    "initcap",
    "length",
    "char_length",
    "btrim",
    "ltrim",
    "rtrim",
    "trim",
    "substring",
    "substr",
    "replace",
    "left",
    "right",
    "lpad",
    "rpad",
    "md5",
    "split_part",
    "strpos",
    "position",
    "date_trunc",
    "make_date",
    "repeat",
    "reverse",
    "timezone",
    "date",
    "timestamp",
    "age",
    "translate",
];

impl Bound {
    /// The expression as exactly the type `to`, by an explicit or an implicit cast.
    ///
    /// A literal is converted here and now, so that a bad one is an error while planning, as in PostgreSQL.
    pub(super) fn cast(self, to: &ScalarType, explicit: bool) -> Result<Bound, PlanError> {
        if self.ty == *to {
            return Ok(self);
        }
        let scale_max = self.scale_after(to);
        if let Expr::Literal { value, .. } = &self.expr
            && value.datum().is_null()
            && (self.ty == ScalarType::Unknown || resolve::can_cast(&self.ty, to, explicit))
        {
            return Ok(Bound::new(literal_null(to.clone()), to.clone(), true));
        }
        if self.is_unknown_literal() {
            let cast = Expr::Cast { input: Box::new(self.expr), from: ScalarType::Unknown, to: to.clone(), explicit };
            let value = evaluate(&cast).map_err(|error| PlanError::new(error.to_string()))?;
            let scale_max = scale_of_literal(&value).or(scale_max);
            return Ok(Bound {
                nullable: value.datum().is_null(),
                expr: Expr::Literal { value, ty: to.clone() },
                ty: to.clone(),
                scale_max,
            });
        }
        let from = if self.ty == ScalarType::Unknown { ScalarType::Text } else { self.ty };
        if from == *to {
            return Ok(Bound { expr: self.expr, ty: from, nullable: self.nullable, scale_max });
        }
        if !resolve::can_cast(&from, to, explicit) {
            return Err(PlanError::new(format!("cannot cast type {from} to {to}")));
        }
        // An infinite timestamp has no time of day.
        let nullable = self.nullable || *to == ScalarType::Time && from.is_date_time();
        let expr = Expr::Cast { input: Box::new(self.expr), from, to: to.clone(), explicit };
        Ok(Bound { expr, ty: to.clone(), nullable, scale_max })
    }

    /// As an explicit cast, but NULL where the value has no place in the type.
    pub(super) fn try_cast(self, to: &ScalarType) -> Result<Bound, PlanError> {
        if self.ty == *to {
            return Ok(self);
        }
        let this = if self.is_unknown_literal() {
            // Kept from being converted here and now, where a bad text would be an error.
            let Expr::Literal { value, .. } = self.expr else { return self.cast(to, true) };
            Bound { expr: Expr::Literal { value, ty: ScalarType::Text }, ty: ScalarType::Text, ..self }
        } else {
            self
        };
        let cast = this.cast(to, true)?;
        let expr = if cast.expr.is_fallible() { Expr::Try(Box::new(cast.expr)) } else { cast.expr };
        Ok(Bound { expr, nullable: true, ..cast })
    }

    /// The expression as an argument whose type matters only by its representation: a varchar is a text already.
    pub(super) fn into_argument(self, to: &ScalarType) -> Result<Bound, PlanError> {
        let same = match (&self.ty, to) {
            (ScalarType::Varchar(_), ScalarType::Text | ScalarType::Varchar(None)) => true,
            (ScalarType::Text, ScalarType::Varchar(None)) => true,
            (ScalarType::Numeric(_), ScalarType::Numeric(None)) => true,
            _ => self.ty == *to,
        };
        if same {
            return Ok(self);
        }
        if self.ty != ScalarType::Unknown && !resolve::can_cast(&self.ty, to, false) {
            // Resolution wants it in a form that SQL has no implicit cast to (json on its way into a json function).
            let expr = Expr::Cast { input: Box::new(self.expr), from: self.ty, to: to.clone(), explicit: false };
            return Ok(Bound::new(expr, to.clone(), self.nullable));
        }
        self.cast(to, false)
    }

    /// The expression as a condition.
    pub(super) fn into_condition(self, what: &str) -> Result<Bound, PlanError> {
        match self.ty {
            ScalarType::Bool => Ok(self),
            ScalarType::Unknown => self.cast(&ScalarType::Bool, false),
            other => Err(PlanError::new(format!("argument of {what} must be type boolean, not type {other}"))),
        }
    }

    fn scale_after(&self, to: &ScalarType) -> Option<u16> {
        match to {
            ScalarType::Numeric(Some(typmod)) => Some(typmod.scale.max(0) as u16),
            ScalarType::Numeric(None) => self.scale(),
            _ => None,
        }
    }
}

/// Digits after the point of a numeric literal.
pub(super) fn scale_of_literal(value: &OwnedDatum) -> Option<u16> {
    match value.datum() {
        Datum::Numeric(numeric) => numeric.small_parts().map(|(_, scale)| scale),
        _ => None,
    }
}

/// Applies an infix operator.
pub(super) fn binary(op: &str, left: Bound, right: Bound) -> Result<Bound, PlanError> {
    let resolved = resolve::binary(op, &left.ty, &right.ty).map_err(resolve_error)?;
    let scales = left.scale().zip(right.scale());
    let scale_max = match op {
        "+" | "-" | "%" => scales.map(|(a, b)| a.max(b)),
        "*" => scales.and_then(|(a, b)| a.checked_add(b)),
        _ => None,
    };
    let may_be_missing = op.starts_with(['-', '#']) && op.ends_with('>');
    let mut bound = call(resolved, vec![left, right], may_be_missing)?;
    bound.scale_max = if bound.ty.is_numeric() { scale_max } else { None };
    Ok(bound)
}

/// Applies a prefix operator.
pub(super) fn unary(op: &str, arg: Bound) -> Result<Bound, PlanError> {
    let resolved = resolve::unary(op, &arg.ty).map_err(resolve_error)?;
    let scale_max = arg.scale();
    let mut bound = call(resolved, vec![arg], false)?;
    bound.scale_max = if bound.ty.is_numeric() { scale_max } else { None };
    Ok(bound)
}

/// Applies the function `name`.
pub(super) fn function(name: &str, args: Vec<Bound>) -> Result<Bound, PlanError> {
    let types: Vec<ScalarType> = args.iter().map(|arg| arg.ty.clone()).collect();
    let resolved = resolve::function(name, &types).map_err(resolve_error)?;
    let scale_max = match (name, args.as_slice()) {
        ("abs" | "sign", [arg]) => arg.scale(),
        ("ceil" | "ceiling" | "floor" | "round" | "trunc", [_]) => Some(0),
        ("round" | "trunc", [_, digits]) => match &digits.expr {
            Expr::Literal { value, .. } => match value.datum() {
                Datum::Int(digits) => u16::try_from(digits.max(0)).ok(),
                _ => None,
            },
            _ => None,
        },
        ("mod", [a, b]) => a.scale().zip(b.scale()).map(|(a, b)| a.max(b)),
        ("greatest" | "least", args) => {
            args.iter().map(Bound::scale).collect::<Option<Vec<_>>>().and_then(|s| s.into_iter().max())
        }
        _ => None,
    };
    let mut bound = call(resolved, args, !NULL_ONLY_FROM_NULL.contains(&name))?;
    bound.scale_max = if bound.ty.is_numeric() { scale_max } else { None };
    Ok(bound)
}

fn call(resolved: resolve::Resolution, args: Vec<Bound>, may_be_null: bool) -> Result<Bound, PlanError> {
    let nullable = may_be_null || args.iter().any(|arg| arg.nullable);
    let mut exprs = Vec::with_capacity(args.len());
    for (arg, ty) in args.into_iter().zip(&resolved.arg_types) {
        exprs.push(arg.into_argument(ty)?.expr);
    }
    refuse_pattern(resolved.function.name(), &exprs)?;
    let (resolved, exprs) = by_value(resolved, exprs)?;
    let expr = Expr::Call { function: resolved.function, args: exprs, ty: resolved.returns.clone() };
    Ok(Bound::new(expr, resolved.returns, nullable))
}

/// A comparison of jsonb is one of keys: what rows are matched by is found in it.
fn by_value(resolved: resolve::Resolution, args: Vec<Expr>) -> Result<(resolve::Resolution, Vec<Expr>), PlanError> {
    let name = resolved.function.name();
    let compares = match name {
        "=" | "<>" | "<" | "<=" | ">" | ">=" => true,
        "@>" | "<@" | "&&" => resolved.arg_types.iter().all(|ty| matches!(ty, ScalarType::Array(_))),
        _ => name.ends_with(" any") || name.ends_with(" all"),
    };
    let key_types: Option<Vec<ScalarType>> = resolved.arg_types.iter().map(by_value::key_type).collect();
    let Some([left, right]) = key_types.as_deref().filter(|_| compares) else { return Ok((resolved, args)) };
    let keys = args.into_iter().zip(&resolved.arg_types).map(|(arg, ty)| by_value::key(arg, ty)).collect();
    Ok((resolve::binary(name, left, right).map_err(resolve_error)?, keys))
}

/// Refuses a pattern, known while planning, that uses what our regular expressions do not have.
fn refuse_pattern(name: &str, args: &[Expr]) -> Result<(), PlanError> {
    let is_regex = matches!(name, "~" | "~*" | "!~" | "!~*" | "substring") || name.starts_with("regexp_");
    let Some(pattern @ Expr::Literal { ty: ScalarType::Text, .. }) = args.get(1).filter(|_| is_regex) else {
        return Ok(());
    };
    let resolved = resolve::binary("~", &ScalarType::Text, &ScalarType::Text).map_err(resolve_error)?;
    let empty = Expr::Literal { value: OwnedDatum::new(&Datum::Text("")), ty: ScalarType::Text };
    let test = Expr::Call { function: resolved.function, args: vec![empty, pattern.clone()], ty: ScalarType::Bool };
    match evaluate(&test) {
        Err(error) if error.to_string().contains("not maintained") => Err(PlanError::new(error.to_string())
            .with_hint("write the pattern without them, for example with a group and regexp_match(text, pattern)[n]")),
        _ => Ok(()),
    }
}

/// Gives all expressions their common type; `what` names the construct in the error.
pub(super) fn unify(what: &str, bounds: Vec<Bound>) -> Result<(Vec<Bound>, ScalarType), PlanError> {
    let types: Vec<ScalarType> = bounds.iter().map(|bound| bound.ty.clone()).collect();
    let ty = resolve::common_type(what, &types).map_err(resolve_error)?;
    let ty = if ty == ScalarType::Unknown { ScalarType::Text } else { ty };
    let bounds = bounds.into_iter().map(|bound| bound.cast(&ty, false)).collect::<Result<Vec<_>, _>>()?;
    Ok((bounds, ty))
}

/// The greatest scale of several numerics, where all are known.
pub(super) fn joint_scale<'b>(bounds: impl IntoIterator<Item = &'b Bound>) -> Option<u16> {
    let mut scale_max = 0;
    for bound in bounds {
        if !crate::plan::expr::is_null_literal(&bound.expr) {
            scale_max = scale_max.max(bound.scale()?);
        }
    }
    Some(scale_max)
}

impl Binder<'_> {
    /// `left = right` where NULL equals NULL.
    pub(super) fn not_distinct(&self, left: Bound, right: Bound) -> Result<Bound, PlanError> {
        let resolved = resolve::binary("=", &left.ty, &right.ty).map_err(resolve_error)?;
        let left = left.into_argument(&resolved.arg_types[0])?;
        let right = right.into_argument(&resolved.arg_types[1])?;
        let [left, right] = [left, right].map(|side| by_value::key(side.expr, &side.ty));
        Ok(Bound::boolean(Expr::IsNotDistinct(Box::new(left), Box::new(right))))
    }
}
