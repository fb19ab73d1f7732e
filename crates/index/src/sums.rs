//! The sums that a node keeps of its children: one row of lanes per child, in one allocation.

use smallvec::SmallVec;

/// How many rows.
pub const ROWS: usize = 0;
/// How many entries that are the first of their peers.
pub const GROUPS: usize = 1;
/// Lanes that every row of sums has.
pub const OWN: usize = 2;

/// Sums over a range: the lanes of the rows' weights; cut short where all that follow are zero, so read with `get`.
pub type Lanes = SmallVec<[i64; 16]>;

/// A table of lanes; rows that need more lanes than the table has widen it.
pub struct Sums {
    width: usize,
    cells: Vec<i64>,
}

impl Default for Sums {
    fn default() -> Sums {
        Sums { width: OWN, cells: Vec::new() }
    }
}

impl Sums {
    /// Memory that it has allocated.
    pub fn heap_bytes(&self) -> usize {
        self.cells.capacity() * size_of::<i64>()
    }

    pub fn len(&self) -> usize {
        self.cells.len() / self.width
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    #[inline]
    pub fn row(&self, i: usize) -> &[i64] {
        &self.cells[i * self.width..(i + 1) * self.width]
    }

    /// How many rows lie below the first children.
    #[inline]
    pub fn rows_among_first(&self, children: usize) -> i64 {
        self.cells[..children * self.width].iter().skip(ROWS).step_by(self.width).sum()
    }

    /// One lane over all rows.
    pub fn total(&self, lane: usize) -> i64 {
        self.cells.iter().skip(lane).step_by(self.width).sum()
    }

    /// All lanes over all rows.
    pub fn totals(&self) -> Lanes {
        let mut lanes = Lanes::new();
        self.add_first(self.len(), &mut lanes);
        lanes
    }

    /// Adds the first rows to `lanes`.
    pub fn add_first(&self, rows: usize, lanes: &mut Lanes) {
        if lanes.len() < self.width {
            lanes.resize(self.width, 0);
        }
        for row in self.cells[..rows * self.width].chunks_exact(self.width) {
            lanes.iter_mut().zip(row).for_each(|(lane, more)| *lane += more);
        }
    }

    pub fn add(&mut self, i: usize, delta: &[i64]) {
        self.widen(delta);
        let start = i * self.width;
        self.cells[start..]
            .iter_mut()
            .zip(&delta[..delta.len().min(self.width)])
            .for_each(|(cell, more)| *cell += more);
    }

    pub fn set(&mut self, i: usize, lanes: &[i64]) {
        self.cells[i * self.width..(i + 1) * self.width].fill(0);
        self.add(i, lanes);
    }

    pub fn insert(&mut self, i: usize, lanes: &[i64]) {
        self.widen(lanes);
        let at = i * self.width;
        let lanes = &lanes[..lanes.len().min(self.width)];
        let zeros = self.width - lanes.len();
        self.cells.splice(at..at, lanes.iter().copied().chain(std::iter::repeat_n(0, zeros)));
    }

    pub fn remove(&mut self, i: usize) {
        self.cells.drain(i * self.width..(i + 1) * self.width);
    }

    pub fn split_off(&mut self, i: usize) -> Sums {
        Sums { width: self.width, cells: self.cells.split_off(i * self.width) }
    }

    pub fn append(&mut self, other: Sums) {
        if other.width == self.width {
            self.cells.extend(other.cells);
        } else {
            (0..other.len()).for_each(|i| self.insert(self.len(), other.row(i)));
        }
    }

    /// Gives every row as many lanes as `lanes` has before its zeros at the end.
    fn widen(&mut self, lanes: &[i64]) {
        let used = lanes.iter().rposition(|lane| *lane != 0).map_or(0, |last| last + 1);
        if used <= self.width {
            return;
        }
        let mut cells = Vec::with_capacity(self.len() * used + used);
        for row in self.cells.chunks_exact(self.width) {
            cells.extend_from_slice(row);
            cells.resize(cells.len() + used - self.width, 0);
        }
        *self = Sums { width: used, cells };
    }
}

/// Bytes of which the greatest counts.
pub type Mark = Option<Box<[u8]>>;

/// The greatest marks of each child: as many per child as rows give.
#[derive(Default)]
pub struct Marks {
    width: usize,
    cells: Vec<Mark>,
}

impl Marks {
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn get(&self, i: usize, mark: usize) -> Option<&[u8]> {
        self.cells[i * self.width + mark].as_deref()
    }

    pub fn insert(&mut self, i: usize, marks: &[Option<&[u8]>]) {
        self.width = marks.len();
        let at = i * self.width;
        self.cells.splice(at..at, marks.iter().map(|mark| mark.map(Box::from)));
    }

    pub fn remove(&mut self, i: usize) {
        self.cells.drain(i * self.width..(i + 1) * self.width);
    }

    pub fn split_off(&mut self, i: usize) -> Marks {
        Marks { width: self.width, cells: self.cells.split_off(i * self.width) }
    }

    pub fn append(&mut self, other: Marks) {
        self.cells.extend(other.cells);
    }

    /// Child `i` has got something with these marks.
    pub fn raise(&mut self, i: usize, marks: &[Option<&[u8]>]) {
        for (cell, mark) in self.cells[i * self.width..].iter_mut().zip(marks) {
            if cell.as_deref() < *mark {
                *cell = mark.map(Box::from);
            }
        }
    }

    /// Looks the marks of child `i` up again.
    pub fn refresh(&mut self, i: usize, child: &Marks) {
        for mark in 0..self.width {
            let greatest = child.greatest(mark);
            let cell = &mut self.cells[i * self.width + mark];
            if cell.as_deref() != greatest {
                *cell = greatest.map(Box::from);
            }
        }
    }

    /// The greatest over all children.
    pub fn greatest(&self, mark: usize) -> Option<&[u8]> {
        self.cells.iter().skip(mark).step_by(self.width.max(1)).map(Option::as_deref).max().flatten()
    }

    /// The greatest of each mark.
    pub fn all(&self) -> SmallVec<[Option<&[u8]>; 4]> {
        (0..self.width).map(|mark| self.greatest(mark)).collect()
    }
}
