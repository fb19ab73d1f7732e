//! The operators of one worker in plan order, and how an epoch runs through them.
//!
//! ```text
//!   level 0:  inputs ─> node ─> node ─> …       one pass: each node that is due runs once, in order
//!                                  │
//!             (to other workers, by key │ through a recursion)
//!                                  ▼
//!   level 1:             node ─> node ─> …
//! ```
//!
//! 1. Nodes are numbered as they are built, so that what a node reads comes before it. A pass visits the nodes that something has
//!    arrived for, and no others: a model that a change does not touch costs nothing.
//! 2. While an epoch is open, passes take in what has come, so that large epochs do not pile up. The closing pass also visits the
//!    nodes that answer once per epoch.
//! 3. One epoch at a time: an epoch ends on all workers before the next one begins on any.
//! 4. A level ends where updates go to the worker that their key belongs to. With one worker there are no such ends.

use std::cell::RefCell;
use std::rc::Rc;

use row::{Diff, Epoch, Row};

use crate::batch::{Batch, Slice};
use crate::collection::{Inbox, Output, Record, Sender, take_all};
use crate::exchange::{ChannelEnd, Exchange, Post};
use crate::iterate::Loop;
use crate::{Collection, Rows};

/// One operator.
pub(crate) trait Node {
    /// Takes in what has arrived. `closing` is the epoch, in its last pass: what it changed is given now.
    ///
    /// True: what was taken in is answered only at the close, so that the node wants to be visited then.
    fn run(&mut self, closing: Option<Epoch>) -> bool;

    /// What it holds between epochs.
    fn state(&self) -> StateSize {
        StateSize::default()
    }
}

/// Rows that are held, and the memory that they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSize {
    pub rows: usize,
    pub bytes: usize,
}

impl std::ops::AddAssign for StateSize {
    fn add_assign(&mut self, other: StateSize) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// Which nodes of a level are to be visited, a bit each.
#[derive(Default)]
struct Schedule {
    due: RefCell<Vec<u64>>,
    /// Those that want to be visited at the close.
    closing: RefCell<Vec<u64>>,
}

impl Schedule {
    fn grow(&self, nodes: usize) {
        self.due.borrow_mut().resize(nodes.div_ceil(64), 0);
        self.closing.borrow_mut().resize(nodes.div_ceil(64), 0);
    }

    fn set(bits: &RefCell<Vec<u64>>, node: usize) {
        bits.borrow_mut()[node / 64] |= 1 << (node % 64);
    }

    /// Takes the next node out, from the given word on.
    fn next(&self, word: &mut usize, closes: bool) -> Option<usize> {
        let (mut due, mut closing) = (self.due.borrow_mut(), self.closing.borrow_mut());
        while *word < due.len() {
            let bits = due[*word] | if closes { closing[*word] } else { 0 };
            if bits != 0 {
                let bit = bits.trailing_zeros();
                due[*word] &= !(1 << bit);
                if closes {
                    closing[*word] &= !(1 << bit);
                }
                return Some(*word * 64 + bit as usize);
            }
            *word += 1;
        }
        None
    }
}

/// A node's place in its level's schedule.
#[derive(Clone)]
pub(crate) struct Task {
    schedule: Rc<Schedule>,
    node: usize,
}

impl Task {
    /// Whether something has arrived, of which it now knows.
    pub fn take(&self) -> bool {
        self.schedule.next(&mut 0, false).is_some()
    }

