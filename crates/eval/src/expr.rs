//! The expression tree that plans hold and operators evaluate.
//!
//! ```text
//!   columns ──┐
//!             ├─> eval ──> Datum that borrows from the row, the tree or the arena
//!   arena   ──┘      └───> EvalError: the row is set aside, the view goes on
//! ```
//!
//! 1. Arguments of a call are all evaluated, left to right, before NULL decides anything: whether a row fails does not
//!    depend on another column being NULL.
//! 2. CASE and COALESCE evaluate no branch they do not need.

use row::{Datum, OwnedDatum, ScalarType, SortDirection};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::functions::comparison::is_equal;
use crate::{Arena, EvalError, FunctionId, cast};

/// A typed scalar expression over the columns of one row. Arguments already have the types their function wants:
/// the binder puts in every cast, implicit ones too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Expr {
    Column(usize),
    Literal {
        value: OwnedDatum,
        ty: ScalarType,
    },
    /// A built-in function or operator. A strict one is NULL when an argument is.
    Call {
        function: FunctionId,
        args: Vec<Expr>,
        ty: ScalarType,
    },
    /// `explicit` is true for CAST and `::`, which may truncate a varchar where an implicit one must fail.
    Cast {
        input: Box<Expr>,
        from: ScalarType,
        to: ScalarType,
        explicit: bool,
    },
    /// Three-valued; stops at the first false (`And`) or true (`Or`). An operand that fails fails the whole
    /// only if no other operand decides it: quarantine must not depend on the order of operands.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    /// `a IS NOT DISTINCT FROM b`: NULL equals NULL; never NULL.
    IsNotDistinct(Box<Expr>, Box<Expr>),
    /// Searched CASE; a condition that is false or NULL goes on to the next. Later branches are not evaluated.
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Box<Expr>,
        ty: ScalarType,
    },
    /// The first argument that is not NULL; later ones are not evaluated.
    Coalesce {
        args: Vec<Expr>,
        ty: ScalarType,
    },
    /// NULL where the outermost operation inside (a cast or a call) fails; a failure further in stays one.
    Try(Box<Expr>),
    /// `input IN (list)` with SQL's NULL rules; all have one type.
    InList {
        input: Box<Expr>,
        list: Vec<Expr>,
    },
}

impl Expr {
    /// The value over one row. `columns` must hold every column the expression reads, in the types it was bound for.
    pub fn eval<'a>(&'a self, columns: &[Datum<'a>], arena: &'a Arena) -> Result<Datum<'a>, EvalError> {
        match self {
            Expr::Column(index) => Ok(columns[*index].clone()),
            Expr::Literal { value, .. } => Ok(value.datum()),
            Expr::Call { function, args, .. } => call(*function, args, columns, arena),
            Expr::Cast { input, from, to, explicit } => {
                let value = input.eval(columns, arena)?;
                if value.is_null() { Ok(value) } else { cast::cast(value, from, to, *explicit, arena) }
            }
            Expr::And(operands) => decide(operands, false, columns, arena),
            Expr::Or(operands) => decide(operands, true, columns, arena),
            Expr::Not(operand) => {
                let value = operand.eval(columns, arena)?.unwrap_bool();
                Ok(Datum::from_bool(value.map(|value| !value)))
            }
            Expr::IsNull(operand) => Ok(Datum::Bool(operand.eval(columns, arena)?.is_null())),
            Expr::IsNotDistinct(left, right) => {
                let (left, right) = (left.eval(columns, arena)?, right.eval(columns, arena)?);
                Ok(Datum::Bool(match (left.is_null(), right.is_null()) {
                    (false, false) => is_equal(&left, &right),
                    (left_is_null, right_is_null) => left_is_null == right_is_null,
                }))
            }
            Expr::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    if condition.eval(columns, arena)?.unwrap_bool() == Some(true) {
                        return result.eval(columns, arena);
                    }
                }
                otherwise.eval(columns, arena)
            }
            Expr::Coalesce { args, .. } => {
                for arg in args {
                    let value = arg.eval(columns, arena)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Datum::Null)
            }
            Expr::Try(inner) => attempt(inner, columns, arena),
            Expr::InList { input, list } => in_list(input, list, columns, arena),
        }
    }
}

fn call<'a>(
    function: FunctionId,
    args: &'a [Expr],
    columns: &[Datum<'a>],
    arena: &'a Arena,
) -> Result<Datum<'a>, EvalError> {
    let implementation = function.implementation();
    let is_strict = implementation.is_strict;
    // One and two arguments, nearly all calls, need no list.
    match args {
        [first] => {
            let first = first.eval(columns, arena)?;
            if is_strict && first.is_null() {
                return Ok(Datum::Null);
            }
            (implementation.eval)(&[first], arena)
        }
        [first, second] => {
            let (first, second) = (first.eval(columns, arena)?, second.eval(columns, arena)?);
            if is_strict && (first.is_null() || second.is_null()) {
                return Ok(Datum::Null);
            }
            (implementation.eval)(&[first, second], arena)
        }
        _ => {
            let mut values: SmallVec<[Datum<'a>; 6]> = SmallVec::with_capacity(args.len());
            for arg in args {
                values.push(arg.eval(columns, arena)?);
            }
            if is_strict && values.iter().any(Datum::is_null) {
                return Ok(Datum::Null);
            }
            (implementation.eval)(&values, arena)
        }
    }
}

