//! Folds. A thread folds for its own lane; a fold across lanes, and one that has a single result for all threads, is folded in parts
//! by the threads and then, through a row of shared memory, by all of them alike.

use super::sync::Shared;
use super::{Lower, scalar};
use crate::diag::Refusal;
use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::{ArrayId, Elem, Inst, Op, Place, Space, Ty, Val, Var};
use crate::tile::{AxisId, BufId, Expr};
use crate::types::RedOp;

impl Lower<'_> {
    pub(super) fn reduce(&mut self, dst: BufId, op: RedOp, over: &[AxisId], value: &Expr) -> Result<(), Refusal> {
        self.note(dst, "reduce into");
        self.fold_into(dst, op, Some(op), over, value)
    }

    /// `dst = join(dst, fold of value)`, or the fold alone.
    pub(super) fn fold_into(
        &mut self,
        dst: BufId,
        op: RedOp,
        join: Option<RedOp>,
        over: &[AxisId],
        value: &Expr,
    ) -> Result<(), Refusal> {
        self.before_tile(&[value], dst);
        let across = self.lane.is_some_and(|l| over.contains(&l));
        let inner = self.loop_axes(over);
        let scalar = !self.has_lanes(dst) && self.loop_axes(&self.stage.buf(dst).axes).is_empty();
        if across || (scalar && self.lane.is_none() && self.threads() > 1 && !inner.is_empty()) {
            return self.fold_together(dst, op, join, &inner, value);
        }
        self.at_points(dst, &mut |s| {
            let acc = s.start(dst, op);
            s.nest(&inner, &mut |s| s.fold_element(op, acc, value))?;
            let v = s.fb.get(acc);
            s.assign(dst, join, v)
        })?;
        self.check_lanes(dst, value)
    }

    /// An accumulator and a value as one.
    pub(super) fn folded(&mut self, op: RedOp, acc: Val, v: Val) -> Result<Val, Refusal> {
        scalar::fold(&mut self.fb, op, acc, v).ok_or_else(|| self.refuse(format!("{} is not a fold", op.name())))
    }

    fn start(&mut self, dst: BufId, op: RedOp) -> Var {
        let ty = self.buf_type(dst);
        let id = scalar::identity(&mut self.fb, op, ty);
        self.fb.var_of(id)
    }

    fn fold_element(&mut self, op: RedOp, acc: Var, value: &Expr) -> Result<(), Refusal> {
        let v = self.eval(value)?;
        let old = self.fb.get(acc);
        let ty = self.fb.ty(old);
        let v = scalar::convert(&mut self.fb, v, ty);
        let new = self.folded(op, old, v)?;
        self.fb.set(acc, new);
        Ok(())
    }

    /// Point after point of the tile, all threads at each.
    fn fold_together(
        &mut self,
        dst: BufId,
        op: RedOp,
        join: Option<RedOp>,
        inner: &[AxisId],
        value: &Expr,
    ) -> Result<(), Refusal> {
        let row = self.row(self.buf_type(dst));
        let axes = self.loop_axes(&self.stage.buf(dst).axes);
        if !axes.is_empty() {
            self.turn();
        }
        self.nest(&axes, &mut |s| {
            let acc = s.start(dst, op);
            let part = &mut |s: &mut Self| s.fold_element(op, acc, value);
            match s.lane {
                Some(_) => s.nest(inner, part)?,
                None => s.share(inner, part)?,
            }
            let total = s.exchange(row, op, acc)?;
            let Some(first) = s.first_thread(!axes.is_empty()) else { return s.assign(dst, join, total) };
            s.fb.begin_block();
            s.assign(dst, join, total)?;
            let then = s.fb.end_block();
            s.fb.inst(Inst::If { cond: first, then, els: vec![] });
            Ok(())
        })?;
        self.wrote(dst);
        Ok(())
    }

    /// True for the first thread, where one must do it.
    fn first_thread(&mut self, alone: bool) -> Option<Val> {
        let (thread, zero) = (self.thread(), self.fb.int(0));
        alone.then(|| self.fb.cmp(LaneCmp::Eq, thread, zero))
    }

    /// A row of shared memory, one element a thread.
    fn row(&mut self, ty: Ty) -> ArrayId {
        let (name, elem) = if ty == Ty::F32 { ("exchange_f32", Elem::F32) } else { ("exchange_i32", Elem::I32) };
        let there = self.fb.arrays().iter().position(|a| a.name == name && a.space == Space::Shared);
        let threads = self.threads() as u32;
        there.map_or_else(|| self.fb.array(name, Space::Shared, elem, threads), |i| ArrayId(i as u32))
    }

    /// Folds what the threads have; the same result for all of them.
    fn exchange(&mut self, row: ArrayId, op: RedOp, acc: Var) -> Result<Val, Refusal> {
        self.before(&[], Some(Shared::Row));
        let (thread, mine) = (self.thread(), self.fb.get(acc));
        let ty = self.fb.ty(mine);
        let word = if ty == Ty::B { self.fb.op(Op::BoolToInt(mine)) } else { mine };
        self.fb.store(Place::Array(row, thread), word);
        self.publish(Shared::Row);
        let id = scalar::identity(&mut self.fb, op, ty);
        let total = self.fb.var_of(id);
        let count = match self.lane {
            Some(lane) => self.block_of(lane)?.1,
            None => self.fb.int(self.threads()),
        };
        let zero = self.fb.int(0);
        let i = self.fb.begin_loop();
        let v = match ty {
            Ty::B => {
                let word = self.fb.load(Ty::I32, Place::Array(row, i));
                self.fb.cmp(LaneCmp::Ne, word, zero)
            }
            ty => self.fb.load(ty, Place::Array(row, i)),
        };
        let old = self.fb.get(total);
        let new = self.folded(op, old, v)?;
        self.fb.set(total, new);
        self.fb.end_loop(i, zero, count, 1);
        Ok(self.fb.get(total))
    }
}
