//! Row-at-a-time operators: a fused chain of map, filter and project, with an error output.

use differential_dataflow::difference::Multiply;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::trace::{BatchReader, Cursor, Navigable};
use differential_dataflow::{AsCollection, VecCollection};
use row::{Diff, Epoch, Row, RowRef};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Timestamp;

use crate::arrange::RowBatch;
use crate::{Accum, Accums, Batches, Keyed, Rows, is_failed};

/// What one input row gave: records, or an error, or nothing.
pub struct Emit<D> {
    pub rows: Vec<D>,
    pub errors: Vec<Row>,
}

impl<D> Default for Emit<D> {
    fn default() -> Emit<D> {
        Emit { rows: Vec::new(), errors: Vec::new() }
    }
}

pub(crate) type RowLogic<D> = Box<dyn FnMut(RowRef<'_>, &mut Emit<D>)>;
type PairLogic<D> = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, &mut Emit<D>)>;

/// Maps rows to rows.
pub fn map_to_rows<'scope>(rows: Rows<'scope>, name: &str, logic: RowLogic<Row>) -> (Rows<'scope>, Rows<'scope>) {
    let (rows, errors) = map(rows, name, logic, |row, epoch, diff| (row, epoch, diff));
    (rows.as_collection(), errors)
}

/// Maps rows to (key, value) rows.
pub fn map_to_keyed<'scope>(
    rows: Rows<'scope>,
    name: &str,
    logic: RowLogic<(Row, Row)>,
) -> (Keyed<'scope>, Rows<'scope>) {
    let (rows, errors) = map(rows, name, logic, |row, epoch, diff| (row, epoch, diff));
    (rows.as_collection(), errors)
}

/// Maps rows to accumulators by group.
pub fn map_to_accums<'scope>(
    rows: Rows<'scope>,
    name: &str,
    logic: RowLogic<(Row, Accum)>,
) -> (Accums<'scope>, Rows<'scope>) {
    let (rows, errors) = map(rows, name, logic, |(row, accum), epoch, diff| (row, epoch, accum.multiply(&diff)));
    (rows.as_collection(), errors)
}

/// Reads an arrangement's changes as rows; the closure sees key and value. Values that failed are passed over.
pub fn read_to_rows<'scope>(
    batches: Batches<'scope>,
    name: &str,
    logic: PairLogic<Row>,
) -> (Rows<'scope>, Rows<'scope>) {
    let (rows, errors) = read(batches, name, logic, |row, epoch, diff| (row, epoch, diff));
    (rows.as_collection(), errors)
}

/// Reads an arrangement's changes as (key, value) rows.
pub fn read_to_keyed<'scope>(
    batches: Batches<'scope>,
    name: &str,
    logic: PairLogic<(Row, Row)>,
) -> (Keyed<'scope>, Rows<'scope>) {
    let (rows, errors) = read(batches, name, logic, |row, epoch, diff| (row, epoch, diff));
    (rows.as_collection(), errors)
}

/// Reads an arrangement's changes as accumulators by group.
pub fn read_to_accums<'scope>(
    batches: Batches<'scope>,
    name: &str,
    logic: PairLogic<(Row, Accum)>,
) -> (Accums<'scope>, Rows<'scope>) {
    let (rows, errors) = read(batches, name, logic, |(row, accum), epoch, diff| (row, epoch, accum.multiply(&diff)));
    (rows.as_collection(), errors)
}

/// The errors that a reduce put into its values.
pub fn split_failed<'scope>(batches: Batches<'scope>, name: &str) -> Rows<'scope> {
    let (_, errors) = drive::<Epoch, RowBatch, Row, (Row, Epoch, Diff)>(
        batches,
        name,
        Box::new(|batch, _, _, errors| {
            for_each_update(batch, |_, value, updates| {
                if is_failed(value) {
                    let error = Row::from_bytes(&value.bytes()[1..]);
                    errors.extend(updates.iter().map(|(epoch, diff)| (error.clone(), *epoch, *diff)));
                }
            });
        }),
    );
    errors
}

/// As `map_to_rows`, at any time.
pub(crate) fn map_at<'scope, T: Timestamp + Lattice, D: Clone + 'static>(
    rows: VecCollection<'scope, T, Row, Diff>,
    name: &str,
    logic: RowLogic<D>,
) -> (VecCollection<'scope, T, D, Diff>, VecCollection<'scope, T, Row, Diff>) {
    let (rows, errors) = map(rows, name, logic, |record, time, diff| (record, time, diff));
    (rows.as_collection(), errors)
}

