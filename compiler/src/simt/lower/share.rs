//! Points that the threads of a block share: each is taken by one of them.

use super::plan::axis_size;
use super::{Lower, Point};
use crate::diag::Refusal;
use crate::math::Math;
use crate::simt::{SimtBin, Val};
use crate::tile::AxisId;

/// Points that a thread takes at a time, so that their reads are under way together.
const AT_ONCE: i32 = 8;

/// What is done at a point, given its two coordinates.
type Body<'b, 'a> = &'b mut dyn FnMut(&mut Lower<'a>, Val, Val) -> Result<(), Refusal>;

impl<'a> Lower<'a> {
    /// Runs `body` at every point of the axes, each by one thread; without axes, by the first.
    pub(super) fn share(
        &mut self,
        axes: &[AxisId],
        body: &mut dyn FnMut(&mut Self) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if self.threads() == 1 {
            return self.nest(axes, body);
        }
        let (thread, mut total) = (self.thread(), self.fb.int(1));
        for a in axes {
            let (_, count) = self.block_of(*a)?;
            total = self.fb.mul(total, count);
        }
        let var = self.fb.begin_loop();
        let old = self.points.clone();
        let was = std::mem::replace(&mut self.spread, true);
        let mut rest = var;
        for (i, a) in axes.iter().enumerate().rev() {
            let (_, count) = self.block_of(*a)?;
            let index = if i == 0 { rest } else { self.fb.binary(SimtBin::Mod, rest, count) };
            if i > 0 {
                rest = self.fb.binary(SimtBin::FloorDiv, rest, count);
            }
            self.move_to(*a, index)?;
        }
        body(self)?;
        self.spread = was;
        self.points = old;
        self.fb.end_loop(var, thread, total, self.threads());
        Ok(())
    }

    /// Runs `body` at every point of axes of constant size, the last of which lie together; behind the end of a block at the index of the
    /// padding and the coordinate of the last element. `None` of what runs if a size is not constant.
    pub(super) fn share_whole(
        &mut self,
        axes: &[AxisId],
        body: &mut dyn FnMut(&mut Self) -> Result<(), Refusal>,
    ) -> Option<Result<(), Refusal>> {
        let some = |a: &AxisId| self.points[a.index()].count.is_some_and(|n| self.fb.as_int(n) != Some(0));
        if self.threads() == 1 || !axes.iter().all(some) {
            return None;
        }
        let sizes = axes.iter().map(|a| axis_size(self.kernel, self.stage, *a)).collect::<Option<Vec<i64>>>()?;
        let (inner, outer) = sizes.split_last()?;
        let rows = i32::try_from(outer.iter().product::<i64>()).ok()?;
        let cols = i32::try_from(*inner).ok()?;
        Some(self.share_grid(rows, cols, &mut |s, row, col| {
            let old = s.points.clone();
            let mut rest = row;
            for (i, a) in axes.iter().enumerate().rev() {
                let index = if i + 1 == axes.len() {
                    col
                } else if i == 0 {
                    rest
                } else {
                    let n = s.int(sizes[i]);
                    let index = s.fb.binary(SimtBin::Mod, rest, n);
                    rest = s.fb.binary(SimtBin::FloorDiv, rest, n);
                    index
                };
                s.move_within(*a, index)?;
            }
            body(s)?;
            s.points = old;
            Ok(())
        }))
    }

    /// Puts an axis at an index of its padded block, and at the coordinate of the last element if the index is behind it.
    pub(super) fn move_within(&mut self, a: AxisId, index: Val) -> Result<Point, Refusal> {
        let (_, count) = self.block_of(a)?;
        let size = axis_size(self.kernel, self.stage, a).and_then(|n| i32::try_from(n).ok());
        match self.fb.as_int(count) {
            Some(n) if Some(n) == size => self.move_to(a, index),
            _ => self.move_clamped(a, index),
        }
    }

    /// Puts an axis at an index, and at the coordinate of the last element if the index is behind it.
    pub(super) fn move_clamped(&mut self, a: AxisId, index: Val) -> Result<Point, Refusal> {
        let ((base, count), one) = (self.block_of(a)?, self.fb.int(1));
        let old = self.points[a.index()];
        let (end, coord) = (self.fb.add(base, count), self.fb.add(base, index));
        let last = self.fb.sub(end, one);
        let coord = self.fb.min(coord, last);
        self.point(a).at = Some((coord, index));
        Ok(old)
    }

    /// Runs `body` at every point of `rows × cols`; threads that follow each other take columns that do.
    pub(super) fn share_grid(&mut self, rows: i32, cols: i32, body: Body<'_, 'a>) -> Result<(), Refusal> {
        let was = std::mem::replace(&mut self.spread, true);
        let threads = self.threads();
        if cols % threads == 0 && cols / threads <= AT_ONCE {
            self.wide_rows(rows, cols / threads, body)?;
        } else if threads % cols == 0 {
            self.short_rows(rows, cols, threads / cols, body)?;
        } else {
            let (thread, total, width) = (self.thread(), self.fb.int(rows.saturating_mul(cols)), self.fb.int(cols));
            let p = self.fb.begin_loop();
            let row = self.fb.binary(SimtBin::FloorDiv, p, width);
            let col = self.fb.binary(SimtBin::Mod, p, width);
            body(self, row, col)?;
            self.fb.end_loop(p, thread, total, threads);
        }
        self.spread = was;
        Ok(())
    }

    /// All threads take a row, several times over.
    fn wide_rows(&mut self, rows: i32, times: i32, body: Body<'_, 'a>) -> Result<(), Refusal> {
        let step = divisor(rows, (AT_ONCE / times).max(1));
        let (thread, zero, end) = (self.thread(), self.fb.int(0), self.fb.int(rows));
        let first = self.fb.begin_loop();
        for r in 0..step {
            let r = self.fb.int(r);
            let row = self.fb.add(first, r);
            for t in 0..times {
                let shift = self.fb.int(t * self.threads());
                let col = self.fb.add(thread, shift);
                body(self, row, col)?;
            }
        }
        self.fb.end_loop(first, zero, end, step);
        Ok(())
    }

    /// The threads take `together` rows at a time.
    fn short_rows(&mut self, rows: i32, cols: i32, together: i32, body: Body<'_, 'a>) -> Result<(), Refusal> {
        let (thread, width, end) = (self.thread(), self.fb.int(cols), self.fb.int(rows));
        let begin = self.fb.binary(SimtBin::FloorDiv, thread, width);
        let col = self.fb.binary(SimtBin::Mod, thread, width);
        let step = if rows % together == 0 { divisor(rows / together, AT_ONCE) } else { 1 };
        let first = self.fb.begin_loop();
        for r in 0..step {
            let r = self.fb.int(r * together);
            let row = self.fb.add(first, r);
            body(self, row, col)?;
        }
        self.fb.end_loop(first, begin, end, step * together);
        Ok(())
    }
}

/// The largest power of two up to a limit that divides a count.
fn divisor(count: i32, limit: i32) -> i32 {
    let mut d = 1;
    while d * 2 <= limit && count % (d * 2) == 0 {
        d *= 2;
    }
    d
}
