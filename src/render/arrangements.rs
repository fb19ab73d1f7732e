//! The arrangement catalogue: which relations are arranged by which keys, with which columns, shared by all readers.
//!
//! Before anything is built, every join side of the project says what it will read, so that one arrangement holds the columns
//! that all its readers need.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use eval::Expr;
use flow::{Accum, Arrangement, Copies, JoinInput, Keyed};
use row::{Row, ScalarType};

use super::aggregate::is_null_without;
use super::groups::Groups;
use super::keyed_join::gives;
use super::layout::{Layout, Place};
use super::mfp::Mfp;
use super::parts::{Finish, Logic, Part, Source};
use super::range_join::is_range_join;
use super::star::over_inputs;
use super::{Context, describe, node_key, peel};
use crate::plan::{EquiTerm, Plan};

/// A relation, the key it is arranged by, and which key columns drop rows where they are NULL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArrangementKey {
    pub node: usize,
    pub key: Vec<Expr>,
    pub drops_null: Vec<bool>,
}

impl ArrangementKey {
    /// The own arrangement of a grouping. Its mark is a column that no relation has: an empty key is a cross join's.
    fn own(plan: &Arc<Plan>) -> ArrangementKey {
        ArrangementKey { node: node_key(plan), key: vec![Expr::Column(usize::MAX - 1)], drops_null: Vec::new() }
    }
}

/// One side of a join: what is arranged, by what, and how the side's columns come from the arranged ones.
#[derive(Clone, Debug)]
pub struct Side {
    pub base: Arc<Plan>,
    pub key: ArrangementKey,
    /// From the base's columns to the side's.
    pub first: Mfp,
}

/// Columns that each arrangement's readers need, over the whole project.
#[derive(Debug, Default)]
pub struct Demands {
    columns: HashMap<ArrangementKey, BTreeSet<usize>>,
    /// How many join sides read each.
    sides: HashMap<ArrangementKey, usize>,
    /// How many read each relation, by whatever key.
    sides_of: HashMap<usize, usize>,
}

impl Side {
    /// Finds what to arrange for a join side: below projections, so that readers of different columns share; below maps only
    /// where a grouping by exactly this key is already arranged.
    ///
    /// A grouping keeps its NULL groups, which must match nothing: the left side of a join uses a grouping's arrangement only
    /// where no group can be NULL, and drops its own NULLs otherwise, so that the right side may use it always.
    ///
    /// Where the join pads the side with NULLs, maps that give something else over those stay below it.
    pub fn new(plan: &Arc<Plan>, on: &[(Expr, bool)], is_left: bool, is_padded: bool) -> Side {
        let drops_null = |base: &Plan, key: &[Expr]| -> Vec<bool> {
            let typ = base.typ();
            key.iter()
                .zip(on)
                .map(|(expr, (_, null_equal))| {
                    !null_equal && !matches!(expr, Expr::Column(column) if !typ.columns[*column].nullable)
                })
                .collect()
        };
        // Whether or not others read the chain too: recomputing it in a join's closure is cheap.
        let (below, chain) = peel(plan, &HashMap::new(), &|_| false);
        let matches_null = |groups: usize| {
            let columns = below.typ().columns;
            on.iter()
                .zip(&columns[..groups.min(columns.len())])
                .any(|((_, null_equal), column)| !null_equal && column.nullable)
        };
        if let Some(groups) = groups_of(&below)
            && !chain.is_fallible()
            && !chain.has_filter()
            && !(is_left && matches_null(groups))
            && (!is_padded || keeps_null(&chain))
        {
            let key: Option<Vec<Expr>> = on.iter().map(|(expr, _)| over_inputs(expr, &chain)).collect();
            if key.as_ref().is_some_and(|key| *key == (0..groups).map(Expr::Column).collect::<Vec<_>>()) {
                let key = key.expect("checked above");
                let drops_null = vec![false; key.len()];
                return Side {
                    key: ArrangementKey { node: node_key(&below), key, drops_null },
                    base: below,
                    first: chain,
                };
            }
        }
        let mut projections = Mfp::identity(plan.arity());
        let mut base = plan.clone();
        let mut chain = Vec::new();
        while let Plan::Project { input, .. } = &*base.clone() {
            chain.push(base.clone());
            base = input.clone();
        }
        if !chain.is_empty() {
            projections = Mfp::identity(base.arity());
            chain.iter().rev().for_each(|node| projections.push(node));
        }
        let key: Vec<Expr> = on
            .iter()
            .map(|(expr, _)| over_inputs(expr, &projections).expect("a projection has every column below it"))
            .collect();
        let drops_null = drops_null(&base, &key);
        Side { key: ArrangementKey { node: node_key(&base), key, drops_null }, base, first: projections }
    }
}

