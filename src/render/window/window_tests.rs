//! Windows maintained against windows computed: random rows, calls, frames and chains, after every epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use eval::{AggregateCall, AggregateFunction, Expr, OrderTerm, resolve};
use proptest::prelude::*;
use row::{Datum, Diff, Numeric, NumericTypmod, OwnedDatum, Row, ScalarType, SortDirection};

use crate::engine::{Dataflow, Output, Workers, WorkersGone};
use crate::plan::{Column, Frame, FrameBound, FrameUnits, Plan, RelationId, RelationType, WindowCall, WindowFunction};
use crate::render::{RenderModel, error_columns};
use crate::testkit::interpret;

const P: usize = 0;
const O: usize = 1;
const X: usize = 2;
const D: usize = 3;
const WIDTH: usize = 4;

fn types() -> [ScalarType; WIDTH] {
    let money = ScalarType::Numeric(Some(NumericTypmod { precision: 10, scale: 2 }));
    [ScalarType::Int32, ScalarType::Int32, money, ScalarType::Float64]
}

fn column(name: &str, ty: ScalarType) -> Column {
    Column { name: name.to_owned(), ty, nullable: true, scale_max: None }
}

fn get() -> Arc<Plan> {
    let columns = ["p", "o", "x", "d"].iter().zip(types()).map(|(name, ty)| column(name, ty)).collect();
    Arc::new(Plan::Get { relation: relation(), typ: RelationType { columns, keys: Vec::new() } })
}

fn relation() -> RelationId {
    RelationId("rows".into())
}

fn int(value: i64) -> Expr {
    Expr::literal(OwnedDatum::new(&Datum::Int(value)), ScalarType::Int64)
}

fn numeric(text: &str) -> Expr {
    let value = Numeric::parse(text).expect("a numeric");
    Expr::literal(OwnedDatum::new(&Datum::Numeric(value)), ScalarType::NUMERIC)
}

fn text(value: &str) -> Expr {
    Expr::literal(OwnedDatum::new(&Datum::Text(value)), ScalarType::Text)
}

/// `left op right` of one type.
fn op(op: &str, ty: &ScalarType, left: Expr, right: Expr) -> Expr {
    let resolved = resolve::binary(op, ty, ty).expect("there is such an operator");
    Expr::Call { function: resolved.function, args: vec![left, right], ty: resolved.returns }
}

fn case(branches: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    Expr::Case { branches, otherwise: Box::new(otherwise), ty: ScalarType::Text }
}

fn frame(units: FrameUnits, start: FrameBound, end: FrameBound) -> Frame {
    Frame { units, start, end }
}

fn running() -> Frame {
    Frame::default_range()
}

fn call(function: WindowFunction, args: Vec<Expr>, frame: Frame) -> WindowCall {
    WindowCall { function, args, frame, returns: ScalarType::Int64 }
}

fn plain(function: WindowFunction) -> WindowCall {
    call(function, Vec::new(), Frame::default_range())
}

fn aggregated(function: AggregateFunction, column: usize, filter: Option<Expr>, frame: Frame) -> WindowCall {
    let arg_type = types()[column].clone();
    let returns = match (function, &arg_type) {
        (AggregateFunction::Count | AggregateFunction::CountRows, _) => ScalarType::Int64,
        (AggregateFunction::Min | AggregateFunction::Max, ty) => ty.clone(),
        (AggregateFunction::Sum, ScalarType::Int32) => ScalarType::Int64,
        (_, ScalarType::Float64) => ScalarType::Float64,
        _ => ScalarType::NUMERIC,
    };
    let arg = (function != AggregateFunction::CountRows).then_some(Expr::Column(column));
    let scale_max = (column == X).then_some(2);
    let call = AggregateCall {
        function,
        arg,
        arg_type,
        more: Vec::new(),
        distinct: false,
        filter,
        order_by: Vec::new(),
        returns: returns.clone(),
        scale_max,
    };
    WindowCall { function: WindowFunction::Aggregate(call), args: Vec::new(), frame, returns }
}

/// `o + by` as a frame's bound; along a descending order a row before has the greater value.
fn value_bound(by: i64, direction: SortDirection) -> FrameBound {
    let by = if direction.descending { -by } else { by };
    let by = Expr::literal(OwnedDatum::new(&Datum::Int(by)), ScalarType::Int32);
    FrameBound::Value(op("+", &ScalarType::Int32, Expr::Column(O), by))
}

