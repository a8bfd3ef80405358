//! Affine forms over tile expressions: sums of integer multiples of atoms.
//!
//! Assumes nothing of its input; whatever is not affine (or would overflow) becomes an atom, so `Lin::of(e)` always
//! equals `e`. Used to cancel common terms, to bound indices and to print short loop bounds.

use crate::tile::Expr;
use crate::types::{BinOp, UnOp};

/// `k + Σ coefficient · atom`; atoms are distinct and coefficients are not 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lin {
    pub(super) k: i64,
    pub(super) terms: Vec<(Expr, i64)>,
}

impl Lin {
    /// A constant.
    pub(super) fn int(k: i64) -> Lin {
        Lin { k, terms: vec![] }
    }

    /// One atom.
    fn atom(e: Expr) -> Lin {
        Lin { k: 0, terms: vec![(e, 1)] }
    }

    /// The affine form of an index expression.
    pub(super) fn of(e: &Expr) -> Lin {
        Lin::try_of(e).unwrap_or_else(|| Lin::atom(e.clone()))
    }

    fn try_of(e: &Expr) -> Option<Lin> {
        Some(match e {
            Expr::Int(k) => Lin::int(*k),
            Expr::Unary(UnOp::Neg, a) => Lin::of(a).scale(-1)?,
            Expr::Binary(BinOp::Add, a, b) => Lin::of(a).add(&Lin::of(b))?,
            Expr::Binary(BinOp::Sub, a, b) => Lin::of(a).add(&Lin::of(b).scale(-1)?)?,
            Expr::Binary(BinOp::Mul, a, b) => match (Lin::of(a), Lin::of(b)) {
                (x, y) if y.terms.is_empty() => x.scale(y.k)?,
                (x, y) if x.terms.is_empty() => y.scale(x.k)?,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// `self · c`; `None` on overflow.
    pub(super) fn scale(&self, c: i64) -> Option<Lin> {
        let mut out = Lin::int(self.k.checked_mul(c)?);
        for (e, x) in self.terms.iter().filter(|_| c != 0) {
            out.terms.push((e.clone(), x.checked_mul(c)?));
        }
        Some(out)
    }

    /// `self + other`; `None` on overflow.
    pub(super) fn add(&self, other: &Lin) -> Option<Lin> {
        let mut out = self.clone();
        out.k = out.k.checked_add(other.k)?;
        for (e, c) in &other.terms {
            match out.terms.iter_mut().find(|(x, _)| x == e) {
                Some((_, x)) => *x = x.checked_add(*c)?,
                None => out.terms.push((e.clone(), *c)),
            }
        }
        out.terms.retain(|(_, c)| *c != 0);
        Some(out)
    }

    /// `self − other`; `None` on overflow.
    pub(super) fn sub(&self, other: &Lin) -> Option<Lin> {
        self.add(&other.scale(-1)?)
    }

    /// `self + k`; `None` on overflow.
    pub(super) fn plus(&self, k: i64) -> Option<Lin> {
        self.add(&Lin::int(k))
    }

    /// Back to an expression: positive terms, then negative ones, then the constant.
    pub(super) fn expr(&self) -> Expr {
        let term = |e: &Expr, c: i64| match c {
            1 => e.clone(),
            c => Expr::bin(BinOp::Mul, e.clone(), Expr::Int(c)),
        };
        let mut out: Option<Expr> = None;
        for (e, c) in self.terms.iter().filter(|(_, c)| *c > 0) {
            let t = term(e, *c);
            out = Some(out.map_or(t.clone(), |o| Expr::bin(BinOp::Add, o, t)));
        }
        let mut constant = self.k;
        for (e, c) in self.terms.iter().filter(|(_, c)| *c < 0) {
            let from = out.take().unwrap_or_else(|| Expr::Int(std::mem::take(&mut constant)));
            let magnitude = c.checked_neg();
            out = Some(match magnitude {
                Some(m) => Expr::bin(BinOp::Sub, from, term(e, m)),
                None => Expr::bin(BinOp::Add, from, term(e, *c)),
            });
        }
        match (out, constant) {
            (None, k) => Expr::Int(k),
            (Some(o), 0) => o,
            (Some(o), k) if k < 0 && k != i64::MIN => Expr::bin(BinOp::Sub, o, Expr::Int(-k)),
            (Some(o), k) => Expr::bin(BinOp::Add, o, Expr::Int(k)),
        }
    }
}

/// An equal, usually shorter index expression.
pub(super) fn tidy(e: &Expr) -> Expr {
    Lin::of(e).expr()
}

/// `min(a, b)` or `max(a, b)`, folded where that is evident.
pub(super) fn extremum(op: BinOp, a: Expr, b: Expr) -> Expr {
    let keep_first = |first: bool| if first { a.clone() } else { b.clone() };
    match Lin::of(&a).sub(&Lin::of(&b)) {
        Some(d) if d.terms.is_empty() && op == BinOp::Min => keep_first(d.k <= 0),
        Some(d) if d.terms.is_empty() && op == BinOp::Max => keep_first(d.k >= 0),
        _ => Expr::bin(op, a, b),
    }
}
