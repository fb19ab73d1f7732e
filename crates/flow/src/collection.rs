//! Collections: who gives updates, who takes them, and how a batch goes from one to the other.
//!
//! ```text
//!   node ──Sender──> Output ──┬──> Inbox of a reader, which is now due
//!                             └──> Inbox of another
//! ```
//!
//! 1. All updates in flight are of one epoch, so none names it.
//! 2. A collection may be a sum of outputs, some of them taken away: unions and negations are no operators.
//! 3. What a row's going and its coming again leave as it was ends in the sender: neighbours that cancel are not sent.

use std::cell::RefCell;
use std::rc::Rc;

use row::{Diff, Row};

use crate::Accum;
use crate::batch::{Slice, SliceInbox};
use crate::exchange::{ChannelEnd, Packet};
use crate::graph::{Graph, Task};

/// What a collection consists of: rows, rows by key, or accumulators by group.
pub trait Record: Sized + 'static {
    /// A record with what it adds.
    type Update: Clone + 'static;

    fn times(self, diff: Diff) -> Self::Update;
    fn negate(update: &mut Self::Update);
    /// Adds an update of the same record in; false where it is of another. The flag says whether nothing is left.
    fn absorb(last: &mut Self::Update, next: &Self::Update) -> Option<Left>;
    /// What decides which worker an update belongs to.
    fn key(update: &Self::Update) -> &Row;
    fn packet(channel: usize, updates: Vec<Self::Update>) -> Packet;
    fn channel_end(output: Rc<Output<Self>>) -> ChannelEnd;
}

/// Whether two updates of one record leave something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Something,
    Nothing,
}

impl Left {
    fn of(is_nothing: bool) -> Left {
        if is_nothing { Left::Nothing } else { Left::Something }
    }
}

impl Record for Row {
    type Update = (Row, Diff);

    #[inline]
    fn times(self, diff: Diff) -> (Row, Diff) {
        (self, diff)
    }

    fn negate((_, diff): &mut (Row, Diff)) {
        *diff = -*diff;
    }

    #[inline]
    fn absorb(last: &mut (Row, Diff), next: &(Row, Diff)) -> Option<Left> {
        (last.0 == next.0).then(|| {
            last.1 += next.1;
            Left::of(last.1 == 0)
        })
    }

    fn key((row, _): &(Row, Diff)) -> &Row {
        row
    }

    fn packet(channel: usize, updates: Vec<(Row, Diff)>) -> Packet {
        Packet::Rows(channel, updates)
    }

    fn channel_end(output: Rc<Output<Row>>) -> ChannelEnd {
        ChannelEnd::Rows(output)
    }
}

impl Record for (Row, Row) {
    type Update = ((Row, Row), Diff);

    #[inline]
    fn times(self, diff: Diff) -> ((Row, Row), Diff) {
        (self, diff)
    }

    fn negate((_, diff): &mut ((Row, Row), Diff)) {
        *diff = -*diff;
    }

    #[inline]
    fn absorb(last: &mut ((Row, Row), Diff), next: &((Row, Row), Diff)) -> Option<Left> {
        (last.0.1 == next.0.1 && last.0.0 == next.0.0).then(|| {
            last.1 += next.1;
            Left::of(last.1 == 0)
        })
    }

    fn key(((key, _), _): &((Row, Row), Diff)) -> &Row {
        key
    }

    fn packet(channel: usize, updates: Vec<((Row, Row), Diff)>) -> Packet {
        Packet::Keyed(channel, updates)
    }

    fn channel_end(output: Rc<Output<(Row, Row)>>) -> ChannelEnd {
        ChannelEnd::Keyed(output)
    }
}

impl Record for (Row, Accum) {
    type Update = (Row, Accum);

    #[inline]
    fn times(self, diff: Diff) -> (Row, Accum) {
        (self.0, self.1.times(diff))
    }

    fn negate((_, accum): &mut (Row, Accum)) {
        accum.negate();
    }

    #[inline]
    fn absorb(last: &mut (Row, Accum), next: &(Row, Accum)) -> Option<Left> {
        (last.0 == next.0).then(|| {
            last.1.add(&next.1);
            Left::of(last.1.is_zero())
        })
    }

    fn key((key, _): &(Row, Accum)) -> &Row {
        key
    }

    fn packet(channel: usize, updates: Vec<(Row, Accum)>) -> Packet {
        Packet::Accums(channel, updates)
    }

    fn channel_end(output: Rc<Output<(Row, Accum)>>) -> ChannelEnd {
        ChannelEnd::Accums(output)
    }
}

/// Updates that wait for their reader.
pub(crate) type Inbox<D> = Rc<RefCell<Vec<<D as Record>::Update>>>;

/// A reader that takes slices of batches as they lie.
struct SliceReader {
    inbox: SliceInbox,
    is_negated: bool,
    task: Task,
}

struct Reader<D: Record> {
    inbox: Inbox<D>,
    is_negated: bool,
    task: Task,
}

/// Where a node's updates go.
pub struct Output<D: Record> {
    readers: RefCell<Vec<Reader<D>>>,
    /// Whether all comes in slices of batches.
    is_input: bool,
    /// Of an input, those of its readers that read batches.
    slice_readers: RefCell<Vec<SliceReader>>,
}

impl Output<Row> {
    /// Hands a part of a batch to every reader.
    pub(crate) fn send_slice(&self, slice: &Slice) {
        for reader in self.slice_readers.borrow().iter() {
            reader.inbox.borrow_mut().push(slice.clone().negated(reader.is_negated));
            reader.task.is_due();
        }
        if !self.readers.borrow().is_empty() {
            self.send(&mut slice.iter().map(|(row, diff)| (row.to_row(), diff)).collect());
        }
    }
}

