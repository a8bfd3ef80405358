//! Splits the left side of a stored node into grid ranks and value ranks.
//!
//! A value rank belongs to the accumulators, not to the grid: `f` of `NV[b,h,p,f]`. It is recognised by a reduction of
//! the same family that lacks it (`D[b,h,p]` needs no `f`), or by being reduced itself (`m` of attention weights that
//! are stored), provided that it selects elements of one operand in whatever streams a run-time extent; or, when no
//! rank is like this, by appearing in one operand of a contraction only.

use super::{Defs, bare, plain_vars, ranks_of};
use crate::cascade::{Cascade, Expr, Extent, Node, RankId, TensorId, TensorKind};
use crate::types::{BinOp, RedOp, UnOp};

/// A node whose value a stage writes to memory, and everything that is known about its stage.
#[derive(Clone, Debug)]
pub(super) struct Root {
    /// The output, or the reduction that is stored.
    pub(super) key: TensorId,
    /// The map that is stored.
    pub(super) node: Node,
    /// Ranks whose points are independent.
    pub(super) grid: Vec<RankId>,
    /// The other ranks of the left side.
    pub(super) value: Vec<RankId>,
    /// Reductions that can be accumulators at a grid point.
    pub(super) candidates: Vec<TensorId>,
}

impl Root {
    /// Analyses a stored map.
    pub(super) fn new(d: &Defs, key: TensorId, node: Node) -> Root {
        let vars = node.out_ranks();
        let candidates = candidates(d, &node, key);
        let nodes: Vec<&Node> = candidates.iter().filter_map(|t| d.local(*t)).collect();
        let value = value_ranks(d.c, &vars, &nodes);
        let grid = vars.into_iter().filter(|r| !value.contains(r)).collect();
        Root { key, node, grid, value, candidates }
    }

    /// Every rank that a candidate reduces.
    pub(super) fn streamed(&self, d: &Defs) -> Vec<RankId> {
        let mut out: Vec<RankId> = vec![];
        for n in self.candidates.iter().filter_map(|t| d.local(*t)) {
            out.extend(n.reduced().iter().filter(|r| !out.contains(r)).copied().collect::<Vec<_>>());
        }
        out
    }
}

/// True for reductions that yield coordinates: always stored by their own stage.
pub(super) fn is_populate(n: &Node) -> bool {
    n.reduce.as_ref().is_some_and(|r| matches!(r.op, RedOp::TopK | RedOp::ArgMax))
}

/// Reductions that `node` reads, directly or through others, at its own left-hand variables.
fn candidates(d: &Defs, node: &Node, key: TensorId) -> Vec<TensorId> {
    let mut found = vec![];
    collect(d, node, &node.out_ranks(), key, &mut found, &mut vec![]);
    found.sort_by_key(|t| d.position(*t));
    found
}

fn collect(
    d: &Defs,
    node: &Node,
    vars: &[RankId],
    key: TensorId,
    found: &mut Vec<TensorId>,
    seen: &mut Vec<(TensorId, bool, Vec<RankId>)>,
) {
    // A stored reduction and the map that copies it have the same tensor: the reduction tells them apart.
    let visit = (node.out, node.reduce.is_some(), vars.to_vec());
    if seen.contains(&visit) {
        return;
    }
    seen.push(visit);
    let mut reads = vec![];
    for e in node.exprs() {
        e.walk(&mut |x| {
            if let Expr::Read(t, idx) = x
                && !reads.contains(&(*t, idx.clone()))
            {
                reads.push((*t, idx.clone()));
            }
        });
    }
    for (t, idx) in reads {
        let Some(n) = d.local(t) else { continue };
        let here = ranks_of(&idx).iter().all(|r| vars.contains(r) && !node.reduced().contains(r));
        let own = bare(&idx).is_some_and(|b| b == plain_vars(n));
        if here && own && n.reduce.is_some() && (!is_populate(n) || t == key) {
            if !found.contains(&t) {
                found.push(t);
                collect(d, n, vars, key, found, seen);
            }
        } else if (!here || n.reduce.is_none()) && !is_populate(n) {
            // Evaluated where it is read: what it reads at grid points counts, if the grid ranks keep their names.
            let kept: Vec<_> =
                plain_vars(n).into_iter().zip(&idx).filter(|(r, e)| **e == Expr::Var(*r)).map(|(r, _)| r).collect();
            let vars: Vec<_> = vars.iter().filter(|r| kept.contains(r)).copied().collect();
            collect(d, n, &vars, key, found, seen);
        }
    }
}

