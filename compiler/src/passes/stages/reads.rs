//! Places the reductions that a stored node reads: state, inline or memory.

use super::grid::{Root, is_populate};
use super::{Defs, plain_vars, ranks_of};
use crate::cascade::{Cascade, Expr, Extent, Node, RankId, TensorId};
use crate::types::BinOp;
use std::collections::BTreeSet;

/// Placement of everything that one stored node reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Placed {
    /// Accumulators of its stage.
    pub(super) states: BTreeSet<TensorId>,
    /// Evaluated where they are read.
    pub(super) inlines: BTreeSet<TensorId>,
    /// Read from memory.
    pub(super) memory: BTreeSet<TensorId>,
}

/// Walks from a root. `far` says which reductions this root must read from memory.
pub(super) fn place(d: &Defs, root: &Root, far: &dyn Fn(TensorId) -> bool) -> Placed {
    let rows = Rows::of(d, root);
    let mut w = Walk { d, root, far, rows, out: Placed::default(), beside: BTreeSet::new(), fresh: 0, seen: vec![] };
    let streamed = root.streamed(d).into_iter().filter(|r| root.value.contains(r)).collect();
    let scope = Scope { streamed, inner: vec![] };
    root.node.exprs().for_each(|e| w.visit(e, &scope));
    // A vector that is held is also read where it could be recomputed; beside the grid point it is read from memory.
    let states = w.out.states.clone();
    w.out.inlines.retain(|t| !states.contains(t));
    w.out.memory.extend(w.beside.intersection(&states));
    w.out
}

/// Ranks in scope beside grid and value ranks.
#[derive(Clone, Debug, PartialEq)]
struct Scope {
    /// Ranks of the pass; at a store, value ranks that the passes stream.
    streamed: Vec<RankId>,
    /// Reduced ranks of inline nodes around, renamed, each with the rank that it was.
    inner: Vec<(RankId, RankId)>,
}

struct Walk<'a> {
    d: &'a Defs<'a>,
    root: &'a Root,
    far: &'a dyn Fn(TensorId) -> bool,
    rows: Rows,
    out: Placed,
    /// Evaluated inline at another point than the grid's.
    beside: BTreeSet<TensorId>,
    fresh: u32,
    seen: Vec<(TensorId, Vec<Expr>, Scope)>,
}

enum Choice {
    State,
    Inline,
    Memory,
}