fn arbitrary_frame(direction: SortDirection) -> impl Strategy<Value = Frame> {
    let rows = (-3_i64..=2, 0_i64..=4, 0_u8..4, 0_u8..4).prop_map(|(start, length, open_start, open_end)| {
        let start_bound = match open_start {
            0 => FrameBound::Unbounded,
            1 => FrameBound::CurrentRow,
            _ => FrameBound::Offset(start),
        };
        let end_bound = match open_end {
            0 => FrameBound::Unbounded,
            1 => FrameBound::CurrentRow,
            _ => FrameBound::Offset(start + length),
        };
        frame(FrameUnits::Rows, start_bound, end_bound)
    });
    let range = (-3_i64..=2, 0_i64..=4, 0_u8..4, 0_u8..4).prop_map(move |(start, length, open_start, open_end)| {
        let start_bound = match open_start {
            0 => FrameBound::Unbounded,
            1 => FrameBound::CurrentRow,
            _ => value_bound(start, direction),
        };
        let end_bound = match open_end {
            0 => FrameBound::Unbounded,
            1 => FrameBound::CurrentRow,
            _ => value_bound(start + length, direction),
        };
        frame(FrameUnits::Range, start_bound, end_bound)
    });
    prop_oneof![Just(running()), Just(Frame::whole()), rows, range]
}

fn arbitrary_call(direction: SortDirection) -> impl Strategy<Value = WindowCall> {
    use AggregateFunction as A;
    use WindowFunction as W;
    let ranks =
        prop::sample::select(vec![W::RowNumber, W::Rank, W::DenseRank, W::PercentRank, W::CumeDist]).prop_map(plain);
    let ntile = prop_oneof![(0_i64..6).prop_map(int), Just(Expr::Column(P))]
        .prop_map(|buckets| call(WindowFunction::Ntile, vec![buckets], Frame::default_range()));
    let beside = (prop::sample::select(vec![W::Lag, W::Lead]), -1_i64..4, 0..WIDTH, any::<bool>()).prop_map(
        |(function, offset, column, has_default)| {
            let offset = if offset == 3 { Expr::Column(O) } else { int(offset) };
            let default = if has_default { Expr::Column(column) } else { Expr::null(types()[column].clone()) };
            call(function, vec![Expr::Column(column), offset, default], Frame::default_range())
        },
    );
    let ends = (prop::sample::select(vec![W::FirstValue, W::LastValue]), 0..WIDTH, arbitrary_frame(direction))
        .prop_map(|(function, column, frame)| call(function, vec![Expr::Column(column)], frame));
    let nth = (0_i64..4, 0..WIDTH, arbitrary_frame(direction))
        .prop_map(|(n, column, frame)| call(WindowFunction::NthValue, vec![Expr::Column(column), int(n)], frame));
    let functions = vec![A::CountRows, A::Count, A::Sum, A::Avg, A::Min, A::Max, A::AnyValue, A::ArrayAgg];
    let aggregates = (prop::sample::select(functions), 1..WIDTH, any::<bool>(), arbitrary_frame(direction)).prop_map(
        |(function, column, filters, frame)| {
            let filter = filters.then(|| op(">", &ScalarType::Int32, Expr::Column(O), Expr::Column(P)));
            aggregated(function, column, filter, frame)
        },
    );
    prop_oneof![2 => ranks, 1 => ntile, 2 => beside, 2 => ends, 1 => nth, 5 => aggregates]
}

/// What lies above the window: its calls, and the plan over the window node.
#[derive(Clone, Copy, Debug)]
enum Above {
    Nothing,
    OnlyTheFirstCall,
    CumulativeClass,
    FirstRows,
    RankClass,
    Buckets,
    SharePassedOn,
    OneOf,
}

const ABOVE: [Above; 8] = [
    Above::Nothing,
    Above::OnlyTheFirstCall,
    Above::CumulativeClass,
    Above::FirstRows,
    Above::RankClass,
    Above::Buckets,
    Above::SharePassedOn,
    Above::OneOf,
];

impl Above {
    fn calls(self) -> Vec<WindowCall> {
        let rows = frame(FrameUnits::Rows, FrameBound::Unbounded, FrameBound::CurrentRow);
        match self {
            Above::CumulativeClass | Above::SharePassedOn => vec![
                aggregated(AggregateFunction::Sum, X, None, rows),
                aggregated(AggregateFunction::Sum, X, None, Frame::whole()),
            ],
            Above::FirstRows | Above::OneOf => vec![plain(WindowFunction::RowNumber)],
            Above::RankClass => vec![plain(WindowFunction::Rank), plain(WindowFunction::CumeDist)],
            Above::Buckets => vec![call(WindowFunction::Ntile, vec![int(3)], Frame::default_range())],
            Above::Nothing | Above::OnlyTheFirstCall => Vec::new(),
        }
    }

