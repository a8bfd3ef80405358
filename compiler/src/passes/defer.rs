//! DEFER: factors that do not depend on the reduced ranks move out of a sum, `Σ c·x = c·Σ x`.
//!
//! A fiber may be empty, and then the sum is 0 whatever c is. Where c could be 0/0 or ∞ there, the result is guarded
//! (condition C7): by the denominator itself when it is a sum of positive terms over the same fold, by the extents
//! when nothing else restricts the fold, and by `any[r](true)` over the same fold otherwise.

use super::facts::Facts;
use super::inline;
use super::product::Product;
use super::util::{add_let, is_plain_float, lhs, mentions_any, read_at, rewrite, same_set, used_vars, var_names};
use super::{Pass, PassCx, Report, Run, brief};
use crate::cascade::{Cascade, Expr, Extent, Node, Reduce, TensorId};
use crate::diag::Refusal;
use crate::types::{BinOp, DType, RedOp};

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "defer",
    summary: "move factors that do not depend on the reduced ranks out of sums",
    post: "no sum has a factor that is free of its reduced ranks",
    run: Run::Cascade(run),
};

fn run(c: &mut Cascade, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    if !cx.reassoc {
        return Ok(report);
    }
    // A sum that became a map hands its factors on to its readers.
    while sweep(c, &mut report) {
        inline::substitute(c, cx, &mut Report::default())?;
    }
    Ok(report)
}

/// Moves factors out of every sum once; true if any moved.
fn sweep(c: &mut Cascade, report: &mut Report) -> bool {
    let before = c.nodes.len();
    let mut i = 0;
    while i < c.nodes.len() {
        if let Some(split) = split(c, &c.nodes[i]) {
            report.note(note(c, &c.nodes[i], &split.out));
            i += apply(c, i, split);
        }
        i += 1;
    }
    c.nodes.len() > before
}

/// A sum whose body is `out · rest`.
struct Split {
    out: Product,
    rest: Product,
}

fn split(c: &Cascade, n: &Node) -> Option<Split> {
    let red = n.reduce.as_ref().filter(|r| r.op == RedOp::Sum && is_plain_float(c, n))?;
    let (out, rest) = Product::of(&n.body).split(|f| !mentions_any(f, &red.over));
    (!out.is_one()).then_some(Split { out, rest })
}

fn note(c: &Cascade, n: &Node, out: &Product) -> String {
    let factor = brief(c, &out.clone().expr()).replace("1 / ", "1/");
    let (ranks, name) = (var_names(c, n.reduced()), &c.tensor(n.out).name);
    format!("DEFER: {factor} moved out of sum[{ranks}] in {name} because it does not depend on {ranks}")
}

/// Replaces node `i` by the sum of the rest and a map; returns how many nodes were added.
fn apply(c: &mut Cascade, i: usize, split: Split) -> usize {
    let mut sum = c.nodes[i].clone();
    sum.body = split.rest.expr();
    let vars = used_vars(&sum);
    let acc = sum.reduce.as_ref().map_or(DType::F32, |r| r.acc);
    let base = format!("{}_sum", c.tensor(sum.out).name);
    sum.out = add_let(c, &base, acc, &vars);
    sum.vars = lhs(&vars);
    let mut added = vec![];
    let guard = guard(c, i, &split.out, &mut added);

    let mut num = vec![read_at(sum.out, &vars)];
    num.extend(split.out.num);
    let product = Product { num, ..split.out }.expr();
    let map = &mut c.nodes[i];
    map.reduce = None;
    map.fold.clear();
    map.body = match guard {
        Some(present) => Expr::select(present, product, Expr::Float(0.0)),
        None => product,
    };
    added.push(sum);
    let count = added.len();
    c.nodes.splice(i..i, added);
    count
}

/// When the fold of node `i` has something in it, or `None` if that need not be asked.
fn guard(c: &mut Cascade, i: usize, factor: &Product, added: &mut Vec<Node>) -> Option<Expr> {
    let n = c.nodes[i].clone();
    let facts = Facts::new(c);
    if facts.never_empty(&n) || facts.finite(&over_nothing(c, &n, &factor.clone().expr())) {
        return None;
    }
    if n.fold.is_empty() {
        return Some(extents_positive(c, &n));
    }
    if let Some(count) = factor.den.iter().find_map(|e| count_in(c, &facts, e, &n)) {
        return Some(Expr::bin(BinOp::Gt, count, Expr::Float(0.0)));
    }
    Some(present(c, i, added))
}

