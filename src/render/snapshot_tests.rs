//! One key's story, turn by turn. The history of whole tables is compared with `dbt snapshot` itself (`tests/oracle/snapshots.py`).

use super::*;

const ID: i64 = 7;

/// A snapshot of (id int, status text, at timestamp) by id.
fn snapshot(changed: Changed, hard_deletes: HardDeletes) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        id: "snapshot.shop.s".to_owned(),
        width: 3,
        keys: vec![ScalarType::Int64],
        tells_time: changed == Changed::Later,
        changed,
        from: ScalarType::Timestamp,
        until: ScalarType::Timestamp,
        until_open: OwnedDatum::new(&Datum::Null),
        hard_deletes,
        sees: Sees::EachCut,
    })
}

/// The key's rows and versions, and what turns do to them.
struct Story {
    versions: Versions,
    open: Vec<Row>,
    error: Option<Row>,
}

impl Story {
    fn new(changed: Changed, hard_deletes: HardDeletes) -> Story {
        Story { versions: Versions::new(snapshot(changed, hard_deletes)), open: Vec::new(), error: None }
    }

    /// Rows are (status, at). Gives the changes as texts: sign, status, from, to (and whether deleted).
    fn turn(&mut self, now: i64, rows: &[(&str, i64)]) -> Vec<String> {
        let tells_time = self.versions.snapshot.tells_time;
        let rows: Vec<(Row, i64)> = rows
            .iter()
            .map(|(status, at)| {
                let mut columns = vec![Datum::Int(ID), Datum::Text(status), Datum::Timestamp(*at), Datum::Int(ID)];
                columns.extend(tells_time.then_some(Datum::Timestamp(*at)));
                (Row::pack(columns), 1)
            })
            .collect();
        let key = Row::pack([Datum::Int(ID)]);
        let view = KeyView { key: key.as_ref(), rows: &rows, open: &self.open };
        let outcome = self.versions.decide(&view, Turn { now, live: true });
        self.open = outcome.open.unwrap_or_else(|| self.open.clone());
        self.error = outcome.error;
        outcome.changes.iter().map(|(version, diff)| shown(version, *diff)).collect()
    }
}

fn shown(version: &Row, diff: i64) -> String {
    let columns: Vec<Datum<'_>> = version.iter().collect();
    let text = |datum: &Datum<'_>| match datum {
        Datum::Null => "-".to_owned(),
        Datum::Timestamp(at) => at.to_string(),
        Datum::Text(text) => (*text).to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(text(&columns[4]), text(&columns[5]), "updated_at is valid_from");
    let deleted = columns.get(7).map(|datum| format!(" {}", text(datum))).unwrap_or_default();
    format!("{diff:+} {} {}..{}{deleted}", text(&columns[1]), text(&columns[5]), text(&columns[6]))
}

#[test]
fn a_changed_column_closes_a_version_and_opens_the_next() {
    let mut story = Story::new(Changed::Columns(vec![1]), HardDeletes::Ignore);
    assert_eq!(story.turn(10, &[("new", 1)]), ["+1 new 10..-"]);
    assert_eq!(story.turn(20, &[("new", 2)]), [""; 0], "an unchecked column makes no version");
    assert_eq!(story.turn(30, &[("paid", 2)]), ["-1 new 10..-", "+1 new 10..30", "+1 paid 30..-"]);
    assert_eq!(story.turn(40, &[]), [""; 0], "it is gone, and that is ignored");
    assert_eq!(story.turn(50, &[("paid", 3)]), [""; 0]);
}

#[test]
fn a_later_update_closes_a_version_at_its_own_time() {
    let mut story = Story::new(Changed::Later, HardDeletes::Ignore);
    assert_eq!(story.turn(10, &[("new", 3)]), ["+1 new 3..-"]);
    assert_eq!(story.turn(20, &[("paid", 3)]), [""; 0], "the time of its update has not moved");
    assert_eq!(story.turn(30, &[("paid", 8)]), ["-1 new 3..-", "+1 new 3..8", "+1 paid 8..-"]);
    assert_eq!(story.turn(40, &[("lost", 5)]), [""; 0], "an older update comes too late");
}

#[test]
fn a_deleted_row_closes_its_version() {
    let mut story = Story::new(Changed::Columns(vec![1]), HardDeletes::Invalidate);
    story.turn(10, &[("new", 1)]);
    assert_eq!(story.turn(20, &[]), ["-1 new 10..-", "+1 new 10..20"]);
    assert_eq!(story.turn(30, &[]), [""; 0]);
    assert_eq!(story.turn(40, &[("new", 1)]), ["+1 new 40..-"]);
}

#[test]
fn a_deleted_row_has_a_version_that_says_so() {
    let mut story = Story::new(Changed::Columns(vec![1]), HardDeletes::NewRecord);
    assert_eq!(story.turn(10, &[("new", 1)]), ["+1 new 10..- False"]);
    assert_eq!(story.turn(20, &[]), ["-1 new 10..- False", "+1 new 10..20 False", "+1 new 20..- True"]);
    assert_eq!(story.turn(30, &[]), [""; 0]);
    assert_eq!(story.turn(40, &[("new", 1)]), ["-1 new 20..- True", "+1 new 20..40 True", "+1 new 40..- False"]);
}

#[test]
fn two_rows_of_one_key_are_set_aside_and_the_version_stays() {
    let mut story = Story::new(Changed::Columns(vec![1]), HardDeletes::Invalidate);
    story.turn(10, &[("new", 1)]);
    assert_eq!(story.turn(20, &[("new", 1), ("paid", 1)]), [""; 0]);
    assert!(story.error.is_some());
    assert_eq!(story.turn(30, &[("paid", 1)]), ["-1 new 10..-", "+1 new 10..30", "+1 paid 30..-"]);
    assert!(story.error.is_none());
}

#[test]
fn ids_are_dbts() {
    let mut story = Story::new(Changed::Columns(vec![1]), HardDeletes::Ignore);
    // 2024-01-31 10:20:30.5
    story.turn(1_706_696_430_500_000, &[("new", 1)]);
    let id = column(story.open[0].as_ref(), 3);
    // PostgreSQL's md5('7|2024-01-31 10:20:30.5')
    assert!(matches!(id, Datum::Text("8dfb9e9ca6603ac50bddd62deed9e550")), "{id:?}");
}

#[test]
fn versions_of_one_moment_begin_one_after_the_other() {
    let mut story = Story::new(Changed::Columns(vec![1]), HardDeletes::Invalidate);
    assert_eq!(story.turn(10, &[("new", 1)]), ["+1 new 10..-"]);
    assert_eq!(story.turn(10, &[("paid", 1)]), ["-1 new 10..-", "+1 new 10..11", "+1 paid 11..-"]);
    assert_eq!(story.turn(10, &[("new", 1)]), ["-1 paid 11..-", "+1 paid 11..12", "+1 new 12..-"]);
    assert_eq!(story.turn(11, &[]), ["-1 new 12..-", "+1 new 12..13"]);
}
