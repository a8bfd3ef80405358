//! A small term algebra: sums of products of atoms with integer exponents.
//!
//! An atom is any expression that is not a sum, product, quotient or negation. Equality is equality of normal forms,
//! so it is sound (equal forms are equal functions over the reals) and incomplete (atoms compare syntactically).

use crate::cascade::Expr;
use crate::types::{BinOp, UnOp};

/// Largest number of monomials that products are expanded to.
const LIMIT: usize = 64;

/// A product of atoms with a coefficient.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mono {
    /// Coefficient.
    pub(super) coef: f64,
    /// Distinct atoms with non-zero exponents.
    pub(super) atoms: Vec<(Expr, i32)>,
}

/// A sum of monomials with distinct atoms; no monomial is zero.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Poly {
    /// The monomials.
    pub(super) monos: Vec<Mono>,
}

impl Mono {
    fn constant(coef: f64) -> Mono {
        Mono { coef, atoms: vec![] }
    }

    fn times(&self, other: &Mono) -> Mono {
        let mut out = Mono { coef: self.coef * other.coef, atoms: self.atoms.clone() };
        for (a, n) in &other.atoms {
            match out.atoms.iter_mut().find(|(b, _)| a == b) {
                Some((_, m)) => *m += n,
                None => out.atoms.push((a.clone(), *n)),
            }
        }
        out.atoms.retain(|(_, n)| *n != 0);
        out
    }

    fn inverse(&self) -> Mono {
        Mono { coef: 1.0 / self.coef, atoms: self.atoms.iter().map(|(a, n)| (a.clone(), -n)).collect() }
    }

    fn same_atoms(&self, other: &Mono) -> bool {
        self.atoms.len() == other.atoms.len() && self.atoms.iter().all(|a| other.atoms.contains(a))
    }

    /// The part made of the atoms that `keep` wants, with the coefficient 1.
    pub(super) fn part(&self, keep: impl Fn(&Expr) -> bool) -> Mono {
        Mono { coef: 1.0, atoms: self.atoms.iter().filter(|(a, _)| keep(a)).cloned().collect() }
    }

    /// As an expression, the coefficient included.
    pub(super) fn expr(&self) -> Expr {
        let negative = self.coef < 0.0;
        let over: Vec<_> = self.atoms.iter().filter(|(_, n)| *n > 0).map(power).collect();
        let under: Vec<_> = self.atoms.iter().filter(|(_, n)| *n < 0).map(power).collect();
        let unit = self.coef.abs() == 1.0;
        let coef = (!unit || over.is_empty()).then(|| Expr::Float(self.coef.abs()));
        let times = |a, b| Expr::bin(BinOp::Mul, a, b);
        let top = over.into_iter().chain(coef).reduce(times).unwrap_or(Expr::Float(1.0));
        let quotient = match under.into_iter().reduce(times) {
            Some(u) => Expr::bin(BinOp::Div, top, u),
            None => top,
        };
        match (negative, quotient) {
            (true, Expr::Float(x)) => Expr::Float(-x),
            (true, e) => Expr::un(UnOp::Neg, e),
            (false, e) => e,
        }
    }
}

/// `a` as often as its exponent says, without the sign.
fn power((a, n): &(Expr, i32)) -> Expr {
    let more = std::iter::repeat_n(a, n.unsigned_abs() as usize - 1);
    more.fold(a.clone(), |acc, a| Expr::bin(BinOp::Mul, acc, a.clone()))
}

impl Poly {
    /// The normal form of a float expression.
    pub(super) fn of(e: &Expr) -> Poly {
        match e {
            Expr::Float(x) => Poly::from(Mono::constant(*x)),
            Expr::Unary(UnOp::ToFloat, a) if matches!(**a, Expr::Int(_)) => match **a {
                Expr::Int(i) => Poly::from(Mono::constant(i as f64)),
                _ => Poly::atom(e),
            },
            Expr::Unary(UnOp::Neg, a) => Poly::of(a).scaled(-1.0),
            Expr::Binary(BinOp::Add, a, b) => Poly::of(a).plus(&Poly::of(b)),
            Expr::Binary(BinOp::Sub, a, b) => Poly::of(a).plus(&Poly::of(b).scaled(-1.0)),
            Expr::Binary(BinOp::Mul, a, b) => Poly::of(a).times(&Poly::of(b)).unwrap_or_else(|| Poly::atom(e)),
            Expr::Binary(BinOp::Div, a, b) => match Poly::of(b).monos.as_slice() {
                [m] => Poly::of(a).times(&Poly::from(m.inverse())).unwrap_or_else(|| Poly::atom(e)),
                _ => Poly::of(a)
                    .times(&Poly::from(Mono { coef: 1.0, atoms: vec![((**b).clone(), -1)] }))
                    .unwrap_or_default(),
            },
            _ => Poly::atom(e),
        }
    }

    fn atom(e: &Expr) -> Poly {
        Poly { monos: vec![Mono { coef: 1.0, atoms: vec![(e.clone(), 1)] }] }
    }

    fn from(m: Mono) -> Poly {
        Poly { monos: if m.coef == 0.0 { vec![] } else { vec![m] } }
    }

    fn scaled(mut self, k: f64) -> Poly {
        self.monos.iter_mut().for_each(|m| m.coef *= k);
        self
    }

    /// Sum.
    pub(super) fn plus(mut self, other: &Poly) -> Poly {
        for m in &other.monos {
            match self.monos.iter_mut().find(|n| n.same_atoms(m)) {
                Some(n) => n.coef += m.coef,
                None => self.monos.push(m.clone()),
            }
        }
        self.monos.retain(|m| m.coef != 0.0);
        self
    }

    /// Product; `None` when it has too many terms.
    fn times(&self, other: &Poly) -> Option<Poly> {
        if self.monos.len() * other.monos.len() > LIMIT {
            return None;
        }
        let products = self.monos.iter().flat_map(|a| other.monos.iter().map(|b| Poly::from(a.times(b))));
        Some(products.fold(Poly::default(), |acc, p| acc.plus(&p)))
    }

    /// Equality up to the rounding of coefficients.
    pub(super) fn same(&self, other: &Poly) -> bool {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * a.abs().max(b.abs());
        self.monos.len() == other.monos.len()
            && self.monos.iter().all(|m| other.monos.iter().any(|n| n.same_atoms(m) && close(n.coef, m.coef)))
    }

    /// As an expression; 0 when empty.
    pub(super) fn expr(&self) -> Expr {
        let mut out: Option<Expr> = None;
        for m in &self.monos {
            out = Some(match out {
                None => m.expr(),
                Some(e) if m.coef < 0.0 => Expr::bin(BinOp::Sub, e, Mono { coef: -m.coef, ..m.clone() }.expr()),
                Some(e) => Expr::bin(BinOp::Add, e, m.expr()),
            });
        }
        out.unwrap_or(Expr::Float(0.0))
    }
}

/// `a - b` in normal form, positive terms first.
pub(crate) fn difference(a: &Expr, b: &Expr) -> Expr {
    let mut p = Poly::of(&Expr::bin(BinOp::Sub, a.clone(), b.clone()));
    p.monos.sort_by_key(|m| m.coef < 0.0);
    p.expr()
}
