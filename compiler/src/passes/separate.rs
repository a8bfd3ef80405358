//! SEPARATE: splits the body of a reduction into a part over the streamed elements and a part over running values.
//!
//! For a sum, `g(d, x) = u(x) · v(d)`; for a maximum or minimum, `g(d, x) = u(x) + δ(d)`. Only v or δ is needed: the
//! repair multiplies by v(d′)/v(d), or adds δ(d′) − δ(d). What cannot be split is reported as the blocking factor.

use super::stages::Defs;
use super::terms::Poly;
use crate::cascade::{Expr, RankId, TensorId};
use crate::types::{BinOp, RedOp, UnOp};
use std::collections::BTreeSet;

/// The factor that blocks a separation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stuck {
    /// The smallest expression that is not separable.
    pub(super) factor: Expr,
    /// Why.
    pub(super) why: &'static str,
}

/// v(d) = e^w · 2^w2 · ratio.
#[derive(Clone, Debug, Default)]
pub(super) struct Factor {
    /// Exponent to the base e.
    pub(super) w: Poly,
    /// Exponent to the base 2.
    pub(super) w2: Poly,
    /// Other factors.
    pub(super) ratio: Option<Expr>,
}

impl Factor {
    fn same(&self, other: &Factor) -> bool {
        let ratio = match (&self.ratio, &other.ratio) {
            (None, None) => true,
            (Some(a), Some(b)) => Poly::of(a).same(&Poly::of(b)),
            _ => false,
        };
        ratio && self.w.same(&other.w) && self.w2.same(&other.w2)
    }

    fn times(self, other: Factor) -> Factor {
        let ratio = match (self.ratio, other.ratio) {
            (Some(a), Some(b)) => Some(Expr::bin(BinOp::Mul, a, b)),
            (a, b) => a.or(b),
        };
        Factor { w: self.w.plus(&other.w), w2: self.w2.plus(&other.w2), ratio }
    }

    fn power(self, n: f64) -> Factor {
        let scale = |p: Poly| Poly::of(&Expr::bin(BinOp::Mul, p.expr(), Expr::Float(n)));
        let ratio = self.ratio.map(|r| Expr::bin(BinOp::Pow, r, Expr::Float(n)));
        Factor { w: scale(self.w), w2: scale(self.w2), ratio }
    }

    fn inverse(self) -> Factor {
        let ratio = self.ratio.map(|r| Expr::bin(BinOp::Div, Expr::Float(1.0), r));
        Factor { ratio, ..Factor { ratio: None, ..self }.power(-1.0) }
    }
}

/// A separation problem: which values run, which ranks stream.
pub(super) struct Separator<'a> {
    /// Definitions, for inline nodes.
    pub(super) d: &'a Defs<'a>,
    /// Running accumulators that the body reads.
    pub(super) running: &'a [TensorId],
    /// Streamed ranks, and reduced ranks of inline nodes around.
    pub(super) streamed: Vec<RankId>,
}

const NONLINEAR: &str = "is not a product of a streamed part and a running part";