    /// Puts maps, filters and projections over a window whose own calls begin at column `own`.
    fn over(self, window: Arc<Plan>, own: usize) -> Arc<Plan> {
        let width = window.arity();
        let big = ScalarType::Int64;
        let class = |expr: Expr| {
            Arc::new(Plan::Map { input: window.clone(), exprs: vec![(expr, column("class", ScalarType::Text))] })
        };
        let share = || op("/", &ScalarType::NUMERIC, Expr::Column(own), Expr::Column(own + 1));
        match self {
            Above::Nothing => window,
            Above::OnlyTheFirstCall => {
                let columns = vec![O, P, if width > WIDTH { WIDTH } else { X }];
                Arc::new(Plan::Project { input: window, columns })
            }
            Above::CumulativeClass => {
                let first = (op("<=", &ScalarType::NUMERIC, share(), numeric("0.5")), text("A"));
                let second = (op(">", &ScalarType::NUMERIC, numeric("0.9"), share()), text("B"));
                let input = class(case(vec![first, second], text("C")));
                Arc::new(Plan::Project { input, columns: vec![O, X, width] })
            }
            Above::SharePassedOn => {
                // The share is a column of its own in between, as in a chain of CTEs.
                let shared = Arc::new(Plan::Map {
                    input: window.clone(),
                    exprs: vec![(share(), column("share", ScalarType::NUMERIC))],
                });
                let is_small = op("<", &ScalarType::NUMERIC, Expr::Column(width), numeric("0.7"));
                let classed = Plan::Map {
                    input: shared,
                    exprs: vec![(
                        case(vec![(is_small, text("small"))], text("large")),
                        column("class", ScalarType::Text),
                    )],
                };
                Arc::new(Plan::Project { input: Arc::new(classed), columns: vec![O, D, width + 1] })
            }
            Above::FirstRows => {
                let predicates = vec![op("<=", &big, Expr::Column(own), int(3))];
                Arc::new(Plan::Filter { input: window, predicates })
            }
            Above::RankClass => {
                let first = (op("<", &big, Expr::Column(own), int(5)), text("top"));
                let half = Expr::literal(OwnedDatum::new(&Datum::Float64(0.75)), ScalarType::Float64);
                let second = (op("<=", &ScalarType::Float64, Expr::Column(own + 1), half), text("middle"));
                let input = class(case(vec![first, second], text("rest")));
                Arc::new(Plan::Project { input, columns: vec![P, O, width] })
            }
            Above::Buckets => {
                let first = (op("=", &ScalarType::Int32, Expr::Column(own), int(1)), text("first"));
                let input = class(case(vec![first], text("rest")));
                Arc::new(Plan::Project { input, columns: vec![X, width] })
            }
            Above::OneOf => {
                let list = Expr::InList { input: Box::new(Expr::Column(own)), list: vec![int(2), int(5)] };
                Arc::new(Plan::Filter { input: window, predicates: vec![list] })
            }
        }
    }
}

fn arbitrary_row() -> impl Strategy<Value = Row> {
    let order = prop_oneof![1 => Just(None), 6 => (0_i64..9).prop_map(Some)];
    let price = prop_oneof![1 => Just(None), 8 => (0_i64..400).prop_map(Some), 1 => (-50_i64..0).prop_map(Some)];
    let double = prop_oneof![Just(None), (0_i64..5).prop_map(Some)];
    (0_i64..2, order, price, double).prop_map(|(p, o, x, d)| {
        Row::pack([
            Datum::Int(p),
            o.map_or(Datum::Null, Datum::Int),
            x.map_or(Datum::Null, |x| Datum::Numeric(Numeric::from_parts(i128::from(x), 2))),
            d.map_or(Datum::Null, |d| Datum::Float64(d as f64 * 0.25)),
        ])
    })
}

/// Epochs of changes: a row's number in a pool, and whether it comes (again) or goes.
type Epochs = Vec<Vec<(usize, bool)>>;

