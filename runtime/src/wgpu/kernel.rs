//! Descriptions of kernels in WGSL: plain data, made from what the `wgsl` target emits.

use crate::cpu::StageFn;
use crate::signature::{RankDesc, Signature, TensorDesc};

/// A kernel: one or more members of its specialisation set.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<'k> {
    /// Name.
    pub name: &'k str,
    /// Members; the launcher takes the first whose dtypes and constant extents fit.
    pub members: &'k [Member<'k>],
}

/// One member of a specialisation set. The integers follow `einattn_compiler::lane::IntLayout`, bindings and the uniform buffer
/// `einattn_target_wgsl::ArgsLayout`.
#[derive(Clone, Copy, Debug)]
pub struct Member<'k> {
    /// What it is specialised for, as text: `E = 64, T = bf16`.
    pub spec: &'k str,
    /// Memory tensors: the caller's first, then tables and workspace.
    pub tensors: &'k [TensorDesc<'k>],
    /// Ranks.
    pub ranks: &'k [RankDesc<'k>],
    /// Integer scalars.
    pub int_scalars: &'k [&'k str],
    /// Float scalars.
    pub floats: &'k [&'k str],
    /// Source texts of the asserts.
    pub asserts: &'k [&'k str],
    /// Fills the derived part of the integers. It runs on the host.
    pub prepare: StageFn,
    /// The module, as text that the `wgsl` target emitted for this member. It runs without checks of its own.
    pub module: &'k str,
    /// Stages in order.
    pub stages: &'k [Stage<'k>],
}

/// An entry point of the module.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'k> {
    /// Name.
    pub entry: &'k str,
    /// The caller's tensors that it touches.
    pub tensors: &'k [usize],
    /// True if it reads the tables.
    pub tables: bool,
    /// True if it touches workspace or scratch.
    pub pool: bool,
    /// True if every workgroup has scratch of its own in the pool.
    pub scratch: bool,
}

impl<'k> Member<'k> {
    /// What the checks of a launch need to know.
    pub(super) fn signature(&self) -> Signature<'k> {
        Signature {
            tensors: self.tensors,
            ranks: self.ranks,
            int_scalars: self.int_scalars,
            floats: self.floats,
            asserts: self.asserts,
            stages: self.stages.len(),
        }
    }
}
