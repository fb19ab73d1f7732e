//! Chains of map, filter and project, fused into one pass over a scratch row.
//!
//! ```text
//!   Project(Filter(Map(base)))  ──peel──>  base + Mfp { steps: [map, filter], outputs }
//! ```
//!
//! 1. Steps keep the order of the plan: a map below a filter is evaluated for rows that the filter drops, one above it is not.
//! 2. A step that fails ends the row: the caller sends an error with the row's diff.
//! 3. Columns that no step and no output reads are skipped, not decoded.

use eval::{Arena, EvalError, Expr};
use row::{Datum, RowRef};

use crate::plan::Plan;

/// One step over the columns so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Appends a column.
    Map(Expr),
    /// Ends the row unless true.
    Filter(Expr),
}

/// A fused chain over rows of `arity` columns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mfp {
    pub arity: usize,
    pub steps: Vec<Step>,
    /// Output columns, numbered over the input's columns and then the maps'.
    pub outputs: Vec<usize>,
}

/// Why a row ended in an error.
pub struct Failure {
    /// Index of the step.
    pub step: usize,
    pub error: EvalError,
}

impl Mfp {
    pub fn identity(arity: usize) -> Mfp {
        Mfp { arity, steps: Vec::new(), outputs: (0..arity).collect() }
    }

    /// Puts one plan node on top. Panics on a node that is not a map, filter or project.
    pub fn push(&mut self, node: &Plan) {
        match node {
            Plan::Map { exprs, .. } => {
                // Every expression of the node reads the node's input, which the outputs so far name.
                let inputs = self.outputs.clone();
                for (expr, _) in exprs {
                    self.push_map(expr, &inputs);
                }
            }
            Plan::Filter { predicates, .. } => predicates.iter().for_each(|predicate| self.push_filter(predicate)),
            Plan::Project { columns, .. } => self.push_project(columns),
            other => panic!("not a row-wise node: {other:?}"),
        }
    }

    fn push_map(&mut self, expr: &Expr, inputs: &[usize]) {
        if let Expr::Column(column) = expr {
            self.outputs.push(inputs[*column]);
            return;
        }
        let mut expr = expr.clone();
        expr.map_columns(&mut |column| inputs[column]);
        self.outputs.push(self.width());
        self.steps.push(Step::Map(expr));
    }

    /// Keeps rows for which a predicate over the outputs so far is true.
    pub fn push_filter(&mut self, predicate: &Expr) {
        let mut predicate = predicate.clone();
        predicate.map_columns(&mut |column| self.outputs[column]);
        self.steps.push(Step::Filter(predicate));
    }

    /// Keeps some of the outputs so far.
    pub fn push_project(&mut self, columns: &[usize]) {
        self.outputs = columns.iter().map(|column| self.outputs[*column]).collect();
    }

    /// Appends a column computed from the outputs so far; gives its output number.
    pub fn push_expr(&mut self, expr: &Expr) -> usize {
        let inputs = self.outputs.clone();
        self.push_map(expr, &inputs);
        self.outputs.len() - 1
    }

    /// Puts another chain on top, which reads the outputs so far.
    pub fn append(&mut self, above: &Mfp) {
        assert_eq!(above.arity, self.outputs.len(), "a chain reads what the one below gives");
        let mut names = self.outputs.clone();
        for step in &above.steps {
            match step {
                Step::Map(expr) => {
                    let mut expr = expr.clone();
                    expr.map_columns(&mut |column| names[column]);
                    names.push(self.width());
                    self.steps.push(Step::Map(expr));
                }
                Step::Filter(expr) => {
                    let mut expr = expr.clone();
                    expr.map_columns(&mut |column| names[column]);
                    self.steps.push(Step::Filter(expr));
                }
            }
        }
        self.outputs = above.outputs.iter().map(|column| names[*column]).collect();
    }

    /// Two chains side by side, over the columns of both: first this one's, then the other's.
    pub fn beside(&self, other: &Mfp) -> Mfp {
        let arity = self.arity + other.arity;
        let own_maps = self.width() - self.arity;
        let place = |column: usize, base: usize, inputs: usize, maps: usize| {
            if column < inputs { base + column } else { arity + maps + column - inputs }
        };
        let mut steps = Vec::new();
        for (chain, base, maps) in [(self, 0, 0), (other, self.arity, own_maps)] {
            for step in &chain.steps {
                let mut step = step.clone();
                let (Step::Map(expr) | Step::Filter(expr)) = &mut step;
                expr.map_columns(&mut |column| place(column, base, chain.arity, maps));
                steps.push(step);
            }
        }
        let outputs = (self.outputs.iter().map(|column| place(*column, 0, self.arity, 0)))
            .chain(other.outputs.iter().map(|column| place(*column, self.arity, other.arity, own_maps)))
            .collect();
        Mfp { arity, steps, outputs }
    }

    /// Each output as an expression over the inputs. The chain has no filters.
    pub fn resolved(&self) -> Vec<Expr> {
        let mut columns: Vec<Expr> = (0..self.arity).map(Expr::Column).collect();
        for step in &self.steps {
            if let Step::Map(expr) = step {
                columns.push(expr.substitute(&columns));
            }
        }
        self.outputs.iter().map(|column| columns[*column].clone()).collect()
    }

    /// Columns after the last step.
    pub fn width(&self) -> usize {
        self.arity + self.steps.iter().filter(|step| matches!(step, Step::Map(_))).count()
    }

    pub fn is_identity(&self) -> bool {
        self.steps.is_empty()
            && self.outputs.len() == self.arity
            && self.outputs.iter().enumerate().all(|(i, c)| i == *c)
    }

    pub fn has_filter(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Filter(_)))
    }

    pub fn is_fallible(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Map(expr) | Step::Filter(expr) => expr.is_fallible(),
        })
    }

    /// Which input columns are read by a step or by a reader of `columns` (numbered over inputs and maps).
    pub fn needed(&self, columns: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut needed = vec![false; self.width()];
        columns.into_iter().for_each(|column| needed[column] = true);
        for step in &self.steps {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            expr.for_each_column(&mut |column| needed[column] = true);
        }
        needed.truncate(self.arity);
        needed
    }

    /// Runs the steps over decoded input columns; `columns` grows by the maps. False: a filter ended the row.
    pub fn run<'a>(&'a self, columns: &mut Vec<Datum<'a>>, arena: &'a Arena) -> Result<bool, Failure> {
        for (i, step) in self.steps.iter().enumerate() {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            let value = expr.eval(columns, arena).map_err(|error| Failure { step: i, error })?;
            match step {
                Step::Map(_) => columns.push(value),
                Step::Filter(_) => {
                    if !matches!(value, Datum::Bool(true)) {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }
}

/// An empty vector that keeps its allocation but forgets the lifetime of what it held: a scratch row for the next row.
pub fn recycle<'b>(mut columns: Vec<Datum<'_>>) -> Vec<Datum<'b>> {
    columns.clear();
    columns.into_iter().map(|_| unreachable!("the vector is empty")).collect()
}

/// Decodes the needed columns of a row; the others become NULL.
pub fn unpack<'a>(row: RowRef<'a>, needed: &[bool], columns: &mut Vec<Datum<'a>>) {
    let mut iter = row.iter();
    for needed in needed {
        if *needed {
            columns.push(iter.next().expect("a row has as many columns as its plan says"));
        } else {
            iter.skip_one();
            columns.push(Datum::Null);
        }
    }
}
