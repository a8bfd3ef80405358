//! Contractions: a thread holds the sums of several rows of its lane in variables over the whole contracted axis. Left operands are
//! read from shared memory, four elements at a time; what lies in a tensor passes through there, some rows after the other.

use super::left::Left;
use super::place::Home;
use super::{Lower, Point};
use crate::diag::Refusal;
use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::{Inst, Place, SimtBin, Ty, Val, Var};
use crate::tile::{AxisId, BufId, Expr};
use crate::types::{BinOp, RedOp};

/// Rows that a thread sums at a time.
pub(super) const ROWS: i32 = 16;
/// Elements of a left operand that are read at a time.
pub(super) const WIDE: i32 = 4;

/// A contraction with its loop-invariant facts.
pub(super) struct Contraction<'e> {
    pub(super) dst: BufId,
    pub(super) row: Option<AxisId>,
    pub(super) over: AxisId,
    pub(super) a: &'e Expr,
    pub(super) b: BufId,
    pub(super) accumulate: bool,
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
        self.note(dst, "contract into");
        if !self.has_lanes(dst) {
            let product = Expr::bin(BinOp::Mul, a.clone(), Expr::Local(b));
            return self.fold_into(dst, RedOp::Sum, accumulate.then_some(RedOp::Sum), &[over], &product);
        }
        let rows = self.loop_axes(&self.stage.buf(dst).axes);
        let (row, outer) = match rows.split_last() {
            Some((row, outer)) => (Some(*row), outer),
            None => (None, &rows[..]),
        };
        let c = Contraction { dst, row, over, a, b, accumulate };
        if let Some(staging) = self.staging(&c) {
            if !outer.is_empty() {
                self.turn();
            }
            return self.nest(outer, &mut |s| s.staged(&c, &staging));
        }
        self.before_tile(&[a, &Expr::Local(b)], dst);
        self.nest(outer, &mut |s| {
            let left = s.left(&c)?;
            let (zero, count) = (s.fb.int(0), s.row_count(&c)?);
            s.row_blocks(&c, left.as_ref(), zero, count)
        })
    }

    /// Rows of a contraction.
    pub(super) fn row_count(&mut self, c: &Contraction<'_>) -> Result<Val, Refusal> {
        match c.row {
            Some(row) => Ok(self.block_of(row)?.1),
            None => Ok(self.fb.int(1)),
        }
    }

    /// The rows `from..to`: full blocks, then the rest by powers of two. `from` is a multiple of the block.
    pub(super) fn row_blocks(
        &mut self,
        c: &Contraction<'_>,
        left: Option<&Left>,
        from: Val,
        to: Val,
    ) -> Result<(), Refusal> {
        let size = self.fb.int(ROWS);
        let blocks = self.fb.binary(SimtBin::FloorDiv, to, size);
        let whole = self.fb.mul(blocks, size);
        if self.fb.as_int(whole) != Some(0) {
            let var = self.fb.begin_loop();
            self.rows(c, left, var, ROWS)?;
            self.fb.end_loop(var, from, whole, ROWS);
        }
        match (self.fb.as_int(whole), self.fb.as_int(to)) {
            (Some(done), Some(all)) => self.known_rest(c, left, done, all),
            _ => self.rest_rows(c, left, whole, to),
        }
    }

    fn known_rest(&mut self, c: &Contraction<'_>, left: Option<&Left>, mut done: i32, all: i32) -> Result<(), Refusal> {
        let mut size = ROWS / 2;
        while size > 0 {
            if done + size <= all {
                let first = self.fb.int(done);
                self.rows(c, left, first, size)?;
                done += size;
            }
            size /= 2;
        }
        Ok(())
    }

    fn rest_rows(&mut self, c: &Contraction<'_>, left: Option<&Left>, from: Val, count: Val) -> Result<(), Refusal> {
        let at = self.fb.var_of(from);
        let mut size = ROWS / 2;
        while size > 0 {
            let (i, n) = (self.fb.get(at), self.fb.int(size));
            let end = self.fb.add(i, n);
            let fits = self.fb.cmp(LaneCmp::Le, end, count);
            self.fb.begin_block();
            self.rows(c, left, i, size)?;
            self.fb.set(at, end);
            let then = self.fb.end_block();
            self.fb.inst(Inst::If { cond: fits, then, els: vec![] });
            size /= 2;
        }
        Ok(())
    }

    /// `rows` rows from `first`, which is a multiple of that.
    fn rows(&mut self, c: &Contraction<'_>, left: Option<&Left>, first: Val, rows: i32) -> Result<(), Refusal> {
        let zero = self.fb.float(0.0);
        let accs: Vec<Var> = (0..rows).map(|_| self.fb.var_of(zero)).collect();
        match left {
            Some(left) if left.by_depth => self.sums_by_depth(c, left, first, &accs)?,
            Some(left) => self.sums_by_rows(c, left, first, &accs)?,
            None => self.plain_sums(c, first, &accs)?,
        }
        for (r, acc) in accs.iter().enumerate() {
            let old = self.at_row(c.row, first, r)?;
            let sum = self.fb.get(*acc);
            self.assign(c.dst, c.accumulate.then_some(RedOp::Sum), sum)?;
            self.restore(c.row, old);
        }
        Ok(())
    }

    fn plain_sums(&mut self, c: &Contraction<'_>, first: Val, accs: &[Var]) -> Result<(), Refusal> {
        self.nest(&[c.over], &mut |s| {
            let b = s.read_tile(c.b)?;
            for (r, acc) in accs.iter().enumerate() {
                let old = s.at_row(c.row, first, r)?;
                let a = s.eval(c.a)?;
                s.multiply_add(*acc, a, b);
                s.restore(c.row, old);
            }
            Ok(())
        })
    }

    fn multiply_add(&mut self, acc: Var, a: Val, b: Val) {
        let sum = self.fb.get(acc);
        let sum = self.fb.fma(a, b, sum);
        self.fb.set(acc, sum);
    }

    /// Rows lie together: several of them are read at a time.
    fn sums_by_rows(&mut self, c: &Contraction<'_>, left: &Left, first: Val, accs: &[Var]) -> Result<(), Refusal> {
        self.nest(&[c.over], &mut |s| {
            let b = s.read_tile(c.b)?;
            let Some((_, k)) = s.points[c.over.index()].at else { return Err(s.refuse("no depth")) };
            for (g, group) in accs.chunks(WIDE as usize).enumerate() {
                let at = left.at(s, first, g as i32 * WIDE, k);
                let many = s.fb.load_many(Ty::F32, group.len(), Place::Array(left.array, at));
                group.iter().zip(many).for_each(|(acc, a)| s.multiply_add(*acc, a, b));
            }
            Ok(())
        })
    }

    /// The contracted elements lie together: several of them are read at a time.
    fn sums_by_depth(&mut self, c: &Contraction<'_>, left: &Left, first: Val, accs: &[Var]) -> Result<(), Refusal> {
        let (zero, wide, (_, count)) = (self.fb.int(0), self.fb.int(WIDE), self.block_of(c.over)?);
        let groups = self.fb.binary(SimtBin::FloorDiv, count, wide);
        let whole = self.fb.mul(groups, wide);
        for (width, lo, hi) in [(WIDE, zero, whole), (1, whole, count)] {
            let ends = self.fb.as_int(lo).zip(self.fb.as_int(hi));
            if ends.is_some_and(|(lo, hi)| lo >= hi) {
                continue;
            }
            let k = self.fb.begin_loop();
            let bs = self.right(c, k, width)?;
            for (r, acc) in accs.iter().enumerate() {
                let at = left.at(self, first, r as i32, k);
                let many = self.fb.load_many(Ty::F32, width as usize, Place::Array(left.array, at));
                many.into_iter().zip(&bs).for_each(|(a, b)| self.multiply_add(*acc, a, *b));
            }
            self.fb.end_loop(k, lo, hi, width);
        }
        Ok(())
    }

    /// Elements of the right operand from depth k on, a multiple of their number.
    fn right(&mut self, c: &Contraction<'_>, k: Val, width: i32) -> Result<Vec<Val>, Refusal> {
        if let Home::Array(array) = self.homes[c.b.index()] {
            return Ok(self.fb.load_many(Ty::F32, width as usize, Place::Array(array, k)));
        }
        let mut out = vec![];
        for i in 0..width {
            let shift = self.fb.int(i);
            let index = self.fb.add(k, shift);
            let old = self.move_to(c.over, index)?;
            out.push(self.read_tile(c.b)?);
            *self.point(c.over) = old;
        }
        Ok(out)
    }

    /// Puts the row axis at row `first + r`.
    fn at_row(&mut self, row: Option<AxisId>, first: Val, r: usize) -> Result<Point, Refusal> {
        let Some(row) = row else { return Ok(Point::default()) };
        let r = self.fb.int(r as i32);
        let index = self.fb.add(first, r);
        self.move_to(row, index)
    }

    fn restore(&mut self, row: Option<AxisId>, old: Point) {
        if let Some(row) = row {
            *self.point(row) = old;
        }
    }
}