/// Evaluates the operands, which may fail, and then the operation, whose failure is NULL.
fn attempt<'a>(expr: &'a Expr, columns: &[Datum<'a>], arena: &'a Arena) -> Result<Datum<'a>, EvalError> {
    match expr {
        Expr::Cast { input, from, to, explicit } => {
            let value = input.eval(columns, arena)?;
            if value.is_null() {
                return Ok(value);
            }
            Ok(cast::cast(value, from, to, *explicit, arena).unwrap_or(Datum::Null))
        }
        Expr::Call { function, args, .. } => {
            let implementation = function.implementation();
            let mut values: SmallVec<[Datum<'a>; 6]> = SmallVec::with_capacity(args.len());
            for arg in args {
                values.push(arg.eval(columns, arena)?);
            }
            if implementation.is_strict && values.iter().any(Datum::is_null) {
                return Ok(Datum::Null);
            }
            Ok((implementation.eval)(&values, arena).unwrap_or(Datum::Null))
        }
        other => other.eval(columns, arena),
    }
}

/// AND (`deciding` is false) and OR (`deciding` is true).
fn decide<'a>(
    operands: &'a [Expr],
    deciding: bool,
    columns: &[Datum<'a>],
    arena: &'a Arena,
) -> Result<Datum<'a>, EvalError> {
    let mut has_null = false;
    let mut first_error = None;
    for operand in operands {
        match operand.eval(columns, arena) {
            Ok(value) => match value.unwrap_bool() {
                Some(value) if value == deciding => return Ok(Datum::Bool(deciding)),
                Some(_) => {}
                None => has_null = true,
            },
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) => Err(error),
        None if has_null => Ok(Datum::Null),
        None => Ok(Datum::Bool(!deciding)),
    }
}

/// A disjunction of equalities, with the same rule for operands that fail.
fn in_list<'a>(
    input: &'a Expr,
    list: &'a [Expr],
    columns: &[Datum<'a>],
    arena: &'a Arena,
) -> Result<Datum<'a>, EvalError> {
    let input = input.eval(columns, arena)?;
    let mut has_null = false;
    let mut first_error = None;
    for item in list {
        match item.eval(columns, arena) {
            Ok(value) if value.is_null() || input.is_null() => has_null = true,
            Ok(value) if is_equal(&input, &value) => return Ok(Datum::Bool(true)),
            Ok(_) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) => Err(error),
        None if has_null => Ok(Datum::Null),
        None => Ok(Datum::Bool(false)),
    }
}

/// One ORDER BY term.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderTerm {
    pub expr: Expr,
    pub direction: SortDirection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AggregateFunction {
    /// count(*)
    CountRows,
    /// count(x)
    Count,
    Sum,
    Avg,
    Min,
    Max,
    BoolAnd,
    BoolOr,
    StddevSamp,
    StddevPop,
    VarSamp,
    VarPop,
    /// any_value(x): the least value, so that the answer is determined.
    AnyValue,
    /// percentile_cont(fraction) within group (order by x), and median(x).
    PercentileCont,
    /// percentile_disc(fraction) within group (order by x).
    PercentileDisc,
    /// mode() within group (order by x): of the most frequent values the first in the order.
    Mode,
    ArrayAgg,
    /// string_agg(x, delimiter), and listagg.
    StringAgg,
    /// json_agg(x): the argument is JSON text already.
    JsonAgg,
    JsonbAgg,
    /// json_object_agg(key, value): both are JSON text already.
    JsonObjectAgg,
    JsonbObjectAgg,
}

impl AggregateFunction {
    /// Whether the answer is a list of the group's values, so that printing it takes as long as the group is large.
    pub fn is_list(self) -> bool {
        use AggregateFunction as F;
        matches!(self, F::ArrayAgg | F::StringAgg | F::JsonAgg | F::JsonbAgg | F::JsonObjectAgg | F::JsonbObjectAgg)
    }

    /// Whether rows with a NULL argument are members of the answer.
    pub fn keeps_nulls(self) -> bool {
        self.is_list() && self != AggregateFunction::StringAgg
    }
}

/// One aggregate of a GROUP BY: `sum(distinct x) filter (where p)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AggregateCall {
    pub function: AggregateFunction,
    /// None for count(*). Of an ordered-set aggregate: what WITHIN GROUP orders by.
    pub arg: Option<Expr>,
    /// The type of `arg` after the casts that resolution asked for.
    pub arg_type: ScalarType,
    /// Further arguments: the delimiter of string_agg, the value of json_object_agg, and the fraction of a percentile, which is
    /// a literal or decided by the group.
    pub more: Vec<Expr>,
    pub distinct: bool,
    pub filter: Option<Expr>,
    /// Inside the call's brackets or of WITHIN GROUP; empty for most.
    pub order_by: Vec<OrderTerm>,
    pub returns: ScalarType,
    /// An upper bound of the argument's digits after the point, where the plan knows one.
    pub scale_max: Option<u16>,
}

impl AggregateCall {
    /// Everything that is evaluated over a row of the input.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let terms = self.order_by.iter().map(|term| &term.expr);
        self.arg.iter().chain(&self.more).chain(&self.filter).chain(terms)
    }

    /// As `exprs`, to be replaced.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let terms = self.order_by.iter_mut().map(|term| &mut term.expr);
        self.arg.iter_mut().chain(&mut self.more).chain(&mut self.filter).chain(terms)
    }
}

#[cfg(test)]
#[path = "expr_tests.rs"]
mod tests;
