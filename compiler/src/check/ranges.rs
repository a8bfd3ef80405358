//! Bounds of integer expressions as closed expressions: what a count over a rank can be.

use super::fold::bin;
use crate::cascade::{Cascade, Expr, Extent, Reduce};
use crate::types::{BinOp, DType, RedOp, UnOp};

/// Inclusive bounds.
pub(super) type Range = (Expr, Expr);

/// Bounds of the result of a reduction: a coordinate, or a sum of terms with constant bounds.
pub(super) fn of_reduction(c: &Cascade, reduce: &Reduce, body: &Expr) -> Option<Range> {
    match (reduce.op, &reduce.over[..]) {
        (RedOp::ArgMax | RedOp::TopK, [over]) => Some((Expr::Int(-1), bin(BinOp::Sub, extent(c, *over), Expr::Int(1)))),
        (RedOp::Sum, over) => {
            let (lo, hi) = of_term(c, body)?;
            // Any number of the terms may be absent.
            let total = |x: i64| over.iter().fold(Expr::Int(x), |n, r| bin(BinOp::Mul, n, extent(c, *r)));
            Some((total(lo.min(0)), total(hi.max(0))))
        }
        _ => None,
    }
}

fn extent(c: &Cascade, r: crate::cascade::RankId) -> Expr {
    match &c.ranks[r.index()].extent {
        Extent::Const(n) => Expr::Int(*n),
        Extent::Free | Extent::Derived(_) => Expr::Extent(r),
    }
}

/// Constant bounds of a term.
fn of_term(c: &Cascade, e: &Expr) -> Option<(i64, i64)> {
    match e {
        Expr::Int(x) => Some((*x, *x)),
        Expr::Unary(UnOp::BoolToIndex, _) => Some((0, 1)),
        Expr::Unary(UnOp::Neg, a) => of_term(c, a).and_then(|(lo, hi)| Some((hi.checked_neg()?, lo.checked_neg()?))),
        Expr::Binary(BinOp::Add, a, b) => {
            let (a, b) = (of_term(c, a)?, of_term(c, b)?);
            Some((a.0.checked_add(b.0)?, a.1.checked_add(b.1)?))
        }
        Expr::Binary(BinOp::Mod, _, d) => match **d {
            Expr::Int(d) if d > 0 => Some((0, d - 1)),
            _ => None,
        },
        Expr::Select(_, a, b) => {
            let (a, b) = (of_term(c, a)?, of_term(c, b)?);
            Some((a.0.min(b.0), a.1.max(b.1)))
        }
        Expr::Read(t, _) => match (&c.tensor(*t).facts.range, c.tensor(*t).dtype) {
            (Some((Expr::Int(lo), Expr::Int(hi))), _) => Some((*lo, *hi)),
            (_, DType::U8) => Some((0, 255)),
            (_, DType::I8) => Some((-128, 127)),
            _ => None,
        },
        _ => None,
    }
}
