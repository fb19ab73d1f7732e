//! The append envelope: each value is one more row.
//!
//! Where the table has a key, a record that comes again (at-least-once delivery) finds its key taken by an equal row and changes
//! nothing; a later record of the same key takes the row's place.

use super::{Changes, Desk, Payload};

pub fn decode<'a>(desk: &mut Desk<'a, '_>, payload: &Payload<'a>) -> Changes {
    let Some(value) = payload.value else { return Changes::NONE }; // a null value is no row
    let slots = desk.columns.slots(desk.arena);
    if let Err(error) = desk.columns.collect(value, slots) {
        return desk.refused(payload, error.to_string());
    }
    desk.row(payload, slots)
}
