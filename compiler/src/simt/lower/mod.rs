//! L3 → SIMT IR.
//!
//! Stages of products take the matrix units where the machine has them (`fragments`). Everywhere else, a thread of the block is a lane
//! of the lane axis. What has lanes is the thread's own: rows of it are variables, tiles private arrays,
//! or words of scratch if they are large or their size is known at run time. What has no lanes is shared: scalars are computed by every
//! thread, tiles lie in shared memory or scratch, written by the threads together. The control flow of L3 does not depend on
//! lanes, so all threads reach every barrier. Padded lanes repeat the last valid row; stores write valid lanes only.
//!
//! Assumes a verified tile kernel. Guarantees a verified SIMT kernel, or refusals.

mod contract;
mod expr;
mod fragments;
mod left;
mod live;
mod place;
mod plan;
mod reduce;
mod scalar;
mod share;
mod stmt;
mod stream;
mod sync;

use super::{Builder, Op, SimtBin, SimtKernel, SimtStage, Val};
use crate::cascade::{Extent, Origin, RankId};
use crate::diag::{Code, Refusal};
use crate::lane::{self, Slots};
use crate::math::Math;
use crate::target::{Caps, GpuCaps};
use crate::tile::{Axis, AxisId, Tile, TileKernel, TileStage, Verified};
use place::Home;
use plan::Plan;
use sync::Sync;

/// Lowers a tile kernel for a GPU.
pub fn lower(kernel: &Verified<TileKernel>, caps: &GpuCaps) -> Result<SimtKernel, Vec<Refusal>> {
    let slots = Slots::new(kernel);
    let lanes = Caps::Gpu(caps.clone()).lanes();
    let (mut stages, mut kept, mut refusals) = (vec![], vec![], vec![]);
    for stage in &kernel.stages {
        if let Some(s) = fragments::lower_stage(kernel, &slots, stage, caps) {
            kept.push(vec![false; stage.bufs.len()]);
            stages.push(s);
            continue;
        }
        let plan = Plan::new(kernel, stage, caps, lanes);
        kept.push(plan.kept());
        match lower_stage(kernel, &slots, stage, &plan) {
            Ok(s) => stages.push(s),
            Err(r) => refusals.push(r),
        }
    }
    let prepare = lane::prepare_threads(kernel, &slots, lanes, &kept).map_err(|r| refusals.push(r));
    match prepare {
        Ok(prepare) if refusals.is_empty() => finish(kernel, slots, prepare, stages),
        _ => Err(refusals),
    }
}

fn finish(
    kernel: &TileKernel,
    slots: Slots,
    prepare: lane::Func,
    stages: Vec<SimtStage>,
) -> Result<SimtKernel, Vec<Refusal>> {
    let c = &kernel.cascade;
    let simt = SimtKernel {
        name: c.name.clone(),
        spec: c.spec.iter().map(|(k, v)| format!("{k} = {v}")).collect::<Vec<_>>().join(", "),
        tensors: slots.tensors,
        ints: slots.ints,
        sources: slots.sources,
        floats: slots.floats,
        prepare,
        stages,
    };
    let malformed = |e: String| internal(&simt.name, format!("the lowered kernel is malformed: {e}"));
    match super::verify(&simt) {
        Ok(()) => Ok(simt),
        Err(errors) => Err(errors.into_iter().map(malformed).collect()),
    }
}

fn lower_stage(kernel: &TileKernel, slots: &Slots, stage: &TileStage, plan: &Plan) -> Result<SimtStage, Refusal> {
    let mut s = Lower::new(kernel, slots, stage, plan);
    s.enter_whole_axes();
    s.homes();
    s.enter_grid()?;
    s.stmts(&stage.body)?;
    Ok(s.fb.finish(&stage.name, plan.threads, None))
}

/// A refusal that names the stage and is a defect of the compiler, not of the user's program.
fn internal(stage: &str, message: impl Into<String>) -> Refusal {
    let origin = Origin { stmt: stage.to_string(), line: 0, span: u32::MAX };
    Refusal::new(Code::INTERNAL, &origin, message)
}

/// Where an axis is while code for its body is generated.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    /// Coordinate of the first element of the block.
    base: Option<Val>,
    /// Valid elements of the block.
    count: Option<Val>,
    /// Coordinate and index in the block of the current point.
    at: Option<(Val, Val)>,
}

/// State of the lowering of one stage.
struct Lower<'a> {
    kernel: &'a TileKernel,
    slots: &'a Slots,
    stage: &'a TileStage,
    plan: &'a Plan,
    fb: Builder,
    points: Vec<Point>,
    lane: Option<AxisId>,
    homes: Vec<Home>,
    sync: Sync,
    /// Points are spread over the threads here, so coordinates differ between them.
    spread: bool,
}

impl<'a> Lower<'a> {
    fn new(kernel: &'a TileKernel, slots: &'a Slots, stage: &'a TileStage, plan: &'a Plan) -> Self {
        Lower {
            kernel,
            slots,
            stage,
            plan,
            fb: Builder::new(),
            points: vec![Point::default(); stage.axes.len()],
            lane: stage.lane(),
            homes: vec![],
            sync: Sync::new(stage),
            spread: false,
        }
    }

