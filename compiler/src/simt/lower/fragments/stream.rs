//! The loop over tiles of a streamed axis. Copies of tensors that both bodies need run one tile ahead of the products.

use super::super::live::{Live, any_full, any_touched, hull};
use super::{AxisAt, Fragments, Res, Val, query};
use crate::cascade::TensorId;
use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::{Inst, SimtBin, Ty};
use crate::tile::{AxisId, BufId, Expr, Range, Stmt};

/// The loop and what it copies ahead.
struct Stream<'s> {
    axis: AxisId,
    tile: Val,
    stop: Val,
    copies: Vec<(BufId, TensorId, &'s [Expr])>,
}

impl Fragments<'_> {
    pub(super) fn stream(&mut self, s: &Stmt) -> Res<()> {
        let Stmt::Loop { axis, ranges, full, partial } = s else { return self.refuse("no loop over tiles") };
        self.fb.comment(format!("loop {}", self.axis(*axis).name));
        let live = ranges.iter().map(|r| self.live(r, *axis)).collect::<Res<Vec<_>>>()?;
        let Some((start, stop)) = hull(&mut self.fb, &live) else { return Ok(()) };
        let size = self.shape.sizes[axis.index()] as i32;
        let tile = self.fb.int(size);
        let stream = Stream { axis: *axis, tile, stop, copies: query::ahead(self.stage, s) };
        let outer = self.axes[axis.index()];
        let (zero, one) = (self.fb.int(0), self.fb.int(1));
        let which = self.fb.var(Ty::I32);
        self.set(which, zero);
        if !stream.copies.is_empty() {
            self.barrier();
            self.copy_tile(&stream, start, zero)?;
        }
        self.looped(start, stop, size, |s, base| {
            let parity = s.get(which);
            if !stream.copies.is_empty() {
                s.fb.inst(Inst::CopyWait(0));
                s.barrier();
                let (next, other) = (s.fb.add(base, tile), s.fb.sub(one, parity));
                s.copy_tile(&stream, next, other)?;
                s.set(which, other);
            }
            for (b, ..) in &stream.copies {
                s.parity.insert(*b, parity);
            }
            let ahead = stream.copies.iter().map(|c| c.0);
            let old = std::mem::replace(&mut s.ahead, ahead.collect());
            let left = s.fb.sub(stop, base);
            let count = s.fb.min(tile, left);
            s.axes[axis.index()] = AxisAt { base: Some(base), count: Some(count), point: None };
            let done = s.bodies(&stream, &live, ranges, full, partial);
            s.ahead = old;
            done
        })?;
        for (b, ..) in &stream.copies {
            self.parity.remove(b);
        }
        self.axes[axis.index()] = outer;
        Ok(())
    }

    /// Starts the copies of a tile, if there is one.
    fn copy_tile(&mut self, stream: &Stream<'_>, base: Val, parity: Val) -> Res<()> {
        let there = self.fb.cmp(LaneCmp::Lt, base, stream.stop);
        let old = self.axes[stream.axis.index()];
        self.guarded(there, |s| {
            let left = s.fb.sub(stream.stop, base);
            let count = s.fb.min(stream.tile, left);
            s.axes[stream.axis.index()] = AxisAt { base: Some(base), count: Some(count), point: None };
            stream.copies.iter().try_for_each(|(b, t, idx)| s.start_copy(*b, *t, idx, parity))
        })?;
        self.axes[stream.axis.index()] = old;
        self.fb.inst(Inst::CopyCommit);
        Ok(())
    }

    fn live(&mut self, r: &Range, axis: AxisId) -> Res<Live> {
        let extent = self.extent(self.axis(axis).rank);
        let bounds = (self.eval(&r.lo)?, self.eval(&r.hi)?);
        let full = match &r.full {
            Some((a, b)) => Some((self.eval(a)?, self.eval(b)?)),
            None => None,
        };
        Ok(Live::new(&mut self.fb, bounds, full, extent))
    }

    /// The full body where the tile is complete and visible, the partial one where it is touched.
    fn bodies(
        &mut self,
        stream: &Stream<'_>,
        live: &[Live],
        ranges: &[Range],
        full: &[Stmt],
        partial: &[Stmt],
    ) -> Res<()> {
        let at = self.axes[stream.axis.index()];
        let (Some(base), Some(count)) = (at.base, at.count) else { return self.refuse("a loop without a base") };
        let dense = |r: &Range| r.full.as_ref().is_some_and(|(a, b)| *a == r.lo && *b == r.hi);
        let everywhere = ranges.len() == 1 && (dense(&ranges[0]) || full == partial);
        let complete = self.fb.cmp(LaneCmp::Eq, count, stream.tile);
        let inside = if everywhere {
            complete
        } else {
            let inside = any_full(&mut self.fb, live, (base, count));
            self.fb.binary(SimtBin::And, complete, inside)
        };
        // A complete tile has padding where its columns are no whole groups.
        let whole = self.shape.sizes[stream.axis.index()] % 8 == 0;
        self.axes[stream.axis.index()].count = if whole { None } else { Some(stream.tile) };
        let then = self.block(|s| s.stmts(full))?;
        self.axes[stream.axis.index()].count = Some(count);
        let other = if everywhere { full } else { partial };
        let els = self.block(|s| {
            if live.len() == 1 {
                return s.stmts(other);
            }
            let touched = any_touched(&mut s.fb, live, (base, count));
            s.guarded(touched, |s| s.stmts(other))
        })?;
        self.fb.inst(Inst::If { cond: inside, then, els });
        Ok(())
    }
}
