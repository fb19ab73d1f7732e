//! Snapshots: which versions open and close when a key's row changes, as `dbt snapshot` decides it.
//!
//! ```text
//!   key's row  open version     new: opens    changed: closes and opens    gone: as hard_deletes says    else: nothing
//! ```
//!
//! 1. One live turn is one `dbt snapshot` at the turn's clock, over the rows of that turn. Where every version is seen it is one for each of
//!    the turn's versions, in order, at the time that the version tells.
//! 2. A key that is NULL, or that has several rows, is set aside: its versions stay as they are until there is one row.
//! 3. Versions by the clock of one key begin one after the other: where the clock stood still, the next is a microsecond later, so that ids differ.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use eval::{Arena, Expr};
use flow::{KeyOutcome, KeyView, Keyed, Rows, Turn};
use md5::{Digest, Md5};
use row::{Datum, Diff, OwnedDatum, Row, RowBuilder, RowRef, ScalarType};

use super::Context;
use super::errors::Blame;
use super::parts::{Finish, Logic};
use crate::plan::Plan;
use crate::plan::snapshot::{Changed, HardDeletes, Sees, Snapshot, turns};
use crate::plan::versions::OWN_COLUMNS;

impl Context {
    /// A snapshot's versions, rendered on first use.
    pub fn snapshot(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        stored: &Arc<Plan>,
        snapshot: &Arc<Snapshot>,
    ) -> Rows {
        let rows = self.by_unique_key(input, snapshot.width, input.arity(), snapshot.keys.len());
        let stored = self.by_unique_key(stored, snapshot.arity(), snapshot.arity(), snapshot.keys.len());
        let turns = self.inputs.get(&turns()).expect("a plan with snapshots is given the turns").clone();
        let (open, mut versions) = (snapshot.clone(), Versions::new(snapshot.clone()));
        let (rows, errors) = flow::history(
            rows,
            stored,
            turns,
            Box::new(move |version| open.is_open(version)),
            Box::new(move |view, turn| versions.decide(&view, turn)),
            "Snapshot",
        );
        self.add_errors(errors);
        self.rows.insert(super::node_key(plan), rows.clone());
        rows
    }

    /// Rows (their first `width` columns) by the key that stands from column `at` on.
    fn by_unique_key(&mut self, input: &Arc<Plan>, at: usize, width: usize, keys: usize) -> Keyed {
        let (base, mfp) = self.peel_input(input);
        let reads = mfp.outputs.clone();
        let logic: Logic<(Row, Row)> = Rc::new(move |datums, key, row, out| {
            datums[at..at + keys].iter().for_each(|datum| key.push(&datum.clone().normalized()));
            datums[..width].iter().for_each(|datum| row.push(datum));
            out.push((key.finish(), row.finish()));
        });
        let finish = Finish::new(logic, reads);
        let parts = self.upstream(&base);
        self.read_form(parts, &mfp, finish, "Key[Snapshot]")
    }
}

impl Snapshot {
    fn is_open(&self, version: RowRef<'_>) -> bool {
        let until = column(version, self.width + Snapshot::VALID_TO);
        until.is_null() || until.sql_cmp(&self.until_open.datum()).is_eq()
    }
}

fn column(row: RowRef<'_>, index: usize) -> Datum<'_> {
    row.iter().nth(index).unwrap_or(Datum::Null)
}

/// A version of a row, as `plan::versions` has it.
struct Seen<'a> {
    row: &'a Row,
    number: i64,
    at: Option<i64>,
    is_gone: bool,
}

impl Seen<'_> {
    fn of(row: &Row) -> Seen<'_> {
        let columns: Vec<Datum<'_>> = row.iter().collect();
        match columns[columns.len() - OWN_COLUMNS..] {
            [Datum::Int(number), Datum::TimestampTz(at), Datum::Bool(is_gone)] => {
                Seen { row, number, at: Some(at), is_gone }
            }
            [Datum::Int(number), Datum::Null, Datum::Bool(is_gone)] => Seen { row, number, at: None, is_gone },
            _ => panic!("a version ends with its number, its time and whether it is gone, not as {row:?}"),
        }
    }
}

/// A snapshot's decisions.
struct Versions {
    snapshot: Arc<Snapshot>,
    blame: Blame,
}

/// A time in the types of the columns that it is written to.
struct Now {
    from: OwnedDatum,
    until: OwnedDatum,
    text: String,
}

impl Versions {
    fn new(snapshot: Arc<Snapshot>) -> Versions {
        let blame = Blame { model: snapshot.id.clone(), expression: "unique_key".to_owned() };
        Versions { snapshot, blame }
    }

