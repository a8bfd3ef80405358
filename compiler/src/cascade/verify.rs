//! Verifier of the cascade IR. What it checks:
//!
//! - names: ranks, rank variables, scalars and tensors can be told apart; no reserved word;
//! - ids are in range; every read has as many indices as its tensor has dimensions;
//! - value types of all operands; predicates are bools, indices are indices;
//! - extents, dimensions, ranges and asserted predicates are closed: over extents and integer scalars only;
//!   derived extents do not depend on themselves; tables hold values, nothing else does;
//! - left sides: one index a dimension, distinct variables, iterative indices on iterative ranks;
//! - single assignment: one node a tensor, or an init and an update for a state; outputs are defined;
//! - nodes read only what earlier nodes define (states aside: they are read at other generations);
//! - reductions: distinct ranks that are not on the left, operand and result types, `slot` exactly with `topk`;
//! - variables: bodies and folds over left and reduced ranks, `dom` over left ranks, each `fold` conjunct mentions a
//!   reduced rank.

use super::text::{RESERVED, expr_text, tensor_text, var_text};
use super::typing::{check_type, word};
use super::{Assert, Cascade, Expr, Extent, Node, OutIdx, RankId, Reduce, TensorId, TensorKind};
use crate::types::{RedOp, ValueType};

/// Checks a cascade; all violations at once.
pub fn verify(c: &Cascade) -> Result<(), Vec<String>> {
    let mut errs = vec![];
    ids(c, &mut errs);
    if errs.is_empty() {
        names(c, &mut errs);
        declarations(c, &mut errs);
        assignments(c, &mut errs);
        for n in &c.nodes {
            let mut e = vec![];
            node(c, n, &mut e);
            errs.extend(e.into_iter().map(|m| format!("node `{}`: {m}", tensor_text(c, n.out))));
        }
    }
    if errs.is_empty() { Ok(()) } else { Err(errs) }
}

type Errs = Vec<String>;

/// Every expression of the cascade, with a description of its place.
fn all_exprs(c: &Cascade) -> Vec<(String, &Expr)> {
    let mut out = vec![];
    for r in &c.ranks {
        if let Extent::Derived(e) = &r.extent {
            out.push((format!("rank `{}`", r.name), e));
        }
    }
    for t in &c.tensors {
        out.extend(t.dims.iter().map(|e| (format!("tensor `{}`", t.name), e)));
        out.extend(t.facts.range.iter().flat_map(|(a, b)| [a, b]).map(|e| (format!("range of `{}`", t.name), e)));
    }
    for n in &c.nodes {
        let at = n.vars.iter().filter_map(|v| if let OutIdx::At(e) = v { Some(e) } else { None });
        out.extend(n.exprs().chain(at).map(|e| (format!("a node of tensor {}", n.out.0), e)));
    }
    for a in &c.asserts {
        if let Assert::Holds { pred, text, .. } = a {
            out.push((format!("assert `{text}`"), pred));
        }
    }
    out
}

fn ids(c: &Cascade, errs: &mut Errs) {
    for (place, e) in all_exprs(c) {
        e.walk(&mut |e| {
            let ok = match e {
                Expr::Var(r) | Expr::Extent(r) => r.index() < c.ranks.len(),
                Expr::Scalar(s) => s.index() < c.scalars.len(),
                Expr::Read(t, _) => t.index() < c.tensors.len(),
                _ => true,
            };
            if !ok {
                errs.push(format!("{place}: an id is out of range: {e:?}"));
            }
        });
    }
    let asserted = c.asserts.iter().flat_map(|a| match a {
        Assert::Passes { ranks, .. } => ranks.clone(),
        Assert::Holds { .. } => vec![],
    });
    let used = c.nodes.iter().flat_map(|n| {
        let slot = n.reduce.as_ref().and_then(|r| r.slot);
        n.out_ranks().into_iter().chain(n.reduced().iter().copied()).chain(slot).collect::<Vec<_>>()
    });
    for r in asserted.chain(used).filter(|r| r.index() >= c.ranks.len()) {
        errs.push(format!("a rank id is out of range: {r:?}"));
    }
    for n in c.nodes.iter().filter(|n| n.out.index() >= c.tensors.len()) {
        errs.push(format!("a tensor id is out of range: {:?}", n.out));
    }
}

