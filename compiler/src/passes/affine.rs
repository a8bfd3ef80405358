//! Index expressions as affine forms, and bounds of them over the iteration space.

use crate::cascade::{Cascade, Expr, Extent, RankId};
use crate::types::{BinOp, UnOp};

/// `constant + Σ coefficient · atom`. Atoms are rank variables, symbolic extents, scalars, and whatever is not affine.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Constant term.
    pub constant: i64,
    /// Atoms in order of first occurrence, coefficients not 0.
    pub terms: Vec<(Expr, i64)>,
}

impl Affine {
    /// A constant.
    pub fn constant(constant: i64) -> Affine {
        Affine { constant, terms: vec![] }
    }

    /// One atom.
    pub fn atom(e: Expr) -> Affine {
        Affine { constant: 0, terms: vec![(e, 1)] }
    }

    /// The affine form of an index expression; constant extents are numbers, derived ones are expanded.
    pub fn of(c: &Cascade, e: &Expr) -> Affine {
        try_affine(c, e).unwrap_or_else(|| Affine::atom(e.clone()))
    }

    /// `self + k · other`, `None` on overflow.
    pub fn add(mut self, other: &Affine, k: i64) -> Option<Affine> {
        self.constant = self.constant.checked_add(other.constant.checked_mul(k)?)?;
        for (atom, coef) in &other.terms {
            let coef = coef.checked_mul(k)?;
            match self.terms.iter_mut().find(|(a, _)| a == atom) {
                Some((_, have)) => *have = have.checked_add(coef)?,
                None => self.terms.push((atom.clone(), coef)),
            }
        }
        self.terms.retain(|(_, k)| *k != 0);
        Some(self)
    }

    /// Coefficient of a rank variable.
    pub fn coef(&self, r: RankId) -> i64 {
        self.terms.iter().find(|(a, _)| *a == Expr::Var(r)).map_or(0, |(_, k)| *k)
    }

    /// As an expression: atoms first, the constant last.
    pub fn expr(&self) -> Expr {
        let mut sum: Option<Expr> = None;
        for (atom, k) in self.terms.iter().filter(|t| t.1 > 0).chain(self.terms.iter().filter(|t| t.1 < 0)) {
            let size = k.unsigned_abs().min(i64::MAX as u64) as i64;
            let term = if size == 1 { atom.clone() } else { Expr::bin(BinOp::Mul, atom.clone(), Expr::Int(size)) };
            sum = Some(match (sum, *k > 0) {
                (None, true) => term,
                (None, false) => Expr::un(UnOp::Neg, term),
                (Some(s), true) => Expr::bin(BinOp::Add, s, term),
                (Some(s), false) => Expr::bin(BinOp::Sub, s, term),
            });
        }
        match (sum, self.constant) {
            (None, k) => Expr::Int(k),
            (Some(s), 0) => s,
            (Some(s), k) if k > 0 || k == i64::MIN => Expr::bin(BinOp::Add, s, Expr::Int(k)),
            (Some(s), k) => Expr::bin(BinOp::Sub, s, Expr::Int(-k)),
        }
    }
}

fn try_affine(c: &Cascade, e: &Expr) -> Option<Affine> {
    Some(match e {
        Expr::Int(i) => Affine::constant(*i),
        Expr::Extent(r) => match &c.ranks[r.index()].extent {
            Extent::Const(n) => Affine::constant(*n),
            Extent::Derived(d) => Affine::of(c, d),
            Extent::Free => Affine::atom(e.clone()),
        },
        Expr::Unary(UnOp::Neg, a) => Affine::constant(0).add(&Affine::of(c, a), -1)?,
        Expr::Binary(BinOp::Add, a, b) => Affine::of(c, a).add(&Affine::of(c, b), 1)?,
        Expr::Binary(BinOp::Sub, a, b) => Affine::of(c, a).add(&Affine::of(c, b), -1)?,
        Expr::Binary(BinOp::Mul, a, b) => {
            let (a, b) = (Affine::of(c, a), Affine::of(c, b));
            match (a.terms.is_empty(), b.terms.is_empty()) {
                (_, true) => Affine::constant(0).add(&a, b.constant)?,
                (true, false) => Affine::constant(0).add(&b, a.constant)?,
                (false, false) => return None,
            }
        }
        Expr::Binary(BinOp::FloorDiv, a, b) => {
            let (a, b) = (Affine::of(c, a), Affine::of(c, b));
            if !a.terms.is_empty() || !b.terms.is_empty() || b.constant <= 0 {
                return None;
            }
            Affine::constant(a.constant.div_euclid(b.constant))
        }
        _ => return None,
    })
}

