//! Flow files: a situation, change by change, readable without knowing Rust.
//!
//! ```text
//!   source orders(id bigint, cents bigint)
//!   model paid
//!     select id, cents from orders where cents > 0
//!   clock 2025-01-01 12:00  the clock's value from the open epoch on (UTC); at first 2025-01-01 00:00
//!   + orders 7 500          a row comes
//!   - orders 7 500          a row goes
//!   @ 1                     the epoch closes
//!   ~ paid                  what changed in the epoch: diff, then columns
//!     +1 7 500
//!   = paid                  the whole table
//!     7 500
//!   !                       all that is set aside: model, then reason
//!     paid division by zero
//! ```
//!
//! Each file is replayed in eight ways (`Way`), which must all give what it says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use eval::{Arena, Expr};
use row::{Datum, Diff, Row, ScalarType, calendar};

use crate::engine::{Dataflow, Output, Workers, WorkersGone};
use crate::plan::clock::ClockReading;
use crate::plan::rewrite::{RewriteOptions, optimize};
use crate::plan::{self, Column, Plan, RelationId, RelationType};
use crate::render::{RenderModel, error_columns};
use crate::testkit::interpret;
use crate::time::Moment;

/// A way to replay a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As written, one worker.
    Plain,
    /// Four workers.
    FourWorkers,
    /// All state in arrangements, no operator's own.
    Arranged,
    /// Every change an epoch of its own.
    SingleChanges,
    /// Changes of an epoch in another order.
    Shuffled,
    /// Stopped after every epoch and rebuilt from the changes so far.
    Resumed,
    /// As written, and at each epoch's end compared with a batch computation over the rows that are there.
    Batch,
    /// As written, then every change undone: nothing is left.
    Undone,
}

pub const WAYS: [Way; 8] = [
    Way::Plain,
    Way::FourWorkers,
    Way::Arranged,
    Way::SingleChanges,
    Way::Shuffled,
    Way::Resumed,
    Way::Batch,
    Way::Undone,
];

/// The clock until a file says otherwise: 2025-01-01 00:00:00 UTC.
const START_MICROS: i64 = 1_735_689_600_000_000;

/// A parsed file.
#[derive(Clone, Debug, Default)]
pub struct FlowFile {
    sources: Vec<(String, RelationType)>,
    models: Vec<(String, String)>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Change { source: usize, row: Row, diff: Diff },
    Clock(i64),
    Close,
    Expect(Expectation),
}