fn map<'scope, T: Timestamp, D: 'static, U: Clone + 'static>(
    rows: VecCollection<'scope, T, Row, Diff>,
    name: &str,
    mut logic: RowLogic<D>,
    update: impl Fn(D, T, Diff) -> U + 'static,
) -> (Stream<'scope, T, Vec<U>>, VecCollection<'scope, T, Row, Diff>) {
    drive::<T, (Row, T, Diff), D, U>(
        rows.inner,
        name,
        Box::new(move |(row, time, diff), emit, outputs, errors| {
            logic(row.as_ref(), emit);
            for record in emit.rows.drain(..) {
                outputs.push(update(record, time.clone(), *diff));
            }
            for error in emit.errors.drain(..) {
                errors.push((error, time.clone(), *diff));
            }
        }),
    )
}

fn read<'scope, D: Clone + 'static, U: Clone + 'static>(
    batches: Batches<'scope>,
    name: &str,
    mut logic: PairLogic<D>,
    update: impl Fn(D, Epoch, Diff) -> U + 'static,
) -> (Stream<'scope, Epoch, Vec<U>>, Rows<'scope>) {
    drive::<Epoch, RowBatch, D, U>(
        batches,
        name,
        Box::new(move |batch, emit, outputs, errors| {
            for_each_update(batch, |key, value, updates| {
                if !is_failed(value) {
                    logic(key, value, emit);
                    send(emit, updates, &update, outputs, errors);
                }
            });
        }),
    )
}

/// Sends what `emit` holds once for each of the updates, and empties it.
fn send<D: Clone, U>(
    emit: &mut Emit<D>,
    updates: &[(Epoch, Diff)],
    update: impl Fn(D, Epoch, Diff) -> U,
    outputs: &mut Vec<U>,
    errors: &mut Vec<(Row, Epoch, Diff)>,
) {
    for record in emit.rows.drain(..) {
        if let [(epoch, diff)] = updates {
            outputs.push(update(record, *epoch, *diff));
        } else {
            outputs.extend(updates.iter().map(|(epoch, diff)| update(record.clone(), *epoch, *diff)));
        }
    }
    for error in emit.errors.drain(..) {
        errors.extend(updates.iter().map(|(epoch, diff)| (error.clone(), *epoch, *diff)));
    }
}

fn for_each_update(batch: &RowBatch, mut logic: impl FnMut(RowRef<'_>, RowRef<'_>, &[(Epoch, Diff)])) {
    if batch.is_empty() {
        return;
    }
    let mut updates = Vec::new();
    let mut cursor = batch.cursor();
    while let Some(key) = cursor.get_key(batch) {
        while let Some(value) = cursor.get_val(batch) {
            updates.clear();
            cursor.map_times(batch, |epoch, diff| updates.push((*epoch, *diff)));
            logic(key, value, &updates);
            cursor.step_val(batch);
        }
        cursor.step_key(batch);
    }
}

/// Outputs are handed over in containers of about this many records.
const OUTPUT_RECORDS_MAX: usize = 1024;

type Step<T, I, D, U> = Box<dyn FnMut(&mut I, &mut Emit<D>, &mut Vec<U>, &mut Vec<(Row, T, Diff)>)>;

/// An operator with one input and two outputs, records and errors. `step` turns one input record into outputs.
fn drive<'scope, T: Timestamp, I: Clone + 'static, D: 'static, U: Clone + 'static>(
    input: Stream<'scope, T, Vec<I>>,
    name: &str,
    mut step: Step<T, I, D, U>,
) -> (Stream<'scope, T, Vec<U>>, VecCollection<'scope, T, Row, Diff>) {
    let scope: Scope<'scope, T> = input.scope();
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let mut input = builder.new_input(input, Pipeline);
    builder.set_notify_for(0, timely::progress::operate::FrontierInterest::Never);
    let (records, record_stream) = builder.new_output();
    let (errors, error_stream) = builder.new_output();
    let mut records = OutputBuilder::<_, CapacityContainerBuilder<Vec<U>>>::from(records);
    let mut errors = OutputBuilder::<_, CapacityContainerBuilder<Vec<(Row, T, Diff)>>>::from(errors);
    let mut emit = Emit::default();
    let mut record_buffer: Vec<U> = Vec::new();
    let mut error_buffer: Vec<(Row, T, Diff)> = Vec::new();
    builder.build(move |_capabilities| {
        move |_frontiers| {
            let mut records = records.activate();
            let mut errors = errors.activate();
            input.for_each(|capability, data| {
                for mut item in data.drain(..) {
                    step(&mut item, &mut emit, &mut record_buffer, &mut error_buffer);
                    if record_buffer.len() >= OUTPUT_RECORDS_MAX {
                        records.session(&capability).give_container(&mut record_buffer);
                        record_buffer.clear();
                    }
                }
                if !record_buffer.is_empty() {
                    records.session(&capability).give_container(&mut record_buffer);
                    record_buffer.clear();
                }
                if !error_buffer.is_empty() {
                    errors.session(&capability).give_container(&mut error_buffer);
                    error_buffer.clear();
                }
            });
        }
    });
    (record_stream, error_stream.as_collection())
}