impl<D: Record> Output<D> {
    pub(crate) fn new(is_input: bool) -> Rc<Output<D>> {
        Rc::new(Output { readers: RefCell::default(), is_input, slice_readers: RefCell::default() })
    }

    /// Hands updates to every reader; the buffer comes back empty.
    pub(crate) fn send(&self, updates: &mut Vec<D::Update>) {
        if updates.is_empty() {
            return;
        }
        let readers = self.readers.borrow();
        let Some((last, others)) = readers.split_last() else {
            updates.clear();
            return;
        };
        for reader in others {
            let mut inbox = reader.inbox.borrow_mut();
            let from = inbox.len();
            inbox.extend_from_slice(updates);
            reader.note(&mut inbox[from..]);
        }
        let mut inbox = last.inbox.borrow_mut();
        let from = inbox.len();
        if from == 0 {
            std::mem::swap(&mut *inbox, updates);
        } else {
            inbox.append(updates);
        }
        last.note(&mut inbox[from..]);
    }
}

impl<D: Record> Reader<D> {
    fn note(&self, updates: &mut [D::Update]) {
        if self.is_negated {
            updates.iter_mut().for_each(D::negate);
        }
        self.task.is_due();
    }
}

/// A node's end of its output, with what it is about to send.
pub(crate) struct Sender<D: Record> {
    output: Rc<Output<D>>,
    buffer: Vec<D::Update>,
}

impl<D: Record> Sender<D> {
    /// For a node whose level is known.
    pub fn new(graph: &Graph, level: usize) -> (Sender<D>, Collection<D>) {
        let output = Output::new(false);
        let collection = Collection { graph: graph.clone(), parts: vec![(output.clone(), false, level)] };
        (Sender { output, buffer: Vec::new() }, collection)
    }

    #[inline]
    pub fn give(&mut self, update: D::Update) {
        if let Some(last) = self.buffer.last_mut() {
            match D::absorb(last, &update) {
                Some(Left::Something) => return,
                Some(Left::Nothing) => {
                    self.buffer.pop();
                    return;
                }
                None => {}
            }
        }
        self.buffer.push(update);
    }

    /// Sends what was given.
    pub fn flush(&mut self) {
        self.output.send(&mut self.buffer);
    }

    /// Sends updates as they are.
    pub fn pass(&mut self, updates: &mut Vec<D::Update>) {
        self.output.send(updates);
    }
}

/// A multiset of records that changes, while the dataflow is built.
pub struct Collection<D: Record> {
    pub(crate) graph: Graph,
    /// Outputs, whether each is taken away, and its level.
    pub(crate) parts: Vec<(Rc<Output<D>>, bool, usize)>,
}

impl<D: Record> Clone for Collection<D> {
    fn clone(&self) -> Collection<D> {
        Collection { graph: self.graph.clone(), parts: self.parts.clone() }
    }
}

impl<D: Record> Collection<D> {
    /// The sum of two collections.
    pub fn concat(mut self, other: Collection<D>) -> Collection<D> {
        self.parts.extend(other.parts);
        self
    }

    /// The sum of collections, of which there is one at least.
    pub fn concatenate(collections: Vec<Collection<D>>) -> Collection<D> {
        let sum = collections.into_iter().reduce(Collection::concat);
        sum.expect("a sum has something to add")
    }

    /// The collection, taken away.
    pub fn negate(mut self) -> Collection<D> {
        self.parts.iter_mut().for_each(|(_, is_negated, _)| *is_negated = !*is_negated);
        self
    }

    /// The level at which a reader may run.
    pub(crate) fn level(&self) -> usize {
        self.parts.iter().map(|(_, _, level)| *level).max().unwrap_or(0)
    }

    /// Adds a reader; from now on updates arrive in its inbox.
    pub(crate) fn read_by(&self, task: &Task) -> Inbox<D> {
        let inbox = Inbox::<D>::default();
        for (output, is_negated, _) in &self.parts {
            let reader = Reader { inbox: inbox.clone(), is_negated: *is_negated, task: task.clone() };
            output.readers.borrow_mut().push(reader);
        }
        inbox
    }
}

impl Collection<Row> {
    /// Adds a reader that also takes what comes from outside as it lies.
    pub(crate) fn read_slices_by(&self, task: &Task) -> (Inbox<Row>, SliceInbox) {
        let (rows, slices) = (Inbox::<Row>::default(), SliceInbox::default());
        for (output, is_negated, _) in &self.parts {
            let (is_negated, task) = (*is_negated, task.clone());
            if output.is_input {
                let reader = SliceReader { inbox: slices.clone(), is_negated, task };
                output.slice_readers.borrow_mut().push(reader);
            } else {
                output.readers.borrow_mut().push(Reader { inbox: rows.clone(), is_negated, task });
            }
        }
        (rows, slices)
    }
}

/// Takes all of an inbox out.
pub(crate) fn take_all<U>(inbox: &RefCell<Vec<U>>) -> Vec<U> {
    std::mem::take(&mut *inbox.borrow_mut())
}

/// Gives an emptied buffer back to its inbox.
pub(crate) fn give_back<U>(inbox: &RefCell<Vec<U>>, mut buffer: Vec<U>) {
    let mut inbox = inbox.borrow_mut();
    if inbox.capacity() == 0 && buffer.capacity() <= KEPT_UPDATES_MAX {
        buffer.clear();
        *inbox = buffer;
    }
}

/// A buffer that grew beyond this in a large epoch is not kept.
const KEPT_UPDATES_MAX: usize = 1 << 14;