/// Rows by key: `keys` and then `value` are read; a row is dropped where a key that drops NULL is NULL.
pub(super) fn by_key(keys: Vec<usize>, value: Vec<usize>, drops_null: Vec<bool>) -> Finish<(Row, Row)> {
    let (key_columns, all) = (keys.len(), keys.len() + value.len());
    let logic: Logic<(Row, Row)> = Rc::new(move |columns, key_builder, value_builder, out| {
        let (key, value) = columns.split_at(key_columns);
        if key.iter().zip(&drops_null).any(|(datum, drops)| *drops && datum.is_null()) {
            return;
        }
        key.iter().for_each(|datum| key_builder.push_normalized(datum));
        value.iter().for_each(|datum| value_builder.push(datum));
        out.push((key_builder.finish(), value_builder.finish()));
    });
    Finish::new(logic, keys.into_iter().chain(value).collect()).moving(0..all)
}

/// With more readers than this, a join side's rows are arranged once for all of them.
const OWN_SIDES_MAX: usize = 3;

impl Side {
    /// The number of groups, where the side is a grouping by exactly its key: then the grouping's own arrangement is the side's.
    fn own_groups(&self) -> Option<usize> {
        let groups = groups_of(&self.base)?;
        let key: Vec<Expr> = (0..groups).map(Expr::Column).collect();
        self.key.is_grouped_by(&key).then_some(groups)
    }
}

impl ArrangementKey {
    /// Whether it is this key, NULLs and all.
    fn is_grouped_by(&self, key: &[Expr]) -> bool {
        self.key == key && !self.drops_null.contains(&true)
    }
}

/// Whether a chain gives NULLs over NULLs.
fn keeps_null(chain: &Mfp) -> bool {
    let is_null = |expr: &Expr| matches!(expr, Expr::Column(_)) || is_null_without(expr, &|_| true);
    chain.resolved().iter().all(is_null)
}

/// How many of a node's first columns its own arrangement is keyed by, where it has one.
pub fn groups_of(plan: &Plan) -> Option<usize> {
    match plan {
        Plan::Reduce { group, .. } => Some(group.len()),
        Plan::Distinct { input } => Some(input.arity()),
        _ => None,
    }
}

/// The left or right expressions of a join condition, each with its `null_equal`.
pub fn terms(on: &[EquiTerm], left: bool) -> Vec<(Expr, bool)> {
    on.iter().map(|term| (if left { term.left.clone() } else { term.right.clone() }, term.null_equal)).collect()
}

/// Whether a join side passes by a node that others read, on its way down to something that holds a state or can fail.
fn reads_below_shared(input: &Arc<Plan>, base: &Arc<Plan>, readers: &HashMap<usize, usize>) -> bool {
    let mut node = input;
    let mut passes_shared = false;
    while !Arc::ptr_eq(node, base) {
        passes_shared |= readers.get(&node_key(node)).is_some_and(|count| *count > 1);
        match node.children().first() {
            Some(child) => node = child,
            None => return false,
        }
    }
    let (below, chain) = peel(base, &HashMap::new(), &|_| false);
    passes_shared && (chain.is_fallible() || !matches!(*below, Plan::Get { .. } | Plan::Constant { .. }))
}

impl Demands {
    /// Walks all plans and notes what every join side reads. What a side reads below a projection that others read, too, has a
    /// reader more than the plan shows.
    pub fn collect(plans: &[Arc<Plan>], readers: &mut HashMap<usize, usize>) -> Demands {
        let mut demands = Demands::default();
        let mut below = Vec::new();
        let mut seen = BTreeSet::new();
        let mut queue: Vec<Arc<Plan>> = plans.to_vec();
        while let Some(plan) = queue.pop() {
            if !seen.insert(node_key(&plan)) {
                continue;
            }
            if let Plan::Join { kind, left, right, on, .. } = &*plan
                && !is_range_join(&plan)
            {
                let gives = gives(*kind);
                let sides = [(left, true, gives.right_alone), (right, false, gives.left_alone)];
                for (input, is_left, is_padded) in sides {
                    let side = Side::new(input, &terms(on, is_left), is_left, is_padded);
                    demands.add(&side);
                    if reads_below_shared(input, &side.base, readers) {
                        below.push(node_key(&side.base));
                    }
                }
            }
            queue.extend(plan.children().into_iter().cloned());
        }
        below.into_iter().for_each(|node| *readers.entry(node).or_default() += 1);
        demands
    }

