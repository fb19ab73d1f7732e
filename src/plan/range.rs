//! The order by which a join can find its pairs.
//!
//! ```text
//!   b.from <= a.ts and a.ts < b.to and …      a.ts is a point; [b.from, b.to) is a span; … is asked of the pairs found
//!   a.x > b.y                                 a.x is a point; from b.y on is a span
//! ```

use eval::Expr;
use row::ScalarType;

use super::expr::{comparison, reads_only, renumber};

/// One end of a span, over the columns of the side that has spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeEnd {
    pub expr: Expr,
    /// Whether a point that equals the end is in the span.
    pub inclusive: bool,
}

/// Comparisons of a join's condition that order its pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeForm {
    pub left_has_points: bool,
    /// Over the columns of the side that has points.
    pub point: Expr,
    pub low: Option<RangeEnd>,
    pub high: Option<RangeEnd>,
    /// What is left of the condition, over left ++ right columns.
    pub rest: Vec<Expr>,
}

/// `left op right`, with the column numbers of the whole join; `op` is one of `<`, `<=`, `>`, `>=`.
struct Inequality<'e> {
    left: &'e Expr,
    less: bool,
    inclusive: bool,
    right: &'e Expr,
    position: usize,
}

impl RangeForm {
    /// Finds the comparisons to use, two with one point in common before a single one. `types` are those of left ++ right.
    pub fn find(width: usize, types: &[ScalarType], residual: &[Expr]) -> Option<RangeForm> {
        let found: Vec<Inequality<'_>> = residual
            .iter()
            .enumerate()
            .filter_map(|(position, condition)| inequality(width, types, condition, position))
            .collect();
        let two_sided = found.iter().find_map(|low| {
            // A low end is below its point.
            let left_points = found.iter().find(|high| !low.less && high.less && low.left == high.left);
            let right_points = found.iter().find(|high| low.less && !high.less && low.right == high.right);
            match (left_points, right_points) {
                (Some(high), _) => Some((true, Some(low), Some(high))),
                (None, Some(high)) => Some((false, Some(low), Some(high))),
                (None, None) => None,
            }
        });
        let (left_has_points, low, high) = match two_sided {
            Some(form) => form,
            None => {
                let only = found.first()?;
                if only.less { (true, None, Some(only)) } else { (true, Some(only), None) }
            }
        };
        let own = |expr: &Expr, is_left: bool| {
            if is_left { expr.clone() } else { renumber(expr, &mut |column| column - width) }
        };
        let point = low.or(high).map(|one| if left_has_points { one.left } else { one.right })?;
        let end = |one: Option<&Inequality<'_>>| {
            one.map(|one| RangeEnd {
                expr: own(if left_has_points { one.right } else { one.left }, !left_has_points),
                inclusive: one.inclusive,
            })
        };
        let used = [low.map(|one| one.position), high.map(|one| one.position)];
        let rest = residual.iter().enumerate().filter(|(position, _)| !used.contains(&Some(*position)));
        Some(RangeForm {
            left_has_points,
            point: own(point, left_has_points),
            low: end(low),
            high: end(high),
            rest: rest.map(|(_, condition)| condition.clone()).collect(),
        })
    }
}

fn inequality<'e>(width: usize, types: &[ScalarType], condition: &'e Expr, position: usize) -> Option<Inequality<'e>> {
    let (op, a, b) = comparison(condition)?;
    let (less, inclusive) = match op {
        "<" => (true, false),
        "<=" => (true, true),
        ">" => (false, false),
        ">=" => (false, true),
        _ => return None,
    };
    if !is_ordered(&a.ty(types), &b.ty(types)) {
        return None;
    }
    let is_left = |expr: &Expr| !expr.is_constant() && reads_only(expr, &|column| column < width);
    let is_right = |expr: &Expr| !expr.is_constant() && reads_only(expr, &|column| column >= width);
    if is_left(a) && is_right(b) {
        Some(Inequality { left: a, less, inclusive, right: b, position })
    } else if is_left(b) && is_right(a) {
        Some(Inequality { left: b, less: !less, inclusive, right: a, position })
    } else {
        None
    }
}

/// Whether order keys of these types compare as `<` compares the values.
fn is_ordered(a: &ScalarType, b: &ScalarType) -> bool {
    use ScalarType as T;
    match (a, b) {
        (T::Int16 | T::Int32 | T::Int64, T::Int16 | T::Int32 | T::Int64) => true,
        (T::Text | T::Varchar(_), T::Text | T::Varchar(_)) => true,
        (T::Numeric(_), T::Numeric(_)) => true,
        (T::Float32 | T::Float64 | T::Bool | T::Date | T::Time | T::Timestamp | T::TimestampTz | T::Interval, b) => {
            a == b
        }
        _ => false,
    }
}
