//! SIMPLIFY: constant folding and identities.
//!
//! Exact in f64 up to the sign of a zero, except for what `reassoc` licenses: merging literal factors, and
//! multiplying by the reciprocal of a divisor that is the same in the whole launch. `x * 0` stays, because x may be infinite.

use super::affine::Affine;
use super::facts::Facts;
use super::product::Product;
use super::util::{is_uniform, mentions_any, rewrite, size};
use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, Expr, Node, RankId};
use crate::diag::Refusal;
use crate::types::{BinOp, UnOp, ValueType};

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "simplify",
    summary: "fold constants, apply identities, drop conjuncts that always hold",
    post: "no literal arithmetic is left; constant extents are literals; no conjunct is known to hold or occurs twice",
    run: Run::Cascade(run),
};

fn run(c: &mut Cascade, cx: &PassCx) -> Result<Report, Vec<Refusal>> {
    let mut report = Report::default();
    for i in 0..c.nodes.len() {
        let left = c.nodes[i].out_ranks();
        let both = left.iter().chain(c.nodes[i].reduced()).copied().collect();
        let at = |scope| Simplifier { c, facts: Facts::without_tensors(c).in_scope(scope), reassoc: cx.reassoc };
        let (outside, inside) = (at(left), at(both));
        let mut node = c.nodes[i].clone();
        node.body = inside.expr(&node.body);
        node.fold = inside.conjuncts(&node.fold, Some(node.reduced()));
        node.dom = outside.conjuncts(&node.dom, None);
        if let Some(text) = dropped(c, &c.nodes[i], &node) {
            report.note(text);
        }
        c.nodes[i] = node;
    }
    Ok(report)
}

fn dropped(c: &Cascade, before: &Node, after: &Node) -> Option<String> {
    let fewer = (before.fold.len() + before.dom.len()).saturating_sub(after.fold.len() + after.dom.len());
    let name = &c.tensor(before.out).name;
    (fewer > 0)
        .then(|| format!("SIMPLIFY: {fewer} conjunct(s) of {name} dropped because they always hold or occur twice"))
}

struct Simplifier<'a> {
    c: &'a Cascade,
    facts: Facts<'a>,
    reassoc: bool,
}