fn names(c: &Cascade, errs: &mut Errs) {
    let mut values: Vec<String> = vec![];
    for r in &c.ranks {
        values.extend([r.name.clone(), r.name.to_lowercase()]);
    }
    values.extend(c.scalars.iter().map(|s| s.name.clone()));
    let mut others: Vec<String> = c.tensors.iter().map(|t| t.name.clone()).collect();
    for names in [&mut values, &mut others] {
        names.sort();
        for w in names.windows(2).filter(|w| w[0] == w[1]) {
            errs.push(format!("the name `{}` is taken twice", w[0]));
        }
    }
    for name in values.iter().filter(|n| RESERVED.contains(&n.as_str())) {
        errs.push(format!("`{name}` is a reserved word"));
    }
    if c.name.is_empty() || c.docs.iter().any(|d| d.contains(['\n', '\r'])) {
        errs.push("the kernel needs a name and documentation line by line".to_string());
    }
}

fn declarations(c: &Cascade, errs: &mut Errs) {
    for (i, r) in c.ranks.iter().enumerate() {
        match &r.extent {
            Extent::Const(n) if *n < 0 => errs.push(format!("rank `{}` has the extent {n}", r.name)),
            Extent::Const(_) | Extent::Free => {}
            Extent::Derived(e) => {
                closed(c, e, ValueType::Index, &format!("extent of `{}`", r.name), errs);
                if depends_on(c, e, RankId(i as u32), c.ranks.len()) {
                    errs.push(format!("the extent of `{}` depends on itself", r.name));
                }
            }
        }
    }
    for t in &c.tensors {
        for e in &t.dims {
            closed(c, e, ValueType::Index, &format!("dimension of `{}`", t.name), errs);
        }
        for e in t.facts.range.iter().flat_map(|(a, b)| [a, b]) {
            closed(c, e, ValueType::Index, &format!("range of `{}`", t.name), errs);
        }
        if t.table.is_some() != (t.kind == TensorKind::Table) {
            errs.push(format!("`{}`: exactly the tables hold values", t.name));
        }
    }
    for a in &c.asserts {
        if let Assert::Holds { pred, text, .. } = a {
            closed(c, pred, ValueType::Bool, &format!("assert `{text}`"), errs);
        }
    }
}

fn depends_on(c: &Cascade, e: &Expr, r: RankId, fuel: usize) -> bool {
    let mut found = false;
    e.walk(&mut |e| {
        if let Expr::Extent(x) = e {
            found |= *x == r;
            if let (Extent::Derived(inner), true) = (&c.ranks[x.index()].extent, fuel > 0 && !found) {
                found |= depends_on(c, inner, r, fuel - 1);
            }
        }
    });
    found
}

/// An expression that the launcher can evaluate: no rank variable, no element.
fn closed(c: &Cascade, e: &Expr, want: ValueType, place: &str, errs: &mut Errs) {
    typed(c, e, want, place, errs);
    e.walk(&mut |e| {
        if matches!(e, Expr::Var(_) | Expr::Read(..)) {
            errs.push(format!("{place}: `{}` is not known to the launcher", expr_text(c, e)));
        }
    });
}

fn typed(c: &Cascade, e: &Expr, want: ValueType, place: &str, errs: &mut Errs) {
    match check_type(c, e) {
        Ok(t) if t == want => {}
        Ok(t) => errs.push(format!("{place}: `{}` is {}, not {}", expr_text(c, e), word(t), word(want))),
        Err(m) => errs.push(format!("{place}: {m}")),
    }
}

fn assignments(c: &Cascade, errs: &mut Errs) {
    for (i, t) in c.tensors.iter().enumerate() {
        let id = TensorId(i as u32);
        let defs: Vec<_> = c.nodes.iter().filter(|n| n.out == id).collect();
        let inits = defs.iter().filter(|n| n.vars.iter().any(|v| matches!(v, OutIdx::At(_)))).count();
        let ok = match t.kind {
            TensorKind::In | TensorKind::Table => defs.is_empty(),
            _ if defs.iter().any(|n| n.is_stateful()) => defs.len() == 2 && inits == 1,
            TensorKind::Out | TensorKind::InOut => defs.len() == 1,
            TensorKind::Let => defs.len() <= 1,
        };
        if !ok {
            errs.push(format!("`{}` has {} definitions ({inits} inits)", t.name, defs.len()));
        }
    }
    for (i, n) in c.nodes.iter().enumerate() {
        for t in n.exprs().flat_map(Expr::reads).filter(|t| !is_available(c, *t, i)) {
            errs.push(format!("node `{}` reads `{}` before it is defined", tensor_text(c, n.out), tensor_text(c, t)));
        }
    }
}

