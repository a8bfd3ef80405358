//! EXPAND: `Σ (x − μ)·y = Σ x·y − Σ μ·y` where μ is a reduction over the same ranks, so that DEFER can move μ out and the
//! sums no longer wait for it. It can cancel catastrophically (a variance as E x² − (E x)²), so it is done only in kernels
//! with `#[expand]`.

use super::count::contains_reduction;
use super::terms::{Mono, Poly};
use super::util::{add_let, is_plain_float, lhs, mentions_any, read_at, used_vars, var_names};
use super::{Pass, PassCx, Report, Run, brief};
use crate::cascade::{Cascade, Expr, Node};
use crate::diag::Refusal;
use crate::types::{BinOp, DType, RedOp};

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "expand",
    summary: "open sums of products that wait for another traversal (only with #[expand])",
    post: "with #[expand], no sum has a term that another one of its terms keeps waiting",
    run: Run::Cascade(run),
};

fn run(c: &mut Cascade, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    if !cx.reassoc || !c.attrs.expand {
        return Ok(report);
    }
    let mut i = 0;
    while i < c.nodes.len() {
        if let Some(terms) = terms(c, &c.nodes[i]) {
            let (name, ranks) = (&c.tensor(c.nodes[i].out).name, var_names(c, c.nodes[i].reduced()));
            let body = brief(c, &c.nodes[i].body);
            report.note(format!("EXPAND: {body} in {name} opened because a part of it waits for a sum over {ranks}"));
            i += apply(c, i, terms);
        }
        i += 1;
    }
    Ok(report)
}

/// The terms of a sum's body, if one of them has a factor that is a barrier and others have not.
fn terms(c: &Cascade, n: &Node) -> Option<Vec<Expr>> {
    let red = n.reduce.as_ref().filter(|r| r.op == RedOp::Sum && is_plain_float(c, n))?;
    let waits = |e: &Expr| !mentions_any(e, &red.over) && contains_reduction(c, e, &red.over);
    let poly = Poly::of(&n.body);
    let waiting: Vec<Mono> = poly.monos.iter().map(|m| m.part(waits)).collect();
    let differ = waiting.iter().any(|m| *m != waiting[0]);
    differ.then(|| poly.monos.iter().map(Mono::expr).collect())
}

/// Replaces node `i` by one sum a term and their total; returns how many nodes were added.
fn apply(c: &mut Cascade, i: usize, terms: Vec<Expr>) -> usize {
    let base = format!("{}_term", c.tensor(c.nodes[i].out).name);
    let acc = c.nodes[i].reduce.as_ref().map_or(DType::F32, |r| r.acc);
    let mut added = vec![];
    for body in terms {
        let mut sum = Node { body, ..c.nodes[i].clone() };
        let vars = used_vars(&sum);
        sum.out = add_let(c, &base, acc, &vars);
        sum.vars = lhs(&vars);
        added.push((read_at(sum.out, &vars), sum));
    }
    let total = &mut c.nodes[i];
    total.reduce = None;
    total.fold.clear();
    let reads = added.iter().map(|(read, _)| read.clone());
    total.body = reads.reduce(|a, b| Expr::bin(BinOp::Add, a, b)).unwrap_or(Expr::Float(0.0));
    let count = added.len();
    c.nodes.splice(i..i, added.into_iter().map(|(_, sum)| sum));
    count
}
