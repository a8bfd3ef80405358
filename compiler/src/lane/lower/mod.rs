//! L3 → lane IR.
//!
//! The lane axis becomes vectors; every other axis becomes a scalar loop. A value that does not depend on the lane
//! axis stays scalar until it meets a vector. What vectors cannot do (integer division, gathers, 16-bit rounding) is
//! done lane by lane through a scratch row. Padded lanes repeat the coordinate of the last valid lane, so loads stay in
//! bounds; stores write valid lanes only.
//!
//! Assumes a verified tile kernel. Guarantees a verified lane kernel, or refusals.

mod contract;
mod expr;
mod layout;
mod prepare;
mod rows;
mod stmt;
mod stream;

use super::{Builder, Func, LaneKernel, LaneStage, Op, Ty, Val};
use crate::cascade::{Origin, RankId};
use crate::diag::{Code, Refusal};
use crate::math::Math;
use crate::target::CpuCaps;
use crate::tile::{Axis, AxisId, BufId, BufType, Expr, Tile, TileKernel, TileStage, Verified};
pub(crate) use layout::{ScalarSlot, Slots};
pub(crate) use prepare::prepare_threads;

/// Lowers a tile kernel for one instruction set.
pub fn lower(kernel: &Verified<TileKernel>, caps: &CpuCaps) -> Result<LaneKernel, Vec<Refusal>> {
    let slots = Slots::new(kernel);
    let mut stages = vec![];
    let mut refusals = vec![];
    for stage in &kernel.stages {
        match lower_stage(kernel, &slots, stage, caps) {
            Ok(func) => stages.push(LaneStage { name: stage.name.clone(), func }),
            Err(r) => refusals.push(r),
        }
    }
    let prepare = prepare::prepare(kernel, &slots, caps);
    match prepare {
        Ok(prepare) if refusals.is_empty() => finish(kernel, caps, slots, prepare, stages),
        Ok(_) => Err(refusals),
        Err(r) => {
            refusals.push(r);
            Err(refusals)
        }
    }
}

fn finish(
    kernel: &TileKernel,
    caps: &CpuCaps,
    slots: Slots,
    prepare: Func,
    stages: Vec<LaneStage>,
) -> Result<LaneKernel, Vec<Refusal>> {
    let lane = LaneKernel {
        name: kernel.cascade.name.clone(),
        spec: kernel.cascade.spec.iter().map(|(k, v)| format!("{k} = {v}")).collect::<Vec<_>>().join(", "),
        lanes: caps.lanes,
        tensors: slots.tensors,
        ints: slots.ints,
        sources: slots.sources,
        floats: slots.floats,
        prepare,
        stages,
    };
    match super::verify(&lane) {
        Ok(()) => Ok(lane),
        Err(e) => {
            Err(e.into_iter().map(|e| internal(&lane.name, format!("the lowered kernel is malformed: {e}"))).collect())
        }
    }
}

fn lower_stage(kernel: &TileKernel, slots: &Slots, stage: &TileStage, caps: &CpuCaps) -> Result<Func, Refusal> {
    let mut s = Lower::new(kernel, slots, Some(stage), caps);
    s.enter_whole_axes()?;
    let (offsets, end) = s.buffers(stage, None)?;
    s.bufs = offsets;
    s.temp = end;
    let item = s.fb.begin_loop();
    s.enter_grid(item)?;
    s.stmts(&stage.body)?;
    s.fb.end_loop(item, Func::BEGIN, Func::END, 1);
    Ok(s.fb.finish())
}

/// A refusal that names the stage and is a defect of the compiler, not of the user's program.
fn internal(stage: &str, message: impl Into<String>) -> Refusal {
    let origin = Origin { stmt: stage.to_string(), line: 0, span: u32::MAX };
    Refusal::new(Code::INTERNAL, &origin, message)
}

/// A value at a point of all axes but the lane axis.
#[derive(Clone, Debug)]
pub(super) enum Lanes {
    /// The same in every lane (or the stage has no lane axis).
    Uniform(Val),
    /// One vector after another.
    Each(Vec<Val>),
}