/// True if a node at position `at` may read `t`.
fn is_available(c: &Cascade, t: TensorId, at: usize) -> bool {
    let earlier = c.nodes[..at].iter().any(|n| n.out == t);
    match c.tensor(t).kind {
        TensorKind::In | TensorKind::InOut | TensorKind::Table => true,
        TensorKind::Out | TensorKind::Let => earlier || c.nodes.iter().any(|n| n.out == t && n.is_stateful()),
    }
}

fn node(c: &Cascade, n: &Node, errs: &mut Errs) {
    left_side(c, n, errs);
    for e in n.fold.iter().chain(&n.dom) {
        typed(c, e, ValueType::Bool, "predicate", errs);
    }
    match check_type(c, &n.body) {
        Ok(body) => result_type(c, n, body, errs),
        Err(m) => errs.push(m),
    }
    match &n.reduce {
        Some(r) => reduction(c, n, r, errs),
        None if n.fold.is_empty() => {}
        None => errs.push("there is a `fold` and no reduction".to_string()),
    }
    let left = n.out_ranks();
    let both: Vec<_> = left.iter().chain(n.reduced()).copied().collect();
    for e in std::iter::once(&n.body).chain(&n.fold) {
        variables(c, e, &both, errs);
    }
    for e in &n.dom {
        variables(c, e, &left, errs);
    }
    for e in n.fold.iter().filter(|e| !n.reduced().iter().any(|r| e.mentions(*r))) {
        errs.push(format!("the fold conjunct `{}` mentions no reduced rank", expr_text(c, e)));
    }
}

fn left_side(c: &Cascade, n: &Node, errs: &mut Errs) {
    let dims = c.tensor(n.out).dims.len();
    if dims != n.vars.len() {
        errs.push(format!("{dims} indices are needed on the left, {} found", n.vars.len()));
    }
    let mut ranks = n.out_ranks();
    ranks.sort();
    for w in ranks.windows(2).filter(|w| w[0] == w[1]) {
        errs.push(format!("`{}` stands twice on the left", var_text(c, w[0])));
    }
    for v in &n.vars {
        match v {
            OutIdx::Var(_) => {}
            OutIdx::Next(r) | OutIdx::Prev(r) if c.ranks[r.index()].iter => {}
            OutIdx::Next(r) | OutIdx::Prev(r) => errs.push(format!("`{}` is not iterative", var_text(c, *r))),
            OutIdx::At(e) => closed(c, e, ValueType::Index, "generation", errs),
        }
    }
}

fn result_type(c: &Cascade, n: &Node, body: ValueType, errs: &mut Errs) {
    let (takes, gives) = match n.reduce.as_ref().map(|r| r.op) {
        None => (true, body),
        Some(RedOp::Sum | RedOp::Prod | RedOp::Max | RedOp::Min) => (body != ValueType::Bool, body),
        Some(RedOp::Any | RedOp::All) => (body == ValueType::Bool, body),
        Some(RedOp::ArgMax | RedOp::TopK) => (body != ValueType::Bool, ValueType::Index),
    };
    let want = c.tensor(n.out).dtype.value_type();
    if !takes {
        errs.push(format!("the reduction does not take {}", word(body)));
    } else if gives != want {
        errs.push(format!("the right side is {}, the tensor holds {}", word(gives), word(want)));
    }
}

fn reduction(c: &Cascade, n: &Node, r: &Reduce, errs: &mut Errs) {
    let left = n.out_ranks();
    for (i, x) in r.over.iter().enumerate() {
        if left.contains(x) || r.over[..i].contains(x) {
            errs.push(format!("the reduced rank variable `{}` stands twice", var_text(c, *x)));
        }
    }
    if r.over.is_empty() {
        errs.push("the reduction has no rank".to_string());
    }
    let coordinate = matches!(r.op, RedOp::ArgMax | RedOp::TopK);
    if coordinate && r.over.len() > 1 {
        errs.push(format!("`{}` yields a coordinate of one rank", r.op.name()));
    }
    let slot_ok = match r.slot {
        Some(s) => r.op == RedOp::TopK && n.vars.contains(&OutIdx::Var(s)),
        None => r.op != RedOp::TopK,
    };
    if !slot_ok {
        errs.push("`topk` has a slot on the left, nothing else has one".to_string());
    }
}

fn variables(c: &Cascade, e: &Expr, allowed: &[RankId], errs: &mut Errs) {
    e.walk(&mut |x| {
        if let Expr::Var(r) = x
            && !allowed.contains(r)
        {
            errs.push(format!("the rank variable `{}` is not bound in `{}`", var_text(c, *r), expr_text(c, e)));
        }
    });
}