impl Simplifier<'_> {
    fn expr(&self, e: &Expr) -> Expr {
        rewrite(e, &mut |x| self.node(x))
    }

    /// Conjuncts one by one. A fold conjunct keeps its form when the simpler one would no longer mention a reduced
    /// rank: it would then say something else (absent instead of empty).
    fn conjuncts(&self, conjuncts: &[Expr], reduced: Option<&[RankId]>) -> Vec<Expr> {
        let mut out = vec![];
        for old in conjuncts {
            let new = self.expr(old);
            for part in split_and(new) {
                let lost = reduced.is_some_and(|r| !mentions_any(&part, r));
                let keep = match (&part, lost) {
                    (Expr::Bool(true), _) => continue,
                    (_, true) => old.clone(),
                    (_, false) => part,
                };
                if !out.contains(&keep) {
                    out.push(keep);
                }
            }
        }
        out
    }

    fn node(&self, e: Expr) -> Expr {
        match self.c.value_type(&e) {
            ValueType::Index => self.index(e),
            ValueType::Float => self.float(e),
            ValueType::Bool => self.truth(e),
        }
    }

    fn index(&self, e: Expr) -> Expr {
        let e = match e {
            Expr::Select(p, a, b) => select(*p, *a, *b),
            Expr::Binary(op @ (BinOp::Min | BinOp::Max), a, b) => self.extremum(op, *a, *b),
            Expr::Binary(BinOp::FloorDiv, a, b) if *b == Expr::Int(1) => *a,
            Expr::Binary(BinOp::Mod, a, b) => modulus(*a, *b),
            other => other,
        };
        let canonical = Affine::of(self.c, &e).expr();
        if size(&canonical) < size(&e) || (matches!(e, Expr::Extent(_)) && matches!(canonical, Expr::Int(_))) {
            canonical
        } else {
            e
        }
    }

    /// The operand of an index minimum or maximum that is known to be chosen.
    fn extremum(&self, op: BinOp, a: Expr, b: Expr) -> Expr {
        let holds = |cmp| self.facts.prove(&Expr::bin(cmp, a.clone(), b.clone())) == Some(true);
        let (first, second) = if op == BinOp::Min { (BinOp::Le, BinOp::Ge) } else { (BinOp::Ge, BinOp::Le) };
        match (holds(first), holds(second)) {
            (true, _) => a,
            (_, true) => b,
            (false, false) => Expr::bin(op, a, b),
        }
    }

    fn truth(&self, e: Expr) -> Expr {
        if let Some(known) = self.facts.prove(&e) {
            return Expr::Bool(known);
        }
        match e {
            Expr::Select(p, a, b) => select(*p, *a, *b),
            Expr::Unary(UnOp::Not, a) => self.not(*a),
            Expr::Binary(BinOp::And, a, b) => match (*a, *b) {
                (Expr::Bool(true), x) | (x, Expr::Bool(true)) => x,
                (a, b) if a == b => a,
                (a, b) => Expr::bin(BinOp::And, a, b),
            },
            Expr::Binary(BinOp::Or, a, b) => match (*a, *b) {
                (Expr::Bool(false), x) | (x, Expr::Bool(false)) => x,
                (a, b) if a == b => a,
                (a, b) => Expr::bin(BinOp::Or, a, b),
            },
            Expr::Binary(op, a, b) => self.comparison(op, *a, *b),
            other => other,
        }
    }

    fn not(&self, a: Expr) -> Expr {
        match a {
            Expr::Unary(UnOp::Not, x) => *x,
            Expr::Binary(op, x, y) if self.c.value_type(&x) == ValueType::Index && opposite(op).is_some() => {
                Expr::Binary(opposite(op).unwrap_or(op), x, y)
            }
            other => Expr::un(UnOp::Not, other),
        }
    }

    /// Cancels what occurs on both sides of an index comparison.
    fn comparison(&self, op: BinOp, a: Expr, b: Expr) -> Expr {
        if self.c.value_type(&a) != ValueType::Index {
            return Expr::bin(op, a, b);
        }
        let Some(diff) = Affine::of(self.c, &a).add(&Affine::of(self.c, &b), -1) else { return Expr::bin(op, a, b) };
        let (left, right): (Vec<_>, Vec<_>) = diff.terms.iter().cloned().partition(|(_, k)| *k > 0);
        let right = right.into_iter().filter_map(|(e, k)| Some((e, k.checked_neg()?))).collect();
        let (low, high) = (diff.constant.max(0), (-diff.constant.clamp(-i64::MAX, 0)).max(0));
        let shorter =
            Expr::bin(op, Affine { constant: low, terms: left }.expr(), Affine { constant: high, terms: right }.expr());
        let (old, shorter) = (Expr::bin(op, a, b), without_one(shorter));
        if size(&shorter) < size(&old) { shorter } else { old }
    }

    fn float(&self, e: Expr) -> Expr {
        match e {
            Expr::Select(p, a, b) => select(*p, *a, *b),
            Expr::Unary(op, a) => self.float_unary(op, *a),
            Expr::Binary(op, a, b) => self.float_binary(op, *a, *b),
            other => other,
        }
    }

    fn float_unary(&self, op: UnOp, a: Expr) -> Expr {
        match (op, a) {
            (UnOp::ToFloat, Expr::Int(i)) if i.unsigned_abs() < 1 << 53 => Expr::Float(i as f64),
            (op, Expr::Float(x)) => fold_unary(op, x).map_or(Expr::un(op, Expr::Float(x)), Expr::Float),
            (UnOp::Neg, Expr::Unary(UnOp::Neg, x)) => *x,
            (UnOp::Neg, Expr::Binary(BinOp::Sub, x, y)) => Expr::Binary(BinOp::Sub, y, x),
            (UnOp::Neg, Expr::Binary(BinOp::Mul, x, k)) if matches!(*k, Expr::Float(_)) => {
                self.float_binary(BinOp::Mul, Expr::Binary(BinOp::Mul, x, k), Expr::Float(-1.0))
            }
            (op, a) => Expr::un(op, a),
        }
    }

    fn float_binary(&self, op: BinOp, a: Expr, b: Expr) -> Expr {
        if let (Expr::Float(x), Expr::Float(y)) = (&a, &b)
            && let Some(z) = fold_binary(op, *x, *y)
        {
            return Expr::Float(z);
        }
        match (op, a, b) {
            (BinOp::Mul, Expr::Float(k), b) => self.scale(b, k),
            (BinOp::Mul, a, Expr::Float(k)) => self.scale(a, k),
            (BinOp::Div, a, Expr::Float(1.0)) => a,
            (BinOp::Div, a, Expr::Float(k)) if self.reciprocal(k) => self.scale(a, 1.0 / k),
            (BinOp::Div, a, u) if self.reassoc && is_uniform(&u) && !is_uniform(&a) => {
                Product::of(&Expr::bin(BinOp::Div, a, u)).expr()
            }
            (BinOp::Add, Expr::Float(0.0), x) | (BinOp::Add | BinOp::Sub, x, Expr::Float(0.0)) => x,
            (BinOp::Sub, Expr::Float(0.0), x) => Expr::un(UnOp::Neg, x),
            (BinOp::Add, a, Expr::Unary(UnOp::Neg, b)) => Expr::bin(BinOp::Sub, a, *b),
            (BinOp::Sub, a, Expr::Unary(UnOp::Neg, b)) => Expr::bin(BinOp::Add, a, *b),
            (BinOp::Add, Expr::Unary(UnOp::Neg, a), b) => Expr::bin(BinOp::Sub, b, *a),
            (BinOp::Min | BinOp::Max, a, b) if a == b => a,
            (op, a, b) => Expr::bin(op, a, b),
        }
    }

    /// `e * k` with the literal last. Negation is exact, so ±1 needs no licence.
    fn scale(&self, e: Expr, k: f64) -> Expr {
        match e {
            e if k == 1.0 => e,
            Expr::Unary(UnOp::Neg, x) => self.scale(*x, -k),
            e if k == -1.0 && !matches!(e, Expr::Binary(BinOp::Mul, _, _)) => Expr::un(UnOp::Neg, e),
            Expr::Binary(BinOp::Mul, x, y) => match *y {
                Expr::Float(j) if self.reassoc || k == -1.0 => self.scale(*x, j * k),
                y if k == -1.0 => Expr::un(UnOp::Neg, Expr::bin(BinOp::Mul, *x, y)),
                y => Expr::bin(BinOp::Mul, Expr::bin(BinOp::Mul, *x, y), Expr::Float(k)),
            },
            e => Expr::bin(BinOp::Mul, e, Expr::Float(k)),
        }
    }

    /// True if dividing by the literal may become a multiplication: exact for powers of two.
    fn reciprocal(&self, k: f64) -> bool {
        let exact = k.to_bits() << 12 == 0 && (1.0 / k).is_normal();
        k.is_normal() && (exact || self.reassoc)
    }
}

