//! UNROLL: a recurrence with few, known steps becomes that many copies of its nodes.
//!
//! Every generation of a state is a tensor of its own afterwards, so a step may mix the points of its state (a matrix
//! iteration), which a scan cannot. Outputs over the generations themselves keep their recurrence.

use super::util::rewrite;
use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Extent, Node, OutIdx, RankId, TensorId, TensorKind};
use crate::diag::Refusal;
use crate::types::BinOp;

/// More steps than this stay a recurrence.
const MAX_STEPS: i64 = 8;

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "unroll",
    summary: "replace recurrences with few known steps by their generations",
    post: "recurrences over constant extents have more than 8 steps or outputs over their generations",
    run: Run::Cascade(run),
};

fn run(c: &mut Cascade, _: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    let ranks: Vec<RankId> = (0..c.ranks.len() as u32).map(RankId).filter(|r| c.ranks[r.index()].iter).collect();
    for r in ranks {
        let Extent::Const(steps) = c.ranks[r.index()].extent else { continue };
        if (0..=MAX_STEPS).contains(&steps) && can_unroll(c, r) {
            Unroller { r, steps, copies: vec![] }.run(c);
            report.note(format!("UNROLL: {steps} generations over {}", c.ranks[r.index()].name));
        }
    }
    Ok(report)
}

/// True if only intermediates have the rank, and all of them are read at their own step.
fn can_unroll(c: &Cascade, r: RankId) -> bool {
    let has = |n: &Node| n.out_ranks().contains(&r);
    let own = |n: &Node| !has(n) || c.tensor(n.out).kind == TensorKind::Let;
    let folds = |n: &Node| n.reduced().contains(&r);
    let mut shifted = false;
    for n in &c.nodes {
        n.exprs().for_each(|e| {
            e.walk(&mut |x| {
                let Expr::Read(t, idx) = x else { return };
                let Some(m) = c.def(*t).filter(|m| has(m)) else { return };
                let at = m.out_ranks().iter().position(|v| *v == r).map(|i| &idx[i]);
                let steps = m.is_stateful();
                shifted |= at.is_some_and(|e| generation(c, r, e, 0).is_none() || (!steps && *e != Expr::Var(r)));
            });
        });
    }
    c.nodes.iter().all(|n| own(n) && !folds(n)) && !shifted
}

/// The generation that an index means in a step.
fn generation(c: &Cascade, r: RankId, e: &Expr, step: i64) -> Option<i64> {
    match e {
        Expr::Int(i) => Some(*i),
        Expr::Extent(x) if *x == r => match c.ranks[r.index()].extent {
            Extent::Const(n) => Some(n),
            Extent::Free | Extent::Derived(_) => None,
        },
        Expr::Var(x) if *x == r => Some(step),
        Expr::Binary(BinOp::Add, a, b) if **a == Expr::Var(r) && **b == Expr::Int(1) => Some(step + 1),
        _ => None,
    }
}

struct Unroller {
    r: RankId,
    steps: i64,
    /// Tensor of a generation.
    copies: Vec<((TensorId, i64), TensorId)>,
}

impl Unroller {
    fn run(mut self, c: &mut Cascade) {
        let old = std::mem::take(&mut c.nodes);
        let inside = |n: &Node| {
            n.out_ranks().contains(&self.r)
                || n.vars.iter().any(|v| matches!(v, OutIdx::At(_)) && steps_along(&old, n.out, self.r))
        };
        let (moving, fixed): (Vec<Node>, Vec<Node>) = old.iter().cloned().partition(inside);
        let reverse = moving.iter().any(|n| n.vars.contains(&OutIdx::Prev(self.r)));
        let (inits, steps): (Vec<Node>, Vec<Node>) =
            moving.into_iter().partition(|n| n.vars.iter().any(|v| matches!(v, OutIdx::At(_))));
        let mut made = vec![];
        for n in &inits {
            let at = if reverse { self.steps } else { 0 };
            made.push(self.copy(c, &old, n, at, 0));
        }
        for i in 0..self.steps {
            let step = if reverse { self.steps - 1 - i } else { i };
            for n in &steps {
                let at = if n.vars.contains(&OutIdx::Next(self.r)) { step + 1 } else { step };
                made.push(self.copy(c, &old, n, at, step));
            }
        }
        let fixed: Vec<Node> = fixed.iter().map(|n| self.redirect(c, &old, n, 0)).collect();
        c.nodes = super::util::sorted(c, [made, fixed].concat());
    }

    fn copy(&mut self, c: &mut Cascade, old: &[Node], n: &Node, at: i64, step: i64) -> Node {
        let mut new = self.redirect(c, old, n, step);
        new.out = self.tensor(c, old, n.out, at);
        new.vars = n.out_ranks().into_iter().filter(|r| *r != self.r).map(OutIdx::Var).collect();
        new
    }

    /// The tensor of a generation.
    fn tensor(&mut self, c: &mut Cascade, old: &[Node], t: TensorId, at: i64) -> TensorId {
        if let Some((_, to)) = self.copies.iter().find(|(key, _)| *key == (t, at)) {
            return *to;
        }
        let ranks = old.iter().rev().find(|n| n.out == t).map(Node::out_ranks).unwrap_or_default();
        let vars: Vec<RankId> = ranks.into_iter().filter(|r| *r != self.r).collect();
        let (name, dtype) = (format!("{}_{at}", c.tensor(t).name), c.tensor(t).dtype);
        let to = super::util::add_let(c, &name, dtype, &vars);
        self.copies.push(((t, at), to));
        to
    }

    /// The node with the reads and the coordinate of one step.
    fn redirect(&mut self, c: &mut Cascade, old: &[Node], n: &Node, step: i64) -> Node {
        let mut n = n.clone();
        super::util::map_node(&mut n, &mut |e| {
            let e = rewrite(e, &mut |x| match &x {
                Expr::Read(t, idx) => {
                    let def = old.iter().rev().find(|m| m.out == *t);
                    let at = def.and_then(|m| m.out_ranks().iter().position(|v| *v == self.r));
                    let Some(i) = at else { return x };
                    let Some(g) = generation(c, self.r, &idx[i], step) else { return x };
                    let rest = idx.iter().enumerate().filter(|(k, _)| *k != i).map(|(_, e)| e.clone()).collect();
                    Expr::Read(self.tensor(c, old, *t, g), rest)
                }
                _ => x,
            });
            e.subst(&|r| (r == self.r).then_some(Expr::Int(step)))
        });
        n
    }
}

/// True if `t` is a state along `r`.
fn steps_along(nodes: &[Node], t: TensorId, r: RankId) -> bool {
    nodes.iter().any(|n| n.out == t && (n.vars.contains(&OutIdx::Next(r)) || n.vars.contains(&OutIdx::Prev(r))))
}
