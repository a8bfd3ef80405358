//! Reads of tensors in memory: proofs that an index is in bounds, clamps where there is none.
//!
//! Guarantees: no emitted index leaves its dimension, whatever the data. A clamp needs a dimension of at least 1;
//! where that is not evident, the kernel gets an assertion that the launcher checks.

use super::Res;
use super::lin::Lin;
use super::scope::Tiler;
use crate::cascade::{Assert, Expr as L1, Extent, Origin, RankId, TensorId};
use crate::tile::{AxisId, Expr};
use crate::types::{BinOp, UnOp};

impl Tiler<'_> {
    /// A read whose indices are in bounds or clamped.
    pub(super) fn read_memory(&mut self, t: TensorId, idx: Vec<Expr>) -> Res<Expr> {
        let dims = self.s.cascade.tensor(t).dims.clone();
        if dims.len() != idx.len() {
            return self.refuse(format!("{} is read with {} indices", self.s.cascade.tensor(t).name, idx.len()));
        }
        let mut out = vec![];
        for (i, d) in idx.into_iter().zip(&dims) {
            out.push(self.in_bounds(i, d)?);
        }
        Ok(Expr::Global(t, out))
    }

    fn in_bounds(&mut self, i: Expr, dim: &L1) -> Res<Expr> {
        let d = self.lower(dim, &super::Env::new())?;
        let size = self.canon(&d);
        let (lo, hi) = self.bounds(&i);
        let low = lo.is_some_and(|lo| self.nonneg(&lo));
        let high = hi.and_then(|hi| size.plus(-1)?.sub(&hi)).is_some_and(|room| self.nonneg(&room));
        if low && high {
            return Ok(i);
        }
        if !size.plus(-1).is_some_and(|d| self.nonneg(&d)) {
            self.assert_not_empty(dim, &i);
        }
        let last = Lin::of(&d).plus(-1).map_or_else(|| Expr::bin(BinOp::Sub, d, Expr::Int(1)), |l| l.expr());
        let i = if high { i } else { Expr::bin(BinOp::Min, i, last) };
        Ok(if low { i } else { Expr::bin(BinOp::Max, i, Expr::Int(0)) })
    }

    /// `dim > 0`, unless an axis that the read depends on has no element, so that nothing is read.
    fn assert_not_empty(&mut self, dim: &L1, i: &Expr) {
        let mut pred = L1::bin(BinOp::Gt, dim.clone(), L1::Int(0));
        let mut around: Vec<RankId> = self.out.grid.iter().map(|a| self.out.axis(*a).rank).collect();
        around.extend(self.scopes.iter().flat_map(|s| &s.open).map(|a| self.out.axis(*a).rank));
        around.extend(self.out.tile_axes(i).iter().map(|a| self.out.axis(*a).rank));
        let mut seen = vec![];
        for r in around {
            if !seen.contains(&r) && !matches!(self.s.cascade.ranks[r.index()].extent, Extent::Const(_)) {
                seen.push(r);
                pred = L1::bin(BinOp::Or, pred, L1::bin(BinOp::Le, L1::Extent(r), L1::Int(0)));
            }
        }
        let text = "no dimension that is indexed by an expression is empty".to_string();
        let a = Assert::Holds { pred, text, origin: Origin::default() };
        if !self.asserts.contains(&a) {
            self.asserts.push(a);
        }
    }

    /// Affine form in which derived extents are expanded, so that equal extents look equal.
    fn canon(&self, e: &Expr) -> Lin {
        Lin::of(&self.expand(e, 0))
    }

    fn expand(&self, e: &Expr, depth: usize) -> Expr {
        match e {
            Expr::Extent(r) if depth < 16 => match &self.s.cascade.ranks[r.index()].extent {
                Extent::Const(n) => Expr::Int(*n),
                Extent::Free => e.clone(),
                Extent::Derived(d) => extent_expr(d).map_or_else(|| e.clone(), |d| self.expand(&d, depth + 1)),
            },
            _ => e.map_children(&mut |c| self.expand(c, depth)),
        }
    }

    fn axis_extent(&self, a: AxisId) -> Lin {
        self.canon(&Expr::Extent(self.out.axis(a).rank))
    }

    /// Lower and upper bound of an index over all points of its axes, in terms of extents.
    fn bounds(&self, e: &Expr) -> (Option<Lin>, Option<Lin>) {
        match e {
            e if self.block_position(e).is_some() => {
                (Some(Lin::int(0)), self.block_position(e).map(|n| Lin::int(n - 1)))
            }
            Expr::Coord(a) => (Some(Lin::int(0)), self.axis_extent(*a).plus(-1)),
            Expr::Int(_) | Expr::Extent(_) => (Some(self.canon(e)), Some(self.canon(e))),
            Expr::Unary(UnOp::Neg, a) => {
                let (lo, hi) = self.bounds(a);
                (hi.and_then(|x| x.scale(-1)), lo.and_then(|x| x.scale(-1)))
            }
            Expr::Binary(op, a, b) => self.bounds_binary(*op, a, b),
            Expr::Select(_, a, b) if a == b => self.bounds(a),
            _ => (None, None),
        }
    }

    fn bounds_binary(&self, op: BinOp, a: &Expr, b: &Expr) -> (Option<Lin>, Option<Lin>) {
        let ((alo, ahi), (blo, bhi)) = (self.bounds(a), self.bounds(b));
        let both = |x: Option<Lin>, y: Option<Lin>, f: fn(&Lin, &Lin) -> Option<Lin>| f(&x?, &y?);
        match (op, b) {
            (BinOp::Add, _) => (both(alo, blo, Lin::add), both(ahi, bhi, Lin::add)),
            (BinOp::Sub, _) => (both(alo, bhi, Lin::sub), both(ahi, blo, Lin::sub)),
            (BinOp::Mul, Expr::Int(k)) if *k >= 0 => (alo.and_then(|x| x.scale(*k)), ahi.and_then(|x| x.scale(*k))),
            (BinOp::Mod, Expr::Int(k)) if *k > 0 => (Some(Lin::int(0)), Some(Lin::int(k - 1))),
            (BinOp::FloorDiv, Expr::Int(k)) if *k > 0 => {
                let low = alo.is_some_and(|lo| self.nonneg(&lo));
                let hi =
                    ahi.filter(|_| low).map(|hi| if hi.terms.is_empty() { Lin::int(hi.k.div_euclid(*k)) } else { hi });
                (low.then(|| Lin::int(0)), hi)
            }
            (BinOp::Min, _) => (None, ahi.filter(|x| x.terms.is_empty()).or(bhi)),
            (BinOp::Max, _) => (alo.filter(|x| self.nonneg(x)).or(blo), None),
            _ => (None, None),
        }
    }

    /// True if the affine form over extents cannot be negative.
    fn nonneg(&self, l: &Lin) -> bool {
        let mut least = l.k;
        for (e, c) in &l.terms {
            match e {
                Expr::Extent(r) if *c > 0 => least = least.saturating_add(c.saturating_mul(self.least_extent(*r))),
                _ => return false,
            }
        }
        least >= 0
    }

    /// 1 for the extent of a grid or open loop axis, which has a point here; otherwise 0.
    fn least_extent(&self, r: RankId) -> i64 {
        let mut around = self.out.grid.iter().chain(self.scopes.iter().flat_map(|s| &s.open));
        i64::from(around.any(|a| self.axis_extent(*a) == Lin::of(&Expr::Extent(r))))
    }
}

/// An extent's definition as a tile expression.
fn extent_expr(e: &L1) -> Option<Expr> {
    Some(match e {
        L1::Int(i) => Expr::Int(*i),
        L1::Extent(r) => Expr::Extent(*r),
        L1::Scalar(s) => Expr::Scalar(*s),
        L1::Binary(op, a, b) => Expr::bin(*op, extent_expr(a)?, extent_expr(b)?),
        L1::Unary(op, a) => Expr::un(*op, extent_expr(a)?),
        _ => return None,
    })
}
