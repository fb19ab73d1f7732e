//! Alternatives in the order in which the longest comes first.
//!
//! ```text
//!   PostgreSQL: of `st|street` the longest that matches     the `regex` crate: the first that matches
//!   `st|street`  ──widths 2..2 and 6..6──>  `street|st`
//! ```
//!
//! 1. A branch moves before another only if every match of it is at least as long as every match of the other: then the first
//!    that matches is the longest. Branches whose widths overlap keep their order.
//! 2. Branches with capturing brackets stay, as moving them would number the brackets anew; so does everything behind a
//!    non-greedy quantifier, which asks for short matches.

/// Characters matched: at least, at most (`None`: no bound).
type Width = (usize, Option<usize>);

struct Branch {
    /// Where its text starts in the output.
    start: usize,
    width: Width,
    /// The last element, which a quantifier behind it still changes.
    last: Width,
}

struct Group {
    branches: Vec<Branch>,
    has_capture: bool,
    is_capturing: bool,
}

/// The open groups of a pattern while it is translated; the first is the whole pattern.
pub(super) struct Branches {
    groups: Vec<Group>,
    is_any_lazy: bool,
}

fn add(a: Width, b: Width) -> Width {
    (a.0.saturating_add(b.0), a.1.zip(b.1).map(|(a, b)| a.saturating_add(b)))
}

impl Branch {
    fn at(start: usize) -> Branch {
        Branch { start, width: (0, Some(0)), last: (0, Some(0)) }
    }

    fn total(&self) -> Width {
        add(self.width, self.last)
    }

    /// Whether no match of `other` is longer than any match of this.
    fn covers(&self, other: &Branch) -> bool {
        other.total().1.is_some_and(|most| most <= self.total().0) && self.total() != other.total()
    }
}

impl Branches {
    pub(super) fn new() -> Branches {
        Branches { groups: vec![Group::at(0, false)], is_any_lazy: false }
    }

    /// Groups that are open, the whole pattern not counted.
    pub(super) fn depth(&self) -> usize {
        self.groups.len() - 1
    }

    fn branch(&mut self) -> Option<&mut Branch> {
        self.groups.last_mut().and_then(|group| group.branches.last_mut())
    }

    /// An element that matches so many characters was written.
    fn element(&mut self, width: Width) {
        if let Some(branch) = self.branch() {
            branch.width = branch.total();
            branch.last = width;
        }
    }

    /// An element that matches one character was written.
    pub(super) fn character(&mut self) {
        self.element((1, Some(1)));
    }

    /// The last element may repeat.
    pub(super) fn repeat(&mut self, least: usize, most: Option<usize>, is_lazy: bool) {
        self.is_any_lazy |= is_lazy;
        if let Some(branch) = self.branch() {
            let (low, high) = branch.last;
            let most = most.zip(high).map(|(most, high)| most.saturating_mul(high));
            branch.last = (low.saturating_mul(least), most);
        }
    }

    /// A group was opened; its text starts at `start`.
    pub(super) fn open(&mut self, start: usize, is_capturing: bool) {
        self.groups.push(Group::at(start, is_capturing));
    }

    /// A `|` was written; the next branch starts at `start`.
    pub(super) fn alternate(&mut self, start: usize) {
        if let Some(group) = self.groups.last_mut() {
            group.branches.push(Branch::at(start));
        }
    }

    /// The innermost group ends at the end of `out`, before its closing bracket: puts its branches in order.
    pub(super) fn close(&mut self, out: &mut String) {
        let Some(group) = self.groups.pop() else { return };
        if !self.is_any_lazy && !group.has_capture {
            group.put_longest_first(out);
        }
        let least = group.branches.iter().map(|branch| branch.total().0).min().unwrap_or(0);
        let most =
            group.branches.iter().map(|branch| branch.total().1).try_fold(0, |most, width| Some(most.max(width?)));
        self.element((least, most));
        if let Some(outer) = self.groups.last_mut() {
            outer.has_capture |= group.has_capture || group.is_capturing;
        }
    }
}

impl Group {
    fn at(start: usize, is_capturing: bool) -> Group {
        Group { branches: vec![Branch::at(start)], has_capture: false, is_capturing }
    }

    fn put_longest_first(&self, out: &mut String) {
        let Some(first) = self.branches.first().filter(|_| self.branches.len() > 1) else { return };
        // An insertion keeps the order of branches that neither covers the other.
        let mut ordered: Vec<usize> = Vec::with_capacity(self.branches.len());
        for (index, branch) in self.branches.iter().enumerate() {
            let before = ordered.iter().position(|placed| branch.covers(&self.branches[*placed]));
            ordered.insert(before.unwrap_or(ordered.len()), index);
        }
        let end_of = |index: usize| self.branches.get(index + 1).map_or(out.len(), |next| next.start - 1);
        let texts: Vec<&str> = ordered.iter().map(|index| &out[self.branches[*index].start..end_of(*index)]).collect();
        let joined = texts.join("|");
        out.truncate(first.start);
        out.push_str(&joined);
    }
}
