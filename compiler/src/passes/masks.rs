//! Tile classification: a predicate over a box of coordinates is full, empty or partial.
//!
//! Kleene logic over intervals. Differences are taken in affine form first, so that `p - m <= 3` knows that both
//! sides move together. Guarantees soundness: `Full` and `Empty` are proved, `Partial` promises nothing. Loop bounds
//! of tile programs come from the symbolic form of the same rules (`tiling`); this one decides concrete tiles, for
//! prepasses that list tiles.

use super::affine::Affine;
use crate::cascade::{Cascade, Expr, RankId};
use crate::types::{BinOp, UnOp, ValueType};
use std::collections::BTreeMap;

/// What is known of a predicate over a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It holds at every point.
    Full,
    /// It holds at no point.
    Empty,
    /// It may hold at some and fail at others.
    Partial,
}

impl Class {
    fn not(self) -> Class {
        match self {
            Class::Full => Class::Empty,
            Class::Empty => Class::Full,
            Class::Partial => Class::Partial,
        }
    }

    fn and(self, other: Class) -> Class {
        match (self, other) {
            (Class::Empty, _) | (_, Class::Empty) => Class::Empty,
            (Class::Full, Class::Full) => Class::Full,
            _ => Class::Partial,
        }
    }

    fn of(holds: bool, fails: bool) -> Class {
        match (holds, fails) {
            (true, _) => Class::Full,
            (_, true) => Class::Empty,
            _ => Class::Partial,
        }
    }
}

/// Closed interval of integers.
pub type Interval = (i64, i64);

/// A box: one interval a rank variable, and the values of what does not vary over it.
pub struct TileBox<'a> {
    /// The kernel, for types and extents.
    pub cascade: &'a Cascade,
    /// Interval of each rank variable.
    pub vars: BTreeMap<RankId, Interval>,
    /// Value of an expression without rank variables in `vars`: extents, scalars, uniform elements. Truth is 0 or 1.
    pub uniform: &'a dyn Fn(&Expr) -> Option<i64>,
}

/// Classifies a predicate over a box.
pub fn classify(pred: &Expr, b: &TileBox<'_>) -> Class {
    match pred {
        Expr::Bool(x) => Class::of(*x, !*x),
        Expr::Unary(UnOp::Not, a) => classify(a, b).not(),
        Expr::Binary(BinOp::And, x, y) => classify(x, b).and(classify(y, b)),
        Expr::Binary(BinOp::Or, x, y) => classify(x, b).not().and(classify(y, b).not()).not(),
        Expr::Select(c, x, y) => match classify(c, b) {
            Class::Full => classify(x, b),
            Class::Empty => classify(y, b),
            Class::Partial => {
                let (x, y) = (classify(x, b), classify(y, b));
                if x == y { x } else { Class::Partial }
            }
        },
        Expr::Binary(op, x, y) if b.cascade.value_type(x) == ValueType::Index => compare(*op, x, y, b),
        _ if b.is_uniform(pred) => (b.uniform)(pred).map_or(Class::Partial, |x| Class::of(x != 0, x == 0)),
        _ => Class::Partial,
    }
}

fn compare(op: BinOp, x: &Expr, y: &Expr, b: &TileBox<'_>) -> Class {
    let difference = Expr::bin(BinOp::Sub, x.clone(), y.clone());
    let Some((lo, hi)) = b.affine(&difference) else { return Class::Partial };
    let le = Class::of(hi <= 0, lo > 0);
    let ge = Class::of(lo >= 0, hi < 0);
    match op {
        BinOp::Le => le,
        BinOp::Gt => le.not(),
        BinOp::Ge => ge,
        BinOp::Lt => ge.not(),
        BinOp::Eq => le.and(ge),
        BinOp::Ne => le.and(ge).not(),
        _ => Class::Partial,
    }
}

impl TileBox<'_> {
    fn is_uniform(&self, e: &Expr) -> bool {
        self.vars.keys().all(|r| !e.mentions(*r))
    }

    /// Interval of an index expression, after cancellation of common terms.
    fn affine(&self, e: &Expr) -> Option<Interval> {
        let a = Affine::of(self.cascade, e);
        let (mut lo, mut hi) = (a.constant, a.constant);
        for (atom, c) in &a.terms {
            let (x, y) = self.atom(atom)?;
            let (x, y) = (x.checked_mul(*c)?, y.checked_mul(*c)?);
            lo = lo.checked_add(x.min(y))?;
            hi = hi.checked_add(x.max(y))?;
        }
        Some((lo, hi))
    }

    fn atom(&self, e: &Expr) -> Option<Interval> {
        if self.is_uniform(e)
            && let Some(x) = (self.uniform)(e)
        {
            return Some((x, x));
        }
        match e {
            Expr::Var(r) => self.vars.get(r).copied(),
            Expr::Unary(UnOp::Abs, a) => {
                let (lo, hi) = self.affine(a)?;
                let least = if lo <= 0 && hi >= 0 { 0 } else { lo.abs().min(hi.abs()) };
                Some((least, lo.abs().max(hi.abs())))
            }
            Expr::Unary(UnOp::BoolToIndex, a) => Some(match classify(a, self) {
                Class::Full => (1, 1),
                Class::Empty => (0, 0),
                Class::Partial => (0, 1),
            }),
            Expr::Select(c, x, y) => match classify(c, self) {
                Class::Full => self.affine(x),
                Class::Empty => self.affine(y),
                Class::Partial => {
                    let (x, y) = (self.affine(x)?, self.affine(y)?);
                    Some((x.0.min(y.0), x.1.max(y.1)))
                }
            },
            Expr::Binary(op, x, y) => self.binary(*op, self.affine(x)?, self.affine(y)?),
            _ => None,
        }
    }

    fn binary(&self, op: BinOp, x: Interval, y: Interval) -> Option<Interval> {
        match op {
            BinOp::Min => Some((x.0.min(y.0), x.1.min(y.1))),
            BinOp::Max => Some((x.0.max(y.0), x.1.max(y.1))),
            BinOp::Mul => {
                let all = [x.0.checked_mul(y.0)?, x.0.checked_mul(y.1)?, x.1.checked_mul(y.0)?, x.1.checked_mul(y.1)?];
                Some((all.into_iter().min()?, all.into_iter().max()?))
            }
            BinOp::FloorDiv if y.0 == y.1 && y.0 > 0 => Some((x.0.div_euclid(y.0), x.1.div_euclid(y.0))),
            // Exact if the interval stays in one period.
            BinOp::Mod if y.0 == y.1 && y.0 > 0 => {
                let k = y.0;
                let same = x.0.div_euclid(k) == x.1.div_euclid(k);
                Some(if same { (x.0.rem_euclid(k), x.1.rem_euclid(k)) } else { (0, k - 1) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
