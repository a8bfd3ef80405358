//! CSE: nodes that compute the same values are merged.
//!
//! Two nodes are the same if body, fold, domain and reduction are equal once the variables of the second are renamed to
//! those of the first: left-side ranks by position in any order, reduced ranks by position where the extents are equal.

use super::facts::Facts;
use super::util::{map_node, rewrite, same_set};
use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Node, OutIdx, RankId, TensorId, TensorKind};
use crate::diag::Refusal;

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "cse",
    summary: "merge nodes that compute the same values",
    post: "no two intermediates are equal",
    run: Run::Cascade(run),
};

fn run(c: &mut Cascade, _: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    let mut i = 0;
    while i < c.nodes.len() {
        let twin = (0..i).find_map(|j| same_values(c, &c.nodes[j], &c.nodes[i]).map(|order| (j, order)));
        let Some((j, order)) = twin else {
            i += 1;
            continue;
        };
        let (old, new) = (c.nodes[i].out, c.nodes[j].out);
        report.note(format!("CSE: {} is the same as {}", c.tensor(old).name, c.tensor(new).name));
        c.nodes.remove(i);
        redirect(c, old, new, &order);
    }
    let defined: Vec<TensorId> = c.nodes.iter().map(|n| n.out).collect();
    let keep: Vec<bool> = (0..c.tensors.len())
        .map(|t| c.tensors[t].kind != TensorKind::Let || defined.contains(&TensorId(t as u32)))
        .collect();
    super::util::retain_tensors(c, &keep);
    Ok(report)
}

/// For each left-side position of `a`, the position of the same variable in `b`, if the nodes are the same.
fn same_values(c: &Cascade, a: &Node, b: &Node) -> Option<Vec<usize>> {
    let mergeable = |n: &Node| !n.is_stateful() && c.tensor(n.out).kind == TensorKind::Let;
    let same_type = c.tensor(a.out).dtype == c.tensor(b.out).dtype;
    if !mergeable(a) || !mergeable(b) || !same_type || a.vars.len() != b.vars.len() {
        return None;
    }
    let (va, vb) = (a.out_ranks(), b.out_ranks());
    let order = va.iter().map(|r| vb.iter().position(|s| s == r)).collect::<Option<Vec<_>>>()?;
    let b = with_reduced(c, b, a.reduced())?;
    let same = a.body == b.body && a.reduce == b.reduce && same_set(&a.fold, &b.fold) && same_set(&a.dom, &b.dom);
    same.then_some(order)
}

/// The node with its reduced ranks renamed to `ranks`, if their extents are equal.
fn with_reduced(c: &Cascade, n: &Node, ranks: &[RankId]) -> Option<Node> {
    let own = n.reduced().to_vec();
    if own.len() != ranks.len() {
        return None;
    }
    if own == ranks {
        return Some(n.clone());
    }
    let facts = Facts::without_tensors(c);
    let vars = n.out_ranks();
    let fits = own.iter().zip(ranks).all(|(a, b)| facts.same_extent(*a, *b) && !vars.contains(b));
    let mut out = n.clone();
    let to = |r: RankId| own.iter().position(|o| *o == r).map(|i| Expr::Var(ranks[i]));
    map_node(&mut out, &mut |e| e.subst(&to));
    if let Some(red) = &mut out.reduce {
        red.over = ranks.to_vec();
    }
    fits.then_some(out)
}

/// Replaces reads of `old` by reads of `new`, whose indices come in another order.
fn redirect(c: &mut Cascade, old: TensorId, new: TensorId, order: &[usize]) {
    for n in &mut c.nodes {
        debug_assert!(n.out != old || n.vars.iter().any(|v| !matches!(v, OutIdx::Var(_))));
        map_node(n, &mut |e| {
            rewrite(e, &mut |x| match x {
                Expr::Read(t, idx) if t == old => Expr::Read(new, order.iter().map(|k| idx[*k].clone()).collect()),
                other => other,
            })
        });
    }
}
