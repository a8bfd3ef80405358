//! Descriptions of kernels for GPUs: plain data.

use crate::signature::{RankDesc, Signature, TensorDesc};

/// Fills the derived part of the integers; same calling convention as a stage of the CPU.
pub type PrepareFn = crate::cpu::StageFn;

/// A kernel: one or more members of its specialisation set.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<'k> {
    /// Name.
    pub name: &'k str,
    /// Members; the launcher takes the first whose dtypes and constant extents fit.
    pub members: &'k [Member<'k>],
}

/// One member of a specialisation set. `ints` are laid out as on the CPU.
#[derive(Clone, Copy, Debug)]
pub struct Member<'k> {
    /// What it is specialised for, as text: `E = 64, T = bf16`.
    pub spec: &'k str,
    /// Memory tensors in the order of the pointers: caller's tensors first, then tables and workspace.
    pub tensors: &'k [TensorDesc<'k>],
    /// Ranks.
    pub ranks: &'k [RankDesc<'k>],
    /// Integer scalars.
    pub int_scalars: &'k [&'k str],
    /// Float scalars.
    pub floats: &'k [&'k str],
    /// Source texts of the asserts.
    pub asserts: &'k [&'k str],
    /// Fills the derived part of `ints`, on the host.
    pub prepare: PrepareFn,
    /// PTX of all stages.
    pub ptx: &'k str,
    /// Entries, in the order of the stages.
    pub entries: &'k [Entry<'k>],
    /// Alignment in bytes that the base of each tensor must have.
    pub alignment: &'k [u32],
}

/// An entry of a member's PTX.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'k> {
    /// Symbol.
    pub name: &'k str,
    /// Threads of a block.
    pub threads: u32,
    /// Bytes of dynamic shared memory.
    pub shared_bytes: u32,
    /// True if blocks loop over items and use scratch; otherwise there is one block an item.
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
            stages: self.entries.len(),
        }
    }
}
