//! The loop over tiles of a streamed axis.

use super::live::{Live, any_full, any_touched, hull};
use super::{Lower, Point};
use crate::diag::Refusal;
use crate::math::Math;
use crate::simt::{Inst, Val};
use crate::tile::{AxisId, Expr, Range, Stmt, Tile};

impl Lower<'_> {
    pub(super) fn stream(
        &mut self,
        axis: AxisId,
        ranges: &[Range],
        full: &[Stmt],
        partial: &[Stmt],
    ) -> Result<(), Refusal> {
        let info = self.axis(axis);
        let Tile::Fixed(tile) = info.tile else {
            return Err(self.refuse(format!("axis {} is streamed but has no tile size", info.name)));
        };
        let Ok(step) = i32::try_from(tile) else { return Err(self.refuse("a tile is too large")) };
        self.fb.comment(format!("loop {}", info.name));
        let bounds = |r: &'_ Range| -> Vec<Expr> {
            let (a, b) = r.full.clone().unwrap_or((r.lo.clone(), r.hi.clone()));
            vec![r.lo.clone(), r.hi.clone(), a, b]
        };
        let bounds: Vec<Expr> = ranges.iter().flat_map(bounds).collect();
        self.before(&bounds.iter().collect::<Vec<_>>(), None);
        let extent = self.extent(info.rank);
        let mut live = vec![];
        for r in ranges {
            live.push(self.live(r, extent)?);
        }
        let Some((start, stop)) = hull(&mut self.fb, &live) else { return Ok(()) };
        self.turn();
        let base = self.fb.begin_loop();
        let t = self.int(tile);
        let left = self.fb.sub(stop, base);
        let count = self.fb.min(t, left);
        let old = *self.point(axis);
        *self.point(axis) = Point { base: Some(base), count: Some(count), at: None };
        self.tile_body(&live, ranges, (base, count), full, partial)?;
        self.turn();
        self.fb.end_loop(base, start, stop, step);
        *self.point(axis) = old;
        Ok(())
    }

    fn live(&mut self, r: &Range, extent: Val) -> Result<Live, Refusal> {
        let bounds = (self.uniform(&r.lo)?, self.uniform(&r.hi)?);
        let full = match &r.full {
            Some((a, b)) => Some((self.uniform(a)?, self.uniform(b)?)),
            None => None,
        };
        Ok(Live::new(&mut self.fb, bounds, full, extent))
    }

    fn tile_body(
        &mut self,
        live: &[Live],
        ranges: &[Range],
        block: (Val, Val),
        full: &[Stmt],
        partial: &[Stmt],
    ) -> Result<(), Refusal> {
        let dense = |r: &Range| r.full.as_ref().is_some_and(|(a, b)| *a == r.lo && *b == r.hi);
        if ranges.len() == 1 && dense(&ranges[0]) || full == partial && ranges.len() == 1 {
            return self.stmts(full);
        }
        let touched = if live.len() == 1 { None } else { Some(any_touched(&mut self.fb, live, block)) };
        if !live.iter().any(Live::has_full) || full == partial {
            return match touched {
                Some(t) => self.fork(t, partial, &[]),
                None => self.stmts(partial),
            };
        }
        let inside = any_full(&mut self.fb, live, block);
        let mut a = |s: &mut Self| s.block(full);
        let mut b = |s: &mut Self| s.partial_block(touched, partial);
        let mut sides = self.forked(vec![&mut a, &mut b]).into_iter();
        let (then, els) =
            (sides.next().transpose()?.unwrap_or_default(), sides.next().transpose()?.unwrap_or_default());
        self.fb.inst(Inst::If { cond: inside, then, els });
        Ok(())
    }

    /// The body of a block that is not full; skipped if no range touches it.
    fn partial_block(&mut self, touched: Option<Val>, partial: &[Stmt]) -> Result<Vec<Inst>, Refusal> {
        self.fb.begin_block();
        match touched {
            Some(t) => self.fork(t, partial, &[])?,
            None => self.stmts(partial)?,
        }
        Ok(self.fb.end_block())
    }
}
