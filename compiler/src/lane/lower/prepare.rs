//! The function that derives extents, dims, strides, item counts, scratch sizes and the truth of the asserts.

use super::layout::Slots;
use super::{Lanes, Lower};
use crate::cascade::{self, Assert, Extent, RankId};
use crate::diag::Refusal;
use crate::lane::{Func, Inst, LaneCmp, MemRole, Op, Val};
use crate::math::Math;
use crate::target::CpuCaps;
use crate::tile::{Expr, TileKernel, TileStage};

pub(super) fn prepare(kernel: &TileKernel, slots: &Slots, caps: &CpuCaps) -> Result<Func, Refusal> {
    prepare_stages(kernel, slots, caps, None)
}

/// `prepare` of a GPU's kernel: a lane tile is padded to a multiple of `lanes`, and the scratch of a stage holds the tiles that `kept` marks.
pub(crate) fn prepare_threads(
    kernel: &TileKernel,
    slots: &Slots,
    lanes: i64,
    kept: &[Vec<bool>],
) -> Result<Func, Refusal> {
    // The host computes sizes alone: one scalar at a time.
    let host = CpuCaps { name: "host", lanes: lanes as usize, registers: 1, rows: 1, vectors: 1, stream_tile: 1 };
    prepare_stages(kernel, slots, &host, Some(kept))
}

fn prepare_stages(
    kernel: &TileKernel,
    slots: &Slots,
    caps: &CpuCaps,
    kept: Option<&[Vec<bool>]>,
) -> Result<Func, Refusal> {
    let mut s = Lower::new(kernel, slots, None, caps);
    s.ranks()?;
    s.tensors()?;
    for (i, stage) in kernel.stages.iter().enumerate() {
        s.stage_sizes(i, stage, kept.map(|k| &k[i][..]))?;
    }
    s.asserts()?;
    Ok(s.fb.finish())
}

/// Extent of a rank inside `prepare`: derived ones are computed where they are first needed.
pub(super) fn extent(s: &mut Lower<'_>, rank: RankId) -> Result<Val, Refusal> {
    if let Some(v) = s.extents[rank.index()] {
        return Ok(v);
    }
    let slot = s.slots.ints.rank(rank.index());
    let v = match &s.kernel.cascade.ranks[rank.index()].extent {
        Extent::Free => s.fb.op(Op::Int(slot)),
        Extent::Const(c) => s.fb.int(*c),
        Extent::Derived(e) => {
            if derived_from(s.kernel, e, s.kernel.cascade.ranks.len()) {
                return Err(s.refuse("an extent is derived from itself"));
            }
            let v = s.index(e)?;
            let zero = s.fb.int(0);
            s.fb.max(v, zero)
        }
    };
    s.extents[rank.index()] = Some(v);
    Ok(v)
}

/// True if the chain of derivations below an expression is longer than the number of ranks.
fn derived_from(kernel: &TileKernel, e: &cascade::Expr, fuel: usize) -> bool {
    let mut cyclic = false;
    e.walk(&mut |x| {
        if let cascade::Expr::Extent(r) = x
            && let Extent::Derived(d) = &kernel.cascade.ranks[r.index()].extent
        {
            cyclic |= fuel == 0 || derived_from(kernel, d, fuel - 1);
        }
    });
    cyclic
}