#[derive(Clone, Debug)]
struct Expectation {
    kind: ExpectKind,
    /// Sorted lines.
    lines: Vec<String>,
    /// Line number in the file, for messages and for completion.
    at: usize,
    /// How many lines of the file the expectation's body takes.
    body: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ExpectKind {
    Deltas(usize),
    Table(usize),
    Errors,
}

/// The state that expectations look at.
#[derive(Default)]
struct Seen {
    tables: Vec<BTreeMap<Row, Diff>>,
    /// Net changes since the last close that the file wrote.
    deltas: Vec<BTreeMap<Row, Diff>>,
    errors: BTreeMap<Row, Diff>,
}

impl FlowFile {
    /// Parses a file; an error names the line.
    pub fn parse(text: &str) -> Result<FlowFile, String> {
        let mut file = FlowFile::default();
        let lines: Vec<&str> = text.lines().collect();
        let mut i = 0;
        while i < lines.len() {
            let line = lines[i];
            let at = i;
            i += 1;
            let body_end = (i..lines.len()).find(|j| !lines[*j].starts_with("  ")).unwrap_or(lines.len());
            let body: Vec<&str> = lines[i..body_end].iter().map(|line| line.trim()).collect();
            let fail = |message: String| format!("line {}: {message}", at + 1);
            let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
            match head {
                "" | "#" => continue,
                "source" => file.sources.push(parse_source(rest).map_err(fail)?),
                "model" => {
                    file.models.push((rest.trim().to_owned(), body.join("\n")));
                    i = body_end;
                }
                "+" | "-" => {
                    let (table, values) = rest.split_once(' ').unwrap_or((rest, ""));
                    let source = file.source(table).map_err(fail)?;
                    let row = parse_row(values, &file.sources[source].1.columns).map_err(fail)?;
                    file.steps.push(Step::Change { source, row, diff: if head == "+" { 1 } else { -1 } });
                }
                "clock" => {
                    let micros = calendar::parse_timestamptz(rest.trim(), chrono_tz::Tz::UTC);
                    file.steps.push(Step::Clock(micros.map_err(|error| fail(error.to_string()))?));
                }
                "@" => file.steps.push(Step::Close),
                "~" | "=" | "!" => {
                    let kind = match head {
                        "!" => ExpectKind::Errors,
                        _ => {
                            let model = file.models.iter().position(|(name, _)| name == rest.trim());
                            let model = model.ok_or_else(|| fail(format!("no model \"{}\"", rest.trim())))?;
                            if head == "~" { ExpectKind::Deltas(model) } else { ExpectKind::Table(model) }
                        }
                    };
                    let mut lines: Vec<String> = body.iter().map(|line| (*line).to_owned()).collect();
                    lines.sort();
                    file.steps.push(Step::Expect(Expectation { kind, lines, at, body: body.len() }));
                    i = body_end;
                }
                other => {
                    return Err(fail(format!(
                        "a line begins with source, model, clock, +, -, @, ~, = or !, not \"{other}\""
                    )));
                }
            }
        }
        Ok(file)
    }

    fn source(&self, name: &str) -> Result<usize, String> {
        self.sources.iter().position(|(source, _)| source == name).ok_or_else(|| format!("no source \"{name}\""))
    }

    /// Plans all models; a model may read those before it.
    fn plan(&self) -> Result<Vec<(Arc<Plan>, Vec<Column>)>, String> {
        let mut relations: BTreeMap<String, RelationType> = self.sources.iter().cloned().collect();
        let mut bound = Vec::new();
        for (name, sql) in &self.models {
            let resolve = |parts: &[String]| {
                let name = parts.last()?;
                relations.get(name).map(|typ| (RelationId(name.as_str().into()), typ.clone()))
            };
            let model = plan::bind(sql, &resolve).map_err(|error| format!("model {name}: {error}"))?;
            let typ = model.plan.typ();
            relations.insert(name.clone(), RelationType { columns: model.columns.clone(), keys: typ.keys.clone() });
            bound.push((RelationId(name.as_str().into()), model));
        }
        let plans = bound.iter().map(|(id, model)| (id.clone(), model.plan.clone())).collect();
        let optimized = plan::inline(optimize(plans, &RewriteOptions::default()));
        Ok(optimized.into_iter().zip(bound).map(|((_, plan), (_, model))| (plan, model.columns)).collect())
    }

    /// Replays the file one way; an error shows what was expected and what came.
    pub fn check(&self, way: Way) -> Result<(), String> {
        self.replay(way, &mut |expectation, lines| {
            if expectation.lines == lines {
                return Ok(());
            }
            Err(format!(
                "line {}, {way:?}: expected\n  {}\nbut came\n  {}",
                expectation.at + 1,
                expectation.lines.join("\n  "),
                lines.join("\n  ")
            ))
        })
    }

    /// The file's text with every expectation replaced by what comes.
    pub fn complete(&self, text: &str) -> Result<String, String> {
        let mut found: BTreeMap<usize, (usize, Vec<String>)> = BTreeMap::new();
        self.replay(Way::Plain, &mut |expectation, lines| {
            found.insert(expectation.at, (expectation.body, lines));
            Ok(())
        })?;
        let mut completed = String::new();
        let mut skip = 0;
        for (i, line) in text.lines().enumerate() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            completed.push_str(line);
            completed.push('\n');
            if let Some((body, lines)) = found.get(&i) {
                skip = *body;
                lines.iter().for_each(|line| {
                    let _ = writeln!(completed, "  {line}");
                });
            }
        }
        Ok(completed)
    }

