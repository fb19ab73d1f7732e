//! What the drive does for state: it stages each epoch's journal, and lets it go when the sink has the epoch.

use std::time::Duration;

use row::Epoch;

use super::drive::{Drive, EngineEvent};
use super::memory;
use super::publish::Publish;
use crate::state::{Mark, Staged};

/// Bytes that a sweep notes with each epoch.
const SWEEP_SLICE_BYTES: usize = 2 << 20;

/// How long what operators hold is taken for what it was; looking at all of it takes a moment.
const MEASURE_INTERVAL: Duration = Duration::from_secs(30);

/// Of the workers' time, looking takes one part in so many at most.
const MEASURE_SHARE: u32 = 1000;

/// Tables that are named when memory is short.
const LARGEST: usize = 3;

impl Drive<'_> {
    /// Stages what the epoch that closes now did.
    pub(super) fn stage(&mut self, epoch: Epoch, clock: i64, mode: Publish) {
        // Until the correction is committed all belongs to it.
        if self.corrects && mode == Publish::Hydrate {
            return;
        }
        let Some(kept) = &mut self.kept else { return };
        let begins_sweep = kept.keeping.wants_sweep(self.resolver.live_bytes());
        if begins_sweep {
            self.resolver.begin_sweep();
        }
        let ends_sweep = self.resolver.is_sweeping() && self.resolver.sweep(SWEEP_SLICE_BYTES);
        let journal = self.resolver.take_journal();
        let positions = &self.positions;
        let partitions = self.resolver.partitions().0.iter().map(|(source, partition)| {
            let at = positions.get(&(source.clone(), partition.clone()));
            (source.clone(), partition.clone(), at.map(|at| (at.position, at.mark.clone())))
        });
        let mark = Mark::new(self.report.seq, clock, partitions.collect());
        kept.keeping.stage(Staged { epoch, journal, mark, begins_sweep, ends_sweep });
    }

    /// The open epoch is long: a part of what it did goes to the disk, where it does not count yet.
    pub(super) fn stage_part(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        if kept.keeping.wants_part(self.resolver.journal_len()) {
            kept.keeping.part(self.resolver.take_journal());
        }
    }

    /// The sink has the epoch, and all before it.
    pub(super) fn let_go(&mut self, epoch: Epoch) {
        let seq = self.report.seq;
        if let Some(kept) = &mut self.kept {
            kept.keeping.committed(epoch, seq);
        }
    }

    /// Why nothing should be read now.
    pub(super) fn holds_back(&mut self) -> Option<String> {
        if let Some((used, limit)) = self.memory.is_near(self.stage.now(), memory::resident_bytes) {
            self.look_at_operators();
            let mut tables: Vec<(&str, u64, u64)> = self.resolver.sizes().collect();
            tables.sort_by_key(|(_, _, bytes)| std::cmp::Reverse(*bytes));
            let named = tables.iter().take(LARGEST).map(|(name, _, bytes)| format!("{name} {}", memory::shown(*bytes)));
            let largest = named.collect::<Vec<_>>().join(", ");
            let operators = self.workers.measured();
            let named = operators.iter().take(LARGEST).map(|state| {
                format!("{} of {} {}", state.operator, state.model, memory::shown(state.size.bytes as u64))
            });
            let operators = named.collect::<Vec<_>>().join(", ");
            let (used, limit) = (memory::shown(used), memory::shown(limit));
            let operators = if operators.is_empty() { "not known yet".to_owned() } else { operators };
            return Some(format!(
                "{used} of memory_max {limit} are in use; the largest source tables are {largest}; \
                 the largest states of operators are {operators}"
            ));
        }
        if let Some(reason) = self.shipping.as_ref().and_then(|shipping| shipping.holds_back()) {
            return Some(reason);
        }
        let kept = self.kept.as_mut()?;
        if !kept.keeping.is_full() {
            return None;
        }
        let failure = kept.keeping.status().failure();
        Some(match failure {
            Some(failure) => format!("state cannot be written: {failure}"),
            None => "the disk under state is slower than the sources".to_owned(),
        })
    }

    /// Asks the workers what operators hold, where that may have changed.
    fn look_at_operators(&mut self) {
        let (now, records) = (self.stage.now(), self.report.records);
        let interval = MEASURE_INTERVAL.max(self.workers.measuring_took() * MEASURE_SHARE);
        let is_known = |(at, seen)| seen == records || now.duration_since(at) < interval;
        if !self.measured.is_some_and(is_known) {
            self.measured = Some((now, records));
            // A worker that is gone is noticed by whoever waits for its changes.
            let _ = self.workers.measure();
        }
    }

    /// Tells how much is held.
    pub(super) fn tell_sizes(&mut self) {
        self.look_at_operators();
        let tables: Vec<(&str, u64, u64)> = self.resolver.sizes().collect();
        let operators = self.workers.measured();
        let status = self.kept.as_ref().map(|kept| kept.keeping.status());
        (self.on_event)(EngineEvent::Sizes { tables: &tables, operators: &operators, state: status });
        if let Some(shipping) = &self.shipping {
            (self.on_event)(EngineEvent::Changelog { backlog: &shipping.backlog() });
        }
    }
}
