//! Canonical forms of index expressions: polynomials with integer coefficients over atoms.
//!
//! Extents are expanded to what they derive from, so that ranks with equal extents have equal forms, and a modulus is
//! written with the quotient, so that `H % G == 0` is an equation about `H / G`. Guarantees: equal forms mean equal
//! values wherever no divisor is 0; arithmetic that would overflow gives no form at all.

use crate::cascade::{Cascade, Expr, Extent, RankId};
use crate::types::{BinOp, UnOp};
use std::collections::BTreeMap;

/// A product of atoms, sorted; empty for the constant.
pub(super) type Mono = Vec<u32>;

/// A polynomial; no coefficient is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Poly {
    /// Coefficients.
    pub(super) terms: BTreeMap<Mono, i64>,
}

/// What a polynomial is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Atom {
    /// A rank variable.
    Var(RankId),
    /// A run-time extent.
    Extent(RankId),
    /// Floor quotient of two forms.
    Div(Poly, Poly),
    /// Anything else: an element, a scalar, a minimum.
    Other(Expr),
}

impl Poly {
    /// A constant.
    pub(super) fn int(c: i64) -> Poly {
        Poly::term(vec![], c)
    }

    /// One monomial.
    pub(super) fn term(mono: Mono, c: i64) -> Poly {
        let mut terms = BTreeMap::new();
        if c != 0 {
            terms.insert(mono, c);
        }
        Poly { terms }
    }

    /// The value, if it is a constant.
    pub(super) fn constant(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&vec![]).copied(),
            _ => None,
        }
    }

    /// True if `self - other` is a constant ≥ 0.
    pub(super) fn exceeds(&self, other: &Poly) -> bool {
        let constant = |p: &Poly| p.terms.get(&vec![]).copied().unwrap_or(0);
        let rest = |p: &Poly| p.terms.len() - usize::from(p.terms.contains_key(&vec![]));
        constant(self) >= constant(other)
            && rest(self) == rest(other)
            && self.terms.iter().all(|(m, c)| m.is_empty() || other.terms.get(m) == Some(c))
    }

    /// `self + k * other`
    pub(super) fn add(&self, other: &Poly, k: i64) -> Option<Poly> {
        let mut out = self.clone();
        for (m, c) in &other.terms {
            let e = out.terms.entry(m.clone()).or_insert(0);
            *e = e.checked_add(c.checked_mul(k)?)?;
        }
        out.terms.retain(|_, c| *c != 0);
        Some(out)
    }

    /// `self * other`
    pub(super) fn mul(&self, other: &Poly) -> Option<Poly> {
        let mut out = Poly::default();
        for (m, c) in &self.terms {
            out = out.add(&other.times(m)?, *c)?;
        }
        Some(out)
    }

    /// `self * mono`; none when the degree gets out of hand.
    pub(super) fn times(&self, mono: &[u32]) -> Option<Poly> {
        const MAX_DEGREE: usize = 8;
        let mut out = Poly::default();
        for (m, c) in &self.terms {
            let mut m = [m.as_slice(), mono].concat();
            m.sort_unstable();
            if m.len() > MAX_DEGREE {
                return None;
            }
            out.terms.insert(m, *c);
        }
        Some(out)
    }

    /// `self / d` if every coefficient is a multiple.
    fn exact_div(&self, d: i64) -> Option<Poly> {
        let terms = self.terms.iter().map(|(m, c)| (c.checked_rem(d)? == 0).then(|| (m.clone(), c / d)));
        Some(Poly { terms: terms.collect::<Option<_>>()? })
    }

    /// Atoms that occur.
    pub(super) fn atoms(&self) -> impl Iterator<Item = u32> {
        self.terms.keys().flatten().copied()
    }
}

/// The atoms of a family of polynomials.
pub(super) struct Atoms<'a> {
    /// The kernel that the expressions belong to.
    pub(super) c: &'a Cascade,
    /// The atoms, by number.
    pub(super) list: Vec<Atom>,
}

impl<'a> Atoms<'a> {
    /// No atoms yet.
    pub(super) fn new(c: &'a Cascade) -> Self {
        Atoms { c, list: vec![] }
    }

    /// The atom as a polynomial.
    pub(super) fn atom(&mut self, a: Atom) -> Poly {
        let id = self.list.iter().position(|b| *b == a).unwrap_or_else(|| {
            self.list.push(a);
            self.list.len() - 1
        });
        Poly::term(vec![id as u32], 1)
    }

    /// The form of an index expression.
    pub(super) fn form(&mut self, e: &Expr) -> Option<Poly> {
        match e {
            Expr::Int(c) => Some(Poly::int(*c)),
            Expr::Var(r) => Some(self.atom(Atom::Var(*r))),
            Expr::Extent(r) => self.extent(*r),
            Expr::Unary(UnOp::Neg, a) => Poly::default().add(&self.form(a)?, -1),
            Expr::Binary(BinOp::Add, a, b) => self.form(a)?.add(&self.form(b)?, 1),
            Expr::Binary(BinOp::Sub, a, b) => self.form(a)?.add(&self.form(b)?, -1),
            Expr::Binary(BinOp::Mul, a, b) => self.form(a)?.mul(&self.form(b)?),
            Expr::Binary(BinOp::FloorDiv, a, b) => {
                let (a, b) = (self.form(a)?, self.form(b)?);
                self.quotient(a, b)
            }
            Expr::Binary(BinOp::Mod, a, b) => {
                let (a, b) = (self.form(a)?, self.form(b)?);
                let q = self.quotient(a.clone(), b.clone())?;
                a.add(&q.mul(&b)?, -1)
            }
            other => Some(self.atom(Atom::Other(other.clone()))),
        }
    }

    /// The form of an extent.
    pub(super) fn extent(&mut self, r: RankId) -> Option<Poly> {
        let c = self.c;
        match &c.ranks.get(r.index())?.extent {
            Extent::Const(n) => Some(Poly::int(*n)),
            Extent::Free => Some(self.atom(Atom::Extent(r))),
            Extent::Derived(e) => self.form(e),
        }
    }

    fn quotient(&mut self, a: Poly, b: Poly) -> Option<Poly> {
        match (a.constant(), b.constant()) {
            (_, Some(0)) => Some(Poly::default()),
            (Some(a), Some(b)) => Some(Poly::int(a.checked_div_euclid(b).filter(|_| b > 0)?)),
            (_, Some(d)) if d > 0 && a.exact_div(d).is_some() => a.exact_div(d),
            _ => Some(self.atom(Atom::Div(a, b))),
        }
    }
}
