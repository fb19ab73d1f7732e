//! Small builders for the tests of this crate.

use row::{Datum, OwnedDatum, ScalarType};

use crate::{Expr, resolve};

pub(crate) fn int(value: i64) -> Expr {
    Expr::Literal { value: OwnedDatum::new(&Datum::Int(value)), ty: ScalarType::Int32 }
}

pub(crate) fn text(value: &str) -> Expr {
    Expr::Literal { value: OwnedDatum::new(&Datum::Text(value)), ty: ScalarType::Text }
}

pub(crate) fn boolean(value: Option<bool>) -> Expr {
    Expr::Literal { value: OwnedDatum::new(&Datum::from_bool(value)), ty: ScalarType::Bool }
}

/// A call over columns of these types, with the casts that resolution asks for.
pub(crate) fn binary(op: &str, left: Expr, right: Expr, columns: &[ScalarType]) -> Expr {
    let resolution = resolve::binary(op, &left.ty(columns), &right.ty(columns)).expect("the operator exists");
    call(resolution, vec![left, right], columns)
}

pub(crate) fn function(name: &str, args: Vec<Expr>, columns: &[ScalarType]) -> Expr {
    let types: Vec<_> = args.iter().map(|arg| arg.ty(columns)).collect();
    let resolution = resolve::function(name, &types).expect("the function exists");
    call(resolution, args, columns)
}

fn call(resolution: resolve::Resolution, args: Vec<Expr>, columns: &[ScalarType]) -> Expr {
    let cast = |arg: Expr, to: &ScalarType| match arg.ty(columns) {
        from if from == *to => arg,
        from => Expr::Cast { input: Box::new(arg), from, to: to.clone(), explicit: false },
    };
    let args = args.into_iter().zip(&resolution.arg_types).map(|(arg, ty)| cast(arg, ty)).collect();
    Expr::Call { function: resolution.function, args, ty: resolution.returns }
}
