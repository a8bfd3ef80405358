//! Recurrences: which stored nodes are computed inside a scan, and which states, inline nodes and memory that takes.
//!
//! A node is computed by a scan if every state that it reads, directly or through others, is read in step with one
//! iterative rank (or after its last step). What reads states in another way (over several scans, at shifted
//! generations, under a reduction over the generations) gets them from memory: the values in between are stored by a
//! scan of their own.

use super::grid::{Root, is_populate};
use super::normalise::copy_node;
use super::plan::Group;
use super::reads::{Placed, is_constant};
use super::{Defs, plain_vars};
use crate::cascade::{Cascade, Expr, Node, RankId, TensorId, TensorKind};
use crate::diag::{Code, Refusal};
use crate::stream::{Generation, blocks, folds_block, generation, step_rank};
use std::collections::{BTreeMap, BTreeSet};

/// The recurrences that step together: an iterative rank and whether it runs backwards.
pub(super) type Family = (RankId, bool);

/// The scans of a kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Scans {
    /// One group a stored node.
    pub(super) groups: Vec<Group>,
    /// States and what the scans store: no other stage evaluates them.
    pub(super) hidden: BTreeSet<TensorId>,
    /// Reductions that the scans read from memory: other stages store them.
    pub(super) needs: BTreeSet<TensorId>,
}

/// The scan that something is placed in.
struct At<'a> {
    family: Family,
    /// The ranks of what it stores, without the one it steps through.
    points: &'a [RankId],
}

/// A read of a state below some node.
#[derive(Clone, Copy)]
struct Use {
    family: Family,
    /// `None`: no generation that is there while the scan runs.
    generation: Option<Generation>,
    /// The outermost intermediate through which the state is read.
    via: Option<TensorId>,
}

struct Finder<'a> {
    d: Defs<'a>,
    states: BTreeMap<TensorId, Family>,
    stored: BTreeSet<TensorId>,
}

