//! Which topics begin with the next cut.
//!
//! | the sink says | Kafka says | then |
//! |---|---|---|
//! | not carried yet, or of another shape | the topic holds nothing | it begins, with all rows of the table |
//! | | the topic holds records | refused: they are not ours, or of another life |
//! | carried since cut s, s was shipped | the topic holds records | it goes on |
//! | | it holds nothing | somebody deleted it, or nothing was ever told: it begins anew |
//! | carried since cut s, s waits in the outbox | anything | it goes on |
//! | at cut n | shipped up to a cut beyond n | refused: the sink was set back |

use super::{BrokerError, Carried, WaitingCut};

/// What is known on both sides.
pub struct Known<'a> {
    pub carried: &'a [Carried],
    pub waiting: &'a [WaitingCut],
    /// The sink's cut; 0 before the first.
    pub seq: u64,
    /// The last cut that is in Kafka.
    pub position: Option<u64>,
    /// Topics that were missing.
    pub made: &'a [String],
}

/// What of it is carried as it is wanted.
pub fn carried_as<'a>(carried: &'a [Carried], wanted: &Carried) -> Option<&'a Carried> {
    carried
        .iter()
        .find(|known| (&known.model, &known.topic, &known.shape) == (&wanted.model, &wanted.topic, &wanted.shape))
}

/// For each wanted table since when it is carried; None: it begins now.
pub fn begins(
    wanted: &[Carried],
    known: &Known<'_>,
    mut is_empty: impl FnMut(&str) -> Result<bool, BrokerError>,
) -> Result<Vec<Option<u64>>, BrokerError> {
    if let Some(position) = known.position.filter(|position| *position > known.seq) {
        return Err(BrokerError::Refused {
            message: format!(
                "the changelog in Kafka goes up to cut {position}, but the sink is at cut {}: the sink was restored or is new",
                known.seq
            ),
            hint:
                "delete the changelog's topics and its position topic, or name others (`topic` and `position_topic`): \
                   the changelog then begins anew"
                    .to_owned(),
        });
    }
    let oldest_waiting = known.waiting.first().map(|cut| cut.seq);
    let mut since = Vec::with_capacity(wanted.len());
    for table in wanted {
        let holds_nothing = known.made.contains(&table.topic) || is_empty(&table.topic)?;
        let goes_on = carried_as(known.carried, table).map(|carried| carried.since).filter(|since| {
            match known.position {
                Some(position) if *since <= position => !holds_nothing,
                // Its beginning was never shipped, so it must wait still.
                _ => oldest_waiting.is_some_and(|oldest| oldest <= *since),
            }
        });
        if goes_on.is_none() && !holds_nothing {
            return Err(BrokerError::Refused {
                message: format!(
                    "the changelog of {} cannot begin: the topic {} holds records already",
                    table.model, table.topic
                ),
                hint: "delete the topic, or name another (`topic` of the changelog): it must hold what this table is, and nothing else"
                    .to_owned(),
            });
        }
        since.push(goes_on);
    }
    Ok(since)
}

#[cfg(test)]
#[path = "begin_tests.rs"]
mod tests;
