//! Folds inside a block that traverse a long rank themselves: a loop over blocks of a second axis.
//!
//! A reduction that is read at every point of a block (`sum[l] g(s[p,l], s[p,m])`) needs a value for each pair of
//! coordinates. What depends on the inner coordinate is computed again, a block at a time, so memory stays
//! proportional to a tile whatever the extent; the predicates of the fold bound the inner loop as those of a pass do.

use super::fold::{Fold, coords};
use super::lower::Deps;
use super::ranges::{RangeCx, ranges};
use super::scope::Tiler;
use super::{Env, Res};
use crate::cascade::{Expr as L1, Extent, RankId};
use crate::tile::{AxisId, BufType, Expr, Range, Stmt, Tile};
use crate::types::RedOp;
use std::collections::BTreeMap;

impl Tiler<'_> {
    /// The rank of a fold that is traversed in blocks: of run-time extent, and either an inner reduction is evaluated
    /// along it or the value varies along two other axes.
    pub(super) fn block_rank(&mut self, f: &Fold<'_>, free: &[RankId], env: &Env) -> Option<RankId> {
        if !f.stream.is_empty() {
            return None;
        }
        let long = |r: &&RankId| !matches!(self.s.cascade.ranks[r.index()].extent, Extent::Const(_));
        let long: Vec<RankId> = free.iter().rev().filter(long).copied().collect();
        long.into_iter().find(|r| self.needs_blocks(f, *r, free, env))
    }

    fn needs_blocks(&mut self, f: &Fold<'_>, r: RankId, free: &[RankId], env: &Env) -> bool {
        let (marks, mine) = self.marks(free, r, env);
        let Some(mine) = mine else { return false };
        let (mut all, mut inner) = (Deps::default(), false);
        for e in std::iter::once(f.body).chain(f.conds) {
            self.visit_deps(e, &marks, &mut all, &mut |d| inner |= d.axes.contains(&mine));
        }
        inner || (all.axes.contains(&mine) && all.axes.len() > 2)
    }

    /// Dependences of the rank variables of a fold if every free rank were an axis of its own; the axis of `r`.
    pub(super) fn marks(&mut self, free: &[RankId], r: RankId, env: &Env) -> (BTreeMap<RankId, Deps>, Option<AxisId>) {
        let of = |e: &Expr| Deps { axes: self.out.tile_axes(e).into_iter().collect(), level: 0 };
        let mut marks: BTreeMap<RankId, Deps> = env.iter().map(|(r, e)| (*r, of(e))).collect();
        let used: Vec<AxisId> = env.values().flat_map(coords).collect();
        let mut mine = None;
        for q in free {
            let axis = self.axis_for(*q, Tile::Whole, &used);
            marks.insert(*q, Deps { axes: [axis].into(), level: 0 });
            if *q == r {
                mine = Some(axis);
            }
        }
        (marks, mine)
    }

    /// Folds over `free` with a loop over blocks of `rank`. The tile already holds a value.
    pub(super) fn fold_blocks(&mut self, f: &Fold<'_>, rank: RankId, free: &[RankId], env: &Env) -> Res<()> {
        let rest: Vec<RankId> = free.iter().copied().filter(|r| *r != rank).collect();
        let mut used: Vec<AxisId> = env.values().flat_map(coords).collect();
        used.extend(&self.out.buf(f.dst).axes);
        let tile = super::axes::stream_tile(&self.s.cascade, self.caps, rank);
        let axis = self.axis_for(rank, tile, &used);
        let mut env = env.clone();
        env.insert(rank, Expr::Coord(axis));
        let (bounding, others): (Vec<L1>, Vec<L1>) =
            f.conds.iter().cloned().partition(|c| c.mentions(rank) && !rest.iter().any(|r| c.mentions(*r)));
        let extent = self.extent(rank);
        let everything = Range { lo: Expr::Int(0), hi: extent.clone(), full: Some((Expr::Int(0), extent.clone())) };
        let mut live = vec![everything];
        if !bounding.is_empty() {
            self.open(axis);
            let masks = bounding.iter().map(|c| self.lower(c, &env)).collect::<Res<Vec<_>>>()?;
            live = ranges(&RangeCx { c: &self.s.cascade, s: &self.out, stream: axis }, &masks, &extent);
            self.close();
        }
        let (mut full, mut partial) = (vec![], vec![]);
        if live.iter().any(|r| r.full.is_some()) {
            full = self.fold_block(&Fold { conds: &others, stream: &[axis], ..*f }, &[], &rest, &env)?;
        }
        if !bounding.is_empty() {
            partial = self.fold_block(&Fold { conds: &others, stream: &[axis], ..*f }, &bounding, &rest, &env)?;
        }
        self.emit(Stmt::Loop { axis, ranges: live, full, partial });
        Ok(())
    }

    /// The body of the loop: one block, a sum apart as in a pass.
    fn fold_block(&mut self, f: &Fold<'_>, bounding: &[L1], rest: &[RankId], env: &Env) -> Res<Vec<Stmt>> {
        let [axis] = *f.stream else { return self.refuse("a fold over several blocks") };
        self.open(axis);
        let mut masks = f.masks.to_vec();
        for c in bounding {
            masks.push(self.lower(c, env)?);
        }
        let cx = RangeCx { c: &self.s.cascade, s: &self.out, stream: axis };
        masks.retain(|m| !cx.is_uniform(m));
        self.mask_tile(&mut masks);
        let b = self.out.buf(f.dst);
        let apart = f.op == RedOp::Sum && b.ty == BufType::F32;
        let dst = if apart {
            let (name, ty, axes) = (format!("{}_block", b.name), b.ty, b.axes.clone());
            self.new_buf(&name, ty, &axes, self.level())
        } else {
            f.dst
        };
        self.fold(&Fold { dst, masks: &masks, ..*f }, rest, env, apart)?;
        if apart {
            self.emit(Stmt::Map { dst: f.dst, op: Some(f.op), value: Expr::Local(dst) });
        }
        Ok(self.close())
    }
}