impl Walk<'_> {
    fn visit(&mut self, e: &Expr, scope: &Scope) {
        e.children().into_iter().for_each(|c| self.visit(c, scope));
        let Expr::Read(t, idx) = e else { return };
        match self.d.local(*t) {
            Some(n) => self.read(*t, idx, n, scope),
            None if self.d.hidden.contains(t) => _ = self.out.memory.insert(*t),
            None => {}
        }
    }

    fn read(&mut self, t: TensorId, idx: &[Expr], n: &Node, scope: &Scope) {
        match self.choose(t, idx, n, scope) {
            Choice::Memory => _ = self.out.memory.insert(t),
            Choice::State => {
                if self.out.states.insert(t) {
                    let scope = Scope { streamed: n.reduced().to_vec(), inner: vec![] };
                    n.exprs().for_each(|e| self.visit(e, &scope));
                }
            }
            Choice::Inline => {
                self.out.inlines.insert(t);
                if !self.is_at_point(n, idx) {
                    self.beside.insert(t);
                }
                let key = (t, idx.to_vec(), scope.clone());
                if self.seen.contains(&key) {
                    return;
                }
                self.seen.push(key);
                let (exprs, inner) = expand(n, idx, &mut self.fresh);
                let inner = [scope.inner.clone(), inner].concat();
                let scope = Scope { streamed: scope.streamed.clone(), inner };
                exprs.iter().for_each(|e| self.visit(e, &scope));
            }
        }
    }

    fn choose(&self, t: TensorId, idx: &[Expr], n: &Node, scope: &Scope) -> Choice {
        if t == self.root.key {
            return Choice::State;
        }
        if (self.far)(t) || is_populate(n) {
            return Choice::Memory;
        }
        let ranks = ranks_of(idx);
        // A long rank of an inline reduction is streamed too, by a loop inside the pass, for what is cheap at a point.
        let inner = |r: &RankId| scope.inner.iter().find(|(own, _)| own == r).map(|(_, was)| *was);
        let cheap = n.reduced().iter().all(|r| is_constant(self.d.c, *r));
        let long = |r: &RankId| cheap && inner(r).is_some_and(|was| !is_constant(self.d.c, was));
        let streams = ranks.iter().any(|r| scope.streamed.contains(r) || long(r));
        if n.reduce.is_none() {
            return Choice::Inline;
        }
        let at_point = self.is_at_point(n, idx);
        if streams {
            let extra = ranks.iter().filter(|r| !self.root.grid.contains(r));
            if at_point && self.is_held(n, extra.map(|r| inner(r).unwrap_or(*r))) {
                return Choice::State;
            }
            return if self.keeps_rows(n, idx) { Choice::Inline } else { Choice::Memory };
        }
        let known = |r: &RankId| self.root.grid.contains(r) || self.root.value.contains(r) || inner(r).is_some();
        if at_point && ranks.iter().all(known) { Choice::State } else { Choice::Memory }
    }

    /// True if the index names every grid rank at its own position and distinct other variables elsewhere.
    fn is_at_point(&self, n: &Node, idx: &[Expr]) -> bool {
        let Some(vars) = super::bare(idx) else { return false };
        let grid = &self.root.grid;
        let fits = |(own, r): (RankId, &RankId)| if grid.contains(r) { own == *r } else { !grid.contains(&own) };
        grid.iter().all(|r| vars.contains(r)) && plain_vars(n).into_iter().zip(&vars).all(fits)
    }

    /// True if a small vector that is costly to recompute is read at a streamed rank: it is held as state.
    fn is_held(&self, n: &Node, mut extra: impl Iterator<Item = RankId>) -> bool {
        let constant = |r: RankId| is_constant(self.d.c, r);
        extra.all(constant) && !n.reduced().iter().all(|r| constant(*r))
    }

    /// True if storing the reduction would need a tensor over grid × streamed ranks.
    fn keeps_rows(&self, n: &Node, idx: &[Expr]) -> bool {
        let apart: Vec<Expr> = idx.iter().filter(|i| !self.is_distance(i)).cloned().collect();
        let kept = kept_ranks(&apart);
        let Some(tile) = self.rows.tile else { return true };
        let operands = operands(self.d, n, idx);
        if kept.contains(&tile) || self.pairs_streamed(&kept, &operands) {
            return true;
        }
        // Another row rank: a score shared by heads keeps the rows; a projection by weights does not. Only activations
        // have the batch ranks.
        let others: Vec<RankId> = self.rows.queries.iter().copied().filter(|r| kept.contains(r)).collect();
        let batched = |x: &[RankId]| self.rows.batch.is_empty() || x.iter().any(|r| self.rows.batch.contains(r));
        !others.is_empty()
            && operands.iter().any(|x| {
                !x.iter().any(|r| self.rows.streamed.contains(r)) && x.iter().any(|r| others.contains(r)) && batched(x)
            })
    }

    /// True for an index like `p - m`: a row and a streamed rank share the dimension, so a tensor over it has one of
    /// the two extents.
    fn is_distance(&self, e: &Expr) -> bool {
        let ranks = ranks_of([e]);
        let mut scaled = false;
        e.walk(&mut |x| scaled |= matches!(x, Expr::Binary(BinOp::Mul | BinOp::FloorDiv | BinOp::Mod, ..)));
        let streamed = |r: &RankId| self.rows.streamed.contains(r) && !is_constant(self.d.c, *r);
        !scaled && ranks.iter().any(|r| self.root.grid.contains(r)) && ranks.iter().any(streamed)
    }

    /// True if two streamed run-time extents meet in the reduction and in none of its operands: scores.
    fn pairs_streamed(&self, kept: &[RankId], operands: &[Vec<RankId>]) -> bool {
        let long = |r: &&RankId| self.rows.streamed.contains(r) && !is_constant(self.d.c, **r);
        let met: Vec<RankId> = kept.iter().filter(long).copied().collect();
        let apart = |a: &RankId, b: &RankId| a != b && !operands.iter().any(|x| x.contains(a) && x.contains(b));
        met.iter().any(|a| met.iter().any(|b| apart(a, b)))
    }
}

/// Which grid ranks look like rows (queries) and which like batch, judged by the operands that are streamed.
struct Rows {
    /// The row rank that a tile would span.
    tile: Option<RankId>,
    /// Grid ranks that some streamed operand lacks.
    queries: Vec<RankId>,
    /// Grid ranks that every streamed operand has.
    batch: Vec<RankId>,
    /// Ranks that the passes stream.
    streamed: Vec<RankId>,
}