    fn add(&mut self, side: &Side) {
        *self.sides.entry(side.key.clone()).or_default() += 1;
        *self.sides_of.entry(side.key.node).or_default() += 1;
        let columns = self.columns.entry(side.key.clone()).or_default();
        let needed = side.first.needed(side.first.outputs.iter().copied());
        columns.extend(needed.iter().enumerate().filter(|(_, needed)| **needed).map(|(column, _)| column));
    }

    /// Whether several join sides read a relation, each for itself: it may be that nobody else sees it below a projection.
    pub fn has_several_sides(&self, plan: &Arc<Plan>) -> bool {
        self.sides_of.get(&node_key(plan)).is_some_and(|sides| *sides > 1)
    }

    /// The columns an arrangement holds; all where no join side spoke up.
    fn of(&self, key: &ArrangementKey, arity: usize) -> Vec<bool> {
        match self.columns.get(key) {
            Some(columns) => (0..arity).map(|column| columns.contains(&column)).collect(),
            None => vec![true; arity],
        }
    }
}

impl Context {
    /// The arrangement of a join side, made on first use. Columns that no reader needs are not in it.
    pub fn arrangement(&mut self, side: &Side) -> (Arrangement, Layout) {
        let arity = side.base.arity();
        if let Some(groups) = side.own_groups() {
            self.note(&side.base, &side.key.key);
            return (self.groups(&side.base), Layout::of_groups(groups, arity));
        }
        self.note(&side.base, &side.key.key);
        if let Some(arrangement) = self.arrangements.get(&side.key) {
            let layout = self.layout(side, &self.demands.of(&side.key, arity));
            return (arrangement.clone(), layout);
        }
        let (keyed, layout) = self.keyed_side(side);
        let arrangement = flow::arrange(keyed, &format!("Arrange[{}]", describe(&side.base)));
        self.arrangements.insert(side.key.clone(), arrangement.clone());
        (arrangement, layout)
    }

    /// Whether so few join sides read a side's rows by its key that each holds what it needs itself; no arrangement has them.
    pub fn is_own_side(&self, side: &Side) -> bool {
        let sides = self.demands.sides.get(&side.key).copied().unwrap_or(0);
        let is_free = match side.own_groups() {
            // A join that alone reads a grouping holds its rows.
            Some(groups) => !self.is_arranged(&side.base, groups),
            None => sides <= OWN_SIDES_MAX,
        };
        !self.arranged_only && is_free && !self.arrangements.contains_key(&side.key)
    }

    /// Whether some join side reads a grouping's own arrangement.
    pub fn is_arranged(&self, plan: &Arc<Plan>, groups: usize) -> bool {
        let key: Vec<Expr> = (0..groups).map(Expr::Column).collect();
        let own = ArrangementKey::own(plan);
        let readers = self.readers.get(&node_key(plan)).copied().unwrap_or(1);
        let is_side = |(side, sides): (&ArrangementKey, &usize)| {
            side.node == node_key(plan) && side.is_grouped_by(&key) && (*sides > 1 || readers > 1)
        };
        self.arrangements.contains_key(&own) || self.demands.sides.iter().any(is_side)
    }

    /// What a join side is read from: the chain on top of it, and its parts. What others read too is rendered, and fails, once.
    pub fn side_parts(&mut self, side: &Side) -> (Mfp, Vec<Part>) {
        if self.demands.has_several_sides(&side.base) {
            return (Mfp::identity(side.base.arity()), vec![Part::rows(self.rows(&side.base), side.base.arity())]);
        }
        let (base, mfp) = self.peel_input(&side.base);
        let is_shared = self.readers.get(&node_key(&base)).copied().unwrap_or(1) > 1;
        let parts = if is_shared { vec![Part::rows(self.rows(&base), base.arity())] } else { self.upstream(&base) };
        (mfp, parts)
    }

    /// A join side's rows by its key, with the columns that its readers need.
    pub fn keyed_side(&mut self, side: &Side) -> (Keyed, Layout) {
        let held = self.demands.of(&side.key, side.base.arity());
        let layout = self.layout(side, &held);
        let (mut mfp, parts) = self.side_parts(side);
        let keys: Vec<usize> = side.key.key.iter().map(|expr| mfp.push_expr(expr)).collect();
        let value: Vec<usize> = layout.value().map(|column| mfp.outputs[column]).collect();
        let keys: Vec<usize> = keys.iter().map(|output| mfp.outputs[*output]).collect();
        let finish = by_key(keys, value, side.key.drops_null.clone());
        let name = format!("Key[{}]", describe(&side.base));
        (self.read_form(parts, &mfp, finish, &name), layout)
    }

