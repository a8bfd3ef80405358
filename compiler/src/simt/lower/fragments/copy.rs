//! Tiles in shared memory: copied from tensors 16 bytes at a time where that is possible, else element by element, by all threads.

use super::{Fragments, Held, Kind, Res, SharedTile, Val};
use crate::cascade::{Extent, TensorId};
use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::lower::scalar;
use crate::simt::{ArrayId, Elem, Inst, Op, Place, SimtBin, Space, Ty, swizzle};
use crate::tile::{AxisId, BufId, Expr, Tile};
use crate::types::RedOp;

/// Where a shared tile is written.
#[derive(Clone, Copy)]
struct Target {
    buf: BufId,
    array: ArrayId,
    elem: Elem,
    tile: SharedTile,
    /// Offset of the copy that is written.
    first: Val,
}

impl Fragments<'_> {
    fn target(&mut self, b: BufId, parity: Option<Val>) -> Res<Target> {
        let (Held::Array { array, tile }, Kind::Shared(elem)) =
            (self.held[b.index()].clone(), self.shape.bufs[b.index()].clone())
        else {
            return self.refuse("a tile that is not in shared memory");
        };
        let first = match parity {
            None => self.fb.int(0),
            Some(p) => {
                let size = self.fb.int(tile.len() as i32);
                self.fb.mul(p, size)
            }
        };
        Ok(Target { buf: b, array, elem, tile, first })
    }

    /// `tile = value`, complete when it returns.
    pub(super) fn fill(&mut self, b: BufId, op: Option<RedOp>, value: &Expr) -> Res<()> {
        let t = self.target(b, None)?;
        self.barrier();
        match value {
            Expr::Global(tensor, idx) if op.is_none() => {
                self.copy(&t, *tensor, idx)?;
                self.fb.inst(Inst::CopyCommit);
                self.fb.inst(Inst::CopyWait(0));
            }
            value => self.each(&t, op, value)?,
        }
        self.barrier();
        Ok(())
    }

    /// Starts a copy of a tensor's elements into one of two copies of a tile.
    pub(super) fn start_copy(&mut self, b: BufId, tensor: TensorId, idx: &[Expr], parity: Val) -> Res<()> {
        let t = self.target(b, Some(parity))?;
        self.copy(&t, tensor, idx)
    }

    fn copy(&mut self, t: &Target, tensor: TensorId, idx: &[Expr]) -> Res<()> {
        let whole = Expr::Global(tensor, idx.to_vec());
        let Some(fits) = self.in_chunks(t, tensor, idx)? else { return self.each(t, None, &whole) };
        let then = self.block(|s| s.chunks(t, tensor, idx))?;
        let els = self.block(|s| s.each(t, None, &whole))?;
        self.fb.inst(Inst::If { cond: fits, then, els });
        Ok(())
    }

    /// Condition under which 16 bytes of a row of the tile are 16 aligned bytes of the tensor; `None` if they never are.
    fn in_chunks(&mut self, t: &Target, tensor: TensorId, idx: &[Expr]) -> Res<Option<Val>> {
        let axes = &self.stage.bufs[t.buf.index()].axes;
        let (Some(inner), Some(slot)) = (axes.last(), self.kernel.memory.iter().position(|m| *m == tensor)) else {
            return Ok(None);
        };
        let width = i64::from(16 / t.elem.bytes());
        let axis = self.axis(*inner);
        let whole = match (axis.tile, &self.kernel.cascade.ranks[axis.rank.index()].extent) {
            (Tile::Whole, Extent::Const(n)) => n % width == 0,
            _ => false,
        };
        let last = idx.last() == Some(&Expr::Coord(*inner));
        let once = idx.iter().filter(|e| mentions(e, *inner)).count() == 1;
        let same = self.kernel.cascade.tensor(tensor).dtype == t.elem.dtype();
        if axes.len() != 2 || !(whole && last && once && same) {
            return Ok(None);
        }
        let (one, zero, width) = (self.fb.int(1), self.fb.int(0), self.fb.int(width as i32));
        let mut fits = self.fb.truth(true);
        for d in 0..idx.len() {
            let stride = self.fb.op(Op::Int(self.arguments.ints.stride(slot, d)));
            let ok = if d + 1 == idx.len() {
                self.fb.cmp(LaneCmp::Eq, stride, one)
            } else {
                let rest = self.fb.binary(SimtBin::Mod, stride, width);
                self.fb.cmp(LaneCmp::Eq, rest, zero)
            };
            fits = if d == 0 { ok } else { self.fb.binary(SimtBin::And, fits, ok) };
        }
        Ok(Some(fits))
    }

    /// Runs a body for `count` points spread over the threads, several of them unrolled.
    pub(super) fn spread(&mut self, count: i64, body: &mut dyn FnMut(&mut Self, Val) -> Res<()>) -> Res<()> {
        let threads = i64::from(self.shape.layout.threads());
        let thread = self.fb.op(Op::Thread);
        if count % threads == 0 && count / threads <= 16 {
            for i in 0..count / threads {
                let shift = self.fb.int((i * threads) as i32);
                let at = self.fb.add(thread, shift);
                body(self, at)?;
            }
            return Ok(());
        }
        let end = self.fb.int(count as i32);
        self.looped(thread, end, threads as i32, |s, at| body(s, at))
    }

    fn chunks(&mut self, t: &Target, tensor: TensorId, idx: &[Expr]) -> Res<()> {
        let axes = self.stage.bufs[t.buf.index()].axes.clone();
        let width = i64::from(16 / t.elem.bytes());
        let a_row = t.tile.columns / width;
        let valid_columns = self.shape.sizes[axes[1].index()];
        self.spread(t.tile.rows * a_row, &mut |s, at| {
            let per_row = s.fb.int(a_row as i32);
            let (row, chunk) = (s.fb.binary(SimtBin::FloorDiv, at, per_row), s.fb.binary(SimtBin::Mod, at, per_row));
            let w = s.fb.int(width as i32);
            let column = s.fb.mul(chunk, w);
            let mut valid = s.point(axes[0], row)?;
            if valid_columns < t.tile.columns {
                let (n, last) = (s.fb.int(valid_columns as i32), s.fb.int((valid_columns - width) as i32));
                let inside = s.fb.cmp(LaneCmp::Lt, column, n);
                valid = s.fb.binary(SimtBin::And, valid, inside);
                let column = s.fb.min(column, last);
                s.point(axes[1], column)?;
            } else {
                s.point(axes[1], column)?;
            }
            let (slot, from) = s.offset(tensor, idx)?;
            let to = s.place(t, row, column);
            s.fb.inst(Inst::CopyAsync { array: t.array, to, tensor: slot, from, valid });
            axes.iter().for_each(|a| s.axes[a.index()].point = None);
            Ok(())
        })
    }

    fn place(&mut self, t: &Target, row: Val, column: Val) -> Val {
        let at = self.within(t.tile, row, column);
        self.fb.add(at, t.first)
    }

    /// Offset of an element in a shared tile.
    pub(super) fn within(&mut self, tile: SharedTile, row: Val, column: Val) -> Val {
        let Some(width) = tile.width else {
            let stride = self.fb.int(tile.stride as i32);
            let at = self.fb.mul(row, stride);
            return self.fb.add(at, column);
        };
        let (shift, mask) = swizzle::exchange(width);
        let log = width.trailing_zeros();
        let (mask, low, within) = (self.fb.int(mask as i32), self.fb.int(7), self.fb.int(width as i32 - 1));
        let (panel, column) = (self.fb.shr(column, log), self.fb.binary(SimtBin::And, column, within));
        let (chunk, rest) = (self.fb.shr(column, 3), self.fb.binary(SimtBin::And, column, low));
        let by = self.fb.shr(row, shift);
        let by = self.fb.binary(SimtBin::And, by, mask);
        let chunk = self.fb.binary(SimtBin::Xor, chunk, by);
        let panel_len = self.fb.int((tile.rows * i64::from(width)) as i32);
        let terms = [self.fb.mul(panel, panel_len), self.fb.shl(row, log), self.fb.shl(chunk, 3), rest];
        terms.into_iter().reduce(|a, b| self.fb.add(a, b)).unwrap_or(rest)
    }

    /// Moves to a point of a tile's axis, or to the last valid one; whether it is valid.
    pub(super) fn point(&mut self, a: AxisId, i: Val) -> Res<Val> {
        let (n, one, base) = (self.count(a), self.fb.int(1), self.base(a)?);
        let valid = self.fb.cmp(LaneCmp::Lt, i, n);
        let last = self.fb.sub(n, one);
        let i = self.fb.min(i, last);
        let coord = self.fb.add(base, i);
        self.axes[a.index()].point = Some((coord, i));
        Ok(valid)
    }

    /// Element by element; padding holds 0.
    fn each(&mut self, t: &Target, op: Option<RedOp>, value: &Expr) -> Res<()> {
        let axes = self.stage.bufs[t.buf.index()].axes.clone();
        let ty = super::var_type(self.stage.bufs[t.buf.index()].ty);
        self.spread(t.tile.rows * t.tile.columns, &mut |s, at| {
            s.loaded.clear();
            s.element = None;
            let columns = s.fb.int(t.tile.columns as i32);
            let (row, column) = (s.fb.binary(SimtBin::FloorDiv, at, columns), s.fb.binary(SimtBin::Mod, at, columns));
            let mut valid = s.fb.truth(true);
            for (i, a) in [row, column][2 - axes.len()..].iter().zip(&axes) {
                let inside = s.point(*a, *i)?;
                valid = s.fb.binary(SimtBin::And, valid, inside);
            }
            let place = s.place(t, row, column);
            let v = s.eval(value)?;
            let mut v = scalar::convert(&mut s.fb, v, ty);
            if let Some(op) = op {
                let old = s.fb.load(if ty == Ty::F32 { Ty::F32 } else { Ty::I32 }, Place::Array(t.array, place));
                let old = scalar::convert(&mut s.fb, old, ty);
                v = match scalar::fold(&mut s.fb, op, old, v) {
                    Some(v) => v,
                    None => return s.refuse("a fold in shared memory that is none"),
                };
            }
            let zero = scalar::identity(&mut s.fb, RedOp::Sum, ty);
            let v = s.fb.select(valid, v, zero);
            s.fb.store(Place::Array(t.array, place), v);
            axes.iter().for_each(|a| s.axes[a.index()].point = None);
            s.loaded.clear();
            Ok(())
        })
    }

    /// Shared memory for a copy of a fragment that none of `taken` occupies.
    pub(super) fn copy_array(&mut self, columns: AxisId, taken: &[ArrayId]) -> Res<ArrayId> {
        let Ok(len) = u32::try_from(self.shape.copy_len(columns)) else {
            return self.refuse("a fragment is too large");
        };
        if let Some((a, _)) = self.copies.iter().find(|(a, n)| *n >= len && !taken.contains(a)) {
            return Ok(*a);
        }
        let array = self.fb.array(format!("copy {}", self.copies.len()), Space::Shared, Elem::F32, len);
        self.copies.push((array, len));
        Ok(array)
    }
}

fn mentions(e: &Expr, a: AxisId) -> bool {
    *e == Expr::Coord(a) || e.children().into_iter().any(|c| mentions(c, a))
}