    fn replay(
        &self,
        way: Way,
        look: &mut dyn FnMut(&Expectation, Vec<String>) -> Result<(), String>,
    ) -> Result<(), String> {
        let planned = self.plan()?;
        let plans: Vec<Arc<Plan>> = planned.iter().map(|(plan, _)| plan.clone()).collect();
        let mut moment = Moment::new(START_MICROS, chrono_tz::Tz::UTC);
        let mut flow = Running::start(self, &plans, way);
        let mut seen = Seen::new(plans.len());
        let mut history: Vec<(usize, Row, Diff)> = Vec::new();
        let mut open: Vec<(usize, Row, Diff)> = Vec::new();
        let mut closed_at = moment;
        for step in &self.steps {
            match step {
                Step::Change { source, row, diff } => open.push((*source, row.clone(), *diff)),
                Step::Clock(micros) => moment = Moment::new(*micros, chrono_tz::Tz::UTC),
                Step::Close => {
                    seen.deltas.iter_mut().for_each(BTreeMap::clear);
                    if way == Way::Shuffled {
                        shuffle(&mut open);
                    }
                    if way == Way::Resumed && flow.next > 0 {
                        flow = Running::start(self, &plans, way);
                        flow.epoch(&history, closed_at)?;
                    }
                    if way == Way::SingleChanges && !open.is_empty() {
                        for change in &open {
                            let outputs = flow.epoch(std::slice::from_ref(change), moment)?;
                            seen.note(outputs);
                        }
                    } else {
                        let outputs = flow.epoch(&open, moment)?;
                        seen.note(outputs);
                    }
                    history.append(&mut open);
                    closed_at = moment;
                    if way == Way::Batch {
                        seen.equals_batch(self, &plans, &history, moment)?;
                    }
                }
                Step::Expect(expectation) => {
                    look(expectation, seen.lines(&expectation.kind, &planned))?;
                }
            }
        }
        if way == Way::Undone {
            let undo: Vec<_> = history.iter().map(|(source, row, diff)| (*source, row.clone(), -diff)).collect();
            seen.note(flow.epoch(&undo, moment)?);
            // What was to come or go later is gone, too.
            let later = Moment::new(moment.now + 200 * 365 * calendar::MICROS_PER_DAY, chrono_tz::Tz::UTC);
            seen.note(flow.epoch(&[], later)?);
            let empty = Running::start(self, &plans, Way::Plain).epoch(&[], later)?;
            let mut nothing = Seen::new(plans.len());
            nothing.note(empty);
            for (i, table) in seen.tables.iter().enumerate() {
                if *table != nothing.tables[i] {
                    return Err(format!("after undoing everything, {} holds {table:?}", self.models[i].0));
                }
            }
            if !seen.errors.is_empty() {
                return Err(format!("after undoing everything, errors are left: {:?}", seen.errors));
            }
        }
        Ok(())
    }
}

/// A dataflow under test.
struct Running {
    workers: Workers,
    next: u64,
    outputs: usize,
}

impl Running {
    fn start(file: &FlowFile, plans: &[Arc<Plan>], way: Way) -> Running {
        let models = file.models.iter().zip(plans);
        let dataflow = Dataflow {
            inputs: file.sources.iter().map(|(name, _)| RelationId(name.as_str().into())).collect(),
            models: models.map(|((name, _), plan)| RenderModel { id: name.clone(), plan: plan.clone() }).collect(),
            arranged_only: way == Way::Arranged,
        };
        let workers = Workers::start(dataflow, if way == Way::FourWorkers { 4 } else { 1 });
        Running { workers, next: 0, outputs: plans.len() }
    }

