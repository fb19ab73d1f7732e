//! How the chain above a window reads its calls.
//!
//! ```text
//!   case when sum(x) over (order by x desc) / sum(x) over () <= 0.8 then 'A' else 'B' end
//!             └──── grows along the order ────┘ └─ constant ─┘    └ constant
//!             └──────────────── an atom: less, equal, greater: three stretches of rows ────┘
//! ```
//!
//! A call that is read by atoms alone need not be looked at row by row: rows that stay in their stretch keep their output.

use std::cmp::Ordering;

use eval::accumulate::Accumulators;
use eval::{AggregateCall, AggregateFunction, Expr};
use row::{Datum, ScalarType};

use super::call::{Call, Kind};
use crate::render::aggregate::can_fail;
use crate::render::mfp::{Mfp, Need, Step};

/// What the chain reads, and how.
pub struct Reading {
    /// Input columns that the chain reads.
    pub columns: Vec<Need>,
    /// Calls that the chain reads.
    pub used: Vec<bool>,
    /// Calls whose value is read otherwise than by an atom.
    pub visible: Vec<bool>,
    pub atoms: Vec<Atom>,
    pub filters: Vec<Filter>,
    /// Sums (by number) that grow along the order only while no argument is negative.
    pub growing: Vec<usize>,
    /// The chain where the outcomes of atoms are known.
    pub told: Option<Told>,
}

/// The chain with comparisons told instead of computed: after the calls each has a column.
pub struct Told {
    pub chain: Mfp,
    pub columns: Vec<Need>,
    /// Calls that are read otherwise.
    pub used: Vec<bool>,
    /// The atom of each comparison, and which of its outcomes are true.
    pub tests: Vec<(usize, fn(Ordering) -> bool)>,
}

/// A comparison of a value that grows (or shrinks) along the order with a constant of the partition.
#[derive(PartialEq)]
pub struct Atom {
    pub left: Expr,
    pub right: Expr,
    /// Calls that it reads.
    pub calls: Vec<usize>,
    /// Whether it may fail for some rows and not for others, as a cast of too large a sum does.
    pub may_fail_late: bool,
}

/// A filter that drops whole stretches of an atom.
pub struct Filter {
    pub atom: usize,
    /// Which outcomes of the comparison pass.
    pub passes: fn(Ordering) -> bool,
}

/// Expressions larger than this are not looked into.
const NODES_MAX: usize = 2_000;

pub fn read_chain(calls: &[Call], sums: &[AggregateCall], arity: usize, chain: &Mfp) -> Reading {
    let width = arity + calls.len();
    let needed = chain.needed(chain.outputs.iter().copied());
    let mut reader = Reader {
        calls,
        sums,
        arity,
        reading: Reading {
            columns: chain.needs(&vec![true; chain.outputs.len()])[..arity].to_vec(),
            used: needed[arity..].to_vec(),
            visible: vec![false; calls.len()],
            atoms: Vec::new(),
            filters: Vec::new(),
            growing: Vec::new(),
            told: None,
        },
    };
    for call in 0..calls.len() {
        // A call that nobody reads fails its rows all the same.
        if !reader.reading.used[call] && reader.call_can_fail(call) {
            reader.reading.used[call] = true;
            reader.reading.visible[call] = true;
        }
    }
    let calls_fail = (0..calls.len()).any(|call| reader.reading.used[call] && reader.call_can_fail(call));
    let mut may_have_failed = calls_fail;
    // Each column of the chain over inputs and calls; one that reads no call stands for itself.
    let mut columns: Vec<Expr> = (0..width).map(Expr::Column).collect();
    for step in &chain.steps {
        let (Step::Map(expr) | Step::Filter(expr)) = step;
        let resolved = expr.substitute(&columns);
        let reads_calls = reader.reads_calls(&resolved);
        let is_large = nodes(&resolved) > NODES_MAX;
        if is_large {
            reader.show_all(&resolved);
        }
        match step {
            Step::Map(_) => {
                if reads_calls && expr.is_fallible() && !is_large {
                    if reader.grows(&resolved) || reader.is_constant(&resolved) {
                        // Its value may be read by others; that it fails is seen by all.
                        reader.add_atom(&resolved, &Expr::null(ScalarType::Unknown));
                    } else {
                        reader.read(&resolved);
                    }
                }
                let number = columns.len();
                columns.push(if reads_calls && !is_large { resolved } else { Expr::Column(number) });
            }
            Step::Filter(_) if !is_large => {
                let mut conjuncts = Vec::new();
                flatten(&resolved, &mut conjuncts);
                for conjunct in conjuncts {
                    let filter = reader.filter(conjunct);
                    match filter {
                        Some(filter) if !may_have_failed => reader.reading.filters.push(filter),
                        Some(_) => {}
                        None => reader.read(conjunct),
                    }
                }
            }
            Step::Filter(_) => {}
        }
        may_have_failed |= expr.is_fallible();
    }
    for output in &chain.outputs {
        reader.read(&columns[*output]);
    }
    reader.reading.told = reader.told(chain);
    reader.reading
}