/// The points at which a value is asked for: the variables of some ranks are in scope, so these ranks are not empty.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Names the ranks.
    pub c: &'a Cascade,
    /// Ranks with a variable in scope.
    pub ranks: &'a [RankId],
}

impl Scope<'_> {
    /// Smallest value: rank variables run over their ranks, extents are ≥ 0. `None`: not known.
    pub fn lower(&self, a: &Affine) -> Option<i64> {
        let mut rest = Affine::constant(a.constant);
        for (atom, k) in &a.terms {
            match atom {
                Expr::Var(r) if *k < 0 => {
                    let last = Affine::of(self.c, &Expr::Extent(*r)).add(&Affine::constant(1), -1)?;
                    rest = rest.add(&last, *k)?;
                }
                Expr::Var(_) => {}
                _ => rest = rest.add(&Affine::atom(atom.clone()), *k)?,
            }
        }
        let vars = a.terms.iter().filter_map(|(e, _)| if let Expr::Var(r) = e { Some(*r) } else { None });
        let present: Vec<RankId> = self.ranks.iter().copied().chain(vars).collect();
        let inner = Scope { c: self.c, ranks: &present };
        rest.terms.iter().try_fold(rest.constant, |sum, (atom, k)| {
            let bound = if *k > 0 { inner.atom_lower(atom)? } else { inner.atom_upper(atom)? };
            sum.checked_add(bound.checked_mul(*k)?)
        })
    }

    /// Largest value.
    pub fn upper(&self, a: &Affine) -> Option<i64> {
        let negated = Affine::constant(0).add(a, -1)?;
        self.lower(&negated)?.checked_neg()
    }

    fn bounds(&self, e: &Expr) -> (Option<i64>, Option<i64>) {
        let a = Affine::of(self.c, e);
        (self.lower(&a), self.upper(&a))
    }

    /// The free extent `r` is at least 1 if a rank in scope has the extent `r` or `r - k`.
    fn not_empty(&self, r: RankId) -> bool {
        let bound_by = |s: &RankId| {
            let a = Affine::of(self.c, &Expr::Extent(*s));
            a.constant <= 0 && a.terms == [(Expr::Extent(r), 1)]
        };
        self.ranks.contains(&r) || self.ranks.iter().any(bound_by)
    }

    fn atom_lower(&self, atom: &Expr) -> Option<i64> {
        match atom {
            Expr::Extent(r) => Some(i64::from(self.not_empty(*r))),
            Expr::Read(t, _) => {
                let t = self.c.tensor(*t);
                match &t.facts.range {
                    Some((lo, _)) => self.bounds(lo).0,
                    None => t.facts.nonnegative.then_some(0),
                }
            }
            Expr::Unary(UnOp::BoolToIndex | UnOp::Popcount, _) => Some(0),
            Expr::Unary(UnOp::Ilog2, _) => Some(-1),
            Expr::Unary(UnOp::Abs, _) => Some(0),
            Expr::Binary(BinOp::Mod, _, b) => (self.bounds(b).0? > 0).then_some(0),
            Expr::Binary(BinOp::FloorDiv, a, b) => {
                let (lo, least) = (self.bounds(a).0, self.bounds(b).0);
                (lo? >= 0 && least? > 0).then_some(0)
            }
            Expr::Binary(BinOp::Min, a, b) => Some(self.bounds(a).0?.min(self.bounds(b).0?)),
            Expr::Binary(BinOp::Max, a, b) => self.bounds(a).0.max(self.bounds(b).0),
            Expr::Select(_, a, b) => Some(self.bounds(a).0?.min(self.bounds(b).0?)),
            _ => None,
        }
    }

    fn atom_upper(&self, atom: &Expr) -> Option<i64> {
        match atom {
            Expr::Read(t, _) => {
                let t = self.c.tensor(*t);
                match &t.facts.range {
                    Some((_, hi)) => self.bounds(hi).1,
                    None => t.facts.nonpositive.then_some(0),
                }
            }
            Expr::Unary(UnOp::BoolToIndex, _) => Some(1),
            Expr::Binary(BinOp::Mod, _, b) => {
                let (least, most) = self.bounds(b);
                if least? > 0 { Some(most? - 1) } else { None }
            }
            Expr::Binary(BinOp::Min, a, b) => match (self.bounds(a).1, self.bounds(b).1) {
                (Some(x), Some(y)) => Some(x.min(y)),
                (x, y) => x.or(y),
            },
            Expr::Binary(BinOp::Max, a, b) => Some(self.bounds(a).1?.max(self.bounds(b).1?)),
            Expr::Select(_, a, b) => Some(self.bounds(a).1?.max(self.bounds(b).1?)),
            _ => None,
        }
    }
}