/// `a < b + 1` is `a <= b`, and `a + 1 <= b` is `a < b`.
fn without_one(e: Expr) -> Expr {
    let Expr::Binary(op, a, b) = e else { return e };
    let less = |e: &Expr| match e {
        Expr::Binary(BinOp::Add, x, one) if **one == Expr::Int(1) => Some(x.clone()),
        Expr::Int(1) => Some(Box::new(Expr::Int(0))),
        _ => None,
    };
    match (op, less(&a), less(&b)) {
        (BinOp::Lt, _, Some(y)) => Expr::Binary(BinOp::Le, a, y),
        (BinOp::Le, Some(x), _) => Expr::Binary(BinOp::Lt, x, b),
        (BinOp::Gt, Some(x), _) => Expr::Binary(BinOp::Ge, x, b),
        (BinOp::Ge, _, Some(y)) => Expr::Binary(BinOp::Gt, a, y),
        _ => Expr::Binary(op, a, b),
    }
}

fn select(p: Expr, a: Expr, b: Expr) -> Expr {
    match p {
        Expr::Bool(true) => a,
        Expr::Bool(false) => b,
        _ if a == b => a,
        Expr::Unary(UnOp::Not, q) => Expr::select(*q, b, a),
        p => Expr::select(p, a, b),
    }
}

fn modulus(a: Expr, b: Expr) -> Expr {
    match (&a, &b) {
        (_, Expr::Int(1)) => Expr::Int(0),
        (Expr::Int(x), Expr::Int(k)) if *k > 0 => Expr::Int(x.rem_euclid(*k)),
        _ => Expr::bin(BinOp::Mod, a, b),
    }
}

fn split_and(e: Expr) -> Vec<Expr> {
    match e {
        Expr::Binary(BinOp::And, a, b) => [split_and(*a), split_and(*b)].concat(),
        other => vec![other],
    }
}

fn opposite(op: BinOp) -> Option<BinOp> {
    Some(match op {
        BinOp::Eq => BinOp::Ne,
        BinOp::Ne => BinOp::Eq,
        BinOp::Lt => BinOp::Ge,
        BinOp::Le => BinOp::Gt,
        BinOp::Gt => BinOp::Le,
        BinOp::Ge => BinOp::Lt,
        _ => return None,
    })
}

/// What is not finite stays as it is written.
fn fold_unary(op: UnOp, x: f64) -> Option<f64> {
    op.of_float(x).filter(|y| y.is_finite())
}

fn fold_binary(op: BinOp, x: f64, y: f64) -> Option<f64> {
    op.of_floats(x, y).filter(|z| z.is_finite())
}