    /// Feeds changes, closes the epoch, and gives the net changes of every output and of the errors.
    fn epoch(&mut self, changes: &[(usize, Row, Diff)], moment: Moment) -> Result<Vec<(Output, Row, Diff)>, String> {
        self.workers.set_clock(moment).map_err(|error| error.to_string())?;
        for (source, row, diff) in changes {
            self.workers.feed(*source, vec![(row.clone(), *diff)]).map_err(|error| error.to_string())?;
        }
        self.workers.close(self.next).map_err(|error| error.to_string())?;
        self.next += 1;
        let mut all = Vec::new();
        for _ in 0..self.workers.count() {
            let changes =
                self.workers.changes().recv().unwrap_or(Err(WorkersGone)).map_err(|error| error.to_string())?;
            for (output, updates) in changes.outputs {
                debug_assert!(!matches!(output, Output::Model(i) if i >= self.outputs));
                all.extend(updates.into_iter().map(|(row, diff)| (output, row, diff)));
            }
        }
        Ok(all)
    }
}

impl Seen {
    fn new(models: usize) -> Seen {
        Seen { tables: vec![BTreeMap::new(); models], deltas: vec![BTreeMap::new(); models], errors: BTreeMap::new() }
    }

    fn note(&mut self, outputs: Vec<(Output, Row, Diff)>) {
        for (output, row, diff) in outputs {
            match output {
                Output::Model(i) => {
                    add(&mut self.tables[i], row.clone(), diff);
                    add(&mut self.deltas[i], row, diff);
                }
                Output::Errors => add(&mut self.errors, row, diff),
                Output::Positions => {}
            }
        }
    }

    /// Whether every table is what a batch computation over the rows of now gives, by value.
    fn equals_batch(
        &self,
        file: &FlowFile,
        plans: &[Arc<Plan>],
        history: &[(usize, Row, Diff)],
        moment: Moment,
    ) -> Result<(), String> {
        let mut inputs = interpret::Inputs::new();
        for reading in ClockReading::ALL {
            add(inputs.entry(reading.relation()).or_default(), moment.row(reading), 1);
        }
        for (source, row, diff) in history {
            let relation = RelationId(file.sources[*source].0.as_str().into());
            add(inputs.entry(relation).or_default(), row.clone(), *diff);
        }
        for (i, plan) in plans.iter().enumerate() {
            let batch = interpret::by_value(&interpret::interpret(plan, &inputs).rows);
            let maintained = interpret::by_value(&self.tables[i]);
            if batch != maintained {
                return Err(format!("{}: batch gives {batch:?}, maintained is {maintained:?}", file.models[i].0));
            }
        }
        Ok(())
    }

    fn lines(&self, kind: &ExpectKind, planned: &[(Arc<Plan>, Vec<Column>)]) -> Vec<String> {
        let mut lines = Vec::new();
        match kind {
            ExpectKind::Deltas(i) => {
                for (row, diff) in &self.deltas[*i] {
                    lines.push(format!("{diff:+} {}", print_row(row, &planned[*i].1)));
                }
            }
            ExpectKind::Table(i) => {
                for (row, diff) in &self.tables[*i] {
                    let line = print_row(row, &planned[*i].1);
                    let copies = usize::try_from(*diff).unwrap_or(0);
                    lines.extend(std::iter::repeat_n(line, copies));
                    if *diff < 0 {
                        lines.push(format!("{diff} copies of {}", print_row(row, &planned[*i].1)));
                    }
                }
            }
            ExpectKind::Errors => {
                for (row, diff) in &self.errors {
                    let columns = error_columns(row.as_ref());
                    for _ in 0..*diff {
                        lines.push(format!("{} {}", columns.model, columns.reason));
                    }
                }
            }
        }
        lines.sort();
        lines
    }
}

fn add(map: &mut BTreeMap<Row, Diff>, row: Row, diff: Diff) {
    let count = map.entry(row.clone()).or_default();
    *count += diff;
    if *count == 0 {
        map.remove(&row);
    }
}

/// Another order that keeps nothing where it was: the same for every run.
fn shuffle(changes: &mut [(usize, Row, Diff)]) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for i in (1..changes.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        changes.swap(i, (state >> 33) as usize % (i + 1));
    }
}