    /// Something has arrived for the node.
    #[inline]
    pub fn is_due(&self) {
        Schedule::set(&self.schedule.due, self.node);
    }
}

struct Placed {
    /// Whose it is, and what it does.
    owner: Rc<str>,
    name: String,
    node: Box<dyn Node>,
}

#[derive(Default)]
struct Level {
    schedule: Rc<Schedule>,
    nodes: Vec<Placed>,
    /// Whether updates leave it for other workers.
    departs: bool,
}

struct Inner {
    post: Post,
    levels: RefCell<Vec<Level>>,
    channels: RefCell<Vec<ChannelEnd>>,
    /// What is there from the beginning.
    constants: RefCell<Vec<Box<dyn FnOnce()>>>,
    loops: RefCell<Vec<Loop>>,
    /// Who owns the nodes that are added now.
    owner: RefCell<Rc<str>>,
}

/// The dataflow of one worker. Cloning gives another handle of it.
#[derive(Clone)]
pub struct Graph(Rc<Inner>);

/// Updates of one pass, so that what lies between operators stays in the caches.
const PASS_UPDATES: usize = 1024;

impl Graph {
    /// An empty dataflow of the worker whose post it is.
    pub fn new(post: Post) -> Graph {
        Graph(Rc::new(Inner {
            post,
            levels: RefCell::new(vec![Level::default()]),
            channels: RefCell::default(),
            constants: RefCell::default(),
            loops: RefCell::default(),
            owner: RefCell::new("".into()),
        }))
    }

    /// The worker's number.
    pub fn worker(&self) -> usize {
        self.0.post.worker
    }

    /// A collection that is fed from outside.
    pub fn input(&self) -> (Input, Rows) {
        let output = Output::new(true);
        let rows = Collection { graph: self.clone(), parts: vec![(output.clone(), false, 0)] };
        (Input { graph: self.clone(), output }, rows)
    }

    /// Records that are there from the first epoch on; each once, on the first worker.
    pub fn constant<D: Record>(&self, records: Vec<(D, Diff)>) -> Collection<D> {
        let (mut sender, collection) = Sender::<D>::new(self, 0);
        if self.worker() == 0 {
            self.0.constants.borrow_mut().push(Box::new(move || {
                records.into_iter().for_each(|(record, diff)| sender.give(record.times(diff)));
                sender.flush();
            }));
        }
        collection
    }

    /// Moves each epoch's changes of a collection, under a number, to where they are wanted.
    pub fn capture(&self, rows: Rows, number: usize, into: &Captured) {
        let into = into.clone();
        self.add("Capture", rows.level(), |task| {
            let inbox = rows.read_by(task);
            Box::new(Capture { inbox, number, into })
        });
    }

    /// How many operators there are.
    pub fn operators(&self) -> usize {
        self.0.levels.borrow().iter().map(|level| level.nodes.len()).sum::<usize>() + self.0.loops.borrow().len()
    }

    /// From now on nodes are built for this owner.
    pub fn build_for(&self, owner: &str) {
        *self.0.owner.borrow_mut() = owner.into();
    }

    /// What each operator holds: its owner, its name, how much. Looks at all of it.
    pub fn states(&self) -> Vec<(Rc<str>, String, StateSize)> {
        let levels = self.0.levels.borrow();
        let nodes = levels.iter().flat_map(|level| &level.nodes);
        let states = nodes.map(|placed| (placed.owner.clone(), placed.name.clone(), placed.node.state()));
        states.filter(|(_, _, size)| *size != StateSize::default()).collect()
    }

    /// Adds a node at a level; `build` subscribes its inboxes.
    pub(crate) fn add(&self, name: &str, level: usize, build: impl FnOnce(&Task) -> Box<dyn Node>) {
        let task = {
            let mut levels = self.0.levels.borrow_mut();
            while levels.len() <= level {
                levels.push(Level::default());
            }
            let level = &levels[level];
            level.schedule.grow(level.nodes.len() + 1);
            Task { schedule: level.schedule.clone(), node: level.nodes.len() }
        };
        let node = build(&task);
        let owner = self.0.owner.borrow().clone();
        self.0.levels.borrow_mut()[level].nodes.push(Placed { owner, name: name.to_owned(), node });
    }