fn arbitrary_epochs() -> impl Strategy<Value = Epochs> {
    let first = prop::collection::vec((0_usize..40, Just(true)), 0..60);
    let later = prop::collection::vec(prop::collection::vec((0_usize..40, any::<bool>()), 1..5), 1..14);
    (first, later).prop_map(|(first, later)| std::iter::once(first).chain(later).collect())
}

fn arbitrary_plan() -> impl Strategy<Value = Arc<Plan>> {
    let direction =
        (any::<bool>(), any::<bool>()).prop_map(|(descending, nulls_first)| SortDirection { descending, nulls_first });
    (direction, any::<bool>(), prop::sample::select(ABOVE.to_vec())).prop_flat_map(|(direction, partitioned, above)| {
        prop::collection::vec(arbitrary_call(direction), 0..3).prop_map(move |mut calls| {
            let own = WIDTH + calls.len();
            calls.extend(above.calls());
            let calls = calls.into_iter().map(|call| {
                let ty = call.returns.clone();
                (call, column("w", ty))
            });
            let window = Plan::Window {
                input: get(),
                partition: if partitioned { vec![Expr::Column(P)] } else { Vec::new() },
                order_by: vec![OrderTerm { expr: Expr::Column(O), direction }],
                calls: calls.collect(),
            };
            above.over(Arc::new(window), own)
        })
    })
}

/// Maintains a plan over epochs and compares with the batch answer after each.
fn check(plan: &Arc<Plan>, pool: &[Row], epochs: &Epochs, workers: usize) -> Result<(), String> {
    let dataflow = Dataflow {
        inputs: vec![relation()],
        models: vec![RenderModel { id: "model".to_owned(), plan: plan.clone() }],
        ..Dataflow::default()
    };
    let workers = Workers::start(dataflow, workers);
    let mut held: BTreeMap<Row, Diff> = BTreeMap::new();
    let (mut table, mut errors) = (interpret::Multiset::new(), BTreeMap::new());
    for (epoch, changes) in epochs.iter().enumerate() {
        let mut updates = Vec::new();
        for (row, comes) in changes {
            let row = &pool[row % pool.len()];
            let copies = held.entry(row.clone()).or_default();
            let diff = if *comes { 1 } else { -i64::from(*copies > 0) };
            *copies += diff;
            updates.push((row.clone(), diff));
        }
        held.retain(|_, copies| *copies > 0);
        workers.feed(0, updates).and_then(|()| workers.close(epoch as u64)).map_err(|error| error.to_string())?;
        let mut net: BTreeMap<(Output, Row), Diff> = BTreeMap::new();
        for _ in 0..workers.count() {
            let changes = workers.changes().recv().unwrap_or(Err(WorkersGone)).map_err(|error| error.to_string())?;
            for (output, updates) in changes.outputs {
                updates.into_iter().for_each(|(row, diff)| *net.entry((output, row)).or_default() += diff);
            }
        }
        for ((output, row), diff) in net {
            match output {
                Output::Model(_) => *table.entry(row).or_default() += diff,
                Output::Errors => {
                    *errors.entry(error_columns(row.as_ref()).reason.to_owned()).or_default() += diff;
                }
                Output::Positions => {}
            }
        }
        table.retain(|_, copies| *copies != 0);
        errors.retain(|_, copies: &mut Diff| *copies != 0);
        let inputs = BTreeMap::from([(relation(), held.clone())]);
        let batch = interpret::interpret(plan, &inputs);
        let (ours, right) = (interpret::by_value(&table), interpret::by_value(&batch.rows));
        if ours != right || errors != batch.errors {
            let only = |a: &interpret::Multiset, b: &interpret::Multiset| -> interpret::Multiset {
                a.iter().filter(|(row, copies)| b.get(*row) != Some(copies)).map(|(row, n)| (row.clone(), *n)).collect()
            };
            workers.stop();
            return Err(format!(
                "after epoch {epoch}: only maintained {:?}, only batch {:?}; errors {errors:?} and {:?}; {}",
                only(&ours, &right),
                only(&right, &ours),
                batch.errors,
                plan.describe()
            ));
        }
    }
    workers.stop();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_what_a_batch_computes_after_every_epoch(
        plan in arbitrary_plan(),
        pool in prop::collection::vec(arbitrary_row(), 12..40),
        epochs in arbitrary_epochs(),
        two_workers in prop::bool::weighted(0.1),
    ) {
        check(&plan, &pool, &epochs, if two_workers { 2 } else { 1 }).map_err(TestCaseError::fail)?;
    }
}
