//! Contractions: a thread holds the sums of several rows of its lane in variables over the whole contracted axis.

use super::{Lower, Point};
use crate::diag::Refusal;
use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::{Inst, SimtBin, Val, Var};
use crate::tile::{AxisId, BufId, Expr};
use crate::types::{BinOp, RedOp};

/// Rows that a thread sums at a time.
const ROWS: i32 = 8;

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
        self.note(dst, "contract into");
        if !self.has_lanes(dst) {
            let product = Expr::bin(BinOp::Mul, a.clone(), Expr::Local(b));
            return self.fold_into(dst, RedOp::Sum, accumulate.then_some(RedOp::Sum), &[over], &product);
        }
        self.before_tile(&[a, &Expr::Local(b)], dst);
        let rows = self.loop_axes(&self.stage.buf(dst).axes);
        let (row, outer) = match rows.split_last() {
            Some((row, outer)) => (Some(*row), outer),
            None => (None, &rows[..]),
        };
        let c = Contraction { dst, row, over, a, b, accumulate };
        self.nest(outer, &mut |s| s.row_blocks(&c))
    }

    /// Full blocks of rows, then the rest: exactly when the count is known, else by powers of two.
    fn row_blocks(&mut self, c: &Contraction<'_>) -> Result<(), Refusal> {
        let zero = self.fb.int(0);
        let Some(row) = c.row else { return self.rows(c, zero, 1) };
        let (_, count) = self.block_of(row)?;
        let size = self.fb.int(ROWS);
        let blocks = self.fb.binary(SimtBin::FloorDiv, count, size);
        let whole = self.fb.mul(blocks, size);
        if self.fb.as_int(whole) != Some(0) {
            let var = self.fb.begin_loop();
            self.rows(c, var, ROWS)?;
            self.fb.end_loop(var, zero, whole, ROWS);
        }
        match self.fb.as_int(count) {
            Some(n) if n % ROWS == 0 => Ok(()),
            Some(n) => self.rows(c, whole, n % ROWS),
            None => self.rest_rows(c, whole, count),
        }
    }

    fn rest_rows(&mut self, c: &Contraction<'_>, from: Val, count: Val) -> Result<(), Refusal> {
        let at = self.fb.var_of(from);
        let mut size = ROWS / 2;
        while size > 0 {
            let (i, n) = (self.fb.get(at), self.fb.int(size));
            let end = self.fb.add(i, n);
            let fits = self.fb.cmp(LaneCmp::Le, end, count);
            self.fb.begin_block();
            self.rows(c, i, size)?;
            self.fb.set(at, end);
            let then = self.fb.end_block();
            self.fb.inst(Inst::If { cond: fits, then, els: vec![] });
            size /= 2;
        }
        Ok(())
    }

    /// `rows` rows from `first`.
    fn rows(&mut self, c: &Contraction<'_>, first: Val, rows: i32) -> Result<(), Refusal> {
        let zero = self.fb.float(0.0);
        let accs: Vec<Var> = (0..rows).map(|_| self.fb.var_of(zero)).collect();
        self.nest(&[c.over], &mut |s| {
            let b = s.read_tile(c.b)?;
            for (r, acc) in accs.iter().enumerate() {
                let old = s.at_row(c.row, first, r)?;
                let (a, sum) = (s.eval(c.a)?, s.fb.get(*acc));
                let sum = s.fb.fma(a, b, sum);
                s.fb.set(*acc, sum);
                s.restore(c.row, old);
            }
            Ok(())
        })?;
        for (r, acc) in accs.iter().enumerate() {
            let old = self.at_row(c.row, first, r)?;
            let sum = self.fb.get(*acc);
            self.assign(c.dst, c.accumulate.then_some(RedOp::Sum), sum)?;
            self.restore(c.row, old);
        }
        Ok(())
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
