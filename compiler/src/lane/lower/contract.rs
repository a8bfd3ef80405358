//! Contractions as register tiles: `rows × vectors` accumulators live in registers over the whole contracted axis.

use super::Lower;
use crate::diag::Refusal;
use crate::lane::{Inst, LaneBin, LaneCmp, Op, Ty, Val, Var};
use crate::math::Math;
use crate::tile::{AxisId, BufId, Expr};

/// A contraction with its loop-invariant facts.
struct Contraction<'e> {
    dst: BufId,
    row: Option<AxisId>,
    over: AxisId,
    a: &'e Expr,
    b: BufId,
    accumulate: bool,
}

impl Lower<'_> {
    pub(super) fn contract(
        &mut self,
        dst: BufId,
        over: AxisId,
        a: &Expr,
        b: BufId,
        accumulate: bool,
    ) -> Result<(), Refusal> {
        if let Some(stage) = self.stage {
            self.fb.comment(format!("contract into {}", stage.bufs[dst.0 as usize].name));
        }
        self.begin(Some(dst));
        let rows = self.loop_axes(self.buf_axes(dst))?;
        let (row, outer) = match rows.split_last() {
            Some((row, outer)) => (Some(*row), outer),
            None => (None, &rows[..]),
        };
        let c = Contraction { dst, row, over, a, b, accumulate };
        self.nest(outer, &mut |s| s.row_blocks(&c))
    }

    /// Full blocks of `caps.rows` rows, then the rest: exactly when the count is known, else by powers of two.
    fn row_blocks(&mut self, c: &Contraction<'_>) -> Result<(), Refusal> {
        let Some(row) = c.row else {
            let zero = self.fb.int(0);
            return self.register_tile(c, zero, 1);
        };
        let Some(count) = self.place(row).count else {
            return Err(self.refuse("a row axis is not in scope"));
        };
        let rows = self.caps.rows as i64;
        let (zero, r) = (self.fb.int(0), self.fb.int(rows));
        let blocks = self.fb.bin(LaneBin::FloorDiv, count, r);
        let whole = self.fb.mul(blocks, r);
        let var = self.fb.begin_loop();
        self.register_tile(c, var, rows as usize)?;
        self.fb.end_loop(var, zero, whole, rows);
        match self.fb.as_int(count) {
            Some(n) if n % rows == 0 => Ok(()),
            Some(n) => self.register_tile(c, whole, (n % rows) as usize),
            None => self.rest_rows(c, whole, count, rows),
        }
    }

    fn rest_rows(&mut self, c: &Contraction<'_>, from: Val, count: Val, rows: i64) -> Result<(), Refusal> {
        let at = self.fb.var(Ty::I64);
        self.fb.set(at, from);
        let mut size = (rows as u64).next_power_of_two() as i64 / 2;
        while size > 0 {
            let (i, n) = (self.fb.get(at), self.fb.int(size));
            let end = self.fb.add(i, n);
            let fits = self.fb.cmp(LaneCmp::Le, end, count);
            self.fb.begin_block();
            self.register_tile(c, i, size as usize)?;
            self.fb.set(at, end);
            let then = self.fb.end_block();
            self.fb.inst(Inst::If { cond: fits, then, els: vec![] });
            size /= 2;
        }
        Ok(())
    }

    /// `rows` rows from `first`, in chunks of `caps.vectors` vectors.
    fn register_tile(&mut self, c: &Contraction<'_>, first: Val, rows: usize) -> Result<(), Refusal> {
        if !self.has_lanes(c.dst) {
            return self.chunk(c, first, rows, None);
        }
        let mut v = 0;
        while v < self.vectors {
            let n = self.caps.vectors.min(self.vectors - v);
            self.chunk(c, first, rows, Some((v, n)))?;
            v += n;
        }
        Ok(())
    }

    fn chunk(
        &mut self,
        c: &Contraction<'_>,
        first: Val,
        rows: usize,
        vectors: Option<(usize, usize)>,
    ) -> Result<(), Refusal> {
        self.fb.statement();
        let ty = if vectors.is_some() { Ty::VF } else { Ty::F32 };
        let zero = self.fb.float(0.0);
        let zero = if vectors.is_some() { self.fb.op(Op::Splat(zero)) } else { zero };
        let n = vectors.map_or(1, |v| v.1);
        let mut accs: Vec<Vec<Var>> = vec![];
        for _ in 0..rows {
            let row = (0..n).map(|_| self.fb.var(ty)).collect::<Vec<_>>();
            row.iter().for_each(|v| self.fb.set(*v, zero));
            accs.push(row);
        }
        self.inner_loop(c, first, vectors, &accs)?;
        for (r, row) in accs.iter().enumerate() {
            let old = self.at_row(c.row, first, r);
            let offset = self.local_offset(c.dst)?;
            for (v, acc) in row.iter().enumerate() {
                let offset = self.vector_offset(offset, vectors.map_or(0, |x| x.0) + v);
                let mut value = self.fb.get(*acc);
                if c.accumulate {
                    let before = self.fb.op(Op::LoadLocal(ty, offset));
                    value = self.fb.add(before, value);
                }
                self.fb.inst(Inst::StoreLocal { offset, value });
            }
            self.restore(c.row, old);
        }
        Ok(())
    }

    fn inner_loop(
        &mut self,
        c: &Contraction<'_>,
        first: Val,
        vectors: Option<(usize, usize)>,
        accs: &[Vec<Var>],
    ) -> Result<(), Refusal> {
        let Some(count) = self.place(c.over).count else {
            return Err(self.refuse("a contracted axis is not in scope"));
        };
        let entered = self.enter(c.over, false)?;
        let offset = self.local_offset(c.b)?;
        let ty = if vectors.is_some() { Ty::VF } else { Ty::F32 };
        let (from, n) = vectors.unwrap_or((0, 1));
        let b: Vec<Val> = (from..from + n)
            .map(|v| {
                let at = self.vector_offset(offset, v);
                self.fb.op(Op::LoadLocal(ty, at))
            })
            .collect();
        self.fb.hoist_globals(true);
        for (r, row) in accs.iter().enumerate() {
            let old = self.at_row(c.row, first, r);
            let a = self.uniform(c.a)?;
            let a = if vectors.is_some() { self.fb.op(Op::Splat(a)) } else { a };
            for (acc, b) in row.iter().zip(&b) {
                let sum = self.fb.get(*acc);
                let sum = self.fb.fma(a, *b, sum);
                self.fb.set(*acc, sum);
            }
            self.restore(c.row, old);
        }
        self.fb.hoist_globals(false);
        self.leave(c.over, entered, count);
        Ok(())
    }

    fn vector_offset(&mut self, first: Val, v: usize) -> Val {
        let shift = self.fb.int((v * self.caps.lanes * 4) as i64);
        self.fb.add(first, shift)
    }

    /// Puts the row axis at row `first + r`.
    fn at_row(&mut self, row: Option<AxisId>, first: Val, r: usize) -> super::Place {
        let Some(row) = row else { return super::Place::default() };
        let old = *self.place(row);
        let r = self.fb.int(r as i64);
        let index = self.fb.add(first, r);
        let coord = old.base.map_or(index, |b| self.fb.add(b, index));
        self.place(row).point = Some((coord, index));
        old
    }

    fn restore(&mut self, row: Option<AxisId>, old: super::Place) {
        if let Some(row) = row {
            *self.place(row) = old;
        }
    }
}