impl Separator<'_> {
    fn stuck<T>(&self, e: &Expr, why: &'static str) -> Result<T, Stuck> {
        Err(Stuck { factor: e.clone(), why })
    }

    /// True if the value depends on a running accumulator. Every intermediate is looked at once, however often it is read.
    pub(super) fn runs(&self, e: &Expr) -> bool {
        let (mut rest, mut seen) = (e.reads(), BTreeSet::new());
        while let Some(t) = rest.pop() {
            if self.running.contains(&t) {
                return true;
            }
            if let Some(n) = self.d.local(t).filter(|_| seen.insert(t)) {
                n.exprs().for_each(|e| rest.extend(e.reads()));
            }
        }
        false
    }

    /// True if the value depends on the streamed element.
    fn streams(&self, e: &Expr) -> bool {
        self.streamed.iter().any(|r| e.mentions(*r))
    }

    /// v of `e = u(x) · v(d)`.
    pub(super) fn factor(&self, e: &Expr) -> Result<Factor, Stuck> {
        if !self.runs(e) {
            return Ok(Factor::default());
        }
        match e {
            Expr::Unary(UnOp::Exp, a) => Ok(Factor { w: self.shift(a)?, ..Factor::default() }),
            Expr::Unary(UnOp::Exp2, a) => Ok(Factor { w2: self.shift(a)?, ..Factor::default() }),
            Expr::Unary(UnOp::Neg | UnOp::Abs, a) => self.positive(self.factor(a)?, e),
            Expr::Unary(UnOp::Sqrt, a) => Ok(self.positive(self.factor(a)?, e)?.power(0.5)),
            Expr::Binary(BinOp::Mul, a, b) => Ok(self.factor(a)?.times(self.factor(b)?)),
            Expr::Binary(BinOp::Div, a, b) => Ok(self.factor(a)?.times(self.factor(b)?.inverse())),
            Expr::Binary(BinOp::Pow, a, n) if matches!(**n, Expr::Float(_)) => match **n {
                Expr::Float(n) => Ok(self.positive(self.factor(a)?, e)?.power(n)),
                _ => self.stuck(e, NONLINEAR),
            },
            Expr::Binary(BinOp::Add | BinOp::Sub, a, b) => self.common(e, a, b),
            Expr::Binary(BinOp::Max | BinOp::Min, a, b) => self.positive(self.common(e, a, b)?, e),
            Expr::Select(c, a, b) if !self.runs(c) => self.common(e, a, b),
            Expr::Read(t, idx) if !self.running.contains(t) => self.inline_factor(e, *t, idx),
            _ if !self.streams(e) => Ok(Factor { ratio: Some(e.clone()), ..Factor::default() }),
            _ => self.stuck(e, why(e)),
        }
    }

    /// Only powers of e and 2 are known to be positive here.
    fn positive(&self, f: Factor, e: &Expr) -> Result<Factor, Stuck> {
        if f.ratio.is_some() && !matches!(e, Expr::Unary(UnOp::Neg, _)) { self.stuck(e, NONLINEAR) } else { Ok(f) }
    }

    /// Both sides must have the same v; the literal 0 has any.
    fn common(&self, e: &Expr, a: &Expr, b: &Expr) -> Result<Factor, Stuck> {
        let zero = |x: &Expr| *x == Expr::Float(0.0);
        match (zero(a), zero(b)) {
            (true, _) => return self.factor(b),
            (_, true) => return self.factor(a),
            _ => {}
        }
        let (fa, fb) = (self.factor(a)?, self.factor(b)?);
        if fa.same(&fb) { Ok(fa) } else { self.stuck(e, "mixes terms that follow the running values differently") }
    }

    /// A sum over other ranks: v must be the same for all its elements.
    fn inline_factor(&self, e: &Expr, t: TensorId, idx: &[Expr]) -> Result<Factor, Stuck> {
        let Some(n) = self.d.local(t) else { return self.stuck(e, NONLINEAR) };
        let vars = super::stages::plain_vars(n);
        if n.reduce.as_ref().is_some_and(|r| r.op != RedOp::Sum) || n.fold.iter().chain(&n.dom).any(|e| self.runs(e)) {
            return self.stuck(e, NONLINEAR);
        }
        if idx.iter().any(|i| n.reduced().iter().any(|r| i.mentions(*r))) {
            return self.stuck(e, NONLINEAR);
        }
        let body = n.body.subst(&|r| vars.iter().position(|v| *v == r).map(|i| idx[i].clone()));
        let streamed = [self.streamed.as_slice(), n.reduced()].concat();
        let inner = Separator { d: self.d, running: self.running, streamed };
        inner.factor(&body)
    }

    /// δ of `e = u(x) + δ(d)`.
    pub(super) fn shift(&self, e: &Expr) -> Result<Poly, Stuck> {
        let mut delta = Poly::default();
        for m in Poly::of(e).monos {
            let term = m.expr();
            if !self.runs(&term) {
                continue;
            }
            if !self.streams(&term) {
                delta = delta.plus(&Poly { monos: vec![m] });
                continue;
            }
            let rest = m.part(|a| !self.runs(a)).expr();
            let mixed: Vec<_> = m.atoms.iter().filter(|(a, _)| self.runs(a)).collect();
            match mixed.as_slice() {
                [(a, 1)] if !self.streams(&rest) && self.streams(a) => {
                    let inner = self.atom_shift(a)?.expr();
                    let scaled = Expr::bin(BinOp::Mul, inner, Expr::bin(BinOp::Mul, rest, Expr::Float(m.coef)));
                    delta = delta.plus(&Poly::of(&scaled));
                }
                _ => return self.stuck(&term, "multiplies a running value by a streamed one"),
            }
        }
        Ok(delta)
    }

    /// δ of an expression that is no sum or product.
    fn atom_shift(&self, e: &Expr) -> Result<Poly, Stuck> {
        match e {
            Expr::Unary(op @ (UnOp::Log | UnOp::Log2), a) => {
                let f = self.factor(a)?;
                let (own, other, k) = match op {
                    UnOp::Log => (f.w, f.w2, std::f64::consts::LN_2),
                    _ => (f.w2, f.w, std::f64::consts::LOG2_E),
                };
                if f.ratio.is_some() {
                    return self.stuck(e, NONLINEAR);
                }
                Ok(own.plus(&Poly::of(&Expr::bin(BinOp::Mul, other.expr(), Expr::Float(k)))))
            }
            Expr::Binary(BinOp::Max | BinOp::Min, a, b) => self.common_shift(e, a, b),
            Expr::Select(c, a, b) if !self.runs(c) => self.common_shift(e, a, b),
            _ => self.stuck(e, why(e)),
        }
    }

    /// Both sides must shift alike; −∞ and +∞ shift by anything.
    fn common_shift(&self, e: &Expr, a: &Expr, b: &Expr) -> Result<Poly, Stuck> {
        let infinite = |x: &Expr| matches!(x, Expr::Float(v) if v.is_infinite());
        if infinite(a) {
            return self.shift(b);
        }
        let (da, db) = (self.shift(a)?, if infinite(b) { self.shift(a)? } else { self.shift(b)? });
        if da.same(&db) { Ok(da) } else { self.stuck(e, "mixes terms that follow the running values differently") }
    }
}

fn why(e: &Expr) -> &'static str {
    match e {
        Expr::Cast(..) | Expr::Unary(UnOp::Round | UnOp::Floor | UnOp::Ceil | UnOp::ToIndex, _) => {
            "rounds a running value, which cannot be repaired"
        }
        Expr::Binary(BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge, ..) | Expr::Select(..) => {
            "compares a running value"
        }
        _ => NONLINEAR,
    }
}
