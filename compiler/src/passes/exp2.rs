//! EXP2: `exp(x)` becomes `exp2(x · log2 e)`, and the constant is folded into a scale that is there anyway.
//!
//! In the exponent, terms that vary along the reduced ranks are scaled as one, the others one by one and through
//! `max` and `min`. A maximum that is then read as `G · log2 e` is computed in base-2 units from the start (scaled
//! scores under the maximum, `G · ln 2` at its other readers), so that it shares the scaled scores with the exponentials.

use super::product::{Product, Terms};
use super::util::{map_node, mentions_any, rewrite};
use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Node, RankId, TensorId, TensorKind};
use crate::diag::Refusal;
use crate::types::{BinOp, RedOp, UnOp};
use std::f64::consts::{LN_2, LOG2_E};

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "exp2",
    summary: "turn exp into exp2 and fold log2 e into existing scales",
    post: "no exp is left (unless #[strict] keeps it)",
    run: Run::Cascade(run),
};

fn run(c: &mut Cascade, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    if !cx.reassoc || !cx.base2 {
        return Ok(report);
    }
    for n in &mut c.nodes {
        let reduced = n.reduced().to_vec();
        let before = n.clone();
        map_node(n, &mut |e| {
            rewrite(e, &mut |e| match e {
                Expr::Unary(UnOp::Exp, x) => Expr::un(UnOp::Exp2, scaled(&x, LOG2_E, &reduced)),
                other => other,
            })
        });
        if *n != before {
            report.note(format!("EXP2: exp in {} computed in base 2", c.tensors[n.out.index()].name));
        }
    }
    for i in 0..c.nodes.len() {
        if reads_in_base_2(c, &c.nodes[i]) {
            rescale(c, i);
            report.note(format!("EXP2: {} kept in base-2 units", c.tensor(c.nodes[i].out).name));
        }
    }
    Ok(report)
}

/// `x · k` for k > 0.
fn scaled(x: &Expr, k: f64, reduced: &[RankId]) -> Expr {
    let (varying, fixed) = Terms::of(x).split(|e| mentions_any(e, reduced));
    let mut terms = vec![];
    let all_absorb = varying.0.iter().all(|(_, e)| Product::of(e).coef.abs() != 1.0);
    if varying.0.len() == 1 || all_absorb {
        terms.extend(varying.0.iter().map(|(neg, e)| (*neg, scaled_term(e, k, reduced))));
    } else {
        terms.push((false, Expr::bin(BinOp::Mul, varying.expr(), Expr::Float(k))));
    }
    terms.extend(fixed.0.iter().map(|(neg, e)| (*neg, scaled_term(e, k, reduced))));
    Terms(terms).expr()
}

fn scaled_term(e: &Expr, k: f64, reduced: &[RankId]) -> Expr {
    match e {
        Expr::Binary(op @ (BinOp::Max | BinOp::Min), a, b) => {
            let a = scaled(a, k, reduced);
            Expr::bin(*op, a, scaled(b, k, reduced))
        }
        Expr::Select(p, a, b) => {
            let a = scaled(a, k, reduced);
            Expr::select((**p).clone(), a, scaled(b, k, reduced))
        }
        _ => {
            let p = Product::of(e);
            let coef = p.coef * k;
            // ln 2 · log2 e, where a maximum in base-2 units is read by another one.
            let coef = if (coef - 1.0).abs() < 1e-15 { 1.0 } else { coef };
            Product { coef, ..p }.expr()
        }
    }
}

/// True for an intermediate maximum or minimum that some exponent reads as `G · log2 e`.
fn reads_in_base_2(c: &Cascade, n: &Node) -> bool {
    let extremum = n.reduce.as_ref().is_some_and(|r| matches!(r.op, RedOp::Max | RedOp::Min));
    if !extremum || n.is_stateful() || c.tensor(n.out).kind != TensorKind::Let {
        return false;
    }
    let mut found = false;
    for reader in &c.nodes {
        reader.body.walk(&mut |e| found |= log2_read(e, n.out).is_some());
    }
    found
}

/// The read of `t` in `t[..] * log2 e`.
fn log2_read(e: &Expr, t: TensorId) -> Option<&Expr> {
    match e {
        Expr::Binary(BinOp::Mul, a, k) if **k == Expr::Float(LOG2_E) => {
            matches!(**a, Expr::Read(x, _) if x == t).then_some(&**a)
        }
        _ => None,
    }
}

/// Node `i` computes its extremum times log2 e, and its readers undo that.
fn rescale(c: &mut Cascade, i: usize) {
    let t = c.nodes[i].out;
    c.nodes[i].body = scaled(&c.nodes[i].body, LOG2_E, c.nodes[i].reduced());
    for n in &mut c.nodes {
        map_node(n, &mut |e| base_2(e, t));
    }
}

fn base_2(e: &Expr, t: TensorId) -> Expr {
    if let Some(read) = log2_read(e, t) {
        return read.clone();
    }
    let is_read = |e: &Expr| matches!(e, Expr::Read(x, _) if *x == t);
    let in_units = |e: &Expr| if is_read(e) { e.clone() } else { scaled(&base_2(e, t), LOG2_E, &[]) };
    match e {
        // A join stays one join for all readers: `max(G, c)` is `max(G', c · log2 e) · ln 2`.
        Expr::Binary(op @ (BinOp::Max | BinOp::Min), a, b) if is_read(a) || is_read(b) => {
            Expr::bin(BinOp::Mul, Expr::bin(*op, in_units(a), in_units(b)), Expr::Float(LN_2))
        }
        _ if is_read(e) => Expr::bin(BinOp::Mul, e.clone(), Expr::Float(LN_2)),
        _ => e.map_children(&mut |x| base_2(x, t)),
    }
}
