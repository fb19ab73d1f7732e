//! Nodes of the tree: changing them along a path.

use row::RowRef;

use crate::leaf::Leaf;
use crate::path::{Path, Steps};
use crate::sums::{Marks, Sums};
use crate::target::{Target, head};

/// Children of an inner node.
const CHILDREN_MAX: usize = 64;

/// A node: the sums of its children (or entries), and those.
#[derive(Default)]
pub struct Node {
    pub sums: Sums,
    pub marks: Marks,
    pub body: Body,
}

pub enum Body {
    Leaf(Leaf),
    Inner(Box<Inner>),
}

impl Default for Body {
    fn default() -> Body {
        Body::Leaf(Leaf::default())
    }
}

/// Every entry of child `i` is at or after bound `i`, and before bound `i + 1`. The first child's bound is never looked at.
pub struct Inner {
    pub children: Vec<Node>,
    bounds: Vec<Bound>,
}

/// A key and row that divide two children.
#[derive(Default)]
pub struct Bound {
    head: u64,
    key: u32,
    bytes: Box<[u8]>,
}

impl Bound {
    fn new(key: &[u8], row: RowRef<'_>) -> Bound {
        let bytes = [key, row.bytes()].concat().into_boxed_slice();
        Bound { head: head(key), key: key.len() as u32, bytes }
    }

    fn is_at_or_before(&self, target: &Target<'_>) -> bool {
        let (key, row) = self.bytes.split_at(self.key as usize);
        target.compare_with_head(self.head, key, RowRef::new(row)).is_le()
    }
}

impl Node {
    /// Memory below it; marks of ranges, which few indexes have, are left out.
    pub fn heap_bytes(&self) -> usize {
        let body = match &self.body {
            Body::Leaf(leaf) => leaf.heap_bytes(),
            Body::Inner(inner) => {
                let bounds: usize = inner.bounds.iter().map(|bound| size_of::<Bound>() + bound.bytes.len()).sum();
                let children = inner.children.iter().map(|child| size_of::<Node>() + child.heap_bytes());
                size_of::<Inner>() + bounds + children.sum::<usize>()
            }
        };
        self.sums.heap_bytes() + body
    }
}

impl Inner {
    /// The child in which a target lies or would be put.
    pub fn child_of(&self, target: &Target<'_>) -> usize {
        self.bounds[1..].partition_point(|bound| bound.is_at_or_before(target))
    }
}

impl Node {
    /// A new root over two nodes.
    pub fn over(left: Node, bound: Bound, right: Node) -> Node {
        let mut node = Node::default();
        for (i, child) in [&left, &right].into_iter().enumerate() {
            node.sums.insert(i, &child.sums.totals());
            node.marks.insert(i, &child.marks.all());
        }
        let inner = Inner { children: vec![left, right], bounds: vec![Bound::default(), bound] };
        node.body = Body::Inner(Box::new(inner));
        node
    }

    pub fn locate(&self, target: &Target<'_>) -> Path {
        let mut steps = Steps::new();
        let mut node = self;
        loop {
            match &node.body {
                Body::Inner(inner) => {
                    let child = inner.child_of(target);
                    steps.push(child as u16);
                    node = &inner.children[child];
                }
                Body::Leaf(leaf) => {
                    let (slot, found) = leaf.search(target);
                    return Path { steps, slot, found };
                }
            }
        }
    }

    pub fn leaf_at(&self, path: &Path) -> &Node {
        path.steps.iter().fold(self, |node, step| match &node.body {
            Body::Inner(inner) => &inner.children[usize::from(*step)],
            Body::Leaf(_) => unreachable!("a path ends at a leaf"),
        })
    }

    /// The key of an entry of the leaf that a path leads to.
    pub fn key_in_leaf(&self, path: &Path, slot: usize) -> &[u8] {
        match &self.leaf_at(path).body {
            Body::Leaf(leaf) => leaf.entry(slot).0,
            Body::Inner(_) => unreachable!("a path ends at a leaf"),
        }
    }

    /// The last entry below the node that the steps lead to.
    pub fn last_below(&self, mut steps: Steps) -> Option<Path> {
        let mut node = self.at(&steps)?;
        while let Body::Inner(inner) = &node.body {
            steps.push((inner.children.len() - 1) as u16);
            node = inner.children.last()?;
        }
        Some(Path { steps, slot: node.sums.len().checked_sub(1)?, found: true })
    }

    /// The first entry below the node that the steps lead to, if there is such a node.
    pub fn first_below(&self, mut steps: Steps) -> Option<Path> {
        let mut node = self.at(&steps)?;
        while let Body::Inner(inner) = &node.body {
            steps.push(0);
            node = inner.children.first()?;
        }
        Some(Path { steps, slot: 0, found: true })
    }

    fn at(&self, steps: &Steps) -> Option<&Node> {
        steps.iter().try_fold(self, |node, step| match &node.body {
            Body::Inner(inner) => inner.children.get(usize::from(*step)),
            Body::Leaf(_) => None,
        })
    }

    /// Adds lanes to an entry and to all sums above it.
    pub fn add(&mut self, steps: &[u16], slot: usize, delta: &[i64]) {
        let Some((step, below)) = steps.split_first() else { return self.sums.add(slot, delta) };
        let step = usize::from(*step);
        self.sums.add(step, delta);
        self.inner().children[step].add(below, slot, delta);
    }

