//! The `errors` table: what is set aside now.
//!
//! ```text
//!   errors        the first 1,000 rows of each (kind, model, source, expression): a row per error, its record and reason
//!   error_counts  one row per such group: `total` errors set aside, of which `kept` stand in errors
//! ```
//!
//! 1. `total` is exact at every cut, whatever is kept.
//! 2. An error that goes is taken from `errors` if it stands there, else from the uncounted rest; a wrong sum aborts the cut.
//! 3. An error that comes when 1,000 are kept is only counted. Nothing moves up from the rest when a kept one goes: its text is
//!    not stored anywhere.

use std::collections::BTreeMap;

use row::{Datum, Row, ScalarType};

use super::{ErrorRow, SinkError, TableColumn, TableProperties, TableSpec};

/// Rows of one group that stand in `errors`.
pub const KEPT_MAX: u64 = 1_000;

/// Columns of `errors` that identify a row; `first_seq` follows them.
pub(super) const IDENTITY_COLUMNS: usize = 11;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub kind: String,
    pub model: Option<String>,
    pub source: Option<String>,
    pub expression: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub total: u64,
    pub kept: u64,
}

/// What one cut does with one group: rows as `errors` stores them.
#[derive(Debug, Default)]
pub(super) struct Movement {
    /// Identity columns only.
    pub gone: Vec<(Row, u64)>,
    /// All columns.
    pub came: Vec<(Row, u64)>,
}

/// The `errors` table as a table without a key.
pub(super) fn table(schema: &str, name: &str) -> TableSpec {
    let text = |name: &str| TableColumn { name: name.into(), ty: ScalarType::Text, nullable: true };
    let number = |name: &str| TableColumn { name: name.into(), ty: ScalarType::Int64, nullable: true };
    TableSpec {
        model: String::new(),
        schema: schema.into(),
        name: name.into(),
        columns: vec![
            text("instance"),
            text("kind"),
            text("model"),
            text("source"),
            text("partition"),
            number("position"),
            text("key"),
            text("column_name"),
            text("expression"),
            text("reason"),
            text("record"),
            number("first_seq"),
        ],
        key: None,
        fingerprint: String::new(),
        compiled_sql: String::new(),
        properties: TableProperties::default(),
    }
}

/// Sorts a cut's errors by group, in the order they came.
pub(super) fn by_group(instance: &str, seq: u64, errors: &[(ErrorRow, i64)]) -> BTreeMap<Group, Movement> {
    let mut groups: BTreeMap<Group, Movement> = BTreeMap::new();
    for (error, diff) in errors.iter().filter(|(_, diff)| *diff != 0) {
        let group = Group {
            kind: error.kind.clone(),
            model: error.model.clone(),
            source: error.source.clone(),
            expression: error.expression.clone(),
        };
        let movement = groups.entry(group).or_default();
        if *diff > 0 {
            movement.came.push((packed(instance, error, Some(seq)), diff.unsigned_abs()));
        } else {
            movement.gone.push((packed(instance, error, None), diff.unsigned_abs()));
        }
    }
    groups
}

impl Count {
    /// Accounts for `gone` errors, `deleted` of which were kept.
    pub fn take(&mut self, group: &Group, gone: u64, deleted: u64) -> Result<(), SinkError> {
        let rest = self.total - self.kept;
        if deleted > self.kept || gone - deleted > rest {
            return Err(SinkError::disturbed(&format!("errors ({group})"), "take back", gone, deleted + rest));
        }
        self.total -= gone;
        self.kept -= deleted;
        Ok(())
    }

    /// Accounts for errors that came. Gives those to keep.
    pub fn add(&mut self, came: &[(Row, u64)]) -> Vec<(Row, u64)> {
        let mut keep = Vec::new();
        for (row, copies) in came {
            let kept = (*copies).min(KEPT_MAX.saturating_sub(self.kept));
            self.total += copies;
            self.kept += kept;
            if kept > 0 {
                keep.push((row.clone(), kept));
            }
        }
        keep
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        for part in [&self.model, &self.source, &self.expression].into_iter().flatten() {
            write!(f, ", {part}")?;
        }
        Ok(())
    }
}

/// `first_seq` is left out where the row is only looked for.
fn packed(instance: &str, error: &ErrorRow, first_seq: Option<u64>) -> Row {
    // A record may hold anything, but no text column of PostgreSQL holds a NUL.
    let clean = |text: &str| if text.contains('\0') { text.replace('\0', "\u{2400}") } else { text.to_string() };
    let texts = [
        Some(instance.to_string()),
        Some(error.kind.clone()),
        error.model.clone(),
        error.source.clone(),
        error.partition.clone(),
        error.key.as_deref().map(clean),
        error.column_name.clone(),
        error.expression.clone(),
        Some(clean(&error.reason)),
        error.record.as_deref().map(clean),
    ];
    let mut datums: Vec<Datum<'_>> =
        texts.iter().map(|text| text.as_deref().map_or(Datum::Null, Datum::Text)).collect();
    datums.insert(5, error.position.map_or(Datum::Null, |position| Datum::Int(position as i64)));
    datums.extend(first_seq.map(|seq| Datum::Int(seq as i64)));
    Row::pack(datums)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(position: u64) -> ErrorRow {
        ErrorRow {
            kind: "expression".into(),
            model: Some("model.shop.m".into()),
            source: None,
            partition: None,
            position: Some(position),
            key: Some("a\0b".into()),
            column_name: None,
            expression: Some("1/x".into()),
            reason: "division by zero".into(),
            record: None,
        }
    }

    #[test]
    fn beyond_a_thousand_errors_are_only_counted() {
        let came: Vec<_> = (0..KEPT_MAX + 5).map(|position| (error(position), 1)).collect();
        let groups = by_group("shop.dev", 1, &came);
        let (group, movement) = groups.first_key_value().expect("one group");
        let mut count = Count::default();
        assert_eq!(count.add(&movement.came).len() as u64, KEPT_MAX);
        assert_eq!(count, Count { total: KEPT_MAX + 5, kept: KEPT_MAX });
        count.take(group, 6, 1).expect("five of the rest, one kept");
        assert_eq!(count, Count { total: KEPT_MAX - 1, kept: KEPT_MAX - 1 });
        assert!(count.take(group, 2, 1).is_err(), "one of them was never set aside");
    }

    #[test]
    fn a_row_to_look_for_is_the_stored_row_without_its_cut() {
        let groups = by_group("shop.dev", 7, &[(error(1), 2), (error(1), -1)]);
        let movement = groups.values().next().expect("one group");
        let stored: Vec<_> = movement.came[0].0.iter().collect();
        let sought: Vec<_> = movement.gone[0].0.iter().collect();
        assert_eq!(sought.len(), IDENTITY_COLUMNS);
        assert_eq!(Row::pack(stored[..IDENTITY_COLUMNS].iter().cloned()), movement.gone[0].0);
        assert_eq!(stored[6].unwrap_text(), "a\u{2400}b");
    }
}
