//! Which aggregate a call means, what its arguments are cast to, and what it returns.
//!
//! ```text
//!   sum(bigint) ──> Sum, [bigint], numeric            percentile_cont(0.5) within group (order by integer)
//!   listagg(text) ──> StringAgg, [text], text           ──> PercentileCont, [double, double], double
//! ```
//!
//! 1. Names and types are PostgreSQL's. Names of other warehouses that mean the same are taken too.
//! 2. The arguments of an ordered-set aggregate are those in the brackets and then what WITHIN GROUP orders by.

use row::ScalarType;

use crate::AggregateFunction;
use crate::refused;
use crate::resolve::{ResolveError, known, type_names};

/// Resolves an aggregate: the function, what its arguments are cast to, and its result type (`sum(bigint)` is numeric).
pub fn aggregate(
    name: &str,
    args: &[ScalarType],
) -> Result<(AggregateFunction, Vec<ScalarType>, ScalarType), ResolveError> {
    use AggregateFunction as F;
    use ScalarType as T;
    if let Some(error) = refused::aggregate(name) {
        return Err(error);
    }
    let missing = || {
        ResolveError::new(format!("function {name}({}) does not exist", type_names(args))).with_hint(
            "No aggregate matches the given name and argument types. You might need to add explicit type casts.",
        )
    };
    let function = match (name, args.len()) {
        ("count", 0) => return Ok((F::CountRows, Vec::new(), T::Int64)),
        ("count", 1) => F::Count,
        ("sum", 1) => F::Sum,
        ("avg", 1) => F::Avg,
        ("min", 1) => F::Min,
        ("max", 1) => F::Max,
        ("bool_and" | "every" | "logical_and" | "booland_agg", 1) => F::BoolAnd,
        ("bool_or" | "logical_or" | "boolor_agg", 1) => F::BoolOr,
        ("stddev" | "stddev_samp", 1) => F::StddevSamp,
        ("stddev_pop", 1) => F::StddevPop,
        ("variance" | "var_samp" | "variance_samp", 1) => F::VarSamp,
        ("var_pop" | "variance_pop", 1) => F::VarPop,
        ("any_value", 1) => F::AnyValue,
        ("median", 1) | ("percentile_cont", 2) => F::PercentileCont,
        ("percentile_disc", 2) => F::PercentileDisc,
        ("mode", 1) => F::Mode,
        ("array_agg", 1) => F::ArrayAgg,
        ("string_agg", 2) | ("listagg", 1 | 2) => F::StringAgg,
        ("json_agg", 1) => F::JsonAgg,
        ("jsonb_agg", 1) => F::JsonbAgg,
        ("json_object_agg", 2) => F::JsonObjectAgg,
        ("jsonb_object_agg", 2) => F::JsonbObjectAgg,
        _ => return Err(missing()),
    };
    let arg = &args[0];
    let (arg_type, returns) = match function {
        F::CountRows | F::Count => (known(arg), T::Int64),
        F::Sum => match arg {
            T::Int16 | T::Int32 => (arg.clone(), T::Int64),
            T::Int64 | T::Numeric(_) => (arg.clone(), T::NUMERIC),
            T::Float32 | T::Float64 | T::Interval => (arg.clone(), arg.clone()),
            _ => return Err(missing()),
        },
        F::Avg => match arg {
            T::Int16 | T::Int32 | T::Int64 | T::Numeric(_) => (arg.clone(), T::NUMERIC),
            T::Float32 | T::Float64 => (arg.clone(), T::Float64),
            T::Interval => (T::Interval, T::Interval),
            _ => return Err(missing()),
        },
        F::StddevSamp | F::StddevPop | F::VarSamp | F::VarPop => match arg {
            T::Int16 | T::Int32 | T::Int64 | T::Numeric(_) => (arg.clone(), T::NUMERIC),
            T::Float32 | T::Float64 => (arg.clone(), T::Float64),
            _ => return Err(missing()),
        },
        F::Min | F::Max => match arg {
            T::Bool | T::Bytes | T::Json | T::Jsonb | T::Uuid => return Err(missing()),
            T::Unknown | T::Varchar(_) => (known(arg), T::Text),
            T::Char(_) => (arg.clone(), arg.clone()),
            _ => (arg.clone(), arg.base()),
        },
        F::AnyValue => (known(arg), known(arg).base()),
        F::BoolAnd | F::BoolOr => match arg {
            T::Bool | T::Unknown => (T::Bool, T::Bool),
            _ => return Err(missing()),
        },
        F::PercentileCont => {
            let of = match args.last() {
                Some(T::Interval) => T::Interval,
                Some(ty) if ty.is_number() || *ty == T::Unknown => T::Float64,
                _ => return Err(missing()),
            };
            if name == "median" {
                return Ok((function, vec![of.clone()], of));
            }
            let (fraction, returns) = fractions(arg, of.clone()).ok_or_else(missing)?;
            return Ok((function, vec![fraction, of], returns));
        }
        F::PercentileDisc => {
            let of = known(&args[1]);
            let (fraction, returns) = fractions(arg, of.base()).ok_or_else(missing)?;
            return Ok((function, vec![fraction, of], returns));
        }
        F::Mode => (known(arg), known(arg).base()),
        F::ArrayAgg => match known(arg).base() {
            T::Array(_) => return Err(refused::array_of_arrays(name)),
            of => (known(arg), T::Array(Box::new(of))),
        },
        F::StringAgg => {
            let is_bytes = args.contains(&T::Bytes);
            let fits = |ty: &T| *ty == T::Unknown || if is_bytes { *ty == T::Bytes } else { ty.is_string() };
            if !args.iter().all(fits) {
                return Err(missing());
            }
            let of = if is_bytes { T::Bytes } else { T::Text };
            return Ok((function, vec![of.clone(); args.len()], of));
        }
        F::JsonAgg | F::JsonObjectAgg => return Ok((function, args.iter().map(known).collect(), T::Json)),
        F::JsonbAgg | F::JsonbObjectAgg => return Ok((function, args.iter().map(known).collect(), T::Jsonb)),
    };
    Ok((function, vec![arg_type], returns))
}

/// The type of a percentile's fraction, and what one fraction or several of them return.
fn fractions(fraction: &ScalarType, of: ScalarType) -> Option<(ScalarType, ScalarType)> {
    match fraction {
        ScalarType::Array(inner) if inner.is_number() || **inner == ScalarType::Text => {
            let fractions = ScalarType::Array(Box::new(ScalarType::Float64));
            (!matches!(of, ScalarType::Array(_))).then(|| (fractions, ScalarType::Array(Box::new(of))))
        }
        ty if ty.is_number() || *ty == ScalarType::Unknown => Some((ScalarType::Float64, of)),
        _ => None,
    }
}