/// Finds the scans of a normalised cascade.
pub(super) fn scans(c: &Cascade) -> Result<Scans, Vec<Refusal>> {
    let mut f = Finder { d: Defs::new(c), states: states(c), stored: BTreeSet::new() };
    if f.states.is_empty() {
        return Ok(Scans::default());
    }
    f.settle()?;
    let mut out = Scans::default();
    let mut refusals = vec![];
    for root in f.roots() {
        match f.group(&root) {
            Ok(g) => out.groups.push(g),
            Err(r) => refusals.push(r),
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    share_grids(&mut out.groups);
    out.hidden = f.states.keys().chain(&f.stored).copied().collect();
    let memory = out.groups.iter().flat_map(|g| &g.placed.memory);
    out.needs = memory.filter(|t| !f.stored.contains(t)).copied().collect();
    Ok(out)
}

/// A group that needs the states of another one joins it, if its points can be computed at the other's: a state is then
/// computed once, whether it is stored or read.
fn share_grids(groups: &mut [Group]) {
    for i in 0..groups.len() {
        let joins = |g: &&Group| {
            let (mine, other) = (&groups[i].roots[0], &g.roots[0]);
            g.scan == groups[i].scan
                && !g.placed.states.is_disjoint(&groups[i].placed.states)
                && other.grid.len() < mine.grid.len()
                && other.grid.iter().all(|r| mine.grid.contains(r))
        };
        let Some(grid) = groups.iter().filter(joins).map(|g| g.roots[0].grid.clone()).min_by_key(Vec::len) else {
            continue;
        };
        let root = &mut groups[i].roots[0];
        let (kept, rest): (Vec<RankId>, Vec<RankId>) = root.grid.iter().partition(|r| grid.contains(r));
        root.grid = kept;
        root.value.extend(rest);
    }
}

/// The state tensors with their families.
fn states(c: &Cascade) -> BTreeMap<TensorId, Family> {
    c.nodes.iter().filter_map(|n| n.step().map(|(_, rank, reverse)| (n.out, (rank, reverse)))).collect()
}

impl<'a> Finder<'a> {
    fn c(&self) -> &'a Cascade {
        self.d.c
    }

    /// Stores what has to be read from memory, until every reader of a state runs in one scan.
    fn settle(&mut self) -> Result<(), Vec<Refusal>> {
        loop {
            let before = self.stored.len();
            for n in self.readers() {
                let uses = self.uses_of(n);
                if self.is_settled(n, &uses) {
                    continue;
                }
                // What reads a copy of a state may be settled once that is stored.
                let is_copy = |t: &TensorId| self.local(*t).is_some_and(|m| self.is_copy_of_state(m));
                let copies: Vec<TensorId> = uses.iter().filter_map(|u| u.via).filter(is_copy).collect();
                if copies.is_empty() && uses.iter().any(|u| u.via.is_none()) {
                    return Err(vec![self.stray(n)]);
                }
                let all = uses.iter().filter_map(|u| u.via);
                self.stored.extend(all.filter(|t| copies.is_empty() || copies.contains(t)));
            }
            if self.stored.len() == before {
                break;
            }
        }
        let idle: Vec<TensorId> = self.stored.iter().copied().filter(|t| !self.reaches(*t)).collect();
        self.stored.retain(|t| !idle.contains(t));
        Ok(())
    }

    fn stray(&self, n: &Node) -> Refusal {
        let name = &self.c().tensor(n.out).name;
        let message = format!("`{name}` reads a state at a generation that no scan holds when it needs it");
        let mut r = Refusal::new(Code::UNSUPPORTED, &n.origin, message);
        r.help = Some("name the value of the state at its own step with `let`, and read that".to_string());
        r
    }

    /// Nodes that some stage stores: outputs, and intermediates that scans store.
    fn readers(&self) -> Vec<&'a Node> {
        let stored = |n: &&Node| match self.c().tensor(n.out).kind {
            TensorKind::Out | TensorKind::InOut => true,
            TensorKind::Let => self.stored.contains(&n.out) || n.is_stateful(),
            TensorKind::In | TensorKind::Table => false,
        };
        self.c().nodes.iter().filter(stored).collect()
    }

    fn is_settled(&self, n: &Node, uses: &[Use]) -> bool {
        let Some(first) = uses.first() else { return true };
        let own = self.states.get(&n.out).is_none_or(|f| *f == first.family);
        let together = own && uses.iter().all(|u| u.family == first.family);
        let steps = uses.iter().all(|u| matches!(u.generation, Some(Generation::Before | Generation::After)));
        let last = uses.iter().all(|u| u.generation == Some(Generation::Last));
        let has = step_rank(self.c(), first.family.0, n);
        together && (steps && has.is_some_and(|r| !n.reduced().contains(&r)) || last && has.is_none())
    }

    fn uses_of(&self, n: &Node) -> Vec<Use> {
        let mut out = vec![];
        for (t, idx) in reads(n) {
            self.uses(t, &idx, None, &mut out);
        }
        out
    }

    /// Adds the states that a read of `t` at `idx` needs.
    fn uses(&self, t: TensorId, idx: &[Expr], via: Option<TensorId>, out: &mut Vec<Use>) {
        if let Some(family) = self.states.get(&t) {
            let generation =
                self.generation_position(t).and_then(|i| generation(self.c(), family.0, family.1, &idx[i]));
            out.push(Use { family: *family, generation, via });
            return;
        }
        let Some(n) = self.local(t) else { return };
        let at = out.len();
        // A copy of a state is meant to be stored: what reads it need not step with the state.
        let via = via.filter(|_| !self.is_copy_of_state(n)).or(Some(t));
        for (u, idx) in reads(n) {
            self.uses(u, &idx, via, out);
        }
        let vars = plain_vars(n);
        for u in &mut out[at..] {
            let moves = u.generation != Some(Generation::Last);
            let rank = step_rank(self.c(), u.family.0, n);
            let here = vars.iter().zip(idx).any(|(r, e)| Some(*r) == rank && *e == Expr::Var(*r));
            if moves && !here {
                u.generation = None;
            }
        }
    }

    fn is_copy_of_state(&self, n: &Node) -> bool {
        n.reduce.is_none() && matches!(&n.body, Expr::Read(t, _) if self.states.contains_key(t))
    }

    /// The node of an intermediate that is evaluated where it is read.
    fn local(&self, t: TensorId) -> Option<&'a Node> {
        self.d.local(t).filter(|_| !self.stored.contains(&t))
    }

    fn generation_position(&self, state: TensorId) -> Option<usize> {
        self.c().def(state)?.step().map(|(at, ..)| at)
    }

    /// True if the value of `t` depends on a state through nodes that are evaluated where they are read.
    fn reaches(&self, t: TensorId) -> bool {
        self.states.contains_key(&t)
            || self.d.local(t).is_some_and(|n| {
                let below = |u: TensorId| !self.stored.contains(&u) && self.reaches(u);
                n.exprs().flat_map(Expr::reads).any(below)
            })
    }

    fn roots(&self) -> Vec<(TensorId, &'a Node)> {
        let reads_states = |n: &&Node| !n.is_stateful() && !self.uses_of(n).is_empty();
        self.readers().into_iter().filter(reads_states).map(|n| (n.out, n)).collect()
    }

    fn group(&self, (key, n): &(TensorId, &'a Node)) -> Result<Group, Refusal> {
        let family = self.uses_of(n).first().map(|u| u.family);
        let Some(family) = family else { return Err(self.stray(n)) };
        let mut placed = Placed::default();
        let step = step_rank(self.c(), family.0, n);
        let points: Vec<RankId> = n.out_ranks().into_iter().filter(|r| Some(*r) != step).collect();
        self.place(n, &At { family, points: &points }, &mut placed);
        let is_let = self.c().tensor(*key).kind == TensorKind::Let;
        if is_let {
            placed.inlines.insert(*key);
        }
        let (grid, value): (Vec<_>, Vec<_>) = points.into_iter().partition(|r| self.is_parallel(n, *r, &placed));
        let node = if is_let { copy_node(n, *key, *key) } else { (*n).clone() };
        let root = Root { key: *key, node, grid, value, candidates: vec![] };
        Ok(Group { roots: vec![root], placed, scan: Some(family) })
    }

    /// Places everything that a node reads, the states' own nodes included.
    fn place(&self, n: &Node, at: &At<'_>, out: &mut Placed) {
        for t in n.exprs().flat_map(Expr::reads) {
            if self.states.contains_key(&t) {
                if out.states.insert(t) {
                    self.c().nodes.iter().filter(|n| n.out == t).for_each(|n| self.place(n, at, out));
                }
            } else if self.stored.contains(&t) {
                out.memory.insert(t);
            } else if let Some(m) = self.d.local(t) {
                if self.is_far(m, at) {
                    out.memory.insert(t);
                } else if out.inlines.insert(t) {
                    self.place(m, at, out);
                }
            }
        }
    }

    /// A reduction that no step should repeat: independent of every state, and over a run-time extent; or, in a scan over
    /// blocks, the same at several points of the stage.
    fn is_far(&self, n: &Node, at: &At<'_>) -> bool {
        if is_populate(n) {
            return true;
        }
        if n.reduce.is_none() || self.reaches(n.out) {
            return false;
        }
        let (c, left) = (self.c(), n.out_ranks());
        let long = n.reduced().iter().any(|r| !is_constant(c, *r));
        match blocks(c, at.family.0) {
            Some((t, size)) if folds_block(n, t, size, at.family.0) => false,
            Some(_) => long || !at.points.iter().all(|r| left.contains(r)),
            None => long,
        }
    }

    /// True if the points of `r` are independent: whatever depends on a state and has `r` is read at the same `r`.
    fn is_parallel(&self, root: &Node, r: RankId, placed: &Placed) -> bool {
        let inside = |n: &&Node| placed.states.contains(&n.out) || placed.inlines.contains(&n.out);
        let nodes = self.c().nodes.iter().filter(inside).chain([root]);
        nodes.flat_map(|n| reads(n).into_iter().map(move |read| (n, read))).all(|(n, (t, idx))| {
            let moving = self.states.contains_key(&t) || (placed.inlines.contains(&t) && self.reaches(t));
            let at = self.c().def(t).and_then(|m| m.out_ranks().iter().position(|x| *x == r));
            match at.filter(|_| moving) {
                Some(i) => idx[i] == Expr::Var(r) && !n.reduced().contains(&r),
                None => true,
            }
        })
    }
}