/// The factor as it is where the fold of `n` is empty: reductions over the same fold are their identities there.
fn over_nothing(c: &Cascade, n: &Node, factor: &Expr) -> Expr {
    rewrite(factor, &mut |e| match e {
        Expr::Read(t, idx) => match same_fold(c, t, &idx, n).and_then(|def| def.reduce.as_ref()) {
            Some(red) => match red.op.identity() {
                Some(x) if red.acc == DType::Bool => Expr::Bool(x != 0.0),
                Some(x) if red.acc.is_float() => Expr::Float(x),
                _ => Expr::Read(t, idx),
            },
            None => Expr::Read(t, idx),
        },
        Expr::Binary(BinOp::Gt, a, b) => match (*a, *b) {
            (Expr::Float(x), Expr::Float(y)) => Expr::Bool(x > y),
            (a, b) => Expr::bin(BinOp::Gt, a, b),
        },
        Expr::Select(p, a, b) => match *p {
            Expr::Bool(p) => *(if p { a } else { b }),
            p => Expr::select(p, *a, *b),
        },
        other => other,
    })
}

/// The reduction behind an element, if it folds the same ranks under the same conjuncts as `n` does at the same point.
fn same_fold<'c>(c: &'c Cascade, t: TensorId, idx: &[Expr], n: &Node) -> Option<&'c Node> {
    let def = c.def(t).filter(|def| def.reduce.is_some() && !def.is_stateful())?;
    let ranks = def.reduced().len() == n.reduced().len() && def.reduced().iter().all(|r| n.reduced().contains(r));
    let here = def.out_ranks().into_iter().map(Expr::Var).eq(idx.iter().cloned());
    (ranks && here && same_set(&def.fold, &n.fold)).then_some(def)
}

fn extents_positive(c: &Cascade, n: &Node) -> Expr {
    let symbolic = |r: &&crate::cascade::RankId| !matches!(c.ranks[r.index()].extent, Extent::Const(k) if k > 0);
    let positive = |r| Expr::bin(BinOp::Gt, Expr::Extent(r), Expr::Int(0));
    Expr::all(n.reduced().iter().filter(symbolic).map(|r| positive(*r)))
}

/// An element in the divisor that is a sum of positive terms over the same fold: it is > 0 exactly where the fold has
/// something in it.
fn count_in(c: &Cascade, facts: &Facts, divisor: &Expr, n: &Node) -> Option<Expr> {
    let mut found = None;
    divisor.walk(&mut |e| {
        let Expr::Read(t, idx) = e else { return };
        let Some(def) = same_fold(c, *t, idx, n) else { return };
        if def.reduce.as_ref().is_some_and(|r| r.op == RedOp::Sum) && facts.range(&def.body).is_positive() {
            found = Some(e.clone());
        }
    });
    found
}

/// A read of `any[r](true)` over the fold of node `i`; an earlier one is used again.
fn present(c: &mut Cascade, i: usize, added: &mut Vec<Node>) -> Expr {
    let mut any = c.nodes[i].clone();
    any.body = Expr::Bool(true);
    let over = any.reduced().to_vec();
    let vars = used_vars(&any);
    any.reduce = Some(Reduce { op: RedOp::Any, over, acc: DType::Bool, slot: None });
    any.vars = lhs(&vars);
    let same = |n: &&Node| {
        n.reduce == any.reduce && n.body == any.body && n.vars == any.vars && n.fold == any.fold && n.dom == any.dom
    };
    if let Some(earlier) = c.nodes[..i].iter().find(same) {
        return read_at(earlier.out, &vars);
    }
    let base = format!("{}_any", c.tensor(any.out).name);
    any.out = add_let(c, &base, DType::Bool, &vars);
    let read = read_at(any.out, &vars);
    added.push(any);
    read
}
