//! Folds that are no products: element by element, with what they share or look up moved into tiles.

use super::Res;
use super::fold::{Leaf, first_name, flatten, is_heavy, multiply};
use super::scope::Tiler;
use crate::tile::{AxisId, Expr, Stmt};
use crate::types::RedOp;
use std::collections::BTreeSet;

impl Tiler<'_> {
    /// `dst = fold of the value where the predicates hold`.
    pub(super) fn generic(&mut self, l: Leaf) -> Res<()> {
        let identity = self.identity(l.dst, l.op)?;
        let mut axes: BTreeSet<AxisId> = self.out.tile_axes(&l.value).into_iter().collect();
        l.conds.iter().for_each(|c| axes.extend(self.out.tile_axes(c)));
        let folded = l.over.iter().any(|k| axes.contains(k));
        let mut value = l.value;
        if folded && axes.len() > 2 {
            value = self.heavy_factors(value, &l.conds, l.op);
            value = self.masked(value, &l.conds, identity.clone());
            value = self.parts(&value, axes.len());
        } else {
            value = self.masked(value, &l.conds, identity.clone());
            if folded && is_heavy(&value) {
                let axes: Vec<AxisId> = axes.into_iter().collect();
                value = Expr::Local(self.materialise("t", value, &axes));
            }
        }
        if l.over.is_empty() {
            let op = (!l.init).then_some(l.op);
            self.emit(Stmt::Map { dst: l.dst, op, value });
            return Ok(());
        }
        if l.init {
            self.emit(Stmt::Map { dst: l.dst, op: None, value: identity });
        }
        self.emit(Stmt::Reduce { dst: l.dst, op: l.op, over: l.over, value });
        Ok(())
    }

    /// The dear factors of a sum in a tile of their own, masked as other accumulators mask them.
    fn heavy_factors(&mut self, value: Expr, conds: &[Expr], op: RedOp) -> Expr {
        let mut factors = vec![];
        flatten(&value, &mut factors);
        let (heavy, mut rest): (Vec<Expr>, Vec<Expr>) = factors.into_iter().partition(is_heavy);
        let heavy = multiply(&heavy);
        let axes = self.out.tile_axes(&heavy);
        let fits = conds.iter().all(|c| self.out.tile_axes(c).iter().all(|a| axes.contains(a)));
        if op != RedOp::Sum || rest.is_empty() || axes.is_empty() || axes.len() > 2 || !fits {
            return value;
        }
        let heavy = self.masked(heavy, conds, Expr::Float(0.0));
        rest.insert(0, Expr::Local(self.materialise("t", heavy, &axes)));
        multiply(&rest)
    }

    /// Moves what depends on fewer axes than the fold, and is dear or gathers along the lanes, into tiles.
    pub(super) fn parts(&mut self, e: &Expr, fold_axes: usize) -> Expr {
        let axes = self.out.tile_axes(e);
        let lanes = axes.iter().any(|a| self.out.axis(*a).lane);
        let mut reads = false;
        e.walk(&mut |e| reads |= matches!(e, Expr::Global(..)));
        if !axes.is_empty() && axes.len() < fold_axes.min(3) && (is_heavy(e) || (lanes && reads)) {
            let name = first_name(&self.s.cascade, e);
            return Expr::Local(self.materialise(&name, e.clone(), &axes));
        }
        e.map_children(&mut |c| self.parts(c, fold_axes))
    }

    /// The value where all predicates hold, the identity elsewhere.
    pub(super) fn masked(&self, value: Expr, conds: &[Expr], identity: Expr) -> Expr {
        if conds.is_empty() { value } else { Expr::select(Expr::all(conds.iter().cloned()), value, identity) }
    }
}
