//! Left operands of contractions in shared memory: tiles that lie there, and tensors of which a part passes through.

use super::Lower;
use super::contract::{Contraction, ROWS, WIDE};
use super::place::Home;
use super::plan::{Kind, axis_size};
use super::sync::Shared;
use crate::diag::Refusal;
use crate::math::Math;
use crate::simt::{ArrayId, Elem, Place, Space, Val};
use crate::tile::{AxisId, Expr};

/// A left operand in an array: its element for a row and a depth is at `base + row · by_row + depth · by_k`.
pub(super) struct Left {
    pub(super) array: ArrayId,
    /// First element.
    base: Option<Val>,
    /// Row of the first element.
    from: Option<Val>,
    rows: i32,
    depths: i32,
    /// The elements of a row lie together; else those of a depth do.
    pub(super) by_depth: bool,
}

impl Left {
    /// Offset of the element of row `first + r` and depth k.
    pub(super) fn at(&self, s: &mut Lower<'_>, first: Val, r: i32, k: Val) -> Val {
        let r = s.fb.int(r);
        let mut row = s.fb.add(first, r);
        if let Some(from) = self.from {
            row = s.fb.sub(row, from);
        }
        let (by_row, by_k) = (s.fb.int(self.rows), s.fb.int(self.depths));
        let terms = [s.fb.mul(row, by_row), s.fb.mul(k, by_k)].into_iter().chain(self.base).collect();
        s.fb.sum(terms).unwrap_or(k)
    }
}

/// How a tensor passes through shared memory: `rows` at a time.
pub(super) struct Staging {
    array: ArrayId,
    row: AxisId,
    rows: i32,
    depth: i32,
    by_depth: bool,
}

impl Staging {
    /// Elements from one row, or from one depth, to the next.
    fn pitch(&self) -> i32 {
        let inner = if self.by_depth { self.depth } else { self.rows };
        (inner + WIDE - 1) / WIDE * WIDE
    }

    fn left(&self, from: Option<Val>) -> Left {
        let (rows, depths) = if self.by_depth { (self.pitch(), 1) } else { (1, self.pitch()) };
        Left { array: self.array, base: None, from, rows, depths, by_depth: self.by_depth }
    }
}