fn value_ranks(c: &Cascade, vars: &[RankId], nodes: &[&Node]) -> Vec<RankId> {
    if nodes.is_empty() {
        return vec![];
    }
    let mut families: Vec<(Vec<RankId>, Vec<&Node>)> = vec![];
    for n in nodes {
        let mut over = n.reduced().to_vec();
        over.sort();
        match families.iter_mut().find(|(r, _)| *r == over) {
            Some((_, members)) => members.push(n),
            None => families.push((over, vec![n])),
        }
    }
    let has = |n: &Node, r: RankId| n.out_ranks().contains(&r);
    let mixed = |r: RankId| families.iter().any(|(_, m)| m.iter().any(|n| has(n, r)) && m.iter().any(|n| !has(n, r)));
    let slot = |r: RankId| nodes.iter().any(|n| n.reduce.as_ref().is_some_and(|x| x.slot == Some(r)));
    let nowhere = |r: RankId| !nodes.iter().any(|n| has(n, r));
    let reduced = |r: RankId| nodes.iter().any(|n| n.reduced().contains(&r));
    let is_value = |r: &RankId| {
        let movable = || nodes.iter().all(|n| !has(n, *r) || !is_long(c, n) || is_moved_alone(c, n, *r));
        nowhere(*r) || slot(*r) || (mixed(*r) || reduced(*r)) && movable()
    };
    let lacking: Vec<RankId> = vars.iter().copied().filter(is_value).collect();
    if !lacking.is_empty() {
        return lacking;
    }
    contracted_value(c, vars, nodes).into_iter().collect()
}

/// True if the reduction streams a run-time extent.
fn is_long(c: &Cascade, n: &Node) -> bool {
    n.reduced().iter().any(|r| !matches!(c.ranks[r.index()].extent, Extent::Const(_)))
}

/// True if a reduction can be computed for all `r` at once: `r` selects elements of one operand, and no scores.
fn is_moved_alone(c: &Cascade, n: &Node, r: RankId) -> bool {
    if n.fold.iter().chain(&n.dom).any(|e| e.mentions(r)) {
        return false;
    }
    let factors = factors(&n.body);
    let with: Vec<_> = factors.iter().filter(|f| f.mentions(r)).collect();
    match (with.as_slice(), &c.ranks[r.index()].extent) {
        ([_], Extent::Const(_)) => true,
        ([Expr::Read(t, _)], _) => c.tensor(*t).kind != TensorKind::Let,
        _ => false,
    }
}

/// The last rank that only one operand of every contraction has; constant extents first.
fn contracted_value(c: &Cascade, vars: &[RankId], nodes: &[&Node]) -> Option<RankId> {
    let fits = |r: &&RankId| nodes.iter().all(|n| !n.out_ranks().contains(r) || is_value_of(c, n, **r));
    let fitting: Vec<RankId> = vars.iter().rev().filter(fits).copied().collect();
    let constant = |r: &&RankId| matches!(c.ranks[r.index()].extent, Extent::Const(_));
    fitting
        .iter()
        .find(constant)
        .or_else(|| fitting.iter().find(|r| nodes.iter().all(|n| is_innermost(n, **r))))
        .copied()
}

/// True if `r` appears in exactly one factor of the sum, and that factor is an element in memory.
fn is_value_of(c: &Cascade, n: &Node, r: RankId) -> bool {
    let constant = matches!(c.ranks[r.index()].extent, Extent::Const(_));
    let absent = n.dom.iter().filter(|_| !constant);
    if n.reduce.as_ref().is_none_or(|x| x.op != RedOp::Sum) || n.fold.iter().chain(absent).any(|e| e.mentions(r)) {
        return false;
    }
    let factors = factors(&n.body);
    let streams = |f: &&Expr| n.reduced().iter().any(|m| f.mentions(*m));
    // A factor that the sum does not run over is applied after it.
    let with: Vec<_> = factors.iter().filter(|f| f.mentions(r) && streams(f)).collect();
    let selects = |e: &Expr| match e {
        Expr::Binary(BinOp::Add, a, b) => **b == Expr::Var(r) && !a.mentions(r),
        e => *e == Expr::Var(r),
    };
    match with.as_slice() {
        [Expr::Read(t, idx)] => {
            c.tensor(*t).kind != TensorKind::Let
                && idx.iter().any(selects)
                && (factors.iter().filter(|f| !f.mentions(r)).any(streams) || idx.last() == Some(&Expr::Var(r)))
        }
        _ => false,
    }
}

/// True if `r` is the last index of the memory operand that has it.
fn is_innermost(n: &Node, r: RankId) -> bool {
    factors(&n.body).iter().any(|f| matches!(f, Expr::Read(_, idx) if idx.last() == Some(&Expr::Var(r))))
}

/// Factors of a product; a division by something is one factor.
fn factors(e: &Expr) -> Vec<&Expr> {
    match e {
        Expr::Binary(BinOp::Mul, a, b) => [factors(a), factors(b)].concat(),
        Expr::Binary(BinOp::Div, a, b) => [factors(a), vec![&**b]].concat(),
        Expr::Unary(UnOp::Neg, a) => factors(a),
        _ => vec![e],
    }
}