/// Where an axis is while code for its body is generated.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Coordinate of the first element of the block.
    base: Option<Val>,
    /// Valid elements of the block.
    count: Option<Val>,
    /// Coordinate and index in the block of the current point.
    point: Option<(Val, Val)>,
}

/// State of the lowering of one function.
pub(super) struct Lower<'a> {
    kernel: &'a TileKernel,
    slots: &'a Slots,
    stage: Option<&'a TileStage>,
    caps: &'a CpuCaps,
    fb: Builder,
    /// Extents that `prepare` has computed; unused in stages.
    extents: Vec<Option<Val>>,
    places: Vec<Place>,
    lane: Option<AxisId>,
    /// Vectors of a lane tile.
    vectors: usize,
    /// Byte offsets of the local tiles.
    bufs: Vec<Val>,
    /// Byte offset of the scratch row.
    temp: Val,
    /// Tile that the current statement writes.
    written: Option<BufId>,
    /// Values that were computed before the loops of the current statement.
    memo: Vec<(Expr, Lanes)>,
    /// Rows of tensors are read as vectors: the launch has them in order.
    rows_in_order: bool,
}

impl<'a> Lower<'a> {
    fn new(kernel: &'a TileKernel, slots: &'a Slots, stage: Option<&'a TileStage>, caps: &'a CpuCaps) -> Self {
        let axes = stage.map_or(&[][..], |s| &s.axes);
        let lane = axes.iter().position(|a| a.lane).map(|i| AxisId(i as u32));
        let mut fb = Builder::new(slots.tensors.iter().map(|t| t.dtype).collect());
        let temp = fb.int(0);
        Lower {
            kernel,
            slots,
            stage,
            caps,
            fb,
            extents: vec![None; kernel.cascade.ranks.len()],
            places: vec![Place::default(); axes.len()],
            lane,
            vectors: lane_vectors(axes, caps),
            bufs: vec![],
            temp,
            written: None,
            memo: vec![],
            rows_in_order: false,
        }
    }

    fn refuse(&self, message: impl Into<String>) -> Refusal {
        internal(self.stage.map_or(&self.kernel.cascade.name, |s| &s.name), message)
    }

