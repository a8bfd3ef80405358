//! Separates what is folded from what is stored: an output, or a step of a recurrence, that is a reduction becomes a map
//! over a new reduction.

use crate::cascade::{Cascade, Expr, Node, OutIdx, Tensor, TensorId, TensorKind};

/// Gives every output reduction a tensor of its own (`O_acc`) and makes the output a map of it.
pub(super) fn normalise(c: &Cascade) -> Cascade {
    let mut out = Cascade { nodes: vec![], ..c.clone() };
    let mut moved: Vec<(TensorId, TensorId)> = vec![];
    for n in &c.nodes {
        let n = redirect_node(n, &moved);
        let kind = out.tensor(n.out).kind;
        if n.reduce.is_some() && n.is_stateful() {
            let (acc, step) = split_step(&mut out, &n);
            out.nodes.extend([acc, step]);
            continue;
        }
        if n.reduce.is_none() || !matches!(kind, TensorKind::Out | TensorKind::InOut) {
            out.nodes.push(n);
            continue;
        }
        let acc = add_like(&mut out, n.out, "acc");
        // The fold runs in the accumulator's type; the output's type is applied once, by the store.
        if let Some(r) = n.reduce.as_ref().filter(|r| r.acc.value_type() == out.tensor(acc).dtype.value_type()) {
            out.tensors[acc.index()].dtype = r.acc;
        }
        out.nodes.push(Node { out: acc, ..n.clone() });
        out.nodes.push(copy_node(&n, acc, n.out));
        if kind == TensorKind::Out {
            moved.push((n.out, acc));
        }
    }
    out
}

/// A step (or init) that is a reduction as a reduction over the ranks of its left side and a map of it.
fn split_step(c: &mut Cascade, n: &Node) -> (Node, Node) {
    let ranks = n.out_ranks();
    let acc = add_like(c, n.out, "acc");
    c.tensors[acc.index()].dims = ranks.iter().map(|r| Expr::Extent(*r)).collect();
    let fold = Node { out: acc, vars: ranks.iter().copied().map(OutIdx::Var).collect(), ..n.clone() };
    let body = Expr::Read(acc, ranks.into_iter().map(Expr::Var).collect());
    (fold, Node { reduce: None, body, fold: vec![], ..n.clone() })
}

/// `to[vars] = from[vars]`, present where `n` is.
pub(super) fn copy_node(n: &Node, from: TensorId, to: TensorId) -> Node {
    let idx = n.out_ranks().into_iter().map(Expr::Var).collect();
    Node {
        out: to,
        vars: n.out_ranks().into_iter().map(OutIdx::Var).collect(),
        reduce: None,
        body: Expr::Read(from, idx),
        fold: vec![],
        dom: n.dom.clone(),
        origin: n.origin.clone(),
    }
}

/// An intermediate of the shape of `t`, named after it.
pub(super) fn add_like(c: &mut Cascade, t: TensorId, suffix: &str) -> TensorId {
    let name = c.fresh_name(&format!("{}_{suffix}", c.tensor(t).name));
    let Tensor { dtype, dims, .. } = c.tensor(t).clone();
    let facts = Default::default();
    c.add_tensor(Tensor { name, dtype, dims, kind: TensorKind::Let, empty: 0.0, facts, table: None })
}

/// Reads of the first tensor of a pair become reads of the second.
pub(super) fn redirect(e: &Expr, moved: &[(TensorId, TensorId)]) -> Expr {
    let e = e.map_children(&mut |x| redirect(x, moved));
    match e {
        Expr::Read(t, idx) => Expr::Read(moved.iter().find(|(a, _)| *a == t).map_or(t, |(_, b)| *b), idx),
        other => other,
    }
}

/// [`redirect`] in every expression of a node.
pub(super) fn redirect_node(n: &Node, moved: &[(TensorId, TensorId)]) -> Node {
    let mut n = n.clone();
    n.body = redirect(&n.body, moved);
    for e in n.fold.iter_mut().chain(&mut n.dom) {
        *e = redirect(e, moved);
    }
    n
}
