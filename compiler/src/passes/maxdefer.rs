//! MAXDEFER: terms and factors that do not depend on the reduced ranks move out of a maximum or minimum,
//! `max(x + c) = max(x) + c`, `max(c·x) = c·max(x)` for c ≥ 0, `max(c·x) = c·min(x)` for c ≤ 0.
//!
//! Only where the moved part waits for another traversal of the same ranks (it contains a reduction over them), because
//! nothing else is gained: a maximum that keeps its scale shares the scaled scores with the exponentials that read it.
//! Over an empty fiber the result stays the identity, which the new maximum itself tells.

use super::count::contains_reduction;
use super::facts::Facts;
use super::product::{Product, Terms};
use super::util::{add_let, is_plain_float, lhs, mentions_any, read_at, used_vars, var_names};
use super::{Pass, PassCx, Report, Run, brief};
use crate::cascade::{Cascade, Expr, Node, Reduce};
use crate::diag::Refusal;
use crate::types::{BinOp, DType, RedOp};

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "maxdefer",
    summary: "move barrier terms and factors out of maxima and minima",
    post: "no maximum has a term, or a factor of known sign, that waits for another traversal but not for its own",
    run: Run::Cascade(run),
};

fn run(c: &mut Cascade, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    if !cx.reassoc {
        return Ok(report);
    }
    let mut i = 0;
    while i < c.nodes.len() {
        if let Some(split) = split(c, &c.nodes[i]) {
            let (ranks, op) = (var_names(c, c.nodes[i].reduced()), op_of(&c.nodes[i]).name());
            let (moved, name) = (brief(c, split.moved()), &c.tensor(c.nodes[i].out).name);
            report.note(format!(
                "MAXDEFER: {moved} moved out of {op}[{ranks}] in {name} because it does not depend on {ranks}"
            ));
            apply(c, i, split);
            i += 1;
        }
        i += 1;
    }
    Ok(report)
}

/// How the body comes apart.
enum Split {
    /// `x + c`.
    Shift { c: Expr, x: Expr },
    /// `c · x`; `flip` for c ≤ 0.
    Scale { c: Expr, x: Expr, flip: bool },
}

impl Split {
    fn moved(&self) -> &Expr {
        match self {
            Split::Shift { c, .. } | Split::Scale { c, .. } => c,
        }
    }
}

fn op_of(n: &Node) -> RedOp {
    n.reduce.as_ref().map_or(RedOp::Max, |r| r.op)
}

fn split(c: &Cascade, n: &Node) -> Option<Split> {
    let red = n.reduce.as_ref().filter(|r| matches!(r.op, RedOp::Max | RedOp::Min) && is_plain_float(c, n))?;
    let waits = |e: &Expr| !mentions_any(e, &red.over) && contains_reduction(c, e, &red.over);
    let (moved, rest) = Terms::of(&n.body).split(waits);
    if !moved.0.is_empty() {
        return (!rest.0.is_empty()).then(|| Split::Shift { c: moved.expr(), x: rest.expr() });
    }
    let (moved, rest) = Product::of(&n.body).split(waits);
    if moved.num.is_empty() && moved.den.is_empty() {
        return None;
    }
    let coef = moved.coef;
    let (moved, rest) = (Product { coef: 1.0, ..moved }.expr(), Product { coef, ..rest }.expr());
    let range = Facts::new(c).range(&moved);
    let flip = range.is_nonpositive();
    (range.is_nonnegative() || flip).then_some(Split::Scale { c: moved, x: rest, flip })
}

fn apply(c: &mut Cascade, i: usize, split: Split) {
    let mut inner = c.nodes[i].clone();
    let (acc, op) = inner.reduce.as_ref().map_or((DType::F32, RedOp::Max), |r| (r.acc, r.op));
    let (x, flip) = match &split {
        Split::Shift { x, .. } => (x, false),
        Split::Scale { x, flip, .. } => (x, *flip),
    };
    inner.body = x.clone();
    let op = match (op, flip) {
        (RedOp::Max, true) => RedOp::Min,
        (RedOp::Min, true) => RedOp::Max,
        (op, _) => op,
    };
    inner.reduce = inner.reduce.map(|r| Reduce { op, ..r });
    let vars = used_vars(&inner);
    let base = format!("{}_{}", c.tensor(inner.out).name, op.name());
    inner.out = add_let(c, &base, acc, &vars);
    inner.vars = lhs(&vars);
    let read = read_at(inner.out, &vars);
    let outer = &mut c.nodes[i];
    let empty = op_of(outer).identity().unwrap_or(f64::NEG_INFINITY);
    outer.reduce = None;
    outer.fold.clear();
    outer.body = restore(split, read, op, empty);
    c.nodes.insert(i, inner);
}

/// The old value from the new maximum: shifted or scaled, but still the identity over an empty fiber.
fn restore(split: Split, read: Expr, op: RedOp, empty: f64) -> Expr {
    let value = match split {
        Split::Shift { c, .. } => {
            let mut terms = Terms::of(&c).0;
            terms.insert(0, (false, read.clone()));
            Terms(terms).expr()
        }
        Split::Scale { c, .. } => Expr::bin(BinOp::Mul, read.clone(), c),
    };
    let (cmp, bound) = if op == RedOp::Max { (BinOp::Gt, f64::NEG_INFINITY) } else { (BinOp::Lt, f64::INFINITY) };
    Expr::select(Expr::bin(cmp, read, Expr::Float(bound)), value, Expr::Float(empty))
}
