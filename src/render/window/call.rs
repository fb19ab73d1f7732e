//! A window node made ready: its calls, what its aggregates add up, and what the chain above makes of them.

use eval::accumulate::Accumulators;
use eval::{AggregateCall, AggregateFunction, Expr, OrderTerm};
use index::Lanes;
use row::{Datum, OwnedDatum, RowBuilder, ScalarType, SortDirection, push_order_key};
use smallvec::SmallVec;

use super::atoms::{Reading, read_chain};
use super::list::ListCall;
use crate::plan::{Frame, FrameBound, FrameUnits, WindowCall, WindowFunction};
use crate::render::errors::Blame;
use crate::render::mfp::Mfp;

/// Everything about a window node that its partitions share.
pub struct Spec {
    pub calls: Vec<Call>,
    /// Input columns.
    pub arity: usize,
    /// Of the only order term, for frames with value bounds.
    pub direction: SortDirection,
    pub sums: Accumulators,
    /// Aggregate arguments that come with each row, in the order of the calls.
    pub arguments: Vec<Argument>,
    pub marks: usize,
    /// What runs over the input's columns and the calls' values.
    pub chain: Mfp,
    /// One per step of the chain.
    pub blames: Vec<Blame>,
    /// How the chain reads the calls.
    pub reading: Reading,
}

pub struct Call {
    pub kind: Kind,
    pub frame: Frame,
    pub blame: Blame,
}

pub enum Kind {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile(Expr),
    /// The value of the row so many rows before (`back`) or after.
    Beside {
        value: Expr,
        offset: Expr,
        default: Expr,
        back: bool,
    },
    First(Expr),
    Last(Expr),
    Nth(Expr, Expr),
    /// An aggregate that adds up: by its number among those.
    Sum(usize),
    /// The least or greatest value: by its mark.
    Extreme(usize),
    /// The values of the frame's rows, one after the other.
    List(Box<ListCall>),
}

/// What becomes of an aggregate's argument.
#[derive(Clone, Copy)]
pub enum Argument {
    Sum(usize),
    Mark(SortDirection),
}

impl Call {
    pub fn is_whole(&self) -> bool {
        self.frame.start == FrameBound::Unbounded && self.frame.end == FrameBound::Unbounded
    }

    /// An aggregate from the partition's beginning up to the current row, or so.
    pub fn is_running(&self) -> bool {
        self.frame.start == FrameBound::Unbounded
            && match self.frame.end {
                FrameBound::CurrentRow => true,
                FrameBound::Offset(_) => self.frame.units == FrameUnits::Rows,
                FrameBound::Unbounded | FrameBound::Value(_) => false,
            }
    }
}

impl Spec {
    pub fn new(
        calls: &[WindowCall],
        order_by: &[OrderTerm],
        types: Vec<ScalarType>,
        chain: &Mfp,
        blames: Vec<Blame>,
        model: &str,
    ) -> Spec {
        let mut sums = Vec::new();
        let mut arguments = Vec::new();
        let mut marks = 0;
        let calls: Vec<Call> = calls
            .iter()
            .map(|call| {
                let kind = kind(call, &mut sums, &mut arguments, &mut marks);
                let mut frame = call.frame.clone();
                if order_by.is_empty() && frame.units == FrameUnits::Range {
                    // All rows are peers.
                    frame = Frame::whole();
                }
                Call { kind, frame, blame: Blame { model: model.to_owned(), expression: describe(call) } }
            })
            .collect();
        let reading = read_chain(&calls, &sums, types.len(), chain);
        Spec {
            calls,
            arity: types.len(),
            direction: order_by.first().map_or(SortDirection::ASCENDING, |term| term.direction),
            sums: Accumulators::new(&sums),
            arguments,
            marks,
            chain: chain.clone(),
            blames,
            reading,
        }
    }
}

