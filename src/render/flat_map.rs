//! Table functions: each row and, beside it, the rows that its calls give.
//!
//! ```text
//!   rows ──(map, filter)──> arguments ──> generate_series, unnest, … ──> input columns ++ columns of the calls
//! ```
//!
//! Stateless: a row that goes takes back the rows that it gave. A row on which a call fails gives an error and nothing else.

use std::sync::Arc;

use eval::{Arena, TableCall};
use flow::{Emit, RowLogic};
use row::{Datum, Row, RowBuilder, RowRef};

use super::errors::Blame;
use super::mfp::{Mfp, Step, unpack};
use super::parts::Part;
use super::{Context, describe};
use crate::plan::{Column, Plan};

impl Context {
    pub fn flat_map(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        calls: &[(TableCall, Column)],
        ordinality: bool,
        keeps_input: bool,
    ) -> Vec<Part> {
        let (base, mfp) = self.peel_input(input);
        let rows = self.rows(&base);
        let logic = self.flat_logic(mfp, calls, ordinality, keeps_input);
        let (rows, errors) = flow::map_to_rows(rows, &describe(plan), logic);
        self.add_errors(errors);
        vec![Part::rows(rows, plan.arity())]
    }

    /// What one row gives, after the chain below it.
    pub fn flat_logic(
        &self,
        mfp: Mfp,
        calls: &[(TableCall, Column)],
        ordinality: bool,
        keeps_input: bool,
    ) -> RowLogic<Row> {
        let outputs = mfp.outputs.clone();
        let mut chain = mfp;
        // Arguments are steps of the chain, so that each has its own blame.
        let mut args: Vec<Vec<usize>> = Vec::with_capacity(calls.len());
        for (call, _) in calls {
            let at: Vec<usize> = call.args.iter().map(|arg| chain.push_expr(arg)).collect();
            args.push(at.into_iter().map(|at| chain.outputs[at]).collect());
        }
        let functions: Vec<_> = calls.iter().map(|(call, _)| call.function).collect();
        let mut blames = Vec::with_capacity(chain.steps.len());
        for step in &chain.steps {
            let (Step::Map(expr) | Step::Filter(expr)) = step;
            blames.push(Blame { model: self.model.clone(), expression: expr.describe(&[]) });
        }
        let call_blames: Vec<Blame> = calls
            .iter()
            .map(|(call, _)| {
                let args: Vec<String> = call.args.iter().map(|arg| arg.describe(&[])).collect();
                let expression = format!("{}({})", call.function.name(), args.join(", "));
                Blame { model: self.model.clone(), expression }
            })
            .collect();
        let reads: Vec<usize> = outputs.iter().chain(args.iter().flatten()).copied().collect();
        let needed = Mfp { outputs: reads, ..chain.clone() }.needs(&[]);
        Box::new(move |row: RowRef<'_>, emit: &mut Emit<Row>| {
            let arena = Arena::new();
            let mut columns: Vec<Datum<'_>> = Vec::with_capacity(chain.width());
            unpack(row, &needed, &mut columns);
            match chain.run(&mut columns, &arena) {
                Ok(false) => return,
                Ok(true) => {}
                Err(failure) => {
                    emit.errors.push(blames[failure.step].row(&failure.error.0, row.iter()));
                    return;
                }
            }
            let mut results = Vec::with_capacity(functions.len());
            for (index, function) in functions.iter().enumerate() {
                let args: Vec<Datum<'_>> = args[index].iter().map(|arg| columns[*arg].clone()).collect();
                match function.rows(&args) {
                    Ok(rows) => results.push(rows),
                    Err(error) => {
                        emit.errors.push(call_blames[index].row(&error.0, row.iter()));
                        return;
                    }
                }
            }
            let mut builder = RowBuilder::default();
            for beside in eval::table_function::side_by_side(&results, ordinality, keeps_input) {
                outputs.iter().for_each(|column| builder.push(&columns[*column]));
                builder.push_row(beside.as_ref());
                emit.rows.push(builder.finish());
            }
        })
    }
}