    /// Where columns lie: those that no reader needs are given no place of their own.
    fn layout(&self, side: &Side, held: &[bool]) -> Layout {
        let types: Vec<ScalarType> = side.base.typ().columns.into_iter().map(|column| column.ty).collect();
        Layout::new(side.key.key.clone(), &types, held)
    }

    /// A join side for its operator, which reads these expressions over the side's base; the layout's columns are they.
    pub fn join_input(&mut self, side: &Side, exprs: &[Expr], is_own: bool) -> (JoinInput, Layout) {
        if is_own {
            let (keyed, layout) = self.keyed_exprs(side, exprs);
            return (JoinInput::Own(keyed), layout);
        }
        let (arrangement, layout) = self.arrangement(side);
        let place = |expr: &Expr| match expr {
            Expr::Column(column) => layout.places[*column],
            _ => panic!("an arrangement holds columns"),
        };
        let places: Vec<Place> = exprs.iter().map(place).collect();
        (JoinInput::Shared(arrangement), Layout { places, ..layout })
    }

    /// The keys of a join side, each once, with empty values.
    pub fn distinct_keys(&mut self, side: &Side) -> (Keyed, Layout) {
        let (mut mfp, parts) = self.side_parts(side);
        let keys: Vec<usize> = side.key.key.iter().map(|expr| mfp.push_expr(expr)).collect();
        let reads: Vec<usize> = keys.iter().map(|output| mfp.outputs[*output]).collect();
        let drops_null = side.key.drops_null.clone();
        let all = reads.len();
        let logic: Logic<(Row, Accum)> = Rc::new(move |columns, key, _, out| {
            if columns.iter().zip(&drops_null).any(|(datum, drops)| *drops && datum.is_null()) {
                return;
            }
            columns.iter().for_each(|datum| key.push_normalized(datum));
            out.push((key.finish(), Accum::new(&[1])));
        });
        let finish = Finish::new(logic, reads).moving(0..all);
        let lanes = self.read_form(parts, &mfp, finish, &format!("Keys[{}]", describe(&side.base)));
        let width = side.key.key.len();
        let groups = Groups { sides: Vec::new(), beside_hub: false, key_columns: width, can_fail: false };
        let part = Part::new(Source::Groups { lanes, hub: None, copies: Copies::One, groups }, width);
        let keys = by_key((0..width).collect(), Vec::new(), vec![false; width]);
        let keyed = self.read_form(vec![part], &Mfp::identity(width), keys, "Keys");
        let layout = Layout { key: side.key.key.clone(), places: Vec::new(), key_columns: width, value_columns: 0 };
        (keyed, layout)
    }

    /// The own arrangement of a grouping node.
    pub fn groups(&mut self, plan: &Arc<Plan>) -> Arrangement {
        let key = ArrangementKey::own(plan);
        if let Some(arrangement) = self.arrangements.get(&key) {
            return arrangement.clone();
        }
        let (part, groups) = match &**plan {
            Plan::Reduce { input, group, aggregates } => {
                (self.reduce_parts(plan, input, group, aggregates), group.len())
            }
            Plan::Distinct { input } => (vec![self.distinct_part(input)], input.arity()),
            other => panic!("{} has no groups", describe(other)),
        };
        let finish = by_key((0..groups).collect(), (groups..plan.arity()).collect(), vec![false; groups]);
        let keyed = self.read_form(part, &Mfp::identity(plan.arity()), finish, &format!("Key[{}]", describe(plan)));
        let arrangement = flow::arrange(keyed, &format!("Arrange[{}]", describe(plan)));
        self.arrangements.insert(key, arrangement.clone());
        arrangement
    }

    /// The parts of a grouping node: its own arrangement, read by group.
    pub fn group_parts(&mut self, plan: &Arc<Plan>, groups: usize) -> Vec<Part> {
        vec![Part::arranged(self.groups(plan), Layout::of_groups(groups, plan.arity()))]
    }

    fn note(&mut self, base: &Plan, key: &[Expr]) {
        let key: Vec<String> = key.iter().map(|expr| format!("{expr:?}")).collect();
        *self.statistics.arrangements.entry(format!("{} by [{}]", describe(base), key.join(", "))).or_default() += 1;
    }
}
