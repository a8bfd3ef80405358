//! Layout of arguments and of scratch memory.

use super::{Lower, Refusal};
use crate::cascade::{self, Assert, Cascade, Extent, RankId, TensorKind};
use crate::lane::{IntLayout, LaneBin, MemRole, MemTensor, RankSource, Val};
use crate::math::Math;
use crate::tile::{AxisId, Tile, TileKernel, TileStage};
use crate::types::{BinOp, ValueType};

/// Where a run-time scalar is passed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScalarSlot {
    /// Slot of `ints`.
    Int(usize),
    /// Slot of `ints`, 0 or 1.
    Bool(usize),
    /// Slot of `floats`.
    Float(usize),
}

/// The calling convention of a kernel, on CPUs and on GPUs.
pub(crate) struct Slots {
    pub(crate) tensors: Vec<MemTensor>,
    pub(crate) ints: IntLayout,
    pub(crate) floats: Vec<String>,
    pub(crate) scalars: Vec<ScalarSlot>,
    pub(crate) sources: Vec<RankSource>,
}

impl Slots {
    pub(crate) fn new(kernel: &TileKernel) -> Slots {
        let c = &kernel.cascade;
        let tensors: Vec<MemTensor> = kernel.memory.iter().map(|t| mem_tensor(kernel, t.index())).collect();
        let mut ints = IntLayout {
            ranks: c.ranks.iter().map(|r| (r.name.clone(), r.extent == Extent::Free)).collect(),
            scalars: vec![],
            tensor_dims: tensors.iter().map(|t| t.dims.len()).collect(),
            stages: kernel.stages.len(),
            asserts: c.asserts.iter().filter_map(assert_text).collect(),
        };
        let (mut floats, mut scalars) = (vec![], vec![]);
        for s in &c.scalars {
            let next_int = ints.ranks.len() + ints.scalars.len();
            match s.dtype.value_type() {
                ValueType::Float => {
                    scalars.push(ScalarSlot::Float(floats.len()));
                    floats.push(s.name.clone());
                }
                ValueType::Index => {
                    scalars.push(ScalarSlot::Int(next_int));
                    ints.scalars.push(s.name.clone());
                }
                ValueType::Bool => {
                    scalars.push(ScalarSlot::Bool(next_int));
                    ints.scalars.push(s.name.clone());
                }
            }
        }
        let sources = (0..c.ranks.len()).map(|r| source(kernel, r)).collect();
        Slots { tensors, ints, floats, scalars, sources }
    }
}

fn assert_text(a: &Assert) -> Option<String> {
    match a {
        Assert::Holds { text, .. } => Some(text.clone()),
        Assert::Passes { .. } => None,
    }
}

fn mem_tensor(kernel: &TileKernel, index: usize) -> MemTensor {
    let t = &kernel.cascade.tensors[index];
    let role = match t.kind {
        TensorKind::In => MemRole::In,
        TensorKind::Out => MemRole::Out,
        TensorKind::InOut => MemRole::InOut,
        TensorKind::Let => MemRole::Workspace,
        TensorKind::Table => MemRole::Table(t.table.clone().unwrap_or_default()),
    };
    let dims = t.dims.iter().map(|e| dim_text(&kernel.cascade, e)).collect();
    MemTensor { name: t.name.clone(), dtype: t.dtype, dims, role }
}

/// A dimension as a reader of error messages knows it.
fn dim_text(c: &Cascade, e: &cascade::Expr) -> String {
    match e {
        cascade::Expr::Extent(r) => c.ranks[r.index()].name.clone(),
        cascade::Expr::Int(v) => v.to_string(),
        cascade::Expr::Scalar(s) => c.scalars[s.index()].name.clone(),
        cascade::Expr::Binary(op, a, b) => {
            let (a, b) = (dim_text(c, a), dim_text(c, b));
            match op {
                BinOp::Add => format!("{a} + {b}"),
                BinOp::Sub => format!("{a} - {b}"),
                BinOp::Mul => format!("{a} * {b}"),
                BinOp::FloorDiv => format!("{a} / {b}"),
                _ => format!("{}({a}, {b})", op.name()),
            }
        }
        _ => "(computed)".into(),
    }
}

/// The first input that has the bare rank as a dimension fixes its extent.
fn source(kernel: &TileKernel, rank: usize) -> RankSource {
    match kernel.cascade.ranks[rank].extent {
        Extent::Const(n) => return RankSource::Const(n),
        Extent::Derived(_) => return RankSource::Derived,
        Extent::Free => {}
    }
    let bare = cascade::Expr::Extent(RankId(rank as u32));
    for (tensor, id) in kernel.memory.iter().enumerate() {
        let t = kernel.cascade.tensor(*id);
        let input = matches!(t.kind, TensorKind::In | TensorKind::InOut);
        if let Some(dim) = t.dims.iter().position(|d| *d == bare)
            && input
        {
            return RankSource::Dim { tensor, dim };
        }
    }
    RankSource::Given
}

impl Lower<'_> {
    /// Byte offsets of a stage's tiles, and the offset behind them: all of them, each on a cache line; or those that a GPU keeps in
    /// scratch, one after another.
    pub(super) fn buffers(&mut self, stage: &TileStage, kept: Option<&[bool]>) -> Result<(Vec<Val>, Val), Refusal> {
        let mut at = self.fb.int(0);
        let mut offsets = vec![];
        for (i, buf) in stage.bufs.iter().enumerate() {
            offsets.push(at);
            if kept.is_some_and(|k| !k[i]) {
                continue;
            }
            let mut size = self.fb.int(4);
            for a in &buf.axes {
                let n = self.axis_size(stage, *a)?;
                size = self.fb.mul(size, n);
            }
            let size = if kept.is_none() { self.round_up(size, 64) } else { size };
            at = self.fb.add(at, size);
        }
        Ok((offsets, at))
    }

    /// Allocated elements of a tile along an axis.
    pub(super) fn axis_size(&mut self, stage: &TileStage, a: AxisId) -> Result<Val, Refusal> {
        let axis = &stage.axes[a.0 as usize];
        Ok(match axis.tile {
            Tile::One => self.fb.int(1),
            Tile::Fixed(t) if axis.lane => {
                let lanes = self.caps.lanes as i64;
                self.fb.int((t + lanes - 1) / lanes * lanes)
            }
            Tile::Fixed(t) => self.fb.int(t),
            Tile::Whole => self.extent(axis.rank)?,
        })
    }

    fn round_up(&mut self, size: Val, to: i64) -> Val {
        let (round, unit) = (self.fb.int(to - 1), self.fb.int(to));
        let up = self.fb.add(size, round);
        let units = self.fb.bin(LaneBin::FloorDiv, up, unit);
        self.fb.mul(units, unit)
    }
}
