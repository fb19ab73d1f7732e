//! Where an entry lies: the child to take in each inner node, and the slot in the leaf.

use smallvec::SmallVec;

use crate::Index;

#[derive(Clone, Debug)]
pub struct Path {
    pub steps: Steps,
    pub slot: usize,
    /// Whether the entry looked for lies there; else it would have to be put there.
    pub found: bool,
}

pub type Steps = SmallVec<[u16; 8]>;

impl Index {
    /// The entry before a path's place.
    pub(crate) fn before(&self, path: &Path) -> Option<Path> {
        if path.slot > 0 {
            return Some(Path { slot: path.slot - 1, ..path.clone() });
        }
        let level = path.steps.iter().rposition(|step| *step > 0)?;
        let mut steps: Steps = path.steps[..=level].into();
        steps[level] -= 1;
        self.root.last_below(steps)
    }

    /// The entry after a path's place, which itself holds an entry or is where one would be put.
    pub(crate) fn after(&self, path: &Path, holds_entry: bool) -> Option<Path> {
        let slot = path.slot + usize::from(holds_entry);
        if slot < self.root.leaf_at(path).sums.len() {
            return Some(Path { slot, ..path.clone() });
        }
        // Up to the nearest node with a further child, then down its first children.
        for level in (0..path.steps.len()).rev() {
            let mut steps: Steps = path.steps[..=level].into();
            steps[level] += 1;
            if let Some(path) = self.root.first_below(steps) {
                return Some(path);
            }
        }
        None
    }
}
