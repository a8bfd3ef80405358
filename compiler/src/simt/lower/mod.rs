//! L3 → SIMT IR.
//!
//! Assumes a verified tile kernel. Guarantees a verified SIMT kernel, or refusals.

mod scalar;

use super::SimtKernel;
use crate::cascade::Origin;
use crate::diag::{Code, Refusal};
use crate::target::GpuCaps;
use crate::tile::{TileKernel, Verified};

/// Lowers a tile kernel for a GPU.
pub fn lower(kernel: &Verified<TileKernel>, caps: &GpuCaps) -> Result<SimtKernel, Vec<Refusal>> {
    let refuse = |s: &crate::tile::TileStage| {
        let origin = Origin { stmt: s.name.clone(), line: 0, span: u32::MAX };
        Refusal::new(Code::UNSUPPORTED, &origin, format!("{} runs no such stage yet", caps.name))
    };
    Err(kernel.stages.iter().map(refuse).collect())
}
