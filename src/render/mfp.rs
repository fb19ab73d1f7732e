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
use row::{Datum, DatumIter, Row, RowRef, ScalarType};

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

    /// What is wanted of each input column by the steps and by a reader of the outputs, of which it only moves some on.
    pub fn needs(&self, moves: &[bool]) -> Vec<Need> {
        let mut needs = vec![Need::Nothing; self.width()];
        for (at, column) in self.outputs.iter().enumerate() {
            let moves = moves.get(at).copied().unwrap_or(false);
            if needs[*column] != Need::Value {
                needs[*column] = if moves { Need::Bytes } else { Need::Value };
            }
        }
        for step in &self.steps {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            expr.for_each_column(&mut |column| needs[column] = Need::Value);
        }
        needs.truncate(self.arity);
        needs
    }

    /// Takes filters off the front that keep rows of which one of the first `arity` columns is one of some texts.
    pub fn take_matches(&mut self, arity: usize) -> Vec<Match> {
        let found: Vec<Match> = self
            .steps
            .iter()
            .map_while(|step| match step {
                Step::Filter(expr) => Match::of(expr, arity),
                Step::Map(_) => None,
            })
            .collect();
        self.steps.drain(..found.len());
        found
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

/// A filter `column = 'value'` or `column in ('value', …)`, which looks at packed bytes.
#[derive(Clone, Debug)]
pub struct Match {
    column: usize,
    values: Vec<Row>,
}

impl Match {
    fn of(expr: &Expr, arity: usize) -> Option<Match> {
        let (input, list) = match expr {
            Expr::Call { function, args, .. } if function.name() == "=" => match &args[..] {
                [column @ Expr::Column(_), value] | [value, column @ Expr::Column(_)] => {
                    (column, std::slice::from_ref(value))
                }
                _ => return None,
            },
            Expr::InList { input, list } => (&**input, &list[..]),
            _ => return None,
        };
        let Expr::Column(column) = input else { return None };
        // A text is one only to itself; numbers of other widths are, too, but not those of other types.
        let values = list.iter().map(|value| match value {
            Expr::Literal { value, ty: ScalarType::Text | ScalarType::Varchar(_) } => match value.datum() {
                value @ Datum::Text(_) => Some(Row::pack([value])),
                _ => None,
            },
            _ => None,
        });
        let values: Vec<Row> = values.collect::<Option<_>>()?;
        (*column < arity).then_some(Match { column: *column, values })
    }

    /// Whether a row passes.
    #[inline]
    pub fn holds(&self, row: RowRef<'_>) -> bool {
        let mut iter = row.iter();
        for _ in 0..self.column {
            iter.skip_one();
        }
        // A packed value says how long it is, so what begins with it has it.
        self.values.iter().any(|value| iter.rest().starts_with(value.bytes()))
    }
}

/// What a reader wants of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// Its bytes: it is only moved on.
    Bytes,
    Value,
}

impl Need {
    /// Takes a column from a row as it is wanted.
    #[inline]
    pub fn take<'a>(self, iter: &mut DatumIter<'a>) -> Datum<'a> {
        match self {
            Need::Nothing => {
                iter.skip_one();
                Datum::Null
            }
            Need::Bytes => Datum::Packed(iter.next_packed().expect("a row has as many columns as its plan says")),
            Need::Value => iter.next().expect("a row has as many columns as its plan says"),
        }
    }
}

/// An empty vector that keeps its allocation but forgets the lifetime of what it held: a scratch row for the next row.
pub fn recycle<'b>(mut columns: Vec<Datum<'_>>) -> Vec<Datum<'b>> {
    columns.clear();
    // SAFETY: the vector is empty, so nothing in it lives as long as either lifetime says; the types differ in nothing else.
    unsafe { std::mem::transmute::<Vec<Datum<'_>>, Vec<Datum<'b>>>(columns) }
}

/// Decodes the needed columns of a row; the others become NULL.
pub fn unpack<'a>(row: RowRef<'a>, needed: &[Need], columns: &mut Vec<Datum<'a>>) {
    let mut iter = row.iter();
    columns.extend(needed.iter().map(|need| need.take(&mut iter)));
}
