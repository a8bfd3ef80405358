//! Small queries and edits that several passes share.

use crate::cascade::{Cascade, Expr, Node, OutIdx, RankId, Tensor, TensorId, TensorKind};
use crate::types::{DType, ValueType};

/// Number of expression nodes.
pub(super) fn size(e: &Expr) -> usize {
    1 + e.children().into_iter().map(size).sum::<usize>()
}

/// True if any of the rank variables occurs.
pub(super) fn mentions_any(e: &Expr, ranks: &[RankId]) -> bool {
    ranks.iter().any(|r| e.mentions(*r))
}

/// True if no rank variable occurs: one value for the whole launch.
pub(super) fn is_uniform(e: &Expr) -> bool {
    let mut uniform = true;
    e.walk(&mut |x| uniform &= !matches!(x, Expr::Var(_)));
    uniform
}

/// Rewrites body, fold and dom of a node.
pub(super) fn map_node(n: &mut Node, f: &mut impl FnMut(&Expr) -> Expr) {
    n.body = f(&n.body);
    for e in n.fold.iter_mut().chain(&mut n.dom) {
        *e = f(e);
    }
}

/// Bottom-up rewriting: `f` sees every expression after its children.
pub(super) fn rewrite(e: &Expr, f: &mut impl FnMut(Expr) -> Expr) -> Expr {
    let inner = e.map_children(&mut |c| rewrite(c, f));
    f(inner)
}

/// True if the sets of conjuncts are the same.
pub(super) fn same_set(a: &[Expr], b: &[Expr]) -> bool {
    a.iter().all(|x| b.contains(x)) && b.iter().all(|x| a.contains(x))
}

/// True for a floating-point node whose left side holds plain rank variables only.
pub(super) fn is_plain_float(c: &Cascade, n: &Node) -> bool {
    !n.is_stateful() && c.value_type(&n.body) == ValueType::Float
}

/// The rank variables of the left side that body, fold or dom mention.
pub(super) fn used_vars(n: &Node) -> Vec<RankId> {
    n.out_ranks().into_iter().filter(|r| n.exprs().any(|e| e.mentions(*r))).collect()
}

/// An intermediate over the given rank variables, with a name made from `base`.
pub(super) fn add_let(c: &mut Cascade, base: &str, dtype: DType, vars: &[RankId]) -> TensorId {
    let name = c.fresh_name(base);
    let dims = vars.iter().map(|r| Expr::Extent(*r)).collect();
    let facts = Default::default();
    c.add_tensor(Tensor { name, dtype, dims, kind: TensorKind::Let, empty: 0.0, facts, table: None })
}

/// The element of `t` at the rank variables themselves.
pub(super) fn read_at(t: TensorId, vars: &[RankId]) -> Expr {
    Expr::Read(t, vars.iter().map(|r| Expr::Var(*r)).collect())
}

/// Rank variables as a left side.
pub(super) fn lhs(vars: &[RankId]) -> Vec<OutIdx> {
    vars.iter().map(|r| OutIdx::Var(*r)).collect()
}

/// Rank variables as the source writes them: `m` or `u,w`.
pub(super) fn var_names(c: &Cascade, ranks: &[RankId]) -> String {
    ranks.iter().map(|r| c.ranks[r.index()].name.to_lowercase()).collect::<Vec<_>>().join(",")
}

/// Nodes in an order in which every read intermediate is defined; states are read before they are.
pub(super) fn sorted(c: &Cascade, nodes: Vec<Node>) -> Vec<Node> {
    let states: Vec<TensorId> = nodes.iter().filter(|n| n.is_stateful()).map(|n| n.out).collect();
    let waited = |t: &TensorId| c.tensor(*t).kind == TensorKind::Let && !states.contains(t);
    let mut out: Vec<Node> = vec![];
    let mut rest = nodes;
    while !rest.is_empty() {
        let open: Vec<TensorId> = rest.iter().map(|n| n.out).filter(|t| waited(t)).collect();
        let waits = |n: &Node| n.exprs().flat_map(Expr::reads).any(|t| open.contains(&t));
        let i = rest.iter().position(|n| !waits(n)).unwrap_or(0);
        out.push(rest.remove(i));
    }
    out
}

/// Drops the intermediates and tables that `keep` does not want, and renumbers the rest.
pub(super) fn retain_tensors(c: &mut Cascade, keep: &[bool]) {
    let mut next = 0;
    let new_id: Vec<u32> = keep
        .iter()
        .map(|k| {
            next += u32::from(*k);
            next.wrapping_sub(1)
        })
        .collect();
    let mut kept = keep.iter();
    c.tensors.retain(|_| kept.next().copied().unwrap_or(true));
    for n in &mut c.nodes {
        n.out = TensorId(new_id[n.out.index()]);
        map_node(n, &mut |e| renumber(e, &new_id));
    }
}

fn renumber(e: &Expr, new_id: &[u32]) -> Expr {
    rewrite(e, &mut |x| match x {
        Expr::Read(t, idx) => Expr::Read(TensorId(new_id[t.index()]), idx),
        other => other,
    })
}
