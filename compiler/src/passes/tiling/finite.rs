//! Products under a mask when an operand is not finite.
//!
//! A matrix product multiplies what a row does not see by 0, which is right unless it is infinite or no number: then the
//! result is no number. So a result that is not finite is computed again, element by element, with what is masked
//! selected away. The test costs a pass over the result, not over the operands; where products add to their sum, it is the tile
//! of columns that is tested.

use super::Res;
use super::fold::{Leaf, multiply};
use super::scope::Tiler;
use crate::tile::{AxisId, BufId, BufType, Expr, Stmt};
use crate::types::{BinOp, RedOp, UnOp};

impl Tiler<'_> {
    /// The product of masked operands, times the factors of `after`.
    pub(super) fn guarded(&mut self, l: &Leaf, k: AxisId, a: Expr, b: BufId, after: Vec<Expr>) -> Res<()> {
        if self.caps.in_place() && after.is_empty() {
            return self.tested(l, k, a, b);
        }
        let dst = if l.init && after.is_empty() {
            l.dst
        } else {
            let (name, axes) = (format!("{}_part", self.out.buf(l.dst).name), self.out.buf(l.dst).axes.clone());
            self.new_buf(&name, BufType::F32, &axes, self.level())
        };
        self.emit(Stmt::Contract { dst, over: k, a: a.clone(), b, accumulate: false });
        let wild = self.not_finite(dst);
        let zero = self.identity(dst, RedOp::Sum)?;
        let value = Expr::bin(BinOp::Mul, a, Expr::Local(b));
        let value = self.masked(value, &l.conds, zero.clone());
        let then =
            vec![Stmt::Map { dst, op: None, value: zero }, Stmt::Reduce { dst, op: RedOp::Sum, over: vec![k], value }];
        self.emit(Stmt::If { cond: wild, then, els: vec![] });
        if dst != l.dst {
            let mut after = after;
            after.push(Expr::Local(dst));
            self.emit(Stmt::Map { dst: l.dst, op: (!l.init).then_some(RedOp::Sum), value: multiply(&after) });
        }
        Ok(())
    }

    /// The product in place, or element by element where a column is not finite.
    fn tested(&mut self, l: &Leaf, k: AxisId, a: Expr, b: BufId) -> Res<()> {
        let zero = self.identity(l.dst, RedOp::Sum)?;
        if l.init {
            self.emit(Stmt::Map { dst: l.dst, op: None, value: zero.clone() });
        }
        let axes = self.out.tile_axes(&a);
        let odd = self.sum_of("wild", &[], axes, Expr::bin(BinOp::Sub, a.clone(), a.clone()));
        let cond = Expr::un(UnOp::Not, Expr::bin(BinOp::Ge, Expr::Local(odd), Expr::Float(0.0)));
        let value = Expr::bin(BinOp::Mul, a.clone(), Expr::Local(b));
        let value = self.masked(value, &l.conds, zero);
        let then = vec![Stmt::Reduce { dst: l.dst, op: RedOp::Sum, over: vec![k], value }];
        let els = vec![Stmt::Contract { dst: l.dst, over: k, a, b, accumulate: true }];
        self.emit(Stmt::If { cond, then, els });
        Ok(())
    }

    /// A uniform condition: some element of the tile is infinite or no number. `x - x` is 0 for numbers alone.
    fn not_finite(&mut self, b: BufId) -> Expr {
        let x = || Expr::Local(b);
        let mut axes = self.out.buf(b).axes.clone();
        let mut value = Expr::bin(BinOp::Sub, x(), x());
        if let Some(lane) = axes.pop_if(|a| self.out.axis(*a).lane) {
            // Rows first, in vectors; then across the lanes.
            if !axes.is_empty() {
                value = Expr::Local(self.sum_of("odd", &[lane], axes, value));
            }
            axes = vec![lane];
        }
        let odd = self.sum_of("wild", &[], axes, value);
        Expr::un(UnOp::Not, Expr::bin(BinOp::Ge, Expr::Local(odd), Expr::Float(0.0)))
    }

    fn sum_of(&mut self, name: &str, axes: &[AxisId], over: Vec<AxisId>, value: Expr) -> BufId {
        let dst = self.new_buf(name, BufType::F32, axes, self.level());
        self.emit(Stmt::Map { dst, op: None, value: Expr::Float(0.0) });
        self.emit(Stmt::Reduce { dst, op: RedOp::Sum, over, value });
        dst
    }
}
