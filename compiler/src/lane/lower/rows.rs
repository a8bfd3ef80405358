//! Rows of tensors along the lanes: read and written as vectors where they lie in memory element after element.
//!
//! Strides are known at the launch only, and the last tile of a row may be short, so both ways of going through a statement are
//! written, and a branch before its loops takes the fast one where it is right.

use super::expr::children;
use super::{Lanes, Lower};
use crate::cascade::TensorId;
use crate::diag::Refusal;
use crate::lane::{Inst, LaneBin, LaneCmp, Op, Val};
use crate::math::Math;
use crate::tile::Expr;
use crate::types::{DType, ValueType};

type Row<'e> = (TensorId, &'e [Expr]);

impl Lower<'_> {
    /// Writes a statement whose value reads rows (and which stores `to`): in vectors where all of them are in order.
    pub(super) fn by_rows(
        &mut self,
        value: &Expr,
        to: Option<Row<'_>>,
        fast: &mut dyn FnMut(&mut Self) -> Result<(), Refusal>,
        slow: &mut dyn FnMut(&mut Self) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut rows: Vec<Row<'_>> = to.into_iter().collect();
        if !self.rows_of(value, &mut rows) || rows.is_empty() {
            return slow(self);
        }
        let Some(cond) = self.in_order(&rows)? else { return slow(self) };
        self.fb.begin_block();
        self.rows_in_order = true;
        let done = fast(self);
        self.rows_in_order = false;
        let then = self.fb.end_block();
        done?;
        self.fb.begin_block();
        slow(self)?;
        let els = self.fb.end_block();
        self.fb.inst(Inst::If { cond, then, els });
        Ok(())
    }

    /// Collects the rows that a value reads; false if it needs rows of another kind.
    fn rows_of<'e>(&self, e: &'e Expr, out: &mut Vec<Row<'e>>) -> bool {
        match e {
            Expr::Global(t, idx) if self.needs_row(e) => {
                let fits = self.is_row(*t, idx);
                out.push((*t, idx));
                fits
            }
            e => !self.needs_row(e) && children(e).into_iter().all(|c| self.rows_of(c, out)),
        }
    }

    /// True for f32 elements whose last index is the lane, and no other depends on it.
    fn is_row(&self, t: TensorId, idx: &[Expr]) -> bool {
        let Some((last, rest)) = idx.split_last() else { return false };
        let is_lane = matches!(last, Expr::Coord(a) if self.lane == Some(*a));
        is_lane && self.kernel.cascade.tensor(t).dtype == DType::F32 && !rest.iter().any(|e| self.depends_on_lanes(e))
    }

    /// True at run time if no lane of the tile is padded and the rows have no gaps.
    fn in_order(&mut self, rows: &[Row<'_>]) -> Result<Option<Val>, Refusal> {
        if !rows.iter().all(|(t, idx)| self.is_row(*t, idx)) {
            return Ok(None);
        }
        let Some(count) = self.lane.and_then(|l| self.place(l).count) else { return Ok(None) };
        let width = self.fb.int(self.width());
        let mut cond = self.fb.cmp(LaneCmp::Eq, count, width);
        let mut seen = vec![];
        for (t, idx) in rows {
            let Some(slot) = self.kernel.memory.iter().position(|m| m == t).filter(|s| !seen.contains(s)) else {
                continue;
            };
            seen.push(slot);
            let stride = self.fb.op(Op::Int(self.slots.ints.stride(slot, idx.len() - 1)));
            let one = self.fb.int(1);
            let dense = self.fb.cmp(LaneCmp::Eq, stride, one);
            cond = self.fb.bin(LaneBin::And, cond, dense);
        }
        Ok(Some(cond))
    }

    /// The vectors of a row that is in order.
    pub(super) fn load_vectors(&mut self, t: TensorId, idx: &[Expr]) -> Result<Lanes, Refusal> {
        let (slot, first) = self.row_start(t, idx)?;
        let at = self.row_offsets(first);
        Ok(Lanes::Each(at.into_iter().map(|at| self.fb.op(Op::LoadGlobalVec(slot, at))).collect()))
    }

    /// Stores a value to a row that is in order.
    pub(super) fn store_in_order(&mut self, t: TensorId, idx: &[Expr], value: &Expr) -> Result<(), Refusal> {
        let v = self.eval(value)?;
        let vals = self.vectors_of(v);
        let (tensor, first) = self.row_start(t, idx)?;
        for (offset, value) in self.row_offsets(first).into_iter().zip(vals) {
            self.fb.inst(Inst::StoreGlobal { tensor, offset, value });
        }
        Ok(())
    }

    /// True if a value is stored as vectors of floats.
    pub(super) fn is_float_row(&self, value: &Expr) -> bool {
        self.stage.is_some_and(|s| s.value_type(&self.kernel.cascade, value) == ValueType::Float)
    }

    fn row_offsets(&mut self, first: Val) -> Vec<Val> {
        let lanes = self.caps.lanes as i64;
        (0..self.vectors as i64)
            .map(|v| {
                let shift = self.fb.int(v * lanes);
                self.fb.add(first, shift)
            })
            .collect()
    }

    /// Element offset of the first lane.
    fn row_start(&mut self, t: TensorId, idx: &[Expr]) -> Result<(usize, Val), Refusal> {
        let Some(lane) = self.lane else { return Err(self.refuse("no lane axis")) };
        let old = *self.place(lane);
        let Some(base) = old.base else { return Err(self.refuse("the lanes are not in scope")) };
        let zero = self.fb.int(0);
        self.place(lane).point = Some((base, zero));
        let start = self.element(t, idx);
        *self.place(lane) = old;
        start
    }
}
