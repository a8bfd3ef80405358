//! Orders the accumulators of one stage into passes.
//!
//! An accumulator joins the first pass over its ranks in which everything it reads is complete. If what it reads is
//! still running in the last such pass, `joins` may license it to follow the running values (one-pass fusion).

use super::Defs;
use crate::cascade::{Cascade, Expr, NodeId, RankId, TensorId};
use crate::stream::{Acc, Pass, Repair};

/// An accumulator to be placed.
#[derive(Clone, Debug)]
pub(in crate::passes) struct Member {
    /// Its reduction.
    pub(in crate::passes) node: NodeId,
    /// Accumulators that its body, fold or dom read, through inline nodes too.
    pub(in crate::passes) deps: Vec<TensorId>,
}

impl Member {
    /// Finds what a reduction reads among `states`.
    pub(in crate::passes) fn new(d: &Defs, node: NodeId, states: &[TensorId]) -> Member {
        let mut deps = vec![];
        d.c.nodes[node.index()].exprs().for_each(|e| reach(d, e, states, &mut deps));
        Member { node, deps }
    }
}

fn reach(d: &Defs, e: &Expr, states: &[TensorId], out: &mut Vec<TensorId>) {
    for t in e.reads() {
        if states.contains(&t) {
            if !out.contains(&t) {
                out.push(t);
            }
        } else if let Some(n) = d.local(t) {
            n.exprs().for_each(|e| reach(d, e, states, out));
        }
    }
}

/// A pass under construction: its ranks as a set, its accumulators.
struct Slot {
    ranks: Vec<RankId>,
    accs: Vec<Acc>,
}

/// Places members (in topological order) into passes. `joins(member, running)` is asked whether the member can follow
/// the running values of these accumulators.
pub(in crate::passes) fn order(
    c: &Cascade,
    members: &[Member],
    joins: &mut dyn FnMut(&Member, &[TensorId]) -> Option<Repair>,
) -> Vec<Pass> {
    let mut slots: Vec<Slot> = vec![];
    for m in members {
        let mut ranks = c.nodes[m.node.index()].reduced().to_vec();
        ranks.sort();
        let place = |t: &TensorId| slots.iter().position(|s| s.accs.iter().any(|a| c.nodes[a.node.index()].out == *t));
        let last = m.deps.iter().filter_map(place).max();
        let mut first = last.map_or(0, |l| l + 1);
        let mut repair = None;
        if let Some(last) = last.filter(|l| slots[*l].ranks == ranks) {
            let running: Vec<TensorId> = m.deps.iter().copied().filter(|t| place(t) == Some(last)).collect();
            repair = joins(m, &running);
            first = if repair.is_some() { last } else { first };
        }
        let acc = Acc { node: m.node, repair, init: None };
        match slots.iter_mut().skip(first).find(|s| s.ranks == ranks) {
            Some(s) => s.accs.push(acc),
            None => slots.push(Slot { ranks, accs: vec![acc] }),
        }
    }
    slots.into_iter().map(|s| pass(c, s)).collect()
}

fn pass(c: &Cascade, s: Slot) -> Pass {
    let over = s.accs.first().map_or(vec![], |a| c.nodes[a.node.index()].reduced().to_vec());
    Pass { over, domain: vec![], accs: s.accs }
}

/// Moves the conjuncts that all accumulators share, and that value ranks do not matter to, into the pass.
pub(in crate::passes) fn split_domain(c: &mut Cascade, grid: &[RankId], p: &mut Pass) {
    let ids: Vec<NodeId> = p.accs.iter().map(|a| a.node).collect();
    let Some(first) = ids.first() else { return };
    let n = &c.nodes[first.index()];
    let holds =
        |e: &Expr| ids.iter().all(|i| c.nodes[i.index()].fold.iter().chain(&c.nodes[i.index()].dom).any(|x| x == e));
    let known = |e: &Expr| super::ranks_of([e]).iter().all(|r| grid.contains(r) || p.over.contains(r));
    let shared: Vec<Expr> = n.fold.iter().chain(&n.dom).filter(|e| holds(e) && known(e)).cloned().collect();
    for id in ids {
        let n = &mut c.nodes[id.index()];
        n.fold.retain(|e| !shared.contains(e));
        n.dom.retain(|e| !shared.contains(e));
    }
    p.domain.extend(shared);
}

/// Undoes [`split_domain`].
pub(in crate::passes) fn merge_domain(c: &mut Cascade, p: &mut Pass) {
    for e in std::mem::take(&mut p.domain) {
        for a in &p.accs {
            let n = &mut c.nodes[a.node.index()];
            let side = if n.reduced().iter().any(|r| e.mentions(*r)) { &mut n.fold } else { &mut n.dom };
            side.push(e.clone());
        }
    }
}