impl Lower<'_> {
    fn store_int(&mut self, slot: usize, value: Val) {
        self.fb.inst(Inst::StoreInt { slot, value });
    }

    /// An L1 index expression over extents and scalars.
    fn index(&mut self, e: &cascade::Expr) -> Result<Val, Refusal> {
        let e = self.without_points(e)?;
        match self.eval(&e)? {
            Lanes::Uniform(v) => Ok(v),
            Lanes::Each(_) => Err(self.refuse("an extent depends on the lane axis")),
        }
    }

    fn without_points(&self, e: &cascade::Expr) -> Result<Expr, Refusal> {
        let sub = |e: &cascade::Expr| self.without_points(e).map(Box::new);
        Ok(match e {
            cascade::Expr::Int(v) => Expr::Int(*v),
            cascade::Expr::Float(v) => Expr::Float(*v),
            cascade::Expr::Bool(v) => Expr::Bool(*v),
            cascade::Expr::Extent(r) => Expr::Extent(*r),
            cascade::Expr::Scalar(x) => Expr::Scalar(*x),
            cascade::Expr::Unary(op, a) => Expr::Unary(*op, sub(a)?),
            cascade::Expr::Binary(op, a, b) => Expr::Binary(*op, sub(a)?, sub(b)?),
            cascade::Expr::Select(c, a, b) => Expr::Select(sub(c)?, sub(a)?, sub(b)?),
            cascade::Expr::Cast(t, a) => Expr::Cast(*t, sub(a)?),
            cascade::Expr::Var(_) | cascade::Expr::Read(..) => {
                return Err(self.refuse("an extent or assertion depends on a point or on data"));
            }
        })
    }

    fn ranks(&mut self) -> Result<(), Refusal> {
        for i in 0..self.kernel.cascade.ranks.len() {
            let v = self.extent(RankId(i as u32))?;
            if self.kernel.cascade.ranks[i].extent != Extent::Free {
                self.store_int(self.slots.ints.rank(i), v);
            }
        }
        Ok(())
    }

    fn tensors(&mut self) -> Result<(), Refusal> {
        for (i, id) in self.kernel.memory.iter().enumerate() {
            let mut dims = vec![];
            for (d, e) in self.kernel.cascade.tensor(*id).dims.iter().enumerate() {
                let v = self.index(e)?;
                self.store_int(self.slots.ints.dim(i, d), v);
                dims.push(v);
            }
            if matches!(self.slots.tensors[i].role, MemRole::Table(_) | MemRole::Workspace) {
                self.strides(i, &dims);
            }
        }
        Ok(())
    }

    /// Row-major strides; all 0 when the tensor is empty, so that any clamped index stays at its base.
    fn strides(&mut self, tensor: usize, dims: &[Val]) {
        let (zero, one) = (self.fb.int(0), self.fb.int(1));
        let size = dims.iter().fold(one, |a, b| self.fb.mul(a, *b));
        let empty = self.fb.cmp(LaneCmp::Eq, size, zero);
        let mut stride = one;
        for (d, n) in dims.iter().enumerate().rev() {
            let v = self.fb.select(empty, zero, stride);
            self.store_int(self.slots.ints.stride(tensor, d), v);
            stride = self.fb.mul(stride, *n);
        }
    }

    fn stage_sizes(&mut self, i: usize, stage: &TileStage, kept: Option<&[bool]>) -> Result<(), Refusal> {
        let mut items = self.fb.int(1);
        for a in &stage.grid {
            let axis = &stage.axes[a.0 as usize];
            let extent = self.extent(axis.rank)?;
            let n = self.blocks(extent, axis.tile);
            items = self.fb.mul(items, n);
        }
        self.store_int(self.slots.ints.items(i), items);
        let (_, end) = self.buffers(stage, kept)?;
        let row = if kept.is_none() { super::lane_vectors(&stage.axes, self.caps) * self.caps.lanes * 4 } else { 0 };
        let row = self.fb.int(row as i64);
        let bytes = self.fb.add(end, row);
        self.store_int(self.slots.ints.scratch(i), bytes);
        Ok(())
    }

    fn asserts(&mut self) -> Result<(), Refusal> {
        let preds = self.kernel.cascade.asserts.iter().filter_map(|a| match a {
            Assert::Holds { pred, .. } => Some(pred),
            Assert::Passes { .. } => None,
        });
        for (i, pred) in preds.enumerate() {
            let truth = self.index(pred)?;
            let v = self.fb.op(Op::BoolToInt(truth));
            self.store_int(self.slots.ints.assert(i), v);
        }
        Ok(())
    }
}