fn flatten<'e>(expr: &'e Expr, conjuncts: &mut Vec<&'e Expr>) {
    match expr {
        Expr::And(operands) => operands.iter().for_each(|operand| flatten(operand, conjuncts)),
        other => conjuncts.push(other),
    }
}

fn nodes(expr: &Expr) -> usize {
    let mut nodes = 0;
    expr.for_each(&mut |_| nodes += 1);
    nodes
}

struct Reader<'a> {
    calls: &'a [Call],
    sums: &'a [AggregateCall],
    arity: usize,
    reading: Reading,
}

impl Reader<'_> {
    fn call_of(&self, column: usize) -> Option<usize> {
        column.checked_sub(self.arity).filter(|call| *call < self.calls.len())
    }

    fn calls_in(&self, expr: &Expr) -> Vec<usize> {
        let mut calls = Vec::new();
        expr.for_each_column(&mut |column| calls.extend(self.call_of(column)));
        calls.sort_unstable();
        calls.dedup();
        calls
    }

    fn reads_calls(&self, expr: &Expr) -> bool {
        !self.calls_in(expr).is_empty()
    }

    fn show_all(&mut self, expr: &Expr) {
        self.calls_in(expr).into_iter().for_each(|call| self.reading.visible[call] = true);
    }

    /// Notes what an expression reads.
    fn read(&mut self, expr: &Expr) {
        if let Some((left, right, _)) = self.comparison(expr) {
            self.add_atom(&left, &right);
            return;
        }
        match expr {
            Expr::Column(column) => {
                if let Some(call) = self.call_of(*column) {
                    self.reading.visible[call] = true;
                }
            }
            Expr::InList { input, list } if self.grows(input) && list.iter().all(|item| self.is_constant(item)) => {
                list.iter().for_each(|item| {
                    self.add_atom(input, item);
                });
            }
            other => other.for_each_child(&mut |child| self.read(child)),
        }
    }

    fn filter(&mut self, expr: &Expr) -> Option<Filter> {
        let (left, right, passes) = self.comparison(expr)?;
        Some(Filter { atom: self.add_atom(&left, &right), passes })
    }

    /// A comparison of what grows with a constant, the growing side first.
    fn comparison(&self, expr: &Expr) -> Option<(Expr, Expr, fn(Ordering) -> bool)> {
        let Expr::Call { function, args, .. } = expr else { return None };
        let [left, right] = &args[..] else { return None };
        let passes: [fn(Ordering) -> bool; 2] = match function.name() {
            "<" => [Ordering::is_lt, Ordering::is_gt],
            "<=" => [Ordering::is_le, Ordering::is_ge],
            ">" => [Ordering::is_gt, Ordering::is_lt],
            ">=" => [Ordering::is_ge, Ordering::is_le],
            "=" => [Ordering::is_eq, Ordering::is_eq],
            "<>" | "!=" => [Ordering::is_ne, Ordering::is_ne],
            _ => return None,
        };
        if self.grows(left) && self.is_constant(right) {
            Some((left.clone(), right.clone(), passes[0]))
        } else if self.is_constant(left) && self.grows(right) {
            Some((right.clone(), left.clone(), passes[1]))
        } else {
            None
        }
    }

    fn told(&self, chain: &Mfp) -> Option<Told> {
        const TESTS: usize = usize::MAX / 2;
        let width = self.arity + self.calls.len();
        let mut tests: Vec<(usize, fn(Ordering) -> bool)> = Vec::new();
        let mut told = chain.clone();
        for step in &mut told.steps {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            expr.replace_parts(&mut |part| {
                if matches!(part, Expr::Try(_)) {
                    return Some(part.clone());
                }
                let (left, right, passes) = self.comparison(part)?;
                let is_it = |atom: &Atom| atom.left == left && atom.right == right;
                tests.push((self.reading.atoms.iter().position(is_it)?, passes));
                Some(Expr::Column(TESTS + tests.len() - 1))
            });
        }
        if tests.is_empty() {
            return None;
        }
        let number = |column: usize| match column {
            test if test >= TESTS => width + test - TESTS,
            map if map >= width => map + tests.len(),
            input => input,
        };
        for step in &mut told.steps {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            expr.map_columns(&mut |column| number(column));
        }
        told.outputs.iter_mut().for_each(|column| *column = number(*column));
        told.arity = width + tests.len();
        let needs = told.needs(&vec![true; told.outputs.len()]);
        let of_atoms = |call: usize| tests.iter().any(|(atom, _)| self.reading.atoms[*atom].calls.contains(&call));
        let used = (0..self.calls.len()).map(|call| {
            // One that nobody else reads has failed with its atom.
            needs[self.arity + call] != Need::Nothing || self.reading.used[call] && !of_atoms(call)
        });
        Some(Told { used: used.collect(), columns: needs[..self.arity].to_vec(), chain: told, tests })
    }

    fn add_atom(&mut self, left: &Expr, right: &Expr) -> usize {
        let mut calls = self.calls_in(left);
        calls.extend(self.calls_in(right));
        calls.sort_unstable();
        calls.dedup();
        for call in &calls {
            if let Kind::Sum(sum) = self.calls[*call].kind
                && !self.calls[*call].is_whole()
                && self.sums[sum].function == AggregateFunction::Sum
                && !self.reading.growing.contains(&sum)
            {
                self.reading.growing.push(sum);
            }
        }
        let may_fail_late = fails_late(left) || fails_late(right);
        let atom = Atom { left: left.clone(), right: right.clone(), calls, may_fail_late };
        if let Some(known) = self.reading.atoms.iter().position(|known| *known == atom) {
            return known;
        }
        self.reading.atoms.push(atom);
        self.reading.atoms.len() - 1
    }

    /// Whether the value never falls (or never rises) from row to row; NULL may come before all others.
    fn grows(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Column(column) => self.call_of(*column).is_some_and(|call| self.call_grows(&self.calls[call])),
            Expr::Cast { input, from, to, .. } => is_number(from) && is_number(to) && self.grows(input),
            Expr::Call { function, args, ty } if is_number(ty) => match (function.name(), &args[..]) {
                ("+" | "*" | "-", [left, right]) => {
                    (self.grows(left) && self.is_constant(right)) || (self.is_constant(left) && self.grows(right))
                }
                ("/" | "round" | "trunc", [left, right]) => self.grows(left) && self.is_constant(right),
                ("round" | "trunc" | "ceil" | "ceiling" | "floor", [input]) => self.grows(input),
                _ => false,
            },
            _ => false,
        }
    }

    fn call_grows(&self, call: &Call) -> bool {
        match call.kind {
            Kind::RowNumber | Kind::Rank | Kind::DenseRank | Kind::PercentRank | Kind::CumeDist => true,
            Kind::Sum(sum) => {
                let sum = &self.sums[sum];
                call.is_running()
                    && match sum.function {
                        AggregateFunction::CountRows | AggregateFunction::Count => true,
                        AggregateFunction::Sum => is_number(&sum.arg_type),
                        _ => false,
                    }
            }
            _ => false,
        }
    }

    /// Whether the value is the same for all rows of a partition.
    fn is_constant(&self, expr: &Expr) -> bool {
        let mut is_constant = true;
        expr.for_each_column(&mut |column| {
            is_constant &= self.call_of(column).is_some_and(|call| {
                let call = &self.calls[call];
                matches!(call.kind, Kind::Sum(_) | Kind::Extreme(_)) && call.is_whole()
            });
        });
        is_constant
    }

    fn call_can_fail(&self, call: usize) -> bool {
        let positive = |expr: &Expr| matches!(expr, Expr::Literal { value, .. } if !matches!(value.datum(), Datum::Int(i64::MIN..=0)));
        match &self.calls[call].kind {
            Kind::Sum(sum) => can_fail(&self.sums[*sum]),
            Kind::List(list) => list.can_fail,
            Kind::Ntile(buckets) => !positive(buckets),
            Kind::Nth(_, n) => !positive(n),
            _ => false,
        }
    }
}

/// A division by a constant of the partition fails for all its rows or for none.
fn fails_late(expr: &Expr) -> bool {
    match expr {
        Expr::Call { function, args, ty } if function.name() == "/" && (ty.is_numeric() || ty.is_integer()) => {
            args.iter().any(fails_late)
        }
        other => other.is_fallible(),
    }
}

fn is_number(ty: &ScalarType) -> bool {
    ty.is_integer() || ty.is_float() || ty.is_numeric()
}

/// Lanes after the sums': of each growing sum, how many of its arguments are negative.
pub fn lanes(reading: &Reading, sums: &Accumulators) -> usize {
    sums.width() + reading.growing.len()
}

/// Whether adding the value makes a sum fall.
pub fn is_negative(datum: &Datum<'_>) -> bool {
    match datum {
        Datum::Int(value) => *value < 0,
        Datum::Numeric(value) => value.is_negative(),
        Datum::Float32(value) => *value < 0.0,
        Datum::Float64(value) => *value < 0.0,
        _ => false,
    }
}
