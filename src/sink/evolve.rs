//! How a table becomes the one that a changed model wants, without being dropped.
//!
//! ```text
//!   has:   id bigint,  name text,  total numeric(10,2)
//!   wants: id bigint,              total text,          day date
//!   ──> rename total to an old name; add total text, day date; drop name, the old total
//! ```
//!
//! 1. No step rewrites or empties the table, so a reader with an older snapshot still sees its rows.
//! 2. A column that survives keeps its values; a column that was added or replaced holds NULL until the delta that follows.
//!    `Sink::read_table` reads a table in the same way, so the difference and the table agree.
//! 3. Columns are added before others are dropped, so a table never runs out of columns.

use super::TableSpec;

/// What a sink finds about a column of an existing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Same,
    /// The wanted type holds every value of the present one as it is stored: the catalogue changes, the rows do not.
    Widens,
    /// The values cannot stay.
    Replaced,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Alteration {
    Rename {
        from: String,
        to: String,
    },
    /// Index into the wanted columns.
    Add {
        column: usize,
    },
    /// Index into the wanted columns.
    Widen {
        column: usize,
    },
    Drop {
        name: String,
    },
}

/// What becomes of the wanted columns, and the steps that lead there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Evolution {
    /// For each wanted column: do its present values stay?
    pub survives: Vec<bool>,
    pub steps: Vec<Alteration>,
}

impl Evolution {
    /// `present`: names of the table's columns; `fit(present, wanted)` says how one fits the other; `same_name` how the sink
    /// compares names.
    pub fn plan(
        present: &[String],
        wanted: &TableSpec,
        same_name: impl Fn(&str, &str) -> bool,
        fit: impl Fn(usize, usize) -> Fit,
    ) -> Evolution {
        let (mut renames, mut adds, mut widens, mut drops) = (vec![], vec![], vec![], vec![]);
        let mut survives = Vec::with_capacity(wanted.columns.len());
        for (column, want) in wanted.columns.iter().enumerate() {
            let found = present.iter().position(|name| same_name(name, &want.name));
            let fits = found.map(|index| fit(index, column));
            survives.push(matches!(fits, Some(Fit::Same | Fit::Widens)));
            match (found, fits) {
                (_, Some(Fit::Same)) => {}
                (_, Some(Fit::Widens)) => widens.push(Alteration::Widen { column }),
                (Some(index), _) => {
                    let old = format!("livemart_old_{column}");
                    renames.push(Alteration::Rename { from: present[index].clone(), to: old.clone() });
                    adds.push(Alteration::Add { column });
                    drops.push(Alteration::Drop { name: old });
                }
                (None, _) => adds.push(Alteration::Add { column }),
            }
        }
        for name in present {
            if !wanted.columns.iter().any(|want| same_name(name, &want.name)) {
                drops.push(Alteration::Drop { name: name.clone() });
            }
        }
        let steps = [renames, widens, adds, drops].concat();
        Evolution { survives, steps }
    }

    /// Present columns whose values do not stay.
    pub fn lost(&self) -> Vec<String> {
        let name_of = |dropped: &str| {
            let renames = self.steps.iter().filter_map(|step| match step {
                Alteration::Rename { from, to } => Some((from, to)),
                _ => None,
            });
            renames.into_iter().find(|(_, to)| *to == dropped).map_or(dropped, |(from, _)| from).to_owned()
        };
        let drops = self.steps.iter().filter_map(|step| match step {
            Alteration::Drop { name } => Some(name_of(name)),
            _ => None,
        });
        drops.collect()
    }

    /// The present values of every key column stay, so rows can be found by the key.
    pub fn keeps_key(&self, key: &[usize]) -> bool {
        key.iter().all(|column| self.survives[*column])
    }
}

#[cfg(test)]
mod tests {
    use row::ScalarType;

    use super::*;
    use crate::sink::{TableColumn, TableProperties};

    fn wanted(columns: &[(&str, ScalarType)]) -> TableSpec {
        TableSpec {
            model: "m".into(),
            schema: "s".into(),
            name: "m".into(),
            columns: columns
                .iter()
                .map(|(name, ty)| TableColumn { name: (*name).into(), ty: ty.clone(), nullable: true })
                .collect(),
            key: None,
            fingerprint: String::new(),
            compiled_sql: String::new(),
            properties: TableProperties::default(),
        }
    }

    #[test]
    fn a_changed_column_is_renamed_before_its_successor_comes() {
        let present = ["id".to_string(), "name".to_string(), "total".to_string()];
        let table = wanted(&[("id", ScalarType::Int64), ("total", ScalarType::Text), ("day", ScalarType::Date)]);
        let evolution = Evolution::plan(
            &present,
            &table,
            |a, b| a == b,
            |_, wanted| {
                if wanted == 0 { Fit::Same } else { Fit::Replaced }
            },
        );
        assert_eq!(evolution.survives, [true, false, false]);
        assert_eq!(evolution.lost(), ["total", "name"]);
        assert!(evolution.keeps_key(&[0]) && !evolution.keeps_key(&[0, 1]));
        let old = "livemart_old_1".to_string();
        assert_eq!(
            evolution.steps,
            [
                Alteration::Rename { from: "total".into(), to: old.clone() },
                Alteration::Add { column: 1 },
                Alteration::Add { column: 2 },
                Alteration::Drop { name: old },
                Alteration::Drop { name: "name".into() },
            ]
        );
    }
}