/// `orders(id bigint, amount numeric(12,2)) key id`: keys are comma-separated columns.
fn parse_source(text: &str) -> Result<(String, RelationType), String> {
    let (name, rest) = text.split_once('(').ok_or("a source has columns in brackets")?;
    let end = rest.rfind(')').ok_or("a source has columns in brackets")?;
    let mut columns = Vec::new();
    for column in split_commas(&rest[..end]) {
        let (column, ty) = column.split_once(' ').ok_or_else(|| format!("column \"{column}\" has no type"))?;
        let ty = plan::sql::parse_type(ty.trim()).map_err(|error| error.to_string())?;
        let scale_max = match &ty {
            ScalarType::Numeric(Some(typmod)) => u16::try_from(typmod.scale).ok(),
            _ => None,
        };
        columns.push(Column { name: column.to_owned(), ty, nullable: true, scale_max });
    }
    let mut keys = Vec::new();
    if let Some(key) = rest[end + 1..].trim().strip_prefix("key ") {
        let mut key_columns = Vec::new();
        for name in key.split(',') {
            let at = columns.iter().position(|column| column.name == name.trim());
            let at = at.ok_or_else(|| format!("no column \"{}\" for the key", name.trim()))?;
            columns[at].nullable = false;
            key_columns.push(at);
        }
        keys.push(key_columns);
    }
    Ok((name.trim().to_owned(), RelationType { columns, keys }))
}

/// Splits at commas outside brackets.
fn split_commas(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// Values separated by blanks; `null`; quotes around what has blanks in it.
fn parse_row(text: &str, columns: &[Column]) -> Result<Row, String> {
    let values = split_values(text)?;
    if values.len() != columns.len() {
        return Err(format!("{} values for {} columns", values.len(), columns.len()));
    }
    let arena = Arena::new();
    let mut datums = Vec::new();
    for (value, column) in values.iter().zip(columns) {
        datums.push(match value {
            None => Datum::Null,
            Some(value) => parse_value(value, &column.ty, &arena)?,
        });
    }
    Ok(Row::pack(datums))
}

fn split_values(text: &str) -> Result<Vec<Option<String>>, String> {
    let mut values = Vec::new();
    let mut chars = text.trim().chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            ' ' => {}
            '\'' => {
                let mut value = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            value.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => value.push(c),
                        None => return Err("a quote is not closed".to_owned()),
                    }
                }
                values.push(Some(value));
            }
            first => {
                let mut value = String::from(first);
                while let Some(c) = chars.next_if(|c| *c != ' ') {
                    value.push(c);
                }
                values.push((value != "null").then_some(value));
            }
        }
    }
    Ok(values)
}

fn parse_value<'a>(value: &str, ty: &ScalarType, arena: &'a Arena) -> Result<Datum<'a>, String> {
    let text: &'a str = arena.alloc_str(value);
    let cast: &'a Expr = arena.alloc(Expr::Cast {
        input: Box::new(Expr::Column(0)),
        from: ScalarType::Text,
        to: ty.clone(),
        explicit: true,
    });
    let columns: &'a [Datum<'a>] = arena.alloc([Datum::Text(text)]);
    cast.eval(columns, arena).map_err(|error| error.to_string())
}

fn print_row(row: &Row, columns: &[Column]) -> String {
    let mut line = String::new();
    for (datum, column) in row.iter().zip(columns) {
        if !line.is_empty() {
            line.push(' ');
        }
        if datum.is_null() {
            line.push_str("null");
            continue;
        }
        let mut text = String::new();
        datum.write_text(&column.ty, chrono_tz::Tz::UTC, &mut text);
        if text.is_empty() || text.contains(' ') || text == "null" || text.contains('\'') {
            let _ = write!(line, "'{}'", text.replace('\'', "''"));
        } else {
            line.push_str(&text);
        }
    }
    line
}