    fn decide(&mut self, view: &KeyView<'_>, turn: Turn) -> KeyOutcome {
        let count: i64 = view.rows.iter().map(|(_, count)| count).sum();
        let reason = match count {
            _ if view.rows.is_empty() => None,
            _ if view.key.iter().any(|datum| datum.is_null()) => Some("the snapshot's unique_key is NULL".to_owned()),
            1 => None,
            _ if self.snapshot.sees == Sees::EachVersion => None,
            count => Some(format!("{count} rows have the snapshot's unique_key")),
        };
        if let Some(reason) = reason {
            return KeyOutcome { error: Some(self.blame.row(&reason, view.key.iter())), ..KeyOutcome::default() };
        }
        if !turn.live {
            return KeyOutcome::default();
        }
        match self.snapshot.sees {
            Sees::EachCut => self.step(view.rows.first().map(|(row, _)| row), view.open, turn.now),
            Sees::EachVersion => self.steps(view, turn),
        }
    }

    /// What becomes of a key in all versions of a turn.
    fn steps(&self, view: &KeyView<'_>, turn: Turn) -> KeyOutcome {
        let mut seen: Vec<Seen<'_>> = view.rows.iter().map(|(row, _)| Seen::of(row)).collect();
        if seen.is_empty() {
            return self.step(None, view.open, turn.now);
        }
        seen.sort_by_key(|seen| seen.number);
        let mut open = view.open.to_vec();
        let mut changes: BTreeMap<Row, Diff> = BTreeMap::new();
        for Seen { row, at, is_gone, .. } in seen {
            let outcome = self.step((!is_gone).then_some(row), &open, at.unwrap_or(turn.now));
            for (version, diff) in outcome.changes {
                *changes.entry(version).or_default() += diff;
            }
            open = outcome.open.unwrap_or(open);
        }
        let changes = changes.into_iter().filter(|(_, diff)| *diff != 0).collect();
        KeyOutcome { changes, open: Some(open), error: None }
    }

    /// What becomes of a key whose row is `row` at that time.
    fn step(&self, row: Option<&Row>, open: &[Row], at: i64) -> KeyOutcome {
        let from = self.snapshot.width + Snapshot::VALID_FROM;
        let latest = open.iter().max_by(|a, b| column(a.as_ref(), from).sql_cmp(&column(b.as_ref(), from)));
        let now = || Now::of(&self.snapshot, at, latest.map(|open| column(open.as_ref(), from)));
        match (row, latest) {
            (None, None) => KeyOutcome::default(),
            (Some(row), None) => self.opened(KeyOutcome::default(), row.as_ref(), &now()),
            (Some(row), Some(latest)) if self.is_changed(row.as_ref(), latest.as_ref()) => {
                let now = now();
                let until = self.row_time(row.as_ref(), &now, &self.snapshot.until);
                let closed = self.closed(open, &until);
                self.opened(closed, row.as_ref(), &now)
            }
            (Some(_), Some(_)) => KeyOutcome::default(),
            (None, Some(latest)) => self.gone(open, latest.as_ref(), &now()),
        }
    }

    fn is_changed(&self, row: RowRef<'_>, open: RowRef<'_>) -> bool {
        let snapshot = &*self.snapshot;
        let is_deleted = snapshot.hard_deletes == HardDeletes::NewRecord && is_true(open, snapshot);
        is_deleted
            || match &snapshot.changed {
                Changed::Later => {
                    let begun = column(open, snapshot.width + Snapshot::VALID_FROM);
                    let updated = column(row, snapshot.width + snapshot.keys.len());
                    !begun.is_null() && !updated.is_null() && begun.sql_cmp(&updated) == Ordering::Less
                }
                Changed::Columns(columns) => {
                    let (old, new): (Vec<Datum<'_>>, Vec<Datum<'_>>) = (open.iter().collect(), row.iter().collect());
                    columns.iter().any(|column| match (&old[*column], &new[*column]) {
                        (Datum::Null, Datum::Null) => false,
                        (Datum::Null, _) | (_, Datum::Null) => true,
                        (old, new) => old.sql_cmp(new).is_ne(),
                    })
                }
            }
    }

    /// The open versions, closed.
    fn closed(&self, open: &[Row], until: &OwnedDatum) -> KeyOutcome {
        let place = self.snapshot.width + Snapshot::VALID_TO;
        let mut outcome = KeyOutcome { open: Some(Vec::new()), ..KeyOutcome::default() };
        for version in open {
            let columns = version.iter().enumerate();
            let closed = Row::pack(columns.map(|(at, datum)| if at == place { until.datum() } else { datum }));
            outcome.changes.push((version.clone(), -1));
            outcome.changes.push((closed, 1));
        }
        outcome
    }

