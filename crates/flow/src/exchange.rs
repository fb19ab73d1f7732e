//! Updates on their way to the worker that their key belongs to.
//!
//! At the end of a level each worker sends every other one parcel, and waits for one of each: so all have the same number of turns.

use std::cell::RefCell;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::rc::Rc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender as ChannelSender, unbounded};
use row::{Diff, Epoch, Row};

use crate::Accum;
use crate::collection::{Inbox, Output, Record, Sender, give_back, take_all};
use crate::graph::Node;

/// Updates of one channel.
pub enum Packet {
    Rows(usize, Vec<(Row, Diff)>),
    Keyed(usize, Vec<((Row, Row), Diff)>),
    Accums(usize, Vec<(Row, Accum)>),
}

impl Packet {
    pub(crate) fn channel(&self) -> usize {
        match self {
            Packet::Rows(channel, _) | Packet::Keyed(channel, _) | Packet::Accums(channel, _) => *channel,
        }
    }
}

/// Where a channel's updates arrive.
pub enum ChannelEnd {
    Rows(Rc<Output<Row>>),
    Keyed(Rc<Output<(Row, Row)>>),
    Accums(Rc<Output<(Row, Accum)>>),
}

impl ChannelEnd {
    pub(crate) fn deliver(&self, packet: Packet) {
        match (self, packet) {
            (ChannelEnd::Rows(output), Packet::Rows(_, mut updates)) => output.send(&mut updates),
            (ChannelEnd::Keyed(output), Packet::Keyed(_, mut updates)) => output.send(&mut updates),
            (ChannelEnd::Accums(output), Packet::Accums(_, mut updates)) => output.send(&mut updates),
            _ => panic!("all workers build the same channels"),
        }
    }
}

/// What one worker sends another at the end of a level.
type Parcel = Vec<Packet>;

/// A worker's connections, before its thread has begun.
pub struct Address {
    worker: usize,
    to: Vec<ChannelSender<Parcel>>,
    from: Vec<Receiver<Parcel>>,
}

/// The connections of so many workers, each to each.
pub fn addresses(workers: usize) -> Vec<Address> {
    let mut to: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    let mut from: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for sender in &mut to {
        for receiver in &mut from {
            let (channel_to, channel_from) = unbounded();
            sender.push(channel_to);
            receiver.push(channel_from);
        }
    }
    let pairs = to.into_iter().zip(from).enumerate();
    pairs.map(|(worker, (to, from))| Address { worker, to, from }).collect()
}

/// A worker's connections, and what it is about to send to each of the others.
#[derive(Clone)]
pub struct Post {
    pub(crate) worker: usize,
    outgoing: Rc<RefCell<Vec<Parcel>>>,
    address: Rc<Address>,
}

/// How long a wait for another worker lasts before it is looked whether that one is still there.
const WAIT: Duration = Duration::from_millis(20);

impl Post {
    pub fn new(address: Address) -> Post {
        let outgoing = address.to.iter().map(|_| Vec::new()).collect();
        Post { worker: address.worker, outgoing: Rc::new(RefCell::new(outgoing)), address: Rc::new(address) }
    }

    pub(crate) fn workers(&self) -> usize {
        self.address.to.len()
    }

    /// Sends what is outgoing and gives what the others sent. `while_waiting` is called while they are busy.
    pub(crate) fn exchange(&self, while_waiting: &mut dyn FnMut()) -> Vec<Packet> {
        let others = || (0..self.workers()).filter(|other| *other != self.worker);
        for other in others() {
            let parcel = std::mem::take(&mut self.outgoing.borrow_mut()[other]);
            // A worker that is gone takes everything down; whoever waits is told.
            let _ = self.address.to[other].send(parcel);
        }
        let mut arrived = Vec::new();
        for other in others() {
            arrived.append(&mut loop {
                match self.address.from[other].recv_timeout(WAIT) {
                    Ok(parcel) => break parcel,
                    Err(RecvTimeoutError::Timeout) => while_waiting(),
                    Err(RecvTimeoutError::Disconnected) => {
                        while_waiting();
                        std::thread::sleep(WAIT);
                    }
                }
            });
        }
        arrived
    }
}

/// Sends updates away by their key.
pub(crate) struct Exchange<D: Record> {
    inbox: Inbox<D>,
    channel: usize,
    post: Post,
    here: Sender<D>,
    shares: Vec<Vec<D::Update>>,
    /// The same on every worker.
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl<D: Record> Exchange<D> {
    pub fn new(inbox: Inbox<D>, channel: usize, post: Post, here: Sender<D>) -> Exchange<D> {
        let shares = (0..post.workers()).map(|_| Vec::new()).collect();
        Exchange { inbox, channel, post, here, shares, hasher: BuildHasherDefault::default() }
    }
}

impl<D: Record> Node for Exchange<D> {
    fn run(&mut self, _: Option<Epoch>) -> bool {
        let workers = self.shares.len() as u64;
        let mut updates = take_all(&self.inbox);
        for update in updates.drain(..) {
            let to = self.hasher.hash_one(D::key(&update)) % workers;
            self.shares[to as usize].push(update);
        }
        give_back(&self.inbox, updates);
        let mut outgoing = self.post.outgoing.borrow_mut();
        for (to, share) in self.shares.iter_mut().enumerate().filter(|(_, share)| !share.is_empty()) {
            if to == self.post.worker {
                self.here.pass(share);
            } else {
                outgoing[to].push(D::packet(self.channel, std::mem::take(share)));
            }
        }
        false
    }
}