impl Rows {
    fn of(d: &Defs, root: &Root) -> Rows {
        let streamed = root.streamed(d);
        let nodes: Vec<&Node> = root.candidates.iter().filter_map(|t| d.local(*t)).collect();
        let own = |n: &Node| plain_vars(n).into_iter().map(Expr::Var).collect::<Vec<_>>();
        let streams = |x: &Vec<RankId>| x.iter().any(|r| streamed.contains(r));
        let sides: Vec<Vec<RankId>> = nodes.iter().flat_map(|n| operands(d, n, &own(n))).filter(streams).collect();
        let is_batch = |r: &RankId| sides.iter().all(|x| x.contains(r));
        let (batch, queries): (Vec<_>, Vec<_>) = root.grid.iter().copied().partition(is_batch);
        let coupled = |r: &&RankId| {
            nodes.iter().flat_map(|n| n.fold.iter()).any(|e| e.mentions(**r) && streamed.iter().any(|m| e.mentions(*m)))
        };
        let tile = queries.iter().rev().find(coupled).or(queries.last()).or(root.grid.last()).copied();
        Rows { tile, queries, batch, streamed }
    }
}

/// Rank variables of every memory operand under a reduction that is read at `idx`.
fn operands(d: &Defs, n: &Node, idx: &[Expr]) -> Vec<Vec<RankId>> {
    let mut out = vec![];
    let mut fresh = 1 << 16;
    let (exprs, _) = if idx.iter().zip(plain_vars(n)).all(|(e, r)| *e == Expr::Var(r)) {
        (n.exprs().cloned().collect(), vec![])
    } else {
        expand(n, idx, &mut fresh)
    };
    let mut seen = vec![];
    exprs.iter().for_each(|e| operands_in(d, e, &mut fresh, &mut seen, &mut out));
    out
}

fn operands_in(d: &Defs, e: &Expr, fresh: &mut u32, seen: &mut Vec<Expr>, out: &mut Vec<Vec<RankId>>) {
    e.children().into_iter().for_each(|c| operands_in(d, c, fresh, seen, out));
    let key = anonymous(e);
    if let Expr::Read(t, idx) = e
        && !seen.contains(&key)
    {
        seen.push(key);
        match d.local(*t) {
            None => out.push(ranks_of(idx)),
            Some(n) => expand(n, idx, fresh).0.iter().for_each(|e| operands_in(d, e, fresh, seen, out)),
        }
    }
}

/// The expressions of a node as they are when it is read at `idx`: left variables substituted, reduced ranks renamed
/// (to ids beyond the rank table, which only this analysis sees). Returns the renamed ranks with what they
/// were, too.
fn expand(n: &Node, idx: &[Expr], fresh: &mut u32) -> (Vec<Expr>, Vec<(RankId, RankId)>) {
    let vars = plain_vars(n);
    let inner: Vec<(RankId, RankId)> = n.reduced().iter().map(|r| (next(fresh), *r)).collect();
    let to = |r: RankId| {
        let left = vars.iter().position(|v| *v == r).map(|i| idx[i].clone());
        left.or_else(|| n.reduced().iter().position(|v| *v == r).map(|i| Expr::Var(inner[i].0)))
    };
    (n.exprs().map(|e| e.subst(&to)).collect(), inner)
}

/// The expression with all renamed ranks made one: reads that differ in them have the same operands.
fn anonymous(e: &Expr) -> Expr {
    e.subst(&|r| (r.0 > 1 << 20).then_some(Expr::Var(RankId(1 << 20))))
}

fn next(fresh: &mut u32) -> RankId {
    *fresh += 1;
    RankId((1 << 20) + *fresh)
}

/// Rank variables that an index keeps apart: those under a division are shared by several points.
fn kept_ranks(idx: &[Expr]) -> Vec<RankId> {
    fn go(e: &Expr, out: &mut Vec<RankId>) {
        match e {
            Expr::Var(r) => out.push(*r),
            Expr::Binary(BinOp::FloorDiv | BinOp::Mod, _, _) => {}
            _ => e.children().into_iter().for_each(|c| go(c, out)),
        }
    }
    let mut out = vec![];
    idx.iter().for_each(|e| go(e, &mut out));
    out
}

pub(super) fn is_constant(c: &Cascade, r: RankId) -> bool {
    c.ranks.get(r.index()).is_some_and(|r| matches!(r.extent, Extent::Const(_)))
}
