//! Joins with a state of their own: what each side holds is what the reader of the join needs of it, computed before the join.
//!
//! ```text
//!   reader:   price * quantity, status = 'returned'     over  items ⋈ orders
//!                └──────┬─────┘  └────────┬───────┘
//!   sides:   items: (order_id, price * quantity)        orders: (order_id, status = 'returned')
//! ```
//!
//! 1. A part of an expression that reads one side, and cannot fail, is computed once per row of that side and not once per pair.
//! 2. A change of a row that leaves all that the reader needs as it was ends before the join.
//! 3. Where an outer join pads a side with NULLs, only what would be NULL over those is computed below.

use eval::Expr;
use flow::{Gives, Keyed};

use super::aggregate::is_null_without;
use super::arrangements::{Side, by_key};
use super::layout::{Layout, Place, keeps_form};
use super::mfp::{Mfp, Step};
use super::{Context, describe};
use crate::plan::JoinKind;

/// A join to be rendered when its reader is known.
pub struct KeyedJoin {
    pub left: Side,
    pub right: Side,
    pub gives: Gives,
}

/// What a kind of join gives.
pub fn gives(kind: JoinKind) -> Gives {
    let left_alone = matches!(kind, JoinKind::Left | JoinKind::Full | JoinKind::Anti);
    let right_alone = matches!(kind, JoinKind::Right | JoinKind::Full);
    let left_matched = kind == JoinKind::Semi;
    Gives { pairs: !matches!(kind, JoinKind::Semi | JoinKind::Anti), left_alone, right_alone, left_matched }
}

impl KeyedJoin {
    /// Columns of the left side, and of both.
    pub fn arities(&self) -> (usize, usize) {
        let left = self.left.base.arity();
        (left, if self.gives.pairs { left + self.right.base.arity() } else { left })
    }

    /// What each side gives of a chain above the join, and the rest of the chain. A side that is not the join's own gives columns.
    pub fn divide(&self, chain: &Mfp, is_own: [bool; 2]) -> ([Vec<Expr>; 2], Mfp) {
        let (left, arity) = self.arities();
        debug_assert_eq!(chain.arity, arity);
        Division::divide(left, self.gives, is_own, chain)
    }
}

/// A chain being divided: the rest reads the join's columns and, beyond them, what the sides compute.
struct Division {
    /// Columns of the left side, and of both.
    left: usize,
    arity: usize,
    /// Whether rows of a side may be missing.
    padded: [bool; 2],
    /// Whether a side computes anything.
    computes: [bool; 2],
    computed: Vec<Expr>,
    /// Left to the rest, since its columns are needed there anyway.
    kept_back: Vec<Expr>,
}

impl Division {
    /// Takes what one side alone can compute out of a chain over the join's columns. Gives each side's expressions and the rest
    /// of the chain, which reads them: the left side's first.
    fn divide(left: usize, gives: Gives, computes: [bool; 2], chain: &Mfp) -> ([Vec<Expr>; 2], Mfp) {
        let padded = [gives.right_alone, gives.left_alone];
        let arity = chain.arity;
        let mut division = Division { left, arity, padded, computes, computed: Vec::new(), kept_back: Vec::new() };
        let mut rest = division.rest(chain);
        // What is needed anyway costs nothing to compute from above; a column of its own would have to be held.
        let direct = rest.needed(rest.outputs.iter().copied());
        let from_needed = |expr: &Expr| {
            let mut all = true;
            expr.for_each_column(&mut |column| all &= direct[column]);
            all
        };
        let kept_back: Vec<Expr> = division.computed.iter().filter(|expr| from_needed(expr)).cloned().collect();
        if !kept_back.is_empty() {
            division.computed.clear();
            division.kept_back = kept_back;
            rest = division.rest(chain);
        }
        division.numbered(rest)
    }

    /// The side whose columns alone an expression reads.
    fn side(&self, expr: &Expr) -> Option<usize> {
        let (mut reads, mut is_below) = ([false; 2], true);
        expr.for_each_column(&mut |column| {
            reads[usize::from(column >= self.left)] = true;
            is_below &= column < self.arity;
        });
        match reads {
            [true, false] if is_below => Some(0),
            [false, true] if is_below => Some(1),
            _ => None,
        }
    }

    fn is_movable(&self, expr: &Expr) -> bool {
        if matches!(expr, Expr::Column(_)) || expr.is_fallible() {
            return false;
        }
        let Some(side) = self.side(expr) else { return false };
        self.computes[side] && (!self.padded[side] || is_null_without(expr, &|_| true))
    }

