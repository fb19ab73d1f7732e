//! Updates that wait until no earlier one can come, in the order of their epochs.

use row::Epoch;
use timely::dataflow::operators::Capability;

/// What an operator in epoch order has been given and has not taken yet, and the right to answer it.
pub(crate) struct Waiting<U> {
    updates: Vec<(Epoch, U)>,
    /// For the earliest epoch that waits or is being answered, one per output.
    capabilities: Vec<Capability<Epoch>>,
}

impl<U> Waiting<U> {
    pub fn new() -> Waiting<U> {
        Waiting { updates: Vec::new(), capabilities: Vec::new() }
    }

    /// Notes that updates of this time or later come; `retain` gives a capability for each output.
    pub fn hold(&mut self, time: Epoch, retain: impl FnOnce() -> Vec<Capability<Epoch>>) {
        if self.capabilities.first().is_none_or(|held| time < *held.time()) {
            self.capabilities = retain();
        }
    }

    pub fn push(&mut self, epoch: Epoch, update: U) {
        self.updates.push((epoch, update));
    }

    /// Takes the updates that no earlier one can precede any more: those not beyond `open`, the first open epoch. By epoch.
    pub fn take_ready(&mut self, open: Option<Epoch>) -> Vec<(Epoch, U)> {
        self.take(|epoch| open.is_none_or(|open| epoch <= open))
    }

    /// Takes the updates of the epochs before `open`, to which nothing can be added any more. By epoch.
    pub fn take_closed(&mut self, open: Option<Epoch>) -> Vec<(Epoch, U)> {
        self.take(|epoch| open.is_none_or(|open| epoch < open))
    }

    fn take(&mut self, is_ready: impl Fn(Epoch) -> bool) -> Vec<(Epoch, U)> {
        let mut taken = if self.updates.iter().all(|(epoch, _)| is_ready(*epoch)) {
            std::mem::take(&mut self.updates)
        } else {
            let (taken, later) = std::mem::take(&mut self.updates).into_iter().partition(|(epoch, _)| is_ready(*epoch));
            self.updates = later;
            taken
        };
        if !taken.is_sorted_by_key(|(epoch, _)| *epoch) {
            taken.sort_by_key(|(epoch, _)| *epoch);
        }
        taken
    }

    /// Gives an emptied buffer back.
    pub fn reuse(&mut self, mut buffer: Vec<(Epoch, U)>) {
        if self.updates.capacity() == 0 {
            buffer.clear();
            self.updates = buffer;
        }
    }

    /// The right to answer at `epoch` on one output.
    pub fn capability(&self, output: usize, epoch: Epoch) -> Capability<Epoch> {
        self.capabilities[output].delayed(&epoch)
    }

    /// Gives up what no waiting update and no `unanswered` epoch needs.
    pub fn release(&mut self, unanswered: Option<Epoch>) {
        match self.updates.iter().map(|(epoch, _)| *epoch).chain(unanswered).min() {
            Some(earliest) => self.capabilities.iter_mut().for_each(|held| held.downgrade(&earliest)),
            None => self.capabilities.clear(),
        }
    }
}
