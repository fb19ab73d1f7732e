//! Where the columns of a relation lie in an arrangement: some in the key, the others in the value.

use eval::Expr;
use row::{Datum, RowRef, ScalarType};

use super::mfp::{Need, unpack};

/// An arrangement's key, and the place of each column of the arranged relation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    pub key: Vec<Expr>,
    pub places: Vec<Place>,
    /// How many columns key and value rows hold.
    pub key_columns: usize,
    pub value_columns: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Key(usize),
    Value(usize),
    /// No reader needs the column; it reads as NULL.
    Nowhere,
}

impl Layout {
    /// Keyed by expressions over a relation; columns that are themselves keys are not repeated in the value, unless a key
    /// loses their display form.
    /// Columns that are not `held` are nowhere.
    pub fn new(key: Vec<Expr>, types: &[ScalarType], held: &[bool]) -> Layout {
        let mut value_columns = 0;
        let places = types
            .iter()
            .enumerate()
            .map(|(column, ty)| match key.iter().position(|expr| *expr == Expr::Column(column)) {
                Some(i) if keeps_form(ty) => Place::Key(i),
                _ if !held[column] => Place::Nowhere,
                _ => {
                    value_columns += 1;
                    Place::Value(value_columns - 1)
                }
            })
            .collect();
        Layout { key_columns: key.len(), key, places, value_columns }
    }

    /// Of a grouping: the first `group` columns are the key, the others the value.
    pub fn of_groups(group: usize, arity: usize) -> Layout {
        Layout {
            key: (0..group).map(Expr::Column).collect(),
            places: (0..arity).map(|i| if i < group { Place::Key(i) } else { Place::Value(i - group) }).collect(),
            key_columns: group,
            value_columns: arity - group,
        }
    }

    /// Columns that the value row holds, in its order.
    pub fn value(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.iter().enumerate().filter(|(_, place)| matches!(place, Place::Value(_))).map(|(column, _)| column)
    }
}

/// Whether normalising a value of this type as a key leaves it as it was.
pub fn keeps_form(ty: &ScalarType) -> bool {
    !matches!(
        ty,
        ScalarType::Numeric(_)
            | ScalarType::Float32
            | ScalarType::Float64
            | ScalarType::Interval
            | ScalarType::Array(_)
    )
}

/// Decodes relation columns out of key and value rows, only those needed.
#[derive(Clone, Debug)]
pub struct Reader {
    places: Vec<Option<Place>>,
    key_needed: Vec<Need>,
    value_needed: Vec<Need>,
    /// Whether the columns lie one after the other in the value, all of it.
    is_value: bool,
}

impl Reader {
    pub fn new(layout: &Layout, needed: &[Need]) -> Reader {
        let mut reader = Reader {
            places: Vec::with_capacity(needed.len()),
            key_needed: vec![Need::Nothing; layout.key_columns],
            value_needed: vec![Need::Nothing; layout.value_columns],
            is_value: false,
        };
        for (place, needed) in layout.places.iter().zip(needed) {
            let known = match place {
                Place::Key(i) => Some(&mut reader.key_needed[*i]),
                Place::Value(i) => Some(&mut reader.value_needed[*i]),
                Place::Nowhere => None,
            };
            // A column may be read twice from one place: once for its value is enough.
            if let Some(known) = known.filter(|known| **known != Need::Value && *needed != Need::Nothing) {
                *known = *needed;
            }
            reader.places.push((*needed != Need::Nothing).then_some(*place));
        }
        let in_order = layout.places.iter().enumerate().all(|(column, place)| *place == Place::Value(column));
        reader.is_value = in_order && layout.places.len() == layout.value_columns;
        reader
    }

    /// How many columns it reads.
    pub fn width(&self) -> usize {
        self.places.len()
    }

    /// Appends the relation's columns; those not needed are NULL.
    pub fn read<'a>(&self, key: RowRef<'a>, value: RowRef<'a>, columns: &mut Vec<Datum<'a>>) {
        if self.is_value {
            return unpack(value, &self.value_needed, columns);
        }
        let start = columns.len();
        columns.resize(start + self.places.len(), Datum::Null);
        scatter(&self.key_needed, key, |i, datum| {
            for (column, place) in self.places.iter().enumerate() {
                if *place == Some(Place::Key(i)) {
                    columns[start + column] = datum.clone();
                }
            }
        });
        let mut column = 0;
        scatter(&self.value_needed, value, |i, datum| {
            while self.places[column] != Some(Place::Value(i)) {
                column += 1;
            }
            columns[start + column] = datum;
        });
    }
}

fn scatter<'a>(needed: &[Need], row: RowRef<'a>, mut take: impl FnMut(usize, Datum<'a>)) {
    let Some(last) = needed.iter().rposition(|need| *need != Need::Nothing) else { return };
    let mut iter = row.iter();
    for (i, need) in needed[..=last].iter().enumerate() {
        if *need == Need::Nothing {
            iter.skip_one();
        } else {
            take(i, need.take(&mut iter));
        }
    }
}