    /// The chain over the join's columns, then the computed ones, then its own maps.
    fn rest(&mut self, chain: &Mfp) -> Mfp {
        // Each column of the chain as an expression over the join's columns and the computed ones; maps stay numbered from a
        // base that no column reaches until all computed ones are known.
        const MAPS: usize = usize::MAX / 2;
        let mut names: Vec<Expr> = (0..self.arity).map(Expr::Column).collect();
        let mut steps = Vec::new();
        let mut maps = 0;
        for step in &chain.steps {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            let mut expr = expr.substitute(&names);
            expr.replace_parts(&mut |part| {
                if matches!(part, Expr::Try(_)) || self.kept_back.contains(part) {
                    return Some(part.clone());
                }
                self.is_movable(part).then(|| {
                    let known = self.computed.iter().position(|known| known == part);
                    let at = known.unwrap_or_else(|| {
                        self.computed.push(part.clone());
                        self.computed.len() - 1
                    });
                    Expr::Column(self.arity + at)
                })
            });
            match step {
                Step::Map(_) if matches!(expr, Expr::Column(_)) => names.push(expr),
                Step::Map(_) => {
                    names.push(Expr::Column(MAPS + maps));
                    maps += 1;
                    steps.push(Step::Map(expr));
                }
                Step::Filter(_) => steps.push(Step::Filter(expr)),
            }
        }
        let inputs = self.arity + self.computed.len();
        let number = |column: usize| if column >= MAPS { column - MAPS + inputs } else { column };
        for step in &mut steps {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            expr.map_columns(&mut |column| number(column));
        }
        let output = |column: &usize| match &names[*column] {
            Expr::Column(column) => number(*column),
            _ => unreachable!("a map is named by its column"),
        };
        Mfp { arity: inputs, outputs: chain.outputs.iter().map(output).collect(), steps }
    }

    /// Each side's expressions, and the chain over them.
    fn numbered(self, rest: Mfp) -> ([Vec<Expr>; 2], Mfp) {
        let needed = rest.needed(rest.outputs.iter().copied());
        let expr = |column: usize| match column.checked_sub(self.arity) {
            None => Expr::Column(column),
            Some(computed) => self.computed[computed].clone(),
        };
        let held: Vec<usize> = (0..rest.arity).filter(|column| needed[*column]).collect();
        let of_side = |side: usize| -> Vec<usize> {
            held.iter().copied().filter(|column| self.side(&expr(*column)) == Some(side)).collect()
        };
        let sides = [of_side(0), of_side(1)];
        let inputs = held.len();
        let mut place = vec![usize::MAX; rest.arity];
        sides.iter().flatten().enumerate().for_each(|(at, column)| place[*column] = at);
        let number = |column: usize| if column < rest.arity { place[column] } else { column - rest.arity + inputs };
        let mut steps = rest.steps.clone();
        for step in &mut steps {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            expr.map_columns(&mut |column| number(column));
        }
        let outputs = rest.outputs.iter().map(|column| number(*column)).collect();
        let exprs = sides.map(|columns| {
            let exprs = columns.into_iter().map(|column| {
                let mut expr = expr(column);
                expr.map_columns(&mut |column| if column < self.left { column } else { column - self.left });
                expr
            });
            exprs.collect()
        });
        (exprs, Mfp { arity: inputs, steps, outputs })
    }
}

impl Context {
    /// A join side's rows by its key; the layout's columns are these expressions over the side's base.
    pub fn keyed_exprs(&mut self, side: &Side, exprs: &[Expr]) -> (Keyed, Layout) {
        let typ = side.base.typ();
        let (mut mfp, parts) = self.side_parts(side);
        let inputs = mfp.outputs.len();
        let mut push = |expr: &Expr| {
            debug_assert!(inputs <= mfp.outputs.len());
            let output = mfp.push_expr(expr);
            mfp.outputs[output]
        };
        let keys: Vec<usize> = side.key.key.iter().map(&mut push).collect();
        let (mut places, mut value) = (Vec::new(), Vec::new());
        for expr in exprs {
            let as_key = side.key.key.iter().position(|key| key == expr);
            let keeps = matches!(expr, Expr::Column(column) if keeps_form(&typ.columns[*column].ty));
            match as_key.filter(|_| keeps) {
                Some(at) => places.push(Place::Key(at)),
                None => {
                    places.push(Place::Value(value.len()));
                    value.push(push(expr));
                }
            }
        }
        let layout = Layout { key: side.key.key.clone(), places, key_columns: keys.len(), value_columns: value.len() };
        let finish = by_key(keys, value, side.key.drops_null.clone());
        let name = format!("Key[{}]", describe(&side.base));
        (self.read_form(parts, &mfp, finish, &name), layout)
    }
}

#[cfg(test)]
#[path = "keyed_join_tests.rs"]
mod tests;