    /// Puts an entry in; a node that grew too large gives its right half, and where that begins.
    pub fn insert(
        &mut self,
        steps: &[u16],
        slot: usize,
        key: &[u8],
        row: RowRef<'_>,
        delta: &[i64],
        marks: &[Option<&[u8]>],
    ) -> Option<(Bound, Node)> {
        let Some((step, below)) = steps.split_first() else {
            let Body::Leaf(leaf) = &mut self.body else { unreachable!("a path ends at a leaf") };
            leaf.insert(slot, key, row);
            let is_last = slot + 1 == leaf.len();
            let is_over = leaf.is_over();
            self.sums.insert(slot, delta);
            self.marks.insert(slot, marks);
            return is_over.then(|| self.split(is_last));
        };
        let step = usize::from(*step);
        self.sums.add(step, delta);
        self.marks.raise(step, marks);
        let (bound, right) = self.inner().children[step].insert(below, slot, key, row, delta, marks)?;
        let left = &self.inner().children[step];
        let (left_sums, right_sums) = (left.sums.totals(), right.sums.totals());
        let Node { sums, marks, body } = self;
        let Body::Inner(inner) = body else { unreachable!("a step leads through an inner node") };
        sums.set(step, &left_sums);
        sums.insert(step + 1, &right_sums);
        marks.refresh(step, &inner.children[step].marks);
        marks.insert(step + 1, &right.marks.all());
        inner.children.insert(step + 1, right);
        inner.bounds.insert(step + 1, bound);
        let is_last = step + 2 == inner.children.len();
        (inner.children.len() > CHILDREN_MAX).then(|| self.split(is_last))
    }

    /// Splits in halves; where rows come in order, the left part stays nearly full.
    fn split(&mut self, at_end: bool) -> (Bound, Node) {
        let count = self.sums.len();
        let at = if at_end { (count - count / 8).min(count - 1) } else { count / 2 }.max(1);
        let (sums, marks) = (self.sums.split_off(at), self.marks.split_off(at));
        let (bound, body) = match &mut self.body {
            Body::Leaf(leaf) => {
                let right = leaf.split_off(at);
                let (key, row) = right.entry(0);
                (Bound::new(key, row), Body::Leaf(right))
            }
            Body::Inner(inner) => {
                let children = inner.children.split_off(at);
                let mut bounds = inner.bounds.split_off(at);
                (std::mem::take(&mut bounds[0]), Body::Inner(Box::new(Inner { children, bounds })))
            }
        };
        (bound, Node { sums, marks, body })
    }

    /// Takes an entry out; children that became small are put together with a neighbour.
    pub fn remove(&mut self, steps: &[u16], slot: usize, delta: &[i64]) {
        let Some((step, below)) = steps.split_first() else {
            let Body::Leaf(leaf) = &mut self.body else { unreachable!("a path ends at a leaf") };
            leaf.remove(slot);
            self.sums.remove(slot);
            self.marks.remove(slot);
            return;
        };
        let step = usize::from(*step);
        self.inner().children[step].remove(below, slot, delta);
        let Node { sums, marks, body } = self;
        let Body::Inner(inner) = body else { unreachable!("a step leads through an inner node") };
        sums.add(step, delta);
        marks.refresh(step, &inner.children[step].marks);
        if inner.children.len() > 1 && inner.children[step].holds_nothing() {
            self.drop_child(step);
            return;
        }
        let takes = |left: usize, inner: &Inner| {
            left + 1 < inner.children.len() && inner.children[left].takes(&inner.children[left + 1])
        };
        if !inner.children[step].is_small() {
        } else if takes(step, inner) {
            self.merge(step);
        } else if step > 0 && takes(step - 1, inner) {
            self.merge(step - 1);
        }
    }

    fn drop_child(&mut self, step: usize) {
        self.sums.remove(step);
        self.marks.remove(step);
        let inner = self.inner();
        inner.children.remove(step);
        inner.bounds.remove(step);
    }

    /// Puts the child after `left` into it.
    fn merge(&mut self, left: usize) {
        let inner = self.inner();
        let right = inner.children.remove(left + 1);
        let bound = inner.bounds.remove(left + 1);
        let child = &mut inner.children[left];
        child.sums.append(right.sums);
        child.marks.append(right.marks);
        match (&mut child.body, right.body) {
            (Body::Leaf(leaf), Body::Leaf(right)) => leaf.append(right),
            (Body::Inner(inner), Body::Inner(mut right)) => {
                right.bounds[0] = bound;
                inner.children.append(&mut right.children);
                inner.bounds.append(&mut right.bounds);
            }
            _ => unreachable!("all leaves are at one depth"),
        }
        let totals = child.sums.totals();
        let Node { sums, marks, body } = self;
        let Body::Inner(inner) = body else { unreachable!("merging is for children") };
        sums.remove(left + 1);
        sums.set(left, &totals);
        marks.remove(left + 1);
        marks.refresh(left, &inner.children[left].marks);
    }

    /// A root with one child gives way to it.
    pub fn shrink(&mut self) {
        while let Body::Inner(inner) = &mut self.body
            && inner.children.len() == 1
        {
            *self = inner.children.remove(0);
        }
    }

    /// Whether no entry is left below. The last child of an inner node stays until the node itself goes.
    fn holds_nothing(&self) -> bool {
        match &self.body {
            Body::Leaf(_) => self.sums.is_empty(),
            Body::Inner(inner) => matches!(&inner.children[..], [child] if child.holds_nothing()),
        }
    }

    fn is_small(&self) -> bool {
        self.sums.len() < CHILDREN_MAX / 4
    }

    fn takes(&self, right: &Node) -> bool {
        match (&self.body, &right.body) {
            (Body::Leaf(left), Body::Leaf(right)) => left.takes(right),
            _ => self.sums.len() + right.sums.len() <= CHILDREN_MAX / 4 * 3,
        }
    }

    fn inner(&mut self) -> &mut Inner {
        match &mut self.body {
            Body::Inner(inner) => inner,
            Body::Leaf(_) => unreachable!("a step leads through an inner node"),
        }
    }
}
