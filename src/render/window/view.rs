//! What a call's value is, at one row of an index.

use std::cell::RefCell;

use eval::{Arena, EvalError, Expr};
use index::{Entry, Index, Lanes};
use row::{Datum, Row, RowRef, push_order_key};
use smallvec::SmallVec;

use super::call::{Call, Kind, LaneMap, Spec, value_of_mark};
use super::list::{ListCall, lend};
use crate::plan::{Frame, FrameBound, FrameUnits};

/// An index as it is just now, with all that its calls say of it.
pub struct View<'a> {
    pub spec: &'a Spec,
    pub lanes: &'a LaneMap,
    pub index: &'a Index,
    /// Rows of the partition: the index's, unless the view is of another time (`before`).
    rows: i64,
    /// What was just looked up, as neighbouring rows often share it.
    memo: RefCell<Memo<'a>>,
}

#[derive(Default)]
struct Memo<'a> {
    /// The ranks of the first peer and after the last one of a key.
    peers: Option<(&'a [u8], i64, i64)>,
    /// The last frame of each call and what it gave.
    frames: Vec<Option<((i64, i64), Result<Datum<'a>, EvalError>)>>,
    /// The same of lists.
    lists: Vec<Option<((i64, i64), Result<Row, EvalError>)>>,
    /// A vector of sums, spread out.
    lanes: Vec<i64>,
    /// How many buckets each ntile has.
    buckets: Vec<Option<Result<Option<i64>, EvalError>>>,
    /// The rows from the first on whose sum was last asked for, and that sum.
    running: Option<(i64, Lanes)>,
}

type Value<'r> = Result<Datum<'r>, EvalError>;

impl<'a> View<'a> {
    pub fn new(spec: &'a Spec, lanes: &'a LaneMap, index: &'a Index) -> View<'a> {
        let frames = vec![None; spec.calls.len()];
        let lists = vec![None; spec.calls.len()];
        let buckets = vec![None; spec.calls.len()];
        let memo = Memo { frames, lists, buckets, ..Memo::default() };
        View { spec, lanes, index, rows: index.len(), memo: RefCell::new(memo) }
    }

    /// The same index, seen as of a time when the partition had so many rows: right for calls that look at nothing but a row's rank
    /// and the number of rows.
    pub fn before(spec: &'a Spec, lanes: &'a LaneMap, index: &'a Index, rows: i64) -> View<'a> {
        View { rows, ..View::new(spec, lanes, index) }
    }

    /// The value of a call at the row of `rank`, which is one of the entry's copies.
    pub fn value<'r>(&self, call: usize, at: &Entry<'a>, rank: i64, arena: &'r Arena) -> Value<'r>
    where
        'a: 'r,
    {
        let own = &self.spec.calls[call];
        let rows = self.rows;
        Ok(match &own.kind {
            Kind::RowNumber => Datum::Int(rank + 1),
            Kind::Rank => Datum::Int(self.peers(at).0 + 1),
            Kind::DenseRank => Datum::Int(self.index.groups_among_first(at.rank + 1)),
            Kind::PercentRank if rows == 1 => Datum::Float64(0.0),
            Kind::PercentRank => Datum::Float64(self.peers(at).0 as f64 / (rows - 1) as f64),
            Kind::CumeDist => Datum::Float64(self.peers(at).1 as f64 / rows as f64),
            Kind::Ntile(_) => match self.buckets(call)? {
                Some(buckets) => Datum::Int(bucket(rank, rows, buckets) + 1),
                None => Datum::Null,
            },
            Kind::Beside { value, offset, default, back } => {
                let Datum::Int(offset) = self.eval(offset, at.row, arena)? else { return Ok(Datum::Null) };
                let offset = if *back { offset.checked_neg() } else { Some(offset) };
                match offset.and_then(|offset| rank.checked_add(offset)).and_then(|rank| self.index.at(rank)) {
                    Some(other) => self.eval(value, other.row, arena)?,
                    None => self.eval(default, at.row, arena)?,
                }
            }
            Kind::First(value) | Kind::Last(value) | Kind::Nth(value, _) => {
                let nth = match &own.kind {
                    Kind::Nth(_, n) => match self.eval(n, at.row, arena)? {
                        Datum::Int(n) if n <= 0 => {
                            return Err(EvalError::new("argument of nth_value must be greater than zero"));
                        }
                        Datum::Int(n) => n,
                        _ => return Ok(Datum::Null),
                    },
                    _ => 1,
                };
                let (from, to) = self.frame(&own.frame, at, rank, arena)?;
                let rank = if matches!(own.kind, Kind::Last(_)) { to - 1 } else { from.saturating_add(nth - 1) };
                match self.index.at(rank) {
                    Some(other) if from <= rank && rank < to => self.eval(value, other.row, arena)?,
                    _ => Datum::Null,
                }
            }
            Kind::Sum(_) | Kind::Extreme(_) => {
                let (from, to) = self.frame(&own.frame, at, rank, arena)?;
                return self.aggregate(call, from, to, at, rank);
            }
            Kind::List(list) => {
                let frame = self.frame(&own.frame, at, rank, arena)?;
                return self.list(call, list, frame, arena);
            }
        })
    }

    /// An aggregate over rows of ranks `from..to`, asked for at a row of some rank. Where one row after the other asks for all rows
    /// up to its own, each adds itself.
    fn aggregate(&self, call: usize, from: i64, to: i64, at: &Entry<'a>, rank: i64) -> Value<'a> {
        let mut memo = self.memo.borrow_mut();
        let memo = &mut *memo;
        if let Some((frame, value)) = &memo.frames[call]
            && *frame == (from, to)
        {
            return value.clone();
        }
        let value = match &self.spec.calls[call].kind {
            Kind::Sum(sum) => {
                let whole = from == 0 && to == self.index.len();
                let is_running = from == 0 && to == rank + 1 && at.copies == 1;
                let dense = match &mut memo.running {
                    Some((rows, sum)) if is_running && (rank..=to).contains(rows) => {
                        if *rows == rank {
                            if sum.len() < at.lanes().len() {
                                sum.resize(at.lanes().len(), 0);
                            }
                            sum.iter_mut().zip(at.lanes()).for_each(|(sum, lane)| *sum += lane);
                            *rows = to;
                        }
                        sum.clone()
                    }
                    running if is_running => running.insert((to, self.index.sum(0, to))).1.clone(),
                    _ if whole => self.index.total(),
                    _ => self.index.sum(from, to),
                };
                self.lanes.to_lanes(&dense, &mut memo.lanes);
                self.spec.sums.finish(*sum, &memo.lanes)
            }
            Kind::Extreme(mark) => Ok(self.index.greatest(*mark, from, to).map_or(Datum::Null, value_of_mark)),
            _ => panic!("not an aggregate"),
        };
        memo.frames[call] = Some(((from, to), value.clone()));
        value
    }

    fn list<'r>(&self, call: usize, list: &ListCall, frame: (i64, i64), arena: &'r Arena) -> Value<'r> {
        let memo = &mut self.memo.borrow_mut().lists[call];
        match memo {
            Some((known, _)) if *known == frame => {}
            _ => *memo = Some((frame, list.over(self, frame.0, frame.1))),
        }
        match memo {
            Some((_, Ok(list))) => Ok(lend(list, arena)),
            Some((_, Err(error))) => Err(error.clone()),
            None => Ok(Datum::Null),
        }
    }

    /// The ranks `from..to` that a row sees.
    fn frame(&self, frame: &Frame, at: &Entry<'a>, rank: i64, arena: &Arena) -> Result<(i64, i64), EvalError> {
        let rows = self.index.len();
        let beside = |offset: i64| rank.saturating_add(offset).clamp(-1, rows);
        let (from, to) = match frame.units {
            FrameUnits::Rows => {
                let from = match &frame.start {
                    FrameBound::Offset(offset) => beside(*offset),
                    FrameBound::CurrentRow => rank,
                    FrameBound::Unbounded | FrameBound::Value(_) => 0,
                };
                let to = match &frame.end {
                    FrameBound::Offset(offset) => beside(*offset) + 1,
                    FrameBound::CurrentRow => rank + 1,
                    FrameBound::Unbounded | FrameBound::Value(_) => rows,
                };
                (from.max(0), to.min(rows))
            }
            FrameUnits::Range => {
                let from = match &frame.start {
                    FrameBound::Value(bound) => self.index.rank_of_key(&self.bound(bound, at, arena)?),
                    FrameBound::CurrentRow | FrameBound::Offset(_) => self.peers(at).0,
                    FrameBound::Unbounded => 0,
                };
                let to = match &frame.end {
                    FrameBound::Value(bound) => self.index.rank_after_key(&self.bound(bound, at, arena)?),
                    FrameBound::CurrentRow | FrameBound::Offset(_) => self.peers(at).1,
                    FrameBound::Unbounded => rows,
                };
                (from, to)
            }
        };
        Ok((from, to.max(from)))
    }

    /// The order key at a value bound of a row's frame; a row whose order term is NULL sees its peers.
    pub fn bound(&self, bound: &Expr, at: &Entry<'a>, arena: &Arena) -> Result<SmallVec<[u8; 32]>, EvalError> {
        let value = self.eval(bound, at.row, arena)?;
        if value.is_null() {
            return Ok(SmallVec::from_slice(at.key));
        }
        let mut key = SmallVec::new();
        push_order_key(&mut key, &value, self.spec.direction);
        Ok(key)
    }

    fn peers(&self, at: &Entry<'a>) -> (i64, i64) {
        let mut memo = self.memo.borrow_mut();
        if let Some((key, from, to)) = memo.peers
            && key == at.key
        {
            return (from, to);
        }
        let (from, to) = (self.index.rank_of_key(at.key), self.index.rank_after_key(at.key));
        memo.peers = Some((at.key, from, to));
        (from, to)
    }

    /// How many buckets an ntile has; its argument is that of the partition's first row.
    pub fn buckets(&self, call: usize) -> Result<Option<i64>, EvalError> {
        if let Some(buckets) = &self.memo.borrow().buckets[call] {
            return buckets.clone();
        }
        let buckets = self.buckets_of_first(call);
        self.memo.borrow_mut().buckets[call] = Some(buckets.clone());
        buckets
    }

    fn buckets_of_first(&self, call: usize) -> Result<Option<i64>, EvalError> {
        let Kind::Ntile(buckets) = &self.spec.calls[call].kind else { panic!("not an ntile") };
        let arena = Arena::new();
        let value = if buckets.is_constant() {
            buckets.eval(&[], &arena)?
        } else {
            let Some(first) = self.index.at(0) else { return Ok(None) };
            self.eval(buckets, first.row, &arena)?
        };
        match value {
            Datum::Int(buckets) if buckets <= 0 => Err(EvalError::new("argument of ntile must be greater than zero")),
            Datum::Int(buckets) => Ok(Some(buckets)),
            _ => Ok(None),
        }
    }

    /// An expression over a row's columns.
    pub fn eval<'r>(&self, expr: &'r Expr, row: RowRef<'r>, arena: &'r Arena) -> Value<'r> {
        match expr {
            Expr::Literal { value, .. } => Ok(value.datum()),
            Expr::Column(column) => {
                let mut iter = row.iter();
                (0..*column).for_each(|_| {
                    iter.skip_one();
                });
                Ok(iter.next().expect("a row has as many columns as its plan says"))
            }
            _ => {
                let columns: Vec<Datum<'r>> = row.iter().collect();
                expr.eval(&columns, arena)
            }
        }
    }

    pub fn call(&self, call: usize) -> &'a Call {
        &self.spec.calls[call]
    }
}

/// The bucket of a row: the first buckets have one row more where they are not all alike.
pub fn bucket(rank: i64, rows: i64, buckets: i64) -> i64 {
    let (least, larger) = (rows / buckets, rows % buckets);
    let in_larger = larger * (least + 1);
    if rank < in_larger { rank / (least + 1) } else { larger + (rank - in_larger) / least }
}

/// The rank of a bucket's first row.
pub fn first_of_bucket(bucket: i64, rows: i64, buckets: i64) -> i64 {
    let (least, larger) = (rows / buckets, rows % buckets);
    bucket * least + bucket.min(larger)
}