    fn refuse(&self, message: impl Into<String>) -> Refusal {
        internal(&self.stage.name, message)
    }

    fn axis(&self, a: AxisId) -> &'a Axis {
        self.stage.axis(a)
    }

    fn point(&mut self, a: AxisId) -> &mut Point {
        &mut self.points[a.index()]
    }

    fn threads(&self) -> i32 {
        self.plan.threads as i32
    }

    fn thread(&mut self) -> Val {
        self.fb.op(Op::Thread)
    }

    fn enter_whole_axes(&mut self) {
        for (i, axis) in self.stage.axes.iter().enumerate() {
            if axis.tile == Tile::Whole {
                let (zero, extent) = (self.fb.int(0), self.extent(axis.rank));
                self.points[i] = Point { base: Some(zero), count: Some(extent), at: None };
            }
        }
    }

    /// Splits the item into the bases of the grid axes, last axis fastest.
    fn enter_grid(&mut self) -> Result<(), Refusal> {
        let mut rest = self.fb.op(Op::Item);
        for (i, a) in self.stage.grid.iter().enumerate().rev() {
            let axis = self.axis(*a);
            let extent = self.extent(axis.rank);
            let blocks = self.blocks(extent, axis.tile);
            let index = if i == 0 { rest } else { self.fb.binary(SimtBin::Mod, rest, blocks) };
            if i > 0 {
                rest = self.fb.binary(SimtBin::FloorDiv, rest, blocks);
            }
            *self.point(*a) = match axis.tile {
                Tile::Fixed(t) => {
                    let t = self.int(t);
                    let base = self.fb.mul(index, t);
                    let left = self.fb.sub(extent, base);
                    Point { base: Some(base), count: Some(self.fb.min(t, left)), at: None }
                }
                Tile::One | Tile::Whole => self.scalar_point(index),
            };
        }
        match self.lane {
            Some(lane) => self.enter_lanes(lane),
            None => Ok(()),
        }
    }

    /// Every thread is at its lane; padded ones are at the last row.
    fn enter_lanes(&mut self, lane: AxisId) -> Result<(), Refusal> {
        let (base, count) = self.block_of(lane)?;
        let (thread, one) = (self.thread(), self.fb.int(1));
        let coord = self.fb.add(base, thread);
        let end = self.fb.add(base, count);
        let last = self.fb.sub(end, one);
        let coord = self.fb.min(coord, last);
        self.point(lane).at = Some((coord, thread));
        Ok(())
    }

    fn scalar_point(&mut self, coord: Val) -> Point {
        let (zero, one) = (self.fb.int(0), self.fb.int(1));
        Point { base: Some(coord), count: Some(one), at: Some((coord, zero)) }
    }

    /// An index literal; what 32 bits cannot hold is larger than any extent.
    fn int(&mut self, v: i64) -> Val {
        self.fb.int(v.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32)
    }

    /// Number of blocks of an extent.
    fn blocks(&mut self, extent: Val, tile: Tile) -> Val {
        let Tile::Fixed(t) = tile else { return extent };
        let (t, round) = (self.int(t), self.int(t - 1));
        let up = self.fb.add(extent, round);
        self.fb.binary(SimtBin::FloorDiv, up, t)
    }

    fn extent(&mut self, rank: RankId) -> Val {
        match self.kernel.cascade.ranks[rank.index()].extent {
            Extent::Const(c) => self.int(c),
            _ => self.fb.op(Op::Int(self.slots.ints.rank(rank.index()))),
        }
    }

    /// Base and count of an axis's block.
    fn block_of(&self, a: AxisId) -> Result<(Val, Val), Refusal> {
        let p = self.points[a.index()];
        p.base.zip(p.count).ok_or_else(|| self.refuse(format!("axis {} is not in scope", self.axis(a).name)))
    }

    /// Puts an axis at an index of its block; returns where it was.
    fn move_to(&mut self, a: AxisId, index: Val) -> Result<Point, Refusal> {
        let old = self.points[a.index()];
        let (base, _) = self.block_of(a)?;
        let coord = self.fb.add(base, index);
        self.point(a).at = Some((coord, index));
        Ok(old)
    }

    /// Runs `body` inside loops over the axes, the first outermost.
    fn nest(&mut self, axes: &[AxisId], body: &mut dyn FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let Some((first, rest)) = axes.split_first() else { return body(self) };
        let (zero, (_, count)) = (self.fb.int(0), self.block_of(*first)?);
        let var = self.fb.begin_loop();
        let old = self.move_to(*first, var)?;
        self.nest(rest, body)?;
        self.fb.end_loop(var, zero, count, 1);
        *self.point(*first) = old;
        Ok(())
    }

    /// Axes of a tile that are loops: all but the lane axis and scalar ones.
    fn loop_axes(&self, axes: &[AxisId]) -> Vec<AxisId> {
        axes.iter().copied().filter(|a| self.lane != Some(*a) && self.axis(*a).tile != Tile::One).collect()
    }
}