/// Every read of a node.
fn reads(n: &Node) -> Vec<(TensorId, Vec<Expr>)> {
    let mut out = vec![];
    for e in n.exprs() {
        e.walk(&mut |x| {
            if let Expr::Read(t, idx) = x {
                out.push((*t, idx.clone()));
            }
        });
    }
    out
}

/// States in the order in which their steps can run: what reads another's new generation comes after it.
pub(super) fn in_step_order(c: &Cascade, family: Family, states: &BTreeSet<TensorId>) -> Vec<TensorId> {
    let mut rest: Vec<TensorId> = states.iter().copied().collect();
    let mut out: Vec<TensorId> = vec![];
    while !rest.is_empty() {
        let ready = |t: &TensorId| {
            c.def(*t).is_none_or(|n| new_generations(c, family, n).is_subset(&out.iter().copied().collect()))
        };
        // The checker lets no state wait for itself, so one is always ready.
        let i = rest.iter().position(ready).unwrap_or(0);
        out.push(rest.remove(i));
    }
    out
}

/// States whose new generation a step reads.
fn new_generations(c: &Cascade, family: Family, n: &Node) -> BTreeSet<TensorId> {
    let mut out = BTreeSet::new();
    for (t, idx) in reads(n) {
        let Some(m) = c.def(t).filter(|_| c.tensor(t).kind == TensorKind::Let) else { continue };
        match m.step() {
            Some((i, ..)) if generation(c, family.0, family.1, &idx[i]) == Some(Generation::After) => _ = out.insert(t),
            Some(_) => {}
            None => out.extend(new_generations(c, family, m)),
        }
    }
    out
}
