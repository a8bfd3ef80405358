//! Tests of the lowering: whole kernels on the executor against plain loops, polynomials against f64.

mod against;
mod attention;
pub(crate) mod examples;
mod functions;
mod kernels;
mod library;

pub(crate) use against::{agrees, all_close, arguments};

/// What the hand-built program needs; other crates include it with their own names.
mod names {
    pub(super) use crate::cascade::{self, Attrs, Cascade, Extent, Facts, Rank, RankId, Tensor, TensorId, TensorKind};
    pub(super) use crate::tile::{Axis, AxisId, Buf, BufId, BufType, Expr, Range, Stmt, Tile, TileKernel, TileStage};
    pub(super) use crate::types::{BinOp, DType, RedOp, UnOp};
}