    /// A new version of a row.
    fn opened(&self, mut outcome: KeyOutcome, row: RowRef<'_>, now: &Now) -> KeyOutcome {
        let snapshot = &*self.snapshot;
        let columns: Vec<Datum<'_>> = row.iter().collect();
        let keys = &columns[snapshot.width..snapshot.width + snapshot.keys.len()];
        let from = self.row_time(row, now, &snapshot.from);
        let time_text = match snapshot.tells_time {
            true => text_of(&from.datum(), &snapshot.from),
            false => now.text.clone(),
        };
        let mut texts: Vec<String> = keys.iter().zip(&snapshot.keys).map(|(key, ty)| text_of(key, ty)).collect();
        texts.push(time_text);
        let mut version = RowBuilder::default();
        columns[..snapshot.width].iter().for_each(|datum| version.push(datum));
        version.push(&Datum::Text(&scd_id(&texts)));
        version.push(&from.datum());
        version.push(&from.datum());
        version.push(&snapshot.until_open.datum());
        if snapshot.hard_deletes == HardDeletes::NewRecord {
            version.push(&Datum::Text("False"));
        }
        outcome.add(version.finish());
        outcome
    }

    fn gone(&self, all: &[Row], open: RowRef<'_>, now: &Now) -> KeyOutcome {
        let snapshot = &*self.snapshot;
        match snapshot.hard_deletes {
            HardDeletes::Ignore => KeyOutcome::default(),
            HardDeletes::Invalidate => self.closed(all, &now.until),
            HardDeletes::NewRecord if is_true(open, snapshot) => KeyOutcome::default(),
            HardDeletes::NewRecord => {
                let mut outcome = self.closed(all, &now.until);
                let columns: Vec<Datum<'_>> = open.iter().collect();
                let old_id = text_of(&columns[snapshot.width + Snapshot::SCD_ID], &ScalarType::Text);
                let mut version = RowBuilder::default();
                columns[..snapshot.width].iter().for_each(|datum| version.push(datum));
                version.push(&Datum::Text(&scd_id(&[old_id, now.text.clone()])));
                version.push(&now.from.datum());
                version.push(&now.from.datum());
                version.push(&columns[snapshot.width + Snapshot::VALID_TO]);
                version.push(&Datum::Text("True"));
                outcome.add(version.finish());
                outcome
            }
        }
    }

    /// When a row was updated: what it says, else the clock.
    fn row_time(&self, row: RowRef<'_>, now: &Now, to: &ScalarType) -> OwnedDatum {
        let snapshot = &*self.snapshot;
        if snapshot.tells_time {
            let told = column(row, snapshot.width + snapshot.keys.len());
            return cast(&told, &snapshot.from, to);
        }
        if *to == snapshot.until { now.until.clone() } else { now.from.clone() }
    }
}

impl Now {
    /// A time as `now()::timestamp` gives it, later than the version that it may follow began.
    fn of(snapshot: &Snapshot, at: i64, begun: Option<Datum<'_>>) -> Now {
        let mut local = cast(&Datum::TimestampTz(at), &ScalarType::TimestampTz, &ScalarType::Timestamp);
        if let (false, Some(Datum::Timestamp(begun)), Datum::Timestamp(now)) =
            (snapshot.tells_time, begun, local.datum())
            && now <= begun
        {
            local = OwnedDatum::new(&Datum::Timestamp(begun + 1));
        }
        Now {
            from: cast(&local.datum(), &ScalarType::Timestamp, &snapshot.from),
            until: cast(&local.datum(), &ScalarType::Timestamp, &snapshot.until),
            text: text_of(&local.datum(), &ScalarType::Timestamp),
        }
    }
}

/// The open version says that its row is deleted.
fn is_true(open: RowRef<'_>, snapshot: &Snapshot) -> bool {
    matches!(column(open, snapshot.width + Snapshot::IS_DELETED), Datum::Text("True"))
}

/// A cast that the planner has found possible; NULL where the value does not fit the type.
fn cast(value: &Datum<'_>, from: &ScalarType, to: &ScalarType) -> OwnedDatum {
    if from == to || value.is_null() {
        return OwnedDatum::new(value);
    }
    let cast = Expr::Cast { input: Box::new(Expr::Column(0)), from: from.clone(), to: to.clone(), explicit: true };
    let arena = Arena::new();
    let cast = cast.eval(std::slice::from_ref(value), &arena).unwrap_or(Datum::Null);
    OwnedDatum::new(&cast)
}

/// `coalesce(cast(value as varchar), '')`
fn text_of(value: &Datum<'_>, ty: &ScalarType) -> String {
    match cast(value, ty, &ScalarType::Text).datum() {
        Datum::Text(text) => text.to_owned(),
        _ => String::new(),
    }
}

/// dbt's id of a version.
fn scd_id(texts: &[String]) -> String {
    Md5::digest(texts.join("|")).iter().map(|byte| format!("{byte:02x}")).collect()
}

trait Opens {
    fn add(&mut self, version: Row);
}

impl Opens for KeyOutcome {
    fn add(&mut self, version: Row) {
        self.changes.push((version.clone(), 1));
        self.open.get_or_insert_with(Vec::new).push(version);
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