    fn axis(&self, a: AxisId) -> Result<&'a Axis, Refusal> {
        let axis = self.stage.and_then(|s| s.axes.get(a.0 as usize));
        axis.ok_or_else(|| self.refuse(format!("axis {} does not exist", a.0)))
    }

    /// Elements of a padded lane tile.
    fn width(&self) -> i64 {
        (self.vectors * self.caps.lanes) as i64
    }

    /// True while the lane axis is vectors rather than a scalar loop.
    fn vector_mode(&self, axis: AxisId) -> bool {
        self.lane == Some(axis) && self.places[axis.0 as usize].point.is_none()
    }

    fn place(&mut self, a: AxisId) -> &mut Place {
        &mut self.places[a.0 as usize]
    }

    fn enter_whole_axes(&mut self) -> Result<(), Refusal> {
        for (i, axis) in self.stage.map_or(&[][..], |s| &s.axes).iter().enumerate() {
            if axis.tile == Tile::Whole {
                let (zero, extent) = (self.fb.int(0), self.extent(axis.rank)?);
                self.places[i] = Place { base: Some(zero), count: Some(extent), point: None };
            }
        }
        Ok(())
    }

    /// Splits a linear item number into the bases of the grid axes, last axis fastest.
    fn enter_grid(&mut self, item: Val) -> Result<(), Refusal> {
        use super::LaneBin::{FloorDiv, Mod};
        let grid = self.stage.map_or(&[][..], |s| &s.grid);
        let mut rest = item;
        for (i, a) in grid.iter().enumerate().rev() {
            let axis = self.axis(*a)?;
            let extent = self.extent(axis.rank)?;
            let blocks = self.blocks(extent, axis.tile);
            let index = if i == 0 { rest } else { self.fb.bin(Mod, rest, blocks) };
            if i > 0 {
                rest = self.fb.bin(FloorDiv, rest, blocks);
            }
            *self.place(*a) = match axis.tile {
                Tile::Fixed(t) => {
                    let t = self.fb.int(t);
                    let base = self.fb.mul(index, t);
                    let left = self.fb.sub(extent, base);
                    Place { base: Some(base), count: Some(self.fb.min(t, left)), point: None }
                }
                Tile::One | Tile::Whole => self.scalar_place(index),
            };
        }
        Ok(())
    }

    fn scalar_place(&mut self, coord: Val) -> Place {
        let (zero, one) = (self.fb.int(0), self.fb.int(1));
        Place { base: Some(coord), count: Some(one), point: Some((coord, zero)) }
    }

    /// Number of blocks of an extent.
    fn blocks(&mut self, extent: Val, tile: Tile) -> Val {
        let (t, round) = match tile {
            Tile::Fixed(t) => (self.fb.int(t), self.fb.int(t - 1)),
            Tile::One | Tile::Whole => return extent,
        };
        let up = self.fb.add(extent, round);
        self.fb.bin(super::LaneBin::FloorDiv, up, t)
    }

    fn extent(&mut self, rank: RankId) -> Result<Val, Refusal> {
        if self.stage.is_none() {
            return prepare::extent(self, rank);
        }
        Ok(match self.kernel.cascade.ranks[rank.index()].extent {
            crate::cascade::Extent::Const(c) => self.fb.int(c),
            _ => self.fb.op(Op::Int(self.slots.ints.rank(rank.index()))),
        })
    }

    /// Opens a scalar loop over `0..bound` of an axis; returns what `leave` needs.
    fn enter(&mut self, a: AxisId, padded: bool) -> Result<(Val, Place), Refusal> {
        let old = *self.place(a);
        let (Some(base), Some(count)) = (old.base, old.count) else {
            let name = self.axis(a)?.name.clone();
            return Err(self.refuse(format!("axis {name} is not in scope")));
        };
        let var = self.fb.begin_loop();
        let mut coord = self.fb.add(base, var);
        if padded {
            let last = self.last_coord(base, count);
            coord = self.fb.min(coord, last);
        }
        self.place(a).point = Some((coord, var));
        Ok((var, old))
    }

    fn last_coord(&mut self, base: Val, count: Val) -> Val {
        let one = self.fb.int(1);
        let end = self.fb.add(base, count);
        self.fb.sub(end, one)
    }

    fn leave(&mut self, a: AxisId, (var, old): (Val, Place), bound: Val) {
        let zero = self.fb.int(0);
        self.fb.end_loop(var, zero, bound, 1);
        *self.place(a) = old;
    }

    /// Runs `body` inside scalar loops over the axes, the first outermost.
    fn nest(&mut self, axes: &[AxisId], body: &mut dyn FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let Some((first, rest)) = axes.split_first() else { return body(self) };
        let count = self.places[first.0 as usize].count;
        let entered = self.enter(*first, false)?;
        self.nest(rest, body)?;
        let count = count.unwrap_or(entered.0);
        self.leave(*first, entered, count);
        Ok(())
    }

    fn buf_type(&self, b: BufId) -> Ty {
        match self.stage.map(|s| s.bufs[b.0 as usize].ty) {
            Some(BufType::I32) => Ty::I64,
            Some(BufType::Bool) => Ty::B,
            Some(BufType::F32) | None => Ty::F32,
        }
    }

    fn buf_axes(&self, b: BufId) -> &'a [AxisId] {
        self.stage.map_or(&[], |s| &s.bufs[b.0 as usize].axes)
    }

    /// Axes of a tile that are loops: all but the lane axis and scalar ones.
    fn loop_axes(&self, axes: &[AxisId]) -> Result<Vec<AxisId>, Refusal> {
        let mut out = vec![];
        for a in axes {
            if self.lane != Some(*a) && self.axis(*a)?.tile != Tile::One {
                out.push(*a);
            }
        }
        Ok(out)
    }
}

fn lane_vectors(axes: &[Axis], caps: &CpuCaps) -> usize {
    match axes.iter().find(|a| a.lane).map(|a| a.tile) {
        Some(Tile::Fixed(t)) => (t.max(1) as usize).div_ceil(caps.lanes),
        Some(Tile::One | Tile::Whole) | None => 1,
    }
}