fn kind(call: &WindowCall, sums: &mut Vec<AggregateCall>, arguments: &mut Vec<Argument>, marks: &mut usize) -> Kind {
    let arg = |i: usize| call.args.get(i).cloned().unwrap_or_else(|| Expr::null(call.returns.clone()));
    match &call.function {
        WindowFunction::RowNumber => Kind::RowNumber,
        WindowFunction::Rank => Kind::Rank,
        WindowFunction::DenseRank => Kind::DenseRank,
        WindowFunction::PercentRank => Kind::PercentRank,
        WindowFunction::CumeDist => Kind::CumeDist,
        WindowFunction::Ntile => Kind::Ntile(arg(0)),
        WindowFunction::Lag | WindowFunction::Lead => {
            let one = || Expr::literal(OwnedDatum::new(&Datum::Int(1)), ScalarType::Int64);
            let offset = call.args.get(1).cloned().unwrap_or_else(one);
            Kind::Beside { value: arg(0), offset, default: arg(2), back: call.function == WindowFunction::Lag }
        }
        WindowFunction::FirstValue => Kind::First(arg(0)),
        WindowFunction::LastValue => Kind::Last(arg(0)),
        WindowFunction::NthValue => Kind::Nth(arg(0), arg(1)),
        WindowFunction::Aggregate(aggregate) => match aggregate.function {
            function if function.is_list() => Kind::List(Box::new(ListCall::new(aggregate))),
            AggregateFunction::Min | AggregateFunction::Max | AggregateFunction::AnyValue => {
                let descending = aggregate.function != AggregateFunction::Max;
                let direction = SortDirection { descending, nulls_first: false };
                arguments.push(Argument::Mark(direction));
                *marks += 1;
                Kind::Extreme(*marks - 1)
            }
            function => {
                assert!(Accumulators::can_hold(aggregate), "{function:?} over a window is refused by the planner");
                arguments.push(Argument::Sum(sums.len()));
                sums.push(aggregate.clone());
                Kind::Sum(sums.len() - 1)
            }
        },
    }
}

fn describe(call: &WindowCall) -> String {
    match &call.function {
        WindowFunction::Aggregate(call) => crate::render::aggregate::describe(std::slice::from_ref(call)),
        function => format!("{function:?}").to_lowercase(),
    }
}

/// The mark of a value: greatest for the greatest (or least) value, and the value to be read back. NULL has none.
pub fn push_mark(datum: &Datum<'_>, direction: SortDirection) -> Option<Vec<u8>> {
    if datum.is_null() {
        return None;
    }
    let mut key: SmallVec<[u8; 32]> = SmallVec::new();
    push_order_key(&mut key, datum, direction);
    let mut builder = RowBuilder::default();
    builder.push(datum);
    let mut mark = key.to_vec();
    mark.extend_from_slice(builder.finish().bytes());
    mark.extend_from_slice(&(key.len() as u32).to_be_bytes());
    Some(mark)
}

/// The value of a mark.
pub fn value_of_mark(mark: &[u8]) -> Datum<'_> {
    let (rest, length) = mark.split_at(mark.len() - 4);
    let key = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
    row::RowRef::new(&rest[key..]).iter().next().expect("a mark ends with its value")
}

/// Which lanes are in use: sums have many, and few of them ever differ from zero, so an index keeps only those.
#[derive(Default)]
pub struct LaneMap {
    /// The index's lane of each lane, `UNUSED` at first.
    dense: Vec<u16>,
    /// The other way round.
    lanes: Vec<u16>,
}

const UNUSED: u16 = u16::MAX;

impl LaneMap {
    pub fn dense_of(&mut self, lanes: &[i64]) -> Lanes {
        if self.dense.len() < lanes.len() {
            self.dense.resize(lanes.len(), UNUSED);
        }
        let mut dense = Lanes::from_elem(0, self.lanes.len());
        for (lane, value) in lanes.iter().enumerate().filter(|(_, value)| **value != 0) {
            if self.dense[lane] == UNUSED {
                self.dense[lane] = self.lanes.len() as u16;
                self.lanes.push(lane as u16);
                dense.push(0);
            }
            dense[usize::from(self.dense[lane])] = *value;
        }
        dense
    }

    pub fn to_lanes(&self, dense: &[i64], lanes: &mut Vec<i64>) {
        lanes.clear();
        lanes.resize(self.dense.len(), 0);
        for (lane, value) in self.lanes.iter().zip(dense) {
            lanes[usize::from(*lane)] = *value;
        }
    }
}