impl Lower<'_> {
    fn size(&self, a: AxisId) -> Option<i32> {
        axis_size(self.kernel, self.stage, a).and_then(|n| i32::try_from(n).ok())
    }

    /// How the left operand passes through shared memory; `None` if it is no tensor, or does not fit.
    pub(super) fn staging(&mut self, c: &Contraction<'_>) -> Option<Staging> {
        let Expr::Global(_, idx) = c.a else { return None };
        let row = c.row?;
        let place = |a: AxisId| match idx.iter().filter(|i| **i == Expr::Coord(a)).count() {
            1 => idx.iter().position(|i| *i == Expr::Coord(a)),
            _ => None,
        };
        let by_depth = place(c.over)? > place(row)?;
        let (all, depth) = (self.size(row)?, self.size(c.over)?);
        let counts = [row, c.over].map(|a| self.points[a.index()].count.and_then(|n| self.fb.as_int(n)));
        let words = i32::try_from(self.plan.staging).ok()?;
        let pitch = (depth + WIDE - 1) / WIDE * WIDE;
        // Rows at a time: all, or blocks of them.
        let fit = words / pitch;
        let rows = if all <= fit { (all + WIDE - 1) / WIDE * WIDE } else { fit / ROWS * ROWS };
        if rows * pitch > words || rows == 0 || counts.contains(&Some(0)) || self.threads() == 1 {
            return None;
        }
        Some(Staging { array: self.left_array(), row, rows, depth, by_depth })
    }

    fn left_array(&mut self) -> ArrayId {
        let name = "left_operand";
        let there = self.fb.arrays().iter().position(|a| a.name == name);
        let words = self.plan.staging as u32;
        there.map_or_else(|| self.fb.array(name, Space::Shared, Elem::F32, words), |i| ArrayId(i as u32))
    }

    /// A contraction whose left operand passes through shared memory.
    pub(super) fn staged(&mut self, c: &Contraction<'_>, staging: &Staging) -> Result<(), Refusal> {
        let (zero, (_, count)) = (self.fb.int(0), self.block_of(staging.row)?);
        if self.size(staging.row).is_some_and(|n| n <= staging.rows) {
            self.pass(c, staging, zero)?;
            return self.multiply_staged(c, &staging.left(None), zero, count);
        }
        self.turn();
        let first = self.fb.begin_loop();
        self.pass(c, staging, first)?;
        let rows = self.fb.int(staging.rows);
        let end = self.fb.add(first, rows);
        let end = self.fb.min(end, count);
        self.multiply_staged(c, &staging.left(Some(first)), first, end)?;
        self.turn();
        self.fb.end_loop(first, zero, count, staging.rows);
        Ok(())
    }

    fn multiply_staged(&mut self, c: &Contraction<'_>, left: &Left, from: Val, to: Val) -> Result<(), Refusal> {
        self.publish(Shared::Left);
        self.before_tile(&[&Expr::Local(c.b)], c.dst);
        self.row_blocks(c, Some(left), from, to)
    }

    /// Copies rows from `first` on; what is behind the end of a block repeats its last element.
    fn pass(&mut self, c: &Contraction<'_>, staging: &Staging, first: Val) -> Result<(), Refusal> {
        self.before(&[c.a], Some(Shared::Left));
        let rows = self.size(staging.row).map_or(staging.rows, |n| n.min(staging.rows));
        let whole = self.size(staging.row).is_some_and(|n| n <= staging.rows);
        let (outer, inner) = if staging.by_depth { (rows, staging.depth) } else { (staging.depth, rows) };
        self.share_grid(outer, inner, &mut |s, i, j| {
            let (row, k) = if staging.by_depth { (i, j) } else { (j, i) };
            let index = s.fb.add(first, row);
            let row = if whole { s.move_within(staging.row, index)? } else { s.move_clamped(staging.row, index)? };
            let old = (row, s.move_within(c.over, k)?);
            let v = s.eval(c.a)?;
            let pitch = s.fb.int(staging.pitch());
            let at = s.fb.mul(i, pitch);
            let at = s.fb.add(at, j);
            s.fb.store(Place::Array(staging.array, at), v);
            (*s.point(staging.row), *s.point(c.over)) = old;
            Ok(())
        })
    }

    /// A left operand that lies in shared memory, at the current point of the outer axes.
    pub(super) fn left(&mut self, c: &Contraction<'_>) -> Result<Option<Left>, Refusal> {
        let (Expr::Local(a), Some(row)) = (c.a, c.row) else { return Ok(None) };
        let (Home::Array(array), Kind::Shared(_)) = (self.homes[a.index()], self.plan.kinds[a.index()]) else {
            return Ok(None);
        };
        let (mut stride, mut base, mut rows, mut depths) = (1, vec![], None, None);
        for axis in self.loop_axes(&self.stage.buf(*a).axes).into_iter().rev() {
            let Some(size) = self.size(axis) else { return Ok(None) };
            match axis {
                x if x == row => rows = Some(stride),
                x if x == c.over => depths = Some(stride),
                x => {
                    let Some((_, index)) = self.points[x.index()].at else { return Ok(None) };
                    let n = self.fb.int(stride);
                    base.push(self.fb.mul(index, n));
                    if stride % WIDE != 0 {
                        return Ok(None);
                    }
                }
            }
            stride *= size;
        }
        let (Some(rows), Some(depths)) = (rows, depths) else { return Ok(None) };
        let by_depth = depths == 1;
        let other = if by_depth { rows } else { depths };
        if rows.min(depths) != 1 || other % WIDE != 0 {
            return Ok(None);
        }
        let base = self.fb.sum(base);
        Ok(Some(Left { array, base, from: None, rows, depths, by_depth }))
    }
}
