//! Looking at expressions and rewriting them: columns, substitution, constant folding.

use row::{OwnedDatum, ScalarType};

use crate::{Arena, Expr, cast};

impl Expr {
    pub fn literal(value: OwnedDatum, ty: ScalarType) -> Expr {
        Expr::Literal { value, ty }
    }

    pub fn null(ty: ScalarType) -> Expr {
        Expr::Literal { value: OwnedDatum::null(), ty }
    }

    /// Calls `visit` for each direct child, in order of evaluation.
    pub fn for_each_child<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        match self {
            Expr::Column(_) | Expr::Literal { .. } => {}
            Expr::Call { args, .. } | Expr::And(args) | Expr::Or(args) | Expr::Coalesce { args, .. } => {
                args.iter().for_each(visit);
            }
            Expr::Cast { input, .. } | Expr::Not(input) | Expr::IsNull(input) | Expr::Try(input) => visit(input),
            Expr::IsNotDistinct(left, right) => {
                visit(left);
                visit(right);
            }
            Expr::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    visit(condition);
                    visit(result);
                }
                visit(otherwise);
            }
            Expr::InList { input, list } => {
                visit(input);
                list.iter().for_each(visit);
            }
        }
    }

    fn for_each_child_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        match self {
            Expr::Column(_) | Expr::Literal { .. } => {}
            Expr::Call { args, .. } | Expr::And(args) | Expr::Or(args) | Expr::Coalesce { args, .. } => {
                args.iter_mut().for_each(visit);
            }
            Expr::Cast { input, .. } | Expr::Not(input) | Expr::IsNull(input) | Expr::Try(input) => visit(input),
            Expr::IsNotDistinct(left, right) => {
                visit(left);
                visit(right);
            }
            Expr::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    visit(condition);
                    visit(result);
                }
                visit(otherwise);
            }
            Expr::InList { input, list } => {
                visit(input);
                list.iter_mut().for_each(visit);
            }
        }
    }

    /// Calls `visit` for this expression and everything inside it, outermost first.
    pub fn for_each<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        visit(self);
        self.for_each_child(&mut |child| child.for_each(visit));
    }

    /// Calls `visit` for each column the expression reads.
    pub fn for_each_column(&self, visit: &mut dyn FnMut(usize)) {
        self.for_each(&mut |expr| {
            if let Expr::Column(index) = expr {
                visit(*index);
            }
        });
    }

    /// Whether the value is the same on every row.
    pub fn is_constant(&self) -> bool {
        let mut reads_column = false;
        self.for_each_column(&mut |_| reads_column = true);
        !reads_column
    }

    /// Whether some row can make the evaluation fail (division, casts from text, overflow, …).
    pub fn is_fallible(&self) -> bool {
        let fails_itself = match self {
            Expr::Call { function, args, .. } => function.implementation().can_fail(args),
            Expr::Cast { from, to, explicit, .. } => cast::is_fallible(from, to, *explicit),
            _ => false,
        };
        let mut is_fallible = fails_itself;
        match self {
            // Only what the outermost operation is given can still fail.
            Expr::Try(inner) => inner.for_each_child(&mut |part| is_fallible |= part.is_fallible()),
            other => other.for_each_child(&mut |part| is_fallible |= part.is_fallible()),
        }
        is_fallible
    }

    /// Replaces column numbers in place.
    pub fn map_columns(&mut self, map: &mut dyn FnMut(usize) -> usize) {
        match self {
            Expr::Column(index) => *index = map(*index),
            other => other.for_each_child_mut(&mut |child| child.map_columns(map)),
        }
    }

    /// Replaces each `Column(i)` by `replacements[i]`.
    pub fn substitute(&self, replacements: &[Expr]) -> Expr {
        fn replace(expr: &mut Expr, replacements: &[Expr]) {
            match expr {
                Expr::Column(index) => *expr = replacements[*index].clone(),
                other => other.for_each_child_mut(&mut |child| replace(child, replacements)),
            }
        }
        let mut replaced = self.clone();
        replace(&mut replaced, replacements);
        replaced
    }

    /// Puts another expression in the place of the outermost parts for which `replacement` has one.
    pub fn replace_parts(&mut self, replacement: &mut dyn FnMut(&Expr) -> Option<Expr>) {
        match replacement(self) {
            Some(other) => *self = other,
            None => self.for_each_child_mut(&mut |child| child.replace_parts(replacement)),
        }
    }

    /// The expression's type, given those of its columns.
    pub fn ty(&self, columns: &[ScalarType]) -> ScalarType {
        match self {
            Expr::Column(index) => columns[*index].clone(),
            Expr::Literal { ty, .. } | Expr::Call { ty, .. } | Expr::Case { ty, .. } | Expr::Coalesce { ty, .. } => {
                ty.clone()
            }
            Expr::Cast { to, .. } => to.clone(),
            Expr::Try(inner) => inner.ty(columns),
            Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotDistinct(..)
            | Expr::InList { .. } => ScalarType::Bool,
        }
    }

    /// Evaluates what is constant. A constant that fails stays as it is, so that the rows that reach it fail.
    pub fn fold(mut self) -> Expr {
        self.for_each_child_mut(&mut |child| {
            let taken = std::mem::replace(child, Expr::Column(0));
            *child = taken.fold();
        });
        if !matches!(self, Expr::Literal { .. }) && self.is_constant() {
            let arena = Arena::new();
            // The value is copied out before the arena goes.
            let folded = self.eval(&[], &arena).ok().map(|value| OwnedDatum::new(&value));
            return match folded {
                Some(value) => Expr::Literal { value, ty: self.ty(&[]) },
                None => self,
            };
        }
        self.prune()
    }

    /// Leaves out operands and branches that constants have decided.
    fn prune(self) -> Expr {
        match self {
            Expr::And(operands) => connective(operands, false),
            Expr::Or(operands) => connective(operands, true),
            Expr::Case { branches, otherwise, ty } => {
                let mut kept = Vec::new();
                let mut otherwise = *otherwise;
                for (condition, result) in branches {
                    match constant_bool(&condition) {
                        Some(Some(true)) => {
                            otherwise = result;
                            break;
                        }
                        Some(_) => {}
                        None => kept.push((condition, result)),
                    }
                }
                if kept.is_empty() {
                    return otherwise;
                }
                Expr::Case { branches: kept, otherwise: Box::new(otherwise), ty }
            }
            Expr::Coalesce { args, ty } => {
                let mut kept = Vec::new();
                for arg in args {
                    let literal_is_null = match &arg {
                        Expr::Literal { value, .. } => Some(value.datum().is_null()),
                        _ => None,
                    };
                    match literal_is_null {
                        Some(true) => {}
                        Some(false) => {
                            kept.push(arg);
                            break;
                        }
                        None => kept.push(arg),
                    }
                }
                if kept.len() == 1 {
                    return kept.remove(0);
                }
                Expr::Coalesce { args: kept, ty }
            }
            other => other,
        }
    }
}

/// The value of a literal condition; the outer `None`: not a literal.
fn constant_bool(expr: &Expr) -> Option<Option<bool>> {
    match expr {
        Expr::Literal { value, .. } => Some(value.datum().unwrap_bool()),
        _ => None,
    }
}

/// AND (`deciding` is false) or OR: a deciding constant is the whole, a neutral one goes.
fn connective(mut operands: Vec<Expr>, deciding: bool) -> Expr {
    let is = |operand: &Expr, wanted: bool| constant_bool(operand) == Some(Some(wanted));
    if let Some(position) = operands.iter().position(|operand| is(operand, deciding)) {
        return operands.swap_remove(position);
    }
    operands.retain(|operand| !is(operand, !deciding));
    match operands.len() {
        1 => operands.remove(0),
        _ if deciding => Expr::Or(operands),
        _ => Expr::And(operands),
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
