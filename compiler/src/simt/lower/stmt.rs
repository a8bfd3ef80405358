//! Statements: maps, stores and control flow.

use super::{Lower, scalar};
use crate::cascade::TensorId;
use crate::diag::Refusal;
use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::typing::scalar_type;
use crate::simt::{Inst, Place, Val};
use crate::tile::{AxisId, BufId, Expr, Stmt};
use crate::types::RedOp;

impl Lower<'_> {
    /// Statements in order.
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) -> Result<(), Refusal> {
        stmts.iter().try_for_each(|s| self.stmt(s))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<(), Refusal> {
        match stmt {
            Stmt::Map { dst, op, value } => self.map(*dst, *op, value),
            Stmt::Reduce { dst, op, over, value } => self.reduce(*dst, *op, over, value),
            Stmt::Contract { dst, over, a, b, accumulate } => self.contract(*dst, *over, a, *b, *accumulate),
            Stmt::Loop { axis, ranges, full, partial } => self.stream(*axis, ranges, full, partial),
            Stmt::For { axis, lo, hi, body } => self.for_loop(*axis, lo, hi, body),
            Stmt::If { cond, then, els } => {
                self.before(&[cond], None);
                let cond = self.uniform(cond)?;
                self.fork(cond, then, els)
            }
            Stmt::Store { tensor, idx, axes, value } => self.store(*tensor, idx, axes, value),
        }
    }

    /// A branch that all threads take together.
    pub(super) fn fork(&mut self, cond: Val, then: &[Stmt], els: &[Stmt]) -> Result<(), Refusal> {
        let mut a = |s: &mut Self| s.block(then);
        let mut b = |s: &mut Self| s.block(els);
        let mut sides = self.forked(vec![&mut a, &mut b]).into_iter();
        let (then, els) =
            (sides.next().transpose()?.unwrap_or_default(), sides.next().transpose()?.unwrap_or_default());
        self.fb.inst(Inst::If { cond, then, els });
        Ok(())
    }

    pub(super) fn block(&mut self, stmts: &[Stmt]) -> Result<Vec<Inst>, Refusal> {
        self.fb.begin_block();
        self.stmts(stmts)?;
        Ok(self.fb.end_block())
    }

    fn for_loop(&mut self, axis: AxisId, lo: &Expr, hi: &Expr, body: &[Stmt]) -> Result<(), Refusal> {
        self.before(&[lo, hi], None);
        let (lo, hi) = (self.uniform(lo)?, self.uniform(hi)?);
        let old = *self.point(axis);
        self.turn();
        let var = self.fb.begin_loop();
        *self.point(axis) = self.scalar_point(var);
        self.stmts(body)?;
        self.turn();
        self.fb.end_loop(var, lo, hi, 1);
        *self.point(axis) = old;
        Ok(())
    }

    pub(super) fn note(&mut self, dst: BufId, what: &str) {
        let name = &self.stage.buf(dst).name;
        self.fb.comment(format!("{what} {name}"));
    }

    fn map(&mut self, dst: BufId, op: Option<RedOp>, value: &Expr) -> Result<(), Refusal> {
        self.note(dst, "map");
        self.before_tile(&[value], dst);
        let body = &mut |s: &mut Self| {
            let v = s.eval(value)?;
            s.assign(dst, op, v)
        };
        if op.is_none() && self.is_shared(dst) && !reads_tiles(value) {
            let axes = self.loop_axes(&self.stage.buf(dst).axes);
            if let Some(done) = self.share_whole(&axes, body) {
                return done.and_then(|()| self.check_lanes(dst, value));
            }
        }
        self.at_points(dst, body)?;
        self.check_lanes(dst, value)
    }

    /// Runs `body` at every point of a tile: by the thread that has it, or by one of all.
    pub(super) fn at_points(
        &mut self,
        dst: BufId,
        body: &mut dyn FnMut(&mut Self) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let axes = self.loop_axes(&self.stage.buf(dst).axes);
        match self.has_lanes(dst) || axes.is_empty() {
            true => self.nest(&axes, body),
            false => self.share(&axes, body),
        }
    }

    /// Refuses a value per lane for a tile without lanes.
    pub(super) fn check_lanes(&self, dst: BufId, value: &Expr) -> Result<(), Refusal> {
        if !self.has_lanes(dst) && self.varies(value) {
            return Err(self.refuse("a tile without lanes is given a value per lane"));
        }
        Ok(())
    }

    /// Writes a value to a tile at the current point.
    pub(super) fn assign(&mut self, dst: BufId, op: Option<RedOp>, value: Val) -> Result<(), Refusal> {
        let ty = self.buf_type(dst);
        let mut value = scalar::convert(&mut self.fb, value, ty);
        if let Some(op) = op {
            let old = self.read_tile(dst)?;
            value = self.folded(op, old, value)?;
        }
        self.write_tile(dst, value)
    }

    fn store(&mut self, tensor: TensorId, idx: &[Expr], axes: &[AxisId], value: &Expr) -> Result<(), Refusal> {
        self.fb.comment(format!("store {}", self.kernel.cascade.tensor(tensor).name));
        let exprs: Vec<&Expr> = idx.iter().chain([value]).collect();
        self.before_tensor(&exprs, tensor);
        let inner = self.loop_axes(axes);
        let body = &mut |s: &mut Self| s.store_element(tensor, idx, value);
        let Some(lane) = self.lane else { return self.share(&inner, body) };
        let (thread, (_, count)) = (self.thread(), self.block_of(lane)?);
        let cond = self.fb.cmp(LaneCmp::Lt, thread, count);
        self.fb.begin_block();
        self.nest(&inner, body)?;
        let then = self.fb.end_block();
        self.fb.inst(Inst::If { cond, then, els: vec![] });
        Ok(())
    }

    fn store_element(&mut self, tensor: TensorId, idx: &[Expr], value: &Expr) -> Result<(), Refusal> {
        let v = self.eval(value)?;
        let (tensor, offset) = self.element(tensor, idx)?;
        let v = scalar::convert(&mut self.fb, v, scalar_type(self.slots.tensors[tensor].dtype));
        self.fb.store(Place::Global(tensor, offset), v);
        Ok(())
    }
}

/// True if a value depends on tiles, whose padding holds nothing.
fn reads_tiles(e: &Expr) -> bool {
    matches!(e, Expr::Local(_)) || e.children().into_iter().any(reads_tiles)
}
