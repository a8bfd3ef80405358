//! How the tiles of a stage are spread, decided before code is made: `prepare` needs to know what lies in scratch.

use crate::cascade::Extent;
use crate::target::GpuCaps;
use crate::tile::{AxisId, Buf, Stmt, Tile, TileKernel, TileStage};

/// Words of arrays that a thread may have of its own: what WebGPU guarantees, halved for what the driver adds.
const PRIVATE_WORDS: i64 = 1024;

/// What holds a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A variable of every thread.
    Var,
    /// An array of every thread, this long.
    Private(u32),
    /// An array of the block, this long.
    Shared(u32),
    /// Words of the block's scratch.
    Scratch,
}

/// Words of shared memory through which left operands pass: more would leave room for fewer blocks.
const STAGING_WORDS: i64 = 4096;

/// Threads of a block, and what holds each tile.
pub(super) struct Plan {
    pub(super) threads: u32,
    pub(super) kinds: Vec<Kind>,
    /// Words of shared memory that are free for left operands.
    pub(super) staging: i64,
}

impl Plan {
    pub(super) fn new(kernel: &TileKernel, stage: &TileStage, caps: &GpuCaps, lanes: i64) -> Plan {
        let threads = threads(stage, lanes);
        // Rows through which threads exchange floats and integers.
        let mut shared = i64::from(caps.shared_bytes) - 8 * i64::from(threads);
        let mut private = PRIVATE_WORDS;
        let mut kinds = vec![];
        for buf in &stage.bufs {
            let lane = buf.axes.last().is_some_and(|a| stage.axis(*a).lane);
            let axes = if lane { &buf.axes[..buf.axes.len() - 1] } else { &buf.axes[..] };
            let (room, unit) = if lane { (&mut private, 1) } else { (&mut shared, 4) };
            kinds.push(match size(kernel, stage, axes) {
                _ if axes.is_empty() => Kind::Var,
                Some(n) if n * unit <= *room => {
                    *room -= n * unit;
                    if lane { Kind::Private(n as u32) } else { Kind::Shared(n as u32) }
                }
                _ => Kind::Scratch,
            });
        }
        Plan { threads, kinds, staging: (shared / 4).min(STAGING_WORDS) }
    }

    /// The tiles that lie in scratch.
    pub(super) fn kept(&self) -> Vec<bool> {
        self.kinds.iter().map(|k| *k == Kind::Scratch).collect()
    }
}

/// One thread a lane. Without lanes: as many as work together well, if there is something to share.
fn threads(stage: &TileStage, lanes: i64) -> u32 {
    match stage.lane().map(|l| stage.axis(l).tile) {
        Some(Tile::Fixed(t)) => ((t.max(1) + lanes - 1) / lanes * lanes) as u32,
        _ if shares(stage, &stage.body) => lanes as u32,
        _ => 1,
    }
}

/// True if a statement has several points.
fn shares(stage: &TileStage, stmts: &[Stmt]) -> bool {
    let many = |axes: &[AxisId]| axes.iter().any(|a| stage.axis(*a).tile != Tile::One);
    let buf = |b: &Buf| many(&b.axes);
    stmts.iter().any(|s| match s {
        Stmt::Map { dst, .. } => buf(stage.buf(*dst)),
        Stmt::Reduce { dst, over, .. } => buf(stage.buf(*dst)) || many(over),
        Stmt::Contract { .. } => true,
        Stmt::Store { axes, .. } => many(axes),
        Stmt::Loop { .. } | Stmt::For { .. } | Stmt::If { .. } => s.bodies().into_iter().any(|b| shares(stage, b)),
    })
}

/// Elements of a tile of constant size.
fn size(kernel: &TileKernel, stage: &TileStage, axes: &[AxisId]) -> Option<i64> {
    axes.iter().try_fold(1i64, |n, a| n.checked_mul(axis_size(kernel, stage, *a)?))
}

/// Allocated elements along an axis, at least one; `None` if known at run time only.
pub(super) fn axis_size(kernel: &TileKernel, stage: &TileStage, a: AxisId) -> Option<i64> {
    let axis = stage.axis(a);
    match (axis.tile, &kernel.cascade.ranks[axis.rank.index()].extent) {
        (Tile::One, _) => Some(1),
        (Tile::Fixed(t), _) => Some(t.max(1)),
        (Tile::Whole, Extent::Const(n)) => Some((*n).max(1)),
        (Tile::Whole, _) => None,
    }
}