    /// A collection whose updates are on the worker that their key belongs to.
    pub(crate) fn exchanged<D: Record>(&self, collection: Collection<D>) -> Collection<D> {
        if self.0.post.workers() == 1 {
            return collection;
        }
        let level = collection.level();
        let (arriving, arrived) = Sender::<D>::new(self, level + 1);
        let channel = self.0.channels.borrow().len();
        self.0.channels.borrow_mut().push(D::channel_end(arrived.parts[0].0.clone()));
        let post = self.0.post.clone();
        self.add("Exchange", level, |task| Box::new(Exchange::new(collection.read_by(task), channel, post, arriving)));
        self.0.levels.borrow_mut()[level].departs = true;
        arrived
    }

    /// Adds a recursion that stands between this level and the next.
    pub(crate) fn add_loop(&self, recursion: Loop) {
        self.0.loops.borrow_mut().push(recursion);
    }

    /// A reader that is no node: what stands between levels looks into its inbox itself.
    pub(crate) fn reader_beside(&self) -> Task {
        let schedule = Rc::new(Schedule::default());
        schedule.grow(1);
        Task { schedule, node: 0 }
    }

    /// Takes in what was fed.
    fn pass(&self) {
        self.begin();
        self.run_level(0, None);
    }

    fn begin(&self) {
        if !self.0.constants.borrow().is_empty() {
            self.0.constants.take().into_iter().for_each(|constant| constant());
        }
    }

    fn run_level(&self, level: usize, closing: Option<Epoch>) {
        let mut levels = self.0.levels.borrow_mut();
        let Level { schedule, nodes, .. } = &mut levels[level];
        let mut word = 0;
        while let Some(node) = schedule.next(&mut word, closing.is_some()) {
            if nodes[node].node.run(closing) {
                Schedule::set(&schedule.closing, node);
            }
        }
    }

    /// Ends the open epoch, on this worker and the others. `step` lets the timely worker of recursions work; it and the wait for
    /// other workers call it again and again, so that it may unwind when another worker is gone.
    pub fn close(&self, epoch: Epoch, step: &mut dyn FnMut()) {
        self.begin();
        let levels = self.0.levels.borrow().len();
        for level in 0..levels {
            self.run_level(level, Some(epoch));
            if self.0.levels.borrow()[level].departs {
                for packet in self.0.post.exchange(step) {
                    self.0.channels.borrow()[packet.channel()].deliver(packet);
                }
            }
            let mut loops = self.0.loops.borrow_mut();
            loops.iter_mut().filter(|found| found.level == level).for_each(|found| found.run(epoch, step));
        }
    }

    /// Builds the timely dataflows of recursions. Once, when everything else has been built.
    pub fn build_loops(&self, worker: &mut timely::worker::Worker) {
        let workers = self.0.post.workers();
        self.0.loops.borrow_mut().iter_mut().for_each(|recursion| recursion.build(worker, workers));
        // A level without nodes still ends.
        let last = self.0.loops.borrow().iter().map(|recursion| recursion.level).max();
        let mut levels = self.0.levels.borrow_mut();
        while last.is_some_and(|last| levels.len() <= last) {
            levels.push(Level::default());
        }
    }
}

/// Where changes come in.
pub struct Input {
    graph: Graph,
    output: Rc<Output<Row>>,
}

impl Input {
    /// Adds changes to the open epoch.
    pub fn give(&self, batch: Batch) {
        let is_small = batch.len() < PASS_UPDATES;
        for slice in Slice::parts(batch, PASS_UPDATES) {
            self.output.send_slice(&slice);
            if !is_small {
                self.graph.pass();
            }
        }
    }
}

/// Changes by the number of their output, in no order.
pub type Captured = Rc<RefCell<Vec<(usize, Vec<(Row, Diff)>)>>>;

struct Capture {
    inbox: Inbox<Row>,
    number: usize,
    into: Captured,
}

impl Node for Capture {
    fn run(&mut self, _: Option<Epoch>) -> bool {
        self.into.borrow_mut().push((self.number, take_all(&self.inbox)));
        false
    }
}
