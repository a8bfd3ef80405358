//! Order of evaluation: strongly connected components of the nodes, definitions before uses.

use crate::cascade::{Cascade, Expr, Node, OutIdx, RankId, TensorKind};
use crate::types::BinOp;

/// Nodes that are evaluated together.
#[derive(Debug, PartialEq)]
pub(crate) enum Unit {
    /// Independent of itself.
    One(usize),
    /// A recurrence: every member needs an earlier generation of another.
    Cycle(Vec<usize>),
}

/// Components of `nodes`, each after everything it reads. Reads of the previous generation of a state over a rank
/// in `fixed` are no dependencies: that step is done.
pub(crate) fn units(c: &Cascade, nodes: &[usize], fixed: &[RankId]) -> Vec<Unit> {
    let edges = nodes.iter().map(|u| nodes.iter().map(|v| depends(c, &c.nodes[*u], &c.nodes[*v], fixed)).collect());
    let mut t = Tarjan { edges: edges.collect(), state: vec![None; nodes.len()], stack: vec![], next: 0, out: vec![] };
    for i in 0..nodes.len() {
        t.visit(i);
    }
    let unit = |members: &Vec<usize>| match members[..] {
        [i] if !t.edges[i][i] => Unit::One(nodes[i]),
        _ => {
            let mut members: Vec<_> = members.iter().map(|i| nodes[*i]).collect();
            members.sort();
            Unit::Cycle(members)
        }
    };
    t.out.iter().map(unit).collect()
}

/// True if `u` reads what `v` defines (in the same step of the fixed ranks).
fn depends(c: &Cascade, u: &Node, v: &Node, fixed: &[RankId]) -> bool {
    if c.tensor(v.out).kind == TensorKind::InOut {
        return false;
    }
    let mut found = false;
    for e in u.exprs() {
        e.walk(&mut |e| {
            if let Expr::Read(t, idx) = e {
                found |= *t == v.out && !v.vars.iter().zip(idx).any(|(v, i)| is_earlier(v, i, fixed));
            }
        });
    }
    found
}

/// True if a read at `idx` sees a generation that was finished before this step.
fn is_earlier(v: &OutIdx, idx: &Expr, fixed: &[RankId]) -> bool {
    match v {
        OutIdx::Next(r) => fixed.contains(r) && *idx == Expr::Var(*r),
        OutIdx::Prev(r) => fixed.contains(r) && *idx == Expr::bin(BinOp::Add, Expr::Var(*r), Expr::Int(1)),
        OutIdx::Var(_) | OutIdx::At(_) => false,
    }
}

/// The rank over which a cycle of nodes steps, and whether backwards.
pub(crate) fn step_rank(c: &Cascade, cycle: &[usize], fixed: &[RankId]) -> Option<(RankId, bool)> {
    let steps = cycle.iter().flat_map(|n| &c.nodes[*n].vars).filter_map(|v| match v {
        OutIdx::Next(r) => Some((*r, false)),
        OutIdx::Prev(r) => Some((*r, true)),
        OutIdx::Var(_) | OutIdx::At(_) => None,
    });
    steps.into_iter().find(|(r, _)| !fixed.contains(r) && cycle.iter().all(|n| c.nodes[*n].out_ranks().contains(r)))
}

/// Tarjan's algorithm; it emits components in reverse topological order, that is definitions first.
struct Tarjan {
    edges: Vec<Vec<bool>>,
    /// Order number and low link of visited nodes; `usize::MAX` once the component is out.
    state: Vec<Option<(usize, usize)>>,
    stack: Vec<usize>,
    next: usize,
    out: Vec<Vec<usize>>,
}

impl Tarjan {
    /// Visits a node and returns its low link.
    fn visit(&mut self, u: usize) -> usize {
        if let Some((_, low)) = self.state[u] {
            return low;
        }
        let order = self.next;
        self.next += 1;
        self.state[u] = Some((order, order));
        self.stack.push(u);
        let mut low = order;
        for v in 0..self.edges.len() {
            if self.edges[u][v] {
                low = low.min(self.visit(v));
                self.state[u] = Some((order, low));
            }
        }
        if low == order {
            let at = self.stack.iter().position(|x| *x == u).unwrap_or(0);
            let members = self.stack.split_off(at);
            for m in &members {
                self.state[*m] = Some((usize::MAX, usize::MAX));
            }
            self.out.push(members);
        }
        low
    }
}
