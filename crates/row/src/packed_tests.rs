use proptest::prelude::*;

use super::*;
use crate::OwnedDatum;
use crate::strategies::{TYPES, finite_numeric, value_of_type};

fn any_values() -> impl Strategy<Value = Vec<OwnedDatum>> {
    prop::collection::vec((0..TYPES).prop_flat_map(value_of_type), 0..12)
}

#[test]
fn small_values_take_few_bytes() {
    let row = Row::pack([
        Datum::Int(7),
        Datum::Text("ada"),
        Datum::Null,
        Datum::Numeric(Numeric::from_parts(1250, 2)),
        Datum::Int(0),
        Datum::Int(-1),
        Datum::Date(-129),
    ]);
    assert_eq!(
        row.bytes(),
        [0x11, 7, 0x83, b'a', b'd', b'a', 0, 0x32, 2, 0xE2, 0x04, 0x10, 0x11, 0xFF, 0x22, 0x7F, 0xFF]
    );
}

#[test]
fn integers_at_the_edge_of_a_byte_read_back() {
    for bits in 0..64 {
        let power = 1_i64 << bits;
        for value in [power, power.wrapping_sub(1), power.wrapping_neg(), power.wrapping_neg().wrapping_sub(1)] {
            let row = Row::pack([Datum::Int(value)]);
            assert_eq!(row.iter().next().map(|datum| datum.unwrap_int()), Some(value));
        }
    }
    for mantissa in [i128::MIN, i128::MAX, -1, 0, 1 << 127] {
        let row = Row::pack([Datum::Numeric(Numeric::from_parts(mantissa, 300))]);
        let Some(Datum::Numeric(read)) = row.iter().next() else { panic!("a numeric") };
        assert_eq!(read.small_parts(), Some((mantissa, 300)));
    }
}

#[test]
fn keys_of_equal_arrays_are_equal_bytes() {
    let key = |scale: u16| {
        let one = Row::pack([Datum::Numeric(Numeric::from_parts(10_i128.pow(scale.into()), scale)), Datum::Null]);
        let mut builder = RowBuilder::default();
        builder.push_normalized(&Datum::Array(one.as_ref()));
        builder.finish()
    };
    assert_eq!(key(0), key(3));
}

#[test]
fn a_datum_is_small_enough_to_copy() {
    assert!(size_of::<Datum<'_>>() <= 32, "{} bytes", size_of::<Datum<'_>>());
}

proptest! {
    #[test]
    fn unpacked_values_pack_to_the_same_bytes(values in any_values()) {
        let row = Row::pack(values.iter().map(OwnedDatum::datum));
        let mut unpacked = Vec::new();
        row.unpack_into(&mut unpacked);
        prop_assert_eq!(unpacked.len(), values.len());
        for (read, value) in unpacked.iter().zip(&values) {
            prop_assert_eq!(read.sql_cmp(&value.datum()), std::cmp::Ordering::Equal);
            prop_assert_eq!(&OwnedDatum::new(read), value);
        }
        prop_assert_eq!(&Row::pack(unpacked), &row);
        prop_assert_eq!(&Row::from_bytes(row.bytes()), &row);
    }

    #[test]
    fn skipping_lands_where_reading_does(values in any_values()) {
        let row = Row::pack(values.iter().map(OwnedDatum::datum));
        let (mut skipping, mut reading) = (row.iter(), row.iter());
        while reading.next().is_some() {
            prop_assert!(skipping.skip_one());
            prop_assert_eq!(skipping.rest(), reading.rest());
        }
        prop_assert!(!skipping.skip_one());
    }

    #[test]
    fn values_are_equal_exactly_when_their_key_bytes_are(
        (a, b) in (0..TYPES).prop_flat_map(|ty| (value_of_type(ty), value_of_type(ty)))
    ) {
        let key = |value: &OwnedDatum| {
            let mut builder = RowBuilder::default();
            builder.push_normalized(&value.datum());
            builder.finish()
        };
        prop_assert_eq!(key(&a) == key(&b), a.datum().sql_cmp(&b.datum()).is_eq());
        let normal = key(&a);
        prop_assert!(normal.iter().next().is_some_and(|normal| normal.sql_cmp(&a.datum()).is_eq()));
    }

    #[test]
    fn numerics_keep_their_display_scale(value in finite_numeric()) {
        let row = Row::pack([Datum::Numeric(value.clone())]);
        let Some(Datum::Numeric(read)) = row.iter().next() else { panic!("a numeric") };
        prop_assert_eq!(read.to_string(), value.to_string());
    }
}
